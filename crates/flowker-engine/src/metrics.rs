//! What the engine measures.

use std::collections::HashMap;
use std::time::Duration;

use flowker_core::catalog::Catalog;
use flowker_core::execution::{FailureCode, Outcome};
use flowker_core::metric::{Kind, Label, Metric, SECONDS, Unit};
use flowker_core::ports::FailureKind;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::stats::Stats;

const RUNNING: &str = "flowker_executions_running";
const WAITING: &str = "flowker_executions_waiting";
const FINISHED: &str = "flowker_executions_finished_total";
const EXECUTION_DURATION: &str = "flowker_execution_duration_seconds";
const ADOPTED: &str = "flowker_executions_adopted_total";
const SUPERSEDED: &str = "flowker_executions_superseded_total";
const RELEASED: &str = "flowker_executions_released_total";
const STEPS: &str = "flowker_steps_finished_total";
const RETRIES: &str = "flowker_step_retries_total";
const ATTEMPT_DURATION: &str = "flowker_step_attempt_duration_seconds";
const CALLS: &str = "flowker_calls_running";
const CALLERS: &str = "flowker_callers_waiting";
const BREAKERS: &str = "flowker_breakers";
const BREAKERS_OPENED: &str = "flowker_breakers_opened_total";
const STORE_RETRIES: &str = "flowker_store_operations_repeated_total";

const PROVIDER: Label =
    Label { name: "provider", values: "the ids of the providers in the catalog" };

/// Everything that the engine measures.
pub const METRICS: &[Metric] = &[
    plain(RUNNING, Kind::Gauge, "Executions that this replica drives."),
    plain(
        WAITING,
        Kind::Gauge,
        "Executions of this replica that only wait: for a retry, for a breaker, for room.",
    ),
    Metric {
        name: FINISHED,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[
            Label { name: "outcome", values: "`completed`, `failed`" },
            Label { name: "code", values: "the failure code, empty for completed ones" },
        ],
        help: "Executions that this replica brought to their end.",
    },
    Metric {
        name: EXECUTION_DURATION,
        kind: Kind::Histogram(SECONDS),
        unit: Unit::Seconds,
        labels: &[Label { name: "outcome", values: "`completed`, `failed`" }],
        help: "From the acceptance of an execution to its end, waits and retries included.",
    },
    plain(
        ADOPTED,
        Kind::Counter,
        "Executions that were taken over: from a replica that was lost, or because nobody had room \
         for them when they were accepted.",
    ),
    plain(
        SUPERSEDED,
        Kind::Counter,
        "Writes that were fenced off: the execution had a newer owner, or was ended by someone else.",
    ),
    plain(RELEASED, Kind::Counter, "Executions that were given back to the store unfinished."),
    Metric {
        name: STEPS,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[PROVIDER, Label { name: "outcome", values: "`completed`, `failed`" }],
        help: "Steps that call a provider and came to their end, after as many attempts as it took.",
    },
    Metric {
        name: RETRIES,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[PROVIDER],
        help: "Attempts that failed and are followed by another one.",
    },
    Metric {
        name: ATTEMPT_DURATION,
        kind: Kind::Histogram(SECONDS),
        unit: Unit::Seconds,
        labels: &[
            PROVIDER,
            Label {
                name: "outcome",
                values: "`succeeded`, `transient`, `permanent`, `unknown`, `broken`",
            },
        ],
        help: "How long calls took, one attempt each, the wait for their turn left out. `unknown`: \
               sent, and no whole answer came. `broken`: a bug of ours.",
    },
    plain(CALLS, Kind::Gauge, "Calls to providers that are under way."),
    plain(CALLERS, Kind::Gauge, "Callers that wait for an execution to end."),
    Metric {
        name: BREAKERS,
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[Label { name: "state", values: "`closed`, `open`, `trial`" }],
        help: "Provider configurations by the state of their breaker in this replica.",
    },
    plain(BREAKERS_OPENED, Kind::Counter, "How often a breaker opened that was closed."),
    plain(
        STORE_RETRIES,
        Kind::Counter,
        "Operations of the store that the engine had to ask for again.",
    ),
];

const fn plain(name: &'static str, kind: Kind, help: &'static str) -> Metric {
    Metric { name, kind, unit: Unit::Count, labels: &[], help }
}

/// The handles of what is measured, made once.
#[derive(Debug)]
pub(crate) struct Metrics {
    completed: Counter,
    failed: HashMap<FailureCode, Counter>,
    completed_after: Histogram,
    failed_after: Histogram,
    providers: HashMap<&'static str, OfProvider>,
    /// How often a breaker opened.
    pub breakers_opened: Counter,
}

/// What is measured of one provider.
#[derive(Debug)]
struct OfProvider {
    completed: Counter,
    failed: Counter,
    retries: Counter,
    /// By [`AttemptOutcome`].
    attempts: [Histogram; AttemptOutcome::ALL.len()],
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptOutcome {
    Succeeded,
    Transient,
    Permanent,
    Unknown,
    /// By a bug of ours.
    Broken,
}

impl AttemptOutcome {
    const ALL: [Self; 5] =
        [Self::Succeeded, Self::Transient, Self::Permanent, Self::Unknown, Self::Broken];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
        }
    }
}

impl From<FailureKind> for AttemptOutcome {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Transient => Self::Transient,
            FailureKind::Permanent => Self::Permanent,
            FailureKind::Unknown => Self::Unknown,
        }
    }
}

impl Metrics {
    /// Registers with the recorder of this process.
    pub fn new(catalog: &Catalog) -> Self {
        let finished = |outcome: &'static str, code: &'static str| counter!(FINISHED, "outcome" => outcome, "code" => code);
        let failed = FailureCode::ALL.map(|code| (code, finished("failed", code.as_str())));
        let providers = catalog.providers().map(|it| it.descriptor.id);
        Self {
            completed: finished("completed", ""),
            failed: HashMap::from(failed),
            completed_after: histogram!(EXECUTION_DURATION, "outcome" => "completed"),
            failed_after: histogram!(EXECUTION_DURATION, "outcome" => "failed"),
            providers: providers.map(|id| (id, OfProvider::new(id))).collect(),
            breakers_opened: counter!(BREAKERS_OPENED),
        }
    }

    /// Counts an end that this replica wrote.
    pub fn finished(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Completed { .. } => self.completed.increment(1),
            Outcome::Failed(failure) => {
                if let Some(failed) = self.failed.get(&failure.code) {
                    failed.increment(1);
                }
            }
            // Not an end that the engine writes.
            Outcome::Cancelled => {}
        }
    }

    /// Notes how long an execution took that has ended.
    pub fn took(&self, outcome: &Outcome, duration: Duration) {
        match outcome {
            Outcome::Completed { .. } => self.completed_after.record(duration),
            Outcome::Failed(_) => self.failed_after.record(duration),
            Outcome::Cancelled => {}
        }
    }

    /// Counts a step that ended.
    pub fn step(&self, provider: &str, is_completed: bool) {
        if let Some(of) = self.providers.get(provider) {
            if is_completed { &of.completed } else { &of.failed }.increment(1);
        }
    }

    /// Counts an attempt that is followed by another one.
    pub fn retried(&self, provider: &str) {
        if let Some(of) = self.providers.get(provider) {
            of.retries.increment(1);
        }
    }

    /// Notes how long a call took.
    pub fn attempt(&self, provider: &str, outcome: AttemptOutcome, duration: Duration) {
        if let Some(of) = self.providers.get(provider) {
            of.attempts[outcome as usize].record(duration);
        }
    }
}

impl OfProvider {
    fn new(provider: &'static str) -> Self {
        let steps =
            |outcome: &'static str| counter!(STEPS, "provider" => provider, "outcome" => outcome);
        Self {
            completed: steps("completed"),
            failed: steps("failed"),
            retries: counter!(RETRIES, "provider" => provider),
            attempts: AttemptOutcome::ALL.map(|outcome| {
                let outcome = outcome.as_str();
                histogram!(ATTEMPT_DURATION, "provider" => provider, "outcome" => outcome)
            }),
        }
    }
}

/// The handles of what is known at any time, and told only to whoever asks.
#[derive(Debug)]
pub(crate) struct Levels {
    running: Gauge,
    waiting: Gauge,
    calls: Gauge,
    callers: Gauge,
    breakers_closed: Gauge,
    breakers_open: Gauge,
    breakers_trial: Gauge,
    adopted: Counter,
    superseded: Counter,
    released: Counter,
    store_retries: Counter,
}

impl Levels {
    /// Registers with the recorder of this process.
    pub fn new() -> Self {
        let breakers = |state: &'static str| gauge!(BREAKERS, "state" => state);
        Self {
            running: gauge!(RUNNING),
            waiting: gauge!(WAITING),
            calls: gauge!(CALLS),
            callers: gauge!(CALLERS),
            breakers_closed: breakers("closed"),
            breakers_open: breakers("open"),
            breakers_trial: breakers("trial"),
            adopted: counter!(ADOPTED),
            superseded: counter!(SUPERSEDED),
            released: counter!(RELEASED),
            store_retries: counter!(STORE_RETRIES),
        }
    }

    /// Tells the recorder how things stand.
    pub fn tell(&self, stats: &Stats) {
        self.running.set(level(stats.executions));
        self.waiting.set(level(stats.parked));
        self.calls.set(level(stats.calls));
        self.callers.set(level(stats.waiters));
        self.breakers_closed.set(level(stats.breakers_closed));
        self.breakers_open.set(level(stats.breakers_open - stats.breakers_on_trial));
        self.breakers_trial.set(level(stats.breakers_on_trial));
        self.adopted.absolute(stats.adopted);
        self.superseded.absolute(stats.superseded);
        self.released.absolute(stats.released);
        self.store_retries.absolute(stats.store_retries);
    }
}

/// A gauge is a double, which counts exactly to far beyond any bound of ours.
#[expect(clippy::cast_precision_loss, reason = "levels are bounded far below 2^52")]
fn level(count: usize) -> f64 {
    count as f64
}
