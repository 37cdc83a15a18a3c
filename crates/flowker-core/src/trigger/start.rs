//! From a checked request to a durable execution, whoever asked for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::{Instrument as _, info_span};

use crate::actor::Actor;
use crate::code::Code;
use crate::execution::{Execution, Fence, Owned, Status, Summary};
use crate::id::{ExecutionId, ReplicaId, WorkflowId};
use crate::ports::{
    Acceptance, Claim, Clock, Dispatcher, ExecutionStore, IdSource, NewExecution, Precondition,
    StoreError,
};
use crate::refusal::Refusal;
use crate::trace::TraceContext;
use crate::workflow::{NodeIdx, Plan};

/// How often the store is asked for one acceptance at the most, while its answers are lost.
const ASKS_MAX: usize = 3;

/// An acceptance that takes no longer than this is handed over before an engine could have found by
/// itself that it owns the execution.
const PROMPT: Duration = Duration::from_secs(5);

/// Makes executions durable and hands them to the engine.
#[derive(Debug)]
pub struct Starter {
    /// Where they become durable.
    pub executions: Arc<dyn ExecutionStore>,
    /// What drives them.
    pub dispatcher: Arc<dyn Dispatcher>,
    /// When they are accepted.
    pub clock: Arc<dyn Clock>,
    /// Their ids.
    pub ids: Arc<dyn IdSource>,
    /// Who owns what it accepts.
    pub replica: ReplicaId,
    /// How long an idempotency key is kept at least.
    pub retention: Duration,
    /// The longest wait that a caller may ask for.
    pub wait_max: Duration,
}

/// An execution that somebody asks for.
#[derive(Clone, Debug)]
pub struct StartRequest {
    /// Of which workflow.
    pub workflow_id: WorkflowId,
    /// Of which version.
    pub version: u32,
    /// That version.
    pub plan: Arc<Plan>,
    /// The trigger node at which it starts.
    pub start: NodeIdx,
    /// Compact JSON of an object.
    pub input: Bytes,
    /// The caller's key.
    pub claim: Option<Claim>,
    /// What must hold of the workflow.
    pub precondition: Precondition,
    /// The execution that it repeats.
    pub retry_of: Option<ExecutionId>,
    /// The trace that the request belongs to.
    pub trace: Option<TraceContext>,
    /// Who asks for it.
    pub actor: Actor,
}

/// What a request led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// The execution as it stands now.
    pub summary: Summary,
    /// Whether an earlier request with the same key began it.
    pub replayed: bool,
    /// How long the answer was allowed to wait for the end, if the caller preferred to wait.
    pub waited: Option<Duration>,
}

impl Starter {
    /// Makes an execution durable. `None`: the precondition does not hold, nothing was started.
    ///
    /// While the store's answer is lost it is asked again, which starts nothing twice.
    ///
    /// # Errors
    ///
    /// A refusal if the key was used with another request, or the store did not do its part.
    pub async fn start(&self, request: StartRequest) -> Result<Option<Begun>, Refusal> {
        let execution = Arc::new(Execution {
            id: ExecutionId::from_uuid(self.ids.next_id()),
            workflow_id: request.workflow_id,
            version: request.version,
            start_node: request.plan.node(request.start).id.clone(),
            input: request.input,
            total_steps: request.plan.n_steps(),
            accepted_at: self.clock.now(),
            retry_of: request.retry_of,
            trace: request.trace,
        });
        let owner = self.dispatcher.has_room().then_some(self.replica);
        let new = NewExecution {
            execution: Arc::clone(&execution),
            precondition: request.precondition,
            claim: request.claim,
            owner,
            actor: request.actor,
        };
        let accepting = info_span!("accept", execution.id = %execution.id);
        match self.accept(new).instrument(accepting).await? {
            Acceptance::Accepted => {
                let summary = accepted(&execution, owner.is_some());
                if owner.is_some() {
                    self.dispatch(execution).await;
                }
                Ok(Some(Begun { summary, replayed: false, waited: None }))
            }
            Acceptance::Replayed(summary) => {
                Ok(Some(Begun { summary, replayed: true, waited: None }))
            }
            Acceptance::KeyReused => Err(key_reused()),
            Acceptance::RouteGone => Ok(None),
        }
    }

    /// Asks until it is known what became of an acceptance.
    async fn accept(&self, new: NewExecution) -> Result<Acceptance, StoreError> {
        let mut n_asked = 1;
        loop {
            match self.executions.accept(new.clone()).await {
                Err(StoreError::Unknown { .. }) if n_asked < ASKS_MAX => n_asked += 1,
                answer => return answer,
            }
        }
    }

    /// Hands over what was accepted for this replica.
    async fn dispatch(&self, execution: Arc<Execution>) {
        let fence = Fence::FIRST;
        let owned = if self.clock.now().since(execution.accepted_at) <= PROMPT {
            Some(Owned { execution, fence, journal: Vec::new() })
        } else {
            // The engine may have found it by itself and driven it, so only the store knows how far
            // it is. If the store does not say, the engine will find it.
            self.executions.load(execution.id, fence).await.ok().flatten()
        };
        if let Some(owned) = owned {
            self.dispatcher.dispatch(owned);
        }
    }

    /// Waits for the end of what was begun, if the caller prefers that.
    pub async fn wait(&self, begun: Begun, wait: Option<Duration>) -> Begun {
        let Some(wait) = wait.map(|wait| wait.min(self.wait_max)) else { return begun };
        let begun = Begun { waited: Some(wait), ..begun };
        if begun.summary.status.is_terminal() {
            return begun;
        }
        match self.dispatcher.wait_for_end(begun.summary.id, wait).await {
            Some(summary) => Begun { summary, ..begun },
            None => begun,
        }
    }
}

/// What a caller reads whose key is known from another request.
pub(crate) fn key_reused() -> Refusal {
    Refusal::new(
        Code::IdempotencyKeyReused,
        "This Idempotency-Key was used with another request (method, path, query, media type or \
         body differ). Send a new key for a new request.",
    )
}

fn accepted(execution: &Execution, is_owned: bool) -> Summary {
    Summary {
        id: execution.id,
        workflow_id: execution.workflow_id,
        status: if is_owned { Status::Running } else { Status::Pending },
        current_step: 0,
        total_steps: execution.total_steps,
        started_at: execution.accepted_at,
        completed_at: None,
        outcome: None,
        retry_of: execution.retry_of,
    }
}
