//! The inbound adapter: the HTTP contract over raw hyper, HTTP/1.1 and HTTP/2 without TLS.
//!
//! [`Server`] accepts connections and decides which protocol they speak. Each request then goes
//! through one function, `answer::answer`, which reads top to bottom: framing, room, who calls,
//! route, whether the caller may, declared length, handler. Handlers read what they need, call a use-case of
//! `flowker-core`, and show what came of it. No status code is chosen anywhere else.

mod access;
mod answer;
mod app;
mod body;
mod cors;
mod cursor;
mod denials;
mod error;
mod extract;
mod faults;
mod forwarded;
mod handle;
mod hygiene;
mod limits;
mod metrics;
mod openapi;
mod paging;
mod problem;
mod rates;
mod route;
mod server;
mod shape;
mod show;
mod shutdown;
mod span;
mod stream;

pub use access::Access;
pub use app::{App, Exposition, Readiness, StoreHealth};
pub use cors::Cors;
pub use limits::Limits;
pub use metrics::METRICS;
pub use openapi::openapi;
pub use rates::GovernorRates;
pub use route::{Endpoint, ROUTES};
pub use server::{Server, Stopped};
pub use shutdown::Shutdown;

#[cfg(test)]
mod tests;
