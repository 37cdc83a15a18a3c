//! What the store measures.

use std::time::Duration;

use flowker_core::metric::{GROUP, Kind, Label, Metric, SECONDS, Unit};
use flowker_core::refusal::BoxError;
use metrics::{Histogram, counter, histogram};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

const COMMIT_DURATION: &str = "flowker_store_commit_duration_seconds";
const GROUP_SIZE: &str = "flowker_store_commit_writes";
const RETRIES: &str = "flowker_store_retries_total";

/// Why a transaction is repeated.
const DEADLOCK: &str = "deadlock";
const SERIALIZATION: &str = "serialization";

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
    Metric {
        name: RETRIES,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[Label { name: "reason", values: "`deadlock`, `serialization`" }],
        help: "Transactions on Postgres that lost a race and were tried again.",
    },
];

/// The handles of what is measured, made once.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    commit_duration: Histogram,
    group_size: Histogram,
}

impl Metrics {
    /// Registers with the recorder of this process.
    pub(crate) fn new() -> Self {
        // There from the start, so that the first retry shows as an increase.
        for reason in [DEADLOCK, SERIALIZATION] {
            counter!(RETRIES, "reason" => reason).absolute(0);
        }
        Self { commit_duration: histogram!(COMMIT_DURATION), group_size: histogram!(GROUP_SIZE) }
    }

    /// Notes that `n_writes` are durable, and how long that took.
    pub(crate) fn committed(&self, n_writes: usize, duration: Duration) {
        self.commit_duration.record(duration);
        // Bounded by the largest group.
        self.group_size.record(u32::try_from(n_writes).unwrap_or(u32::MAX));
    }
}

/// Counts a transaction that lost a race and is tried again. Rare, so its handle is not kept.
pub(crate) fn retried(lost: &BoxError) {
    let code = lost.downcast_ref::<Error>().and_then(Error::code);
    let is_deadlock = code == Some(&SqlState::T_R_DEADLOCK_DETECTED);
    let reason = if is_deadlock { DEADLOCK } else { SERIALIZATION };
    counter!(RETRIES, "reason" => reason).increment(1);
}
