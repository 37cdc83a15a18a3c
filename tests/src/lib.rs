//! The harness of the black-box tests: it starts the real binary, plays the services that
//! workflows call, and knows nothing of the binary but its command line, its signals and HTTP.
//!
//! Everything here is synchronous and fails by panicking, with what the server logged.

#![allow(clippy::missing_panics_doc, reason = "a harness tells what failed by panicking")]

pub mod crash;
pub mod database;
pub mod failover;
pub mod flow;
pub mod growth;
pub mod http;
pub mod load;
pub mod oidc;
pub mod orders;
pub mod patroni;
pub mod pooler;
pub mod proxy;
pub mod replicas;
pub mod s3;
pub mod server;
pub mod stub;
pub mod wait;

pub use database::Database;
pub use flow::Flow;
pub use http::{Answer, Request};
pub use replicas::Replicas;
pub use server::{Finished, Home, Server};
pub use stub::{Call, Reply, Stub};
pub use wait::until;
