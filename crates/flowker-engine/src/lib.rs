//! Drives executions over the ports: ownership, steps, retries, breakers, timers.
//!
//! [`Engine`] is the way in. It is handed executions by whoever accepted them, takes over those
//! that nobody drives, and carries each to its end. What an execution does next is decided by
//! [`flowker_core::execution::advance`]; here it is carried out, stored first and acted on after.
//!
//! What is waiting takes little: an execution that only waits for a moment is parked as a few
//! bytes, and every queue, map and pool has a bound in [`Limits`].

mod adoption;
mod engine;
mod held;
mod limits;
mod metrics;
mod parking;
mod run;
mod shared;
mod stats;
mod store;
mod target;
mod waiters;

pub use engine::{Deps, Engine};
pub use limits::Limits;
pub use metrics::METRICS;
pub use stats::Stats;

#[cfg(test)]
mod tests;
