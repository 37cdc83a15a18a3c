//! What a metric is, for the list that each crate keeps of its own.
//!
//! The core measures nothing: it has no clock and nobody to tell. Adapters do, and list what they
//! measure as [`Metric`]s, so that one page and one exporter know all of them.

/// A number that the process tells about itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// As Prometheus names it: base unit, plural, `_total` for counters.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// In what it is measured.
    pub unit: Unit,
    /// What tells its series apart. Closed sets only: no id, no key, no path.
    pub labels: &'static [Label],
    /// What it says, in a sentence or two.
    pub help: &'static str,
}

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Up only, from the start of the process.
    Counter,
    /// Up and down.
    Gauge,
    /// Observations, counted by the upper bounds that they stay below.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word of the exposition format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// In what a metric is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The word of the reference page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
        }
    }
}

/// What tells series of one metric apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Which values there are.
    pub values: &'static str,
}

/// Upper bounds for what a caller waits for: from half a millisecond, which a local commit takes, to
/// the longest wait that a caller may ask for.
pub const SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Upper bounds for how many things go together, to the largest group that a store writes.
pub const GROUP: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// From the beginning of a group of writes until it was durable. For each store.
pub const STORE_COMMIT_DURATION: Metric = Metric {
    name: "flowker_store_commit_duration_seconds",
    kind: Kind::Histogram(SECONDS),
    unit: Unit::Seconds,
    labels: &[],
    help: "How long a group of writes took, from its beginning until it was durable.",
};

/// How many writes share a commit. For each store.
pub const STORE_COMMIT_WRITES: Metric = Metric {
    name: "flowker_store_commit_writes",
    kind: Kind::Histogram(GROUP),
    unit: Unit::Count,
    labels: &[],
    help: "How many writes were made durable together.",
};
