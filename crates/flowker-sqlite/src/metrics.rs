//! What the store measures.

use std::time::Duration;

use flowker_core::metric::{Metric, STORE_COMMIT_DURATION, STORE_COMMIT_WRITES};
use metrics::{Histogram, histogram};

/// Everything that the store measures.
pub const METRICS: &[Metric] = &[STORE_COMMIT_DURATION, STORE_COMMIT_WRITES];

/// The handles of what is measured, made once.
#[derive(Debug)]
pub(crate) struct Metrics {
    commit_duration: Histogram,
    group_size: Histogram,
}

impl Metrics {
    /// Registers with the recorder of this process.
    pub(crate) fn new() -> Self {
        Self {
            commit_duration: histogram!(STORE_COMMIT_DURATION.name),
            group_size: histogram!(STORE_COMMIT_WRITES.name),
        }
    }

    /// Notes that `n_writes` are durable, and how long that took.
    pub(crate) fn committed(&self, n_writes: usize, duration: Duration) {
        self.commit_duration.record(duration);
        // Bounded by the largest group.
        self.group_size.record(u32::try_from(n_writes).unwrap_or(u32::MAX));
    }
}
