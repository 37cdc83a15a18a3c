//! Executions.

use flowker_core::code::Code;
use flowker_core::execution::Status;
use serde_json::json;

use super::{BY_ID, CREATED, OF_STARTS, OK, Operation};
use crate::openapi::parameter::{id, idempotency_key, paging, prefer, uuid, wait, words};
use crate::openapi::requests;
use crate::paging::Page;
use crate::show::{Execution, ExecutionResults, ExecutionStarted};

fn operation(summary: &'static str) -> Operation {
    Operation::new("Executions", summary)
}

/// One that is found by its id.
fn of_one(summary: &'static str) -> Operation {
    operation(summary).takes([id()]).refuses(&BY_ID).refuses(&[Code::ExecutionNotFound])
}

/// One that answers an execution that it started, or found by its key.
fn starting(operation: Operation) -> Operation {
    operation
        .answers::<ExecutionStarted>(CREATED, "Durable, and runs on.")
        .answers::<ExecutionStarted>(OK, "It has ended: a repetition, or its end was waited for.")
        .with_headers(&OF_STARTS)
        .refuses(&[Code::IdempotencyKeyMalformed, Code::IdempotencyKeyReused, Code::Conflict])
}

pub(super) fn execute() -> Operation {
    let operation = operation("Starts an active workflow at its first trigger")
        .takes([id(), idempotency_key(true), prefer()])
        .reads(requests::execution_request, json!({ "inputData": { "order": { "id": "A-17" } } }))
        .refuses(&BY_ID)
        .refuses(&[
            Code::WorkflowNotFound,
            Code::WorkflowNotActive,
            Code::ExecuteBodyTooLarge,
            Code::IdempotencyKeyMissing,
        ]);
    starting(operation)
}

pub(super) fn list() -> Operation {
    operation("Lists executions")
        .takes(paging(&["startedAt", "completedAt"]))
        .takes([
            uuid("workflowId", "Of one workflow only."),
            words("status", "In one status only.", Status::ALL.map(Status::as_str)),
        ])
        .answers::<Page<Execution>>(OK, "One page.")
        .refuses(&BY_ID)
        .refuses(&[
            Code::QueryInvalid,
            Code::PageSizeInvalid,
            Code::SortOrderInvalid,
            Code::CursorInvalid,
        ])
}

pub(super) fn show() -> Operation {
    of_one("Shows an execution, once it has ended or the wait is over")
        .takes([wait()])
        .answers::<Execution>(OK, "As it stands.")
        .refuses(&[Code::QueryInvalid])
}

pub(super) fn results() -> Operation {
    of_one("Shows every step of an execution that has ended")
        .answers::<ExecutionResults>(OK, "How it went.")
        .refuses(&[Code::ExecutionNotFinished])
}

pub(super) fn cancel() -> Operation {
    of_one("Ends an execution")
        .answers::<Execution>(OK, "As it ended.")
        .refuses(&[Code::ExecutionState])
}

pub(super) fn retry() -> Operation {
    let operation = of_one("Runs an execution that has ended once more, as a new one")
        .takes([idempotency_key(false), prefer()])
        .refuses(&[Code::ExecutionState]);
    starting(operation)
}
