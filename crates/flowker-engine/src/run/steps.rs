//! Steps from their beginning to their entry in the journal.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{Event, FailureCode, Start, StepRun};
use flowker_core::ports::{CallFailure, ProviderConfig, SpanKind};
use flowker_core::time::Timestamp;
use flowker_core::trace::TraceContext;
use flowker_core::workflow::{NodeIdx, OnUncertain};
use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span, error, info, info_span};

use super::attempt::{self, Admission, Answer, Clearance};
use super::request::{self, Attempt, StepId};
use super::{Run, failure, retry};

/// Blocked steps ask again up to so much later than their breaker allows, for each execution that
/// waits: so that they do not all read the store at once.
const SPREAD_OF_ONE: Duration = Duration::from_millis(2);

/// The least and the most of that spread.
const SPREAD_MIN: Duration = Duration::from_secs(1);
const SPREAD_MAX: Duration = Duration::from_mins(1);

/// How far a step of an executor node has come.
pub(super) enum Stage {
    /// It asks for its turn.
    Admitting { attempt: u32 },
    /// It may call once it is stored that it is about to.
    Announcing { attempt: u32, clearance: Box<Clearance> },
    /// It calls.
    Calling { attempt: u32, started_at: Timestamp, begun: Instant, is_announced: bool },
}

impl Stage {
    /// Whether the journal says, or is about to say, that the attempt began.
    pub const fn is_announced(&self) -> bool {
        match self {
            Self::Admitting { .. } => false,
            Self::Announcing { .. } => true,
            Self::Calling { is_announced, .. } => *is_announced,
        }
    }
}

impl Run {
    /// Carries a node out that calls nobody; whether it was one.
    pub(super) fn decide(&mut self, start: &Start) -> bool {
        let (idx, begun, started_at) = (start.node, Instant::now(), self.shared.clock.now());
        let result = match failure::guarded(|| self.state.decide(idx)) {
            Ok(Some(result)) => result,
            Ok(None) if self.state.is_uncertain(idx, self.fence) => Err(self.uncertain(idx)),
            Ok(None) => return false,
            Err(panic) => {
                error!(node.id = self.node(idx), panic, "deciding a node panicked");
                Err(failure::internal(self.node(idx)))
            }
        };
        self.begin_clock();
        let result = result.and_then(|output| self.bounded(idx, output));
        let run = StepRun { attempt: start.attempt, started_at, duration: begun.elapsed() };
        let entry = self.happened(self.ended(idx, run, result));
        self.journal.note(entry);
        true
    }

    /// Lets a step ask for its turn.
    pub(super) fn admit(&mut self, start: &Start) {
        self.begin_clock();
        let idx = start.node;
        self.blocked.remove(&idx);
        self.steps.insert(idx, Stage::Admitting { attempt: start.attempt });
        let admitting =
            attempt::admit(Arc::clone(&self.shared), Arc::clone(self.state.plan()), idx);
        self.admissions.push(admitting.map(move |admission| (idx, admission)).boxed());
    }

    /// A step has its turn, or is not to have it.
    pub(super) fn admitted(&mut self, idx: NodeIdx, admission: Admission) {
        let Some(Stage::Admitting { attempt }) = self.steps.remove(&idx) else { return };
        match admission {
            Admission::Blocked(blocked) => {
                let n_waiting = u32::try_from(self.shared.held.n_parked()).unwrap_or(u32::MAX);
                let spread = SPREAD_OF_ONE.saturating_mul(n_waiting);
                let spread = spread.clamp(SPREAD_MIN, SPREAD_MAX);
                self.blocked.insert(idx, blocked.until + self.shared.random_up_to(spread));
            }
            Admission::Failed(failure) => {
                let run = self.not_run(attempt);
                self.record_end(idx, run, Err(failure));
            }
            Admission::Cleared(clearance) if self.is_announced_first(idx) => {
                let node = self.node(idx).to_owned();
                self.record(idx, Event::Started { node, attempt });
                self.steps.insert(idx, Stage::Announcing { attempt, clearance });
            }
            Admission::Cleared(clearance) => self.call(idx, attempt, clearance, false),
        }
    }

    /// Lets the steps call whose beginning is stored.
    pub(super) fn call_announced(&mut self) {
        let is_stored = |idx: &NodeIdx, stage: &mut Stage| {
            matches!(stage, Stage::Announcing { .. }) && !self.journal.is_unsaved(*idx)
        };
        let stored: Vec<_> = self.steps.extract_if(.., is_stored).collect();
        for (idx, stage) in stored {
            if let Stage::Announcing { attempt, clearance } = stage {
                self.call(idx, attempt, clearance, true);
            }
        }
    }

    fn call(&mut self, idx: NodeIdx, attempt: u32, clearance: Box<Clearance>, is_announced: bool) {
        let (begun, started_at) = (Instant::now(), self.shared.clock.now());
        let step = self.step_id(idx);
        let plan = Arc::clone(self.state.plan());
        let (span, trace) = self.attempt_span(&step, attempt, &clearance.config());
        let made = Attempt { number: attempt, trace };
        let built = failure::guarded(|| match attempt::executor(&plan, idx) {
            Some(executor) => {
                request::build(&step, executor, &made, &clearance, (&self.state, idx))
            }
            None => Err(failure::internal(&step.node)),
        });
        let built = built.unwrap_or_else(|panic| {
            error!(node.id = step.node, panic, "building a request panicked");
            Err(failure::internal(&step.node))
        });
        match built {
            Ok(call) => {
                let stage = Stage::Calling { attempt, started_at, begun, is_announced };
                self.steps.insert(idx, stage);
                let shared = Arc::clone(&self.shared);
                let calling = attempt::call(shared, plan, idx, step, clearance, call);
                let calling = calling.instrument(span);
                self.calls.push(calling.map(move |answer| (idx, answer)).boxed());
            }
            Err(failure) => {
                let run = StepRun { attempt, started_at, duration: begun.elapsed() };
                self.record_end(idx, run, Err(failure));
            }
        }
    }

    /// A span for an attempt, and where in which trace that is.
    fn attempt_span(
        &self,
        step: &StepId,
        attempt: u32,
        config: &ProviderConfig,
    ) -> (Span, Option<TraceContext>) {
        let span = info_span!(
            "attempt",
            node.id = step.node,
            attempt,
            provider.id = config.provider_id,
            provider_config.id = %config.id,
            http.request.method = Empty,
            server.address = Empty,
            http.response.status_code = Empty,
            otel.kind = Empty,
            otel.status_code = Empty,
        );
        let joined = self.shared.tracer.join(&span, None, SpanKind::Client);
        let trace = joined.or_else(|| {
            let trace = self.execution.trace.as_ref()?;
            Some(trace.within(self.shared.new_span_id()))
        });
        (span, trace)
    }

    /// A call has ended.
    pub(super) fn answered(&mut self, idx: NodeIdx, answer: Answer) {
        let Some(Stage::Calling { attempt, started_at, begun, .. }) = self.steps.remove(&idx)
        else {
            return;
        };
        let run = StepRun { attempt, started_at, duration: begun.elapsed() };
        match answer {
            Answer::Done(output) => {
                let output = self.bounded(idx, output);
                self.record_end(idx, run, output);
            }
            Answer::Broken(failure) => self.record_end(idx, run, Err(failure)),
            Answer::Failed(failed) => self.call_failed(idx, run, &failed),
        }
    }

    fn call_failed(&mut self, idx: NodeIdx, run: StepRun, failed: &CallFailure) {
        let (node, attempt) = (self.node(idx).to_owned(), run.attempt);
        let plan = Arc::clone(self.state.plan());
        let verdict = match attempt::executor(&plan, idx) {
            Some(executor) => {
                let random_up_to = |most| self.shared.random_up_to(most);
                retry::judge(executor, attempt, failed, random_up_to)
            }
            None => Err(FailureCode::Internal),
        };
        match verdict {
            Ok(delay) => {
                if let Some(provider) = self.provider_id(idx) {
                    self.shared.metrics.retried(provider);
                }
                let message = failed.message.clone();
                let delay_ms = delay.as_millis();
                info!(node.id = node, attempt, delay_ms, error.message = message, "attempt failed");
                let due = self.shared.clock.now().plus(delay);
                self.record(idx, Event::RetryAt { node, attempt, due, message });
            }
            Err(code) => {
                let failure = failure::of_node(code, &node, retry::exhausted(attempt, failed));
                self.record_end(idx, run, Err(failure));
            }
        }
    }

    /// Drops the steps that have not been announced and do not call.
    pub(super) fn drop_admissions(&mut self) {
        self.admissions.clear();
        self.steps.retain(|_, stage| !matches!(stage, Stage::Admitting { .. }));
    }

    /// Drops all steps that do not call.
    pub(super) fn drop_uncalled(&mut self) {
        self.admissions.clear();
        self.steps.retain(|_, stage| matches!(stage, Stage::Calling { .. }));
    }

    /// Whether an attempt must be in the journal before it is made.
    fn is_announced_first(&self, idx: NodeIdx) -> bool {
        let executor = attempt::executor(self.state.plan(), idx);
        self.is_suspect || executor.is_some_and(|it| it.on_uncertain == OnUncertain::Fail)
    }

    fn step_id(&self, idx: NodeIdx) -> StepId {
        let before = self.state.plan().visible_to(idx).iter();
        let at = before.filter_map(|idx| self.done_at.get(idx)).max();
        let at = at.copied().unwrap_or(self.execution.accepted_at);
        StepId { execution: self.execution.id, node: self.node(idx).to_owned(), at }
    }

    pub(super) fn node(&self, idx: NodeIdx) -> &str {
        &self.state.plan().node(idx).id
    }

    /// The engine's moment at which tokio's clock will show `instant`.
    pub(super) fn moment_of(&self, instant: Instant) -> Timestamp {
        self.shared.clock.now().plus(instant.saturating_duration_since(Instant::now()))
    }
}
