//! What the store measures.

use std::time::Duration;

use flowker_core::metric::{GROUP, Kind, Metric, SECONDS, Unit};
use metrics::{Histogram, histogram};

const COMMIT_DURATION: &str = "flowker_store_commit_duration_seconds";
const GROUP_SIZE: &str = "flowker_store_commit_writes";

/// Everything that the store measures.
pub const METRICS: &[Metric] = &[
    Metric {
        name: COMMIT_DURATION,
        kind: Kind::Histogram(SECONDS),
        unit: Unit::Seconds,
        labels: &[],
        help: "How long a group of writes took, from its beginning until it was durable.",
    },
    Metric {
        name: GROUP_SIZE,
        kind: Kind::Histogram(GROUP),
        unit: Unit::Count,
        labels: &[],
        help: "How many writes were made durable together.",
    },
];

/// The handles of what is measured, made once.
#[derive(Debug)]
pub(crate) struct Metrics {
    commit_duration: Histogram,
    group_size: Histogram,
}

impl Metrics {
    /// Registers with the recorder of this process.
    pub(crate) fn new() -> Self {
        Self { commit_duration: histogram!(COMMIT_DURATION), group_size: histogram!(GROUP_SIZE) }
    }

    /// Notes that `n_writes` are durable, and how long that took.
    pub(crate) fn committed(&self, n_writes: usize, duration: Duration) {
        self.commit_duration.record(duration);
        // Bounded by the largest group.
        self.group_size.record(u32::try_from(n_writes).unwrap_or(u32::MAX));
    }
}
