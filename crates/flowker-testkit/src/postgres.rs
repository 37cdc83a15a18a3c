//! Postgres servers and poolers of a test's own, to be restarted, misconfigured and killed.
//!
//! What only needs a database gets one on the server that all tests share.

mod cluster;
mod pooler;
mod programs;

pub use cluster::Cluster;
pub use pooler::{Pooler, Target};
pub use programs::{Programs, free_port};
