//! What the outbound adapter measures.

use flowker_core::metric::{Kind, Label, Metric, Unit};
use metrics::{Counter, Gauge, counter, gauge};

const CONNECTIONS: &str = "flowker_outbound_connections";
const CONNECTS: &str = "flowker_outbound_connects_total";

/// Everything that the outbound adapter measures.
pub const METRICS: &[Metric] = &[
    Metric {
        name: CONNECTIONS,
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Outbound connections that are open, those that wait to be used again included.",
    },
    Metric {
        name: CONNECTS,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[Label { name: "outcome", values: "`connected`, `failed`, `denied`" }],
        help: "Outbound connections that were asked for. `denied`: the policy does not let anyone \
               go there.",
    },
];

/// The handles of what is measured, made once.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) connections: Gauge,
    pub(crate) connected: Counter,
    pub(crate) failed: Counter,
    pub(crate) denied: Counter,
}

impl Metrics {
    /// Registers with the recorder of this process.
    pub(crate) fn new() -> Self {
        let connects = |outcome: &'static str| counter!(CONNECTS, "outcome" => outcome);
        Self {
            connections: gauge!(CONNECTIONS),
            connected: connects("connected"),
            failed: connects("failed"),
            denied: connects("denied"),
        }
    }
}
