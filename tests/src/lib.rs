//! The harness of the black-box tests: it starts the real binary, plays the services that
//! workflows call, and knows nothing of the binary but its command line, its signals and HTTP.
//!
//! Everything here is synchronous and fails by panicking, with what the server logged.

#![allow(clippy::missing_panics_doc, reason = "a harness tells what failed by panicking")]

pub mod crash;
pub mod flow;
pub mod http;
pub mod server;
pub mod stub;
pub mod wait;

pub use flow::Flow;
pub use http::{Answer, Request};
pub use server::{Finished, Home, Server};
pub use stub::{Reply, Stub};
pub use wait::until;
