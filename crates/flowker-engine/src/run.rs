//! One execution, from the moment it is owned until it ends, waits or is someone else's.

mod attempt;
mod begin;
mod deadline;
mod entries;
mod failure;
mod journal;
mod request;
mod retry;
mod steps;
mod turn;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use flowker_core::execution::{Execution, Failure, FailureCode, Fence, Outcome, RunState};
use flowker_core::id::ExecutionId;
use flowker_core::ports::{Append, SpanKind};
use flowker_core::time::Timestamp;
use flowker_core::workflow::NodeIdx;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug, error, info, warn};

use self::attempt::{Admission, Answer};
use self::begin::Unfit;
use self::journal::Journal;
use self::steps::Stage;
use crate::parking::Parked;
use crate::shared::{Shared, Work};
use crate::store::{self, Chain, Lost};

/// An execution in memory.
///
/// `state` holds everything that happened, written or not. Deciding runs ahead of the store;
/// calling does not: a step begins when all that it builds on is stored.
struct Run {
    shared: Arc<Shared>,
    execution: Arc<Execution>,
    fence: Fence,
    state: RunState,
    journal: Journal,
    /// Steps of executor nodes that have begun and not ended.
    steps: BTreeMap<NodeIdx, Stage>,
    /// Steps that ask for their turn. At most one a node.
    admissions: FuturesUnordered<BoxFuture<'static, (NodeIdx, Admission)>>,
    /// Steps that call. At most one a node.
    calls: FuturesUnordered<BoxFuture<'static, (NodeIdx, Answer)>>,
    /// Nodes whose breaker is open, and when to ask it again.
    blocked: BTreeMap<NodeIdx, Instant>,
    /// When executor nodes were done, as the journal has it.
    done_at: BTreeMap<NodeIdx, Timestamp>,
    /// When the run's time is up. `None` before its first step.
    deadline: Option<Instant>,
    /// Whether an owner was lost and nothing was achieved since: then each attempt is announced.
    is_suspect: bool,
    has_failed: bool,
    stop: Stop,
}

/// How far the engine has stopped, as the run has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    No,
    Draining,
    Cut,
}

/// Why a run is not driven any further.
enum Exit {
    /// Its end is stored.
    Ended(Outcome),
    /// It only waits.
    Waits { wake: Instant, deadline: Option<Instant> },
    /// The engine drains, and nothing is in flight.
    HandedOver { due: Option<Timestamp> },
    /// The store has no use for us.
    Lost(Lost),
}

/// Drives an execution until there is nothing to do here, and leaves it in good order. What only
/// waits is answered, to be parked.
pub(crate) async fn drive(
    shared: &Arc<Shared>,
    work: Work,
    abandoned: &CancellationToken,
) -> Option<Parked> {
    let (id, fence) = work.key();
    let carried = AssertUnwindSafe(carry(shared, work)).catch_unwind();
    let exit = match abandoned.run_until_cancelled(carried).await {
        None => {
            debug!("abandoned");
            return None;
        }
        Some(Ok(exit)) => exit,
        Some(Err(panic)) => {
            error!(panic = failure::panic_text(&*panic), "driving an execution panicked");
            let failure = Failure::new(FailureCode::Internal, failure::INTERNAL);
            end(shared, id, fence, failure).await
        }
    };
    leave(shared, id, fence, exit).await
}

async fn carry(shared: &Arc<Shared>, work: Work) -> Exit {
    let (id, fence) = work.key();
    let (owned, deadline) = match work {
        Work::Owned(owned) => (owned, None),
        Work::Parked(parked) => {
            match store::insist(shared, "load", || shared.executions.load(id, fence)).await {
                Ok(Some(owned)) => (owned, parked.deadline),
                Ok(None) => return Exit::Lost(Lost::Superseded),
                Err(lost) => return Exit::Lost(lost),
            }
        }
    };
    if let Some(trace) = &owned.execution.trace {
        let span = Span::current();
        span.record("trace.id", trace.trace_id_text());
        shared.tracer.join(&span, Some(trace), SpanKind::Internal);
    }
    match Run::begin(shared, owned, deadline).await {
        Ok(run) => run.carry_on().await,
        Err(Unfit::Fails(failure)) => end(shared, id, fence, failure).await,
        Err(Unfit::Lost(lost)) => Exit::Lost(lost),
    }
}

/// Ends an execution of which nothing is to be run.
async fn end(shared: &Shared, id: ExecutionId, fence: Fence, failure: Failure) -> Exit {
    let outcome = Outcome::Failed(failure);
    let end = Some((outcome.clone(), shared.clock.now()));
    let append = Append { id, fence, position: 0, entries: Vec::new(), end };
    match store::append(shared, &append).await {
        Ok(()) => Exit::Ended(outcome),
        Err(lost) => Exit::Lost(lost),
    }
}

async fn leave(shared: &Shared, id: ExecutionId, fence: Fence, exit: Exit) -> Option<Parked> {
    match exit {
        Exit::Waits { wake, deadline } => return Some(Parked { id, fence, wake, deadline }),
        Exit::Ended(outcome) => {
            shared.counters.ended(outcome.status());
            shared.metrics.finished(&outcome);
            match outcome {
                Outcome::Failed(failure) => {
                    if failure.code == FailureCode::Quarantined {
                        shared.counters.quarantined.add(1);
                    }
                    let (code, message) = (failure.code.as_str(), failure.message);
                    Span::current().record("otel.status_code", "ERROR");
                    warn!(error.code = code, error.message = message, "execution failed");
                }
                Outcome::Completed { .. } | Outcome::Cancelled => debug!("execution ended"),
            }
        }
        Exit::HandedOver { due } => shared.release(id, fence, due).await,
        Exit::Lost(Lost::Superseded) => {
            shared.counters.superseded.add(1);
            info!(fence = fence.0, "execution has a newer owner, or was ended by someone else");
        }
        Exit::Lost(Lost::Corrupt(error)) => {
            // Not kept here: another replica may be of a release that can read it.
            error!(error = %Chain(&error), "stored data of an execution is corrupt, releasing it");
            let due = shared.clock.now().plus(shared.limits.corrupt_pause);
            shared.release(id, fence, Some(due)).await;
        }
    }
    None
}
