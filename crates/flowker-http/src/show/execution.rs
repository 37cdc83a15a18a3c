//! Executions and their steps.

use flowker_core::execution::{Outcome, StepStatus, Summary};
use flowker_core::service::NamedStep;
use flowker_core::trigger::Begun;
use serde_json::Value;

use super::Shape;

/// What a starting call answers. An end that was waited for is told, too.
pub(crate) fn begun(begun: &Begun) -> Value {
    started(begun).done()
}

/// What a retry answers: also what it repeats.
pub(crate) fn retried(begun: &Begun) -> Value {
    let retry_of = begun.summary.retry_of.map(|id| id.to_string());
    started(begun).maybe("retryOf", retry_of).done()
}

fn started(begun: &Begun) -> Shape {
    let summary = &begun.summary;
    let shape = Shape::new()
        .text("executionId", summary.id)
        .text("workflowId", summary.workflow_id)
        .with("status", summary.status.as_str())
        .text("startedAt", summary.started_at);
    match summary.outcome.as_deref() {
        Some(Outcome::Completed { output }) if begun.waited.is_some() => {
            shape.with("finalOutput", output.clone())
        }
        Some(Outcome::Failed(failure)) if begun.waited.is_some() => shape
            .with("errorMessage", failure.message.as_str())
            .with("failureCode", failure.code.as_str()),
        _ => shape,
    }
}

/// The status shape, alone and in lists.
pub(crate) fn status(summary: &Summary) -> Value {
    let failure = match summary.outcome.as_deref() {
        Some(Outcome::Failed(failure)) => Some(failure),
        Some(Outcome::Completed { .. } | Outcome::Cancelled) | None => None,
    };
    Shape::new()
        .text("executionId", summary.id)
        .text("workflowId", summary.workflow_id)
        .with("status", summary.status.as_str())
        .with("currentStepNumber", summary.current_step)
        .with("totalSteps", summary.total_steps)
        .text("startedAt", summary.started_at)
        .maybe("completedAt", summary.completed_at.map(|at| at.to_string()))
        .maybe("errorMessage", failure.map(|failure| failure.message.as_str()))
        .maybe("failureCode", failure.map(|failure| failure.code.as_str()))
        .maybe("retryOf", summary.retry_of.map(|id| id.to_string()))
        .done()
}

/// The results shape.
pub(crate) fn results(summary: &Summary, steps: &[NamedStep]) -> Value {
    let shape = Shape::new()
        .text("executionId", summary.id)
        .text("workflowId", summary.workflow_id)
        .with("status", summary.status.as_str())
        .with("stepResults", steps.iter().map(step).collect::<Vec<_>>())
        .text("startedAt", summary.started_at)
        .maybe("completedAt", summary.completed_at.map(|at| at.to_string()));
    match summary.outcome.as_deref() {
        Some(Outcome::Completed { output }) => shape.unless_empty("finalOutput", output),
        Some(Outcome::Failed(failure)) => shape.with("failureCode", failure.code.as_str()),
        Some(Outcome::Cancelled) | None => shape,
    }
    .done()
}

fn step(named: &NamedStep) -> Value {
    let step = &named.step;
    let status = match step.status() {
        StepStatus::Completed => "completed",
        StepStatus::Failed => "failed",
    };
    let output = step.result.as_ref().ok().filter(|output| !is_nothing(output));
    let failure = step.result.as_ref().err();
    let duration_ms = u64::try_from(step.run.duration.as_millis()).unwrap_or(u64::MAX);
    Shape::new()
        .with("stepNumber", step.number)
        .with("stepName", named.name.as_str())
        .with("nodeId", step.node.as_str())
        .with("status", status)
        .maybe("output", output.map(|output| Value::clone(output)))
        .maybe("errorMessage", failure.map(|failure| failure.message.as_str()))
        .text("executedAt", step.run.started_at)
        .with("durationMs", duration_ms)
        .done()
}

fn is_nothing(output: &Value) -> bool {
    match output {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
