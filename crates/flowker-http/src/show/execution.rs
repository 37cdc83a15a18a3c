//! Executions and their steps.

use std::sync::Arc;

use flowker_core::execution::{self as domain, FailureCode, Outcome, Status, Summary};
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::service::NamedStep;
use flowker_core::time::Timestamp;
use flowker_core::trigger::Begun;
use serde_json::{Map, Value};

use crate::shape::{Schemas, Shown, shapes, unless_empty};

shapes! {
    /// An execution that was started, or found by its idempotency key.
    ExecutionStarted {
        /// Its id.
        execution_id "executionId": ExecutionId,
        /// The workflow that it is a run of.
        workflow_id "workflowId": WorkflowId,
        /// Where it stands.
        status "status": Status,
        /// When it was accepted.
        started_at "startedAt": Timestamp,
        /// The execution that this one repeats.
        retry_of "retryOf": Option<ExecutionId>,
        /// What it produced, if its end was waited for and it completed.
        final_output "finalOutput": Option<Map<String, Value>>,
        /// Why it failed, if its end was waited for and it failed.
        error_message "errorMessage": Option<String>,
        /// The kind of failure, likewise.
        failure_code "failureCode": Option<FailureCode>,
    }

    /// An execution as it stands.
    Execution {
        /// Its id.
        execution_id "executionId": ExecutionId,
        /// The workflow that it is a run of.
        workflow_id "workflowId": WorkflowId,
        /// Where it stands.
        status "status": Status,
        /// Number of the last step that has ended; 0 before the first.
        current_step_number "currentStepNumber": u32,
        /// How many steps there can be.
        total_steps "totalSteps": u32,
        /// When it was accepted.
        started_at "startedAt": Timestamp,
        /// When it ended.
        completed_at "completedAt": Option<Timestamp>,
        /// Why it failed.
        error_message "errorMessage": Option<String>,
        /// The kind of failure.
        failure_code "failureCode": Option<FailureCode>,
        /// The execution that this one repeats.
        retry_of "retryOf": Option<ExecutionId>,
    }

    /// An execution that has ended, with every step.
    ExecutionResults {
        /// Its id.
        execution_id "executionId": ExecutionId,
        /// The workflow that it was a run of.
        workflow_id "workflowId": WorkflowId,
        /// How it ended.
        status "status": Status,
        /// In the order in which they ended.
        step_results "stepResults": Vec<StepResult>,
        /// What it produced.
        final_output "finalOutput": Option<Map<String, Value>>,
        /// When it was accepted.
        started_at "startedAt": Timestamp,
        /// When it ended.
        completed_at "completedAt": Option<Timestamp>,
        /// The kind of failure.
        failure_code "failureCode": Option<FailureCode>,
    }

    /// A step that has ended.
    StepResult {
        /// From 1.
        step_number "stepNumber": u32,
        /// The name of its node, or `<type>_<id>` if it has none.
        step_name "stepName": String,
        /// Its node.
        node_id "nodeId": String,
        /// How it ended.
        status "status": StepStatus,
        /// What it produced.
        output "output": Option<Arc<Value>>,
        /// Why it failed.
        error_message "errorMessage": Option<String>,
        /// When its last attempt began.
        executed_at "executedAt": Timestamp,
        /// How long that attempt took, in milliseconds.
        duration_ms "durationMs": u64,
    }
}

/// How a step ended.
#[derive(Debug)]
pub(crate) struct StepStatus(domain::StepStatus);

impl Shown for StepStatus {
    fn shown(self) -> Value {
        match self.0 {
            domain::StepStatus::Completed => "completed".into(),
            domain::StepStatus::Failed => "failed".into(),
        }
    }

    fn schema(schemas: &mut Schemas) -> Value {
        use domain::StepStatus::{Completed, Failed};
        schemas.named("StepStatus", |_| {
            let words = [Completed, Failed].map(|it| Self(it).shown());
            serde_json::json!({ "type": "string", "enum": words })
        })
    }
}

/// What a starting call answers. An end that was waited for is told, too.
pub(crate) fn begun(begun: &Begun) -> ExecutionStarted {
    let summary = &begun.summary;
    let outcome = summary.outcome.as_deref().filter(|_| begun.waited.is_some());
    let failure = outcome.and_then(failure);
    ExecutionStarted {
        execution_id: summary.id,
        workflow_id: summary.workflow_id,
        status: summary.status,
        started_at: summary.started_at,
        retry_of: None,
        final_output: match outcome {
            Some(Outcome::Completed { output }) => Some(output.clone()),
            Some(Outcome::Failed(_) | Outcome::Cancelled) | None => None,
        },
        error_message: failure.map(|failure| failure.message.clone()),
        failure_code: failure.map(|failure| failure.code),
    }
}

/// What a retry answers: also what it repeats.
pub(crate) fn retried(begun: &Begun) -> ExecutionStarted {
    ExecutionStarted { retry_of: begun.summary.retry_of, ..self::begun(begun) }
}

/// The status shape, alone and in lists.
pub(crate) fn status(summary: &Summary) -> Execution {
    let failure = summary.outcome.as_deref().and_then(failure);
    Execution {
        execution_id: summary.id,
        workflow_id: summary.workflow_id,
        status: summary.status,
        current_step_number: summary.current_step,
        total_steps: summary.total_steps,
        started_at: summary.started_at,
        completed_at: summary.completed_at,
        error_message: failure.map(|failure| failure.message.clone()),
        failure_code: failure.map(|failure| failure.code),
        retry_of: summary.retry_of,
    }
}

/// The results shape.
pub(crate) fn results(summary: &Summary, steps: &[NamedStep]) -> ExecutionResults {
    let outcome = summary.outcome.as_deref();
    ExecutionResults {
        execution_id: summary.id,
        workflow_id: summary.workflow_id,
        status: summary.status,
        step_results: steps.iter().map(step).collect(),
        final_output: match outcome {
            Some(Outcome::Completed { output }) => unless_empty(output),
            Some(Outcome::Failed(_) | Outcome::Cancelled) | None => None,
        },
        started_at: summary.started_at,
        completed_at: summary.completed_at,
        failure_code: outcome.and_then(failure).map(|failure| failure.code),
    }
}

fn failure(outcome: &Outcome) -> Option<&domain::Failure> {
    match outcome {
        Outcome::Failed(failure) => Some(failure),
        Outcome::Completed { .. } | Outcome::Cancelled => None,
    }
}

fn step(named: &NamedStep) -> StepResult {
    let step = &named.step;
    StepResult {
        step_number: step.number,
        step_name: named.name.clone(),
        node_id: step.node.clone(),
        status: StepStatus(step.status()),
        output: step.result.as_ref().ok().filter(|output| !is_nothing(output)).cloned(),
        error_message: step.result.as_ref().err().map(|failure| failure.message.clone()),
        executed_at: step.run.started_at,
        duration_ms: u64::try_from(step.run.duration.as_millis()).unwrap_or(u64::MAX),
    }
}

fn is_nothing(output: &Value) -> bool {
    match output {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
