//! What the store measures.

use std::time::Duration;

use flowker_core::metric::{Kind, Label, Metric, STORE_COMMIT_DURATION, STORE_COMMIT_WRITES, Unit};
use flowker_core::refusal::BoxError;
use metrics::{Histogram, counter, histogram};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

const RETRIES: &str = "flowker_store_retries_total";

/// Why a transaction is repeated.
const DEADLOCK: &str = "deadlock";
const SERIALIZATION: &str = "serialization";

/// Everything that the store measures.
pub const METRICS: &[Metric] = &[
    STORE_COMMIT_DURATION,
    STORE_COMMIT_WRITES,
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

/// Counts a transaction that lost a race and is tried again. Rare, so its handle is not kept.
pub(crate) fn retried(lost: &BoxError) {
    let code = lost.downcast_ref::<Error>().and_then(Error::code);
    let is_deadlock = code == Some(&SqlState::T_R_DEADLOCK_DETECTED);
    let reason = if is_deadlock { DEADLOCK } else { SERIALIZATION };
    counter!(RETRIES, "reason" => reason).increment(1);
}
