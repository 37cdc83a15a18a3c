//! Executions: starting one by hand, looking at it, ending it, running it once more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::actor::Actor;
use crate::code::Code;
use crate::execution::{StepResult, Summary, step_results};
use crate::id::{ExecutionId, WorkflowId};
use crate::idempotency::{Fingerprint, IdempotencyKey};
use crate::json;
use crate::members::Members;
use crate::plans::Plans;
use crate::ports::{
    CancelAnswer, Claim, Clock, ExecutionPage, ExecutionQuery, ExecutionStore, IdempotencyStore,
    Precondition, StoreError, WorkflowStore,
};
use crate::refusal::Refusal;
use crate::trace::TraceContext;
use crate::trigger::{Begun, StartRequest, Starter, key_reused};
use crate::workflow::{Lifecycle, Workflow};

/// Manages executions.
#[derive(Debug)]
pub struct Executions {
    /// Keeps them.
    pub store: Arc<dyn ExecutionStore>,
    /// Keeps their keys.
    pub keys: Arc<dyn IdempotencyStore>,
    /// Keeps what they run.
    pub workflows: Arc<dyn WorkflowStore>,
    /// What they run, compiled.
    pub plans: Arc<Plans>,
    /// What begins them.
    pub starter: Arc<Starter>,
    /// When they are cancelled.
    pub clock: Arc<dyn Clock>,
}

/// What else a caller says about an execution that it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartOptions {
    /// How long it would rather wait for the end than be answered at once.
    pub wait: Option<Duration>,
    /// The trace that the request belongs to.
    pub trace: Option<TraceContext>,
}

/// A step, and what its workflow calls it.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedStep {
    /// How it went.
    pub step: StepResult,
    /// The node's name, or `<type>_<id>`; its id if the version that ran cannot be read any more.
    pub name: String,
}

impl Executions {
    /// Starts an active workflow at its first trigger, with the `inputData` of `body`; `raw_body` is
    /// what `body` was parsed from.
    ///
    /// A key is needed. A known one answers before the workflow is looked at, so a repetition finds
    /// its execution even if the workflow is gone.
    pub async fn execute(
        &self,
        workflow_id: WorkflowId,
        body: Value,
        raw_body: &[u8],
        key: Option<IdempotencyKey>,
        options: StartOptions,
        actor: &Actor,
    ) -> Result<Begun, Refusal> {
        let input = read_input(body)?;
        let key = key.ok_or_else(|| Refusal::plain(Code::IdempotencyKeyMissing))?;
        let parts: [&[u8]; 5] = [b"POST", b"execute", b"", b"application/json", raw_body];
        let claim = self.claim(key, Fingerprint::of(&parts));
        let begun = match self.find(workflow_id, &claim).await? {
            Some(summary) => Begun { summary, replayed: true, waited: None },
            None => self.begin(workflow_id, input, claim, options.trace, actor).await?,
        };
        Ok(self.starter.wait(begun, options.wait).await)
    }

    /// Reads one, after its end or after `wait`, whichever comes first.
    pub async fn get(&self, id: ExecutionId, wait: Option<Duration>) -> Result<Summary, Refusal> {
        let summary = self.summary(id).await?;
        let Some(wait) = wait.filter(|_| !summary.status.is_terminal()) else {
            return Ok(summary);
        };
        match self.starter.dispatcher.wait_for_end(id, wait.min(self.starter.wait_max)).await {
            Some(summary) => Ok(summary),
            None => self.summary(id).await,
        }
    }

    /// Reads one page of a list.
    pub async fn list(&self, query: ExecutionQuery) -> Result<ExecutionPage, Refusal> {
        Ok(self.store.list(query).await?)
    }

    /// Reads the steps of one that has ended.
    pub async fn results(&self, id: ExecutionId) -> Result<(Summary, Vec<NamedStep>), Refusal> {
        let summary = self.summary(id).await?;
        if !summary.status.is_terminal() {
            let message = format!(
                "The execution is {}; its results come with its end.",
                summary.status.as_str()
            );
            return Err(Refusal::new(Code::ExecutionNotFinished, message));
        }
        let execution = self.store.execution(id).await?.ok_or_else(not_found)?;
        let plan = match self.plans.get(execution.workflow_id, execution.version).await {
            Ok(plan) => Some(plan),
            // What happened can be shown without it.
            Err(StoreError::Corrupt { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let named = |step: StepResult| {
            let node = plan.as_ref().and_then(|plan| Some(plan.node(plan.find(&step.node)?)));
            let name = node.map_or_else(|| step.node.clone(), |node| node.step_name.clone());
            NamedStep { step, name }
        };
        let steps = step_results(self.store.journal(id).await?);
        Ok((summary, steps.into_iter().map(named).collect()))
    }

    /// Ends one that has not ended. A step in flight may still take effect outside.
    pub async fn cancel(&self, id: ExecutionId, actor: &Actor) -> Result<Summary, Refusal> {
        match self.store.cancel(id, self.clock.now(), actor).await? {
            CancelAnswer::Cancelled(summary) => {
                self.starter.dispatcher.abandon(id);
                Ok(summary)
            }
            CancelAnswer::AlreadyTerminal => {
                let message = "The execution has ended; there is nothing to cancel.";
                Err(Refusal::new(Code::ExecutionState, message))
            }
            CancelAnswer::NotFound => Err(not_found()),
        }
    }

    /// Runs one that has ended once more, as a new execution: the version that it ran, with the
    /// input that it had, whatever became of the workflow since.
    pub async fn retry(
        &self,
        id: ExecutionId,
        key: Option<IdempotencyKey>,
        options: StartOptions,
        actor: &Actor,
    ) -> Result<Begun, Refusal> {
        let summary = self.summary(id).await?;
        if !summary.status.is_terminal() {
            let message = format!(
                "The execution is {}; it can be retried once it has ended.",
                summary.status.as_str()
            );
            return Err(Refusal::new(Code::ExecutionState, message));
        }
        let execution = self.store.execution(id).await?.ok_or_else(not_found)?;
        let (workflow_id, version) = (execution.workflow_id, execution.version);
        let plan = self.plans.get(workflow_id, version).await?;
        let start =
            plan.find(&execution.start_node).ok_or_else(|| no_start(workflow_id, version))?;
        let fingerprint = Fingerprint::of(&[b"POST", b"retry", id.as_uuid().as_bytes()]);
        let request = StartRequest {
            workflow_id,
            version,
            plan,
            start,
            input: execution.input,
            claim: key.map(|key| self.claim(key, fingerprint)),
            precondition: Precondition::None,
            retry_of: Some(id),
            trace: options.trace,
            actor: actor.clone(),
        };
        let begun = self.starter.start(request).await?.ok_or_else(overtaken)?;
        Ok(self.starter.wait(begun, options.wait).await)
    }

    async fn summary(&self, id: ExecutionId) -> Result<Summary, Refusal> {
        self.store.get(id).await?.ok_or_else(not_found)
    }

    fn claim(&self, key: IdempotencyKey, fingerprint: Fingerprint) -> Claim {
        Claim { key, fingerprint, retention: self.starter.retention }
    }

    /// What the key of a claim began before, if anything.
    async fn find(
        &self,
        workflow_id: WorkflowId,
        claim: &Claim,
    ) -> Result<Option<Summary>, Refusal> {
        match self.keys.find(workflow_id, &claim.key).await? {
            None => Ok(None),
            Some(known) if known.fingerprint == claim.fingerprint => Ok(Some(known.execution)),
            Some(_) => Err(key_reused()),
        }
    }

    async fn begin(
        &self,
        workflow_id: WorkflowId,
        input: Bytes,
        claim: Claim,
        trace: Option<TraceContext>,
        actor: &Actor,
    ) -> Result<Begun, Refusal> {
        let version = self.active_workflow(workflow_id).await?.version;
        let plan = self.plans.get(workflow_id, version).await?;
        let start = plan.first_trigger().ok_or_else(|| no_start(workflow_id, version))?;
        let request = StartRequest {
            workflow_id,
            version,
            plan,
            start,
            input,
            claim: Some(claim),
            precondition: Precondition::VersionActive,
            retry_of: None,
            trace,
            actor: actor.clone(),
        };
        if let Some(begun) = self.starter.start(request).await? {
            return Ok(begun);
        }
        // Somebody was faster. If it is active all the same, then in another version.
        self.active_workflow(workflow_id).await?;
        Err(overtaken())
    }

    async fn active_workflow(&self, id: WorkflowId) -> Result<Workflow, Refusal> {
        let workflow = self.workflows.get(id).await?;
        let workflow = workflow.ok_or_else(|| Refusal::plain(Code::WorkflowNotFound))?;
        if workflow.status == Lifecycle::Active {
            return Ok(workflow);
        }
        let message = format!("The workflow is {}; activate it first.", workflow.status.as_str());
        Err(Refusal::new(Code::WorkflowNotActive, message))
    }
}

/// The input of a run as compact JSON: `inputData`, or an empty object.
fn read_input(body: Value) -> Result<Bytes, Refusal> {
    let mut faults = Vec::new();
    let input = Members::of(body, "", &mut faults).object("inputData").unwrap_or_default();
    if !faults.is_empty() {
        return Err(Refusal::of_members(Code::BodyUnreadable, faults));
    }
    Ok(Bytes::from(json::to_bytes(&Value::Object(input))))
}

fn not_found() -> Refusal {
    Refusal::plain(Code::ExecutionNotFound)
}

fn overtaken() -> Refusal {
    Refusal::new(
        Code::Conflict,
        "The workflow was changed while the execution was to be started. Repeat the request.",
    )
}

/// No activation freezes a version that cannot be started.
fn no_start(workflow_id: WorkflowId, version: u32) -> StoreError {
    let what = format!("version {version} of workflow {workflow_id}");
    StoreError::corrupt(what, "it lacks the trigger node at which to start")
}

#[cfg(test)]
mod tests;
