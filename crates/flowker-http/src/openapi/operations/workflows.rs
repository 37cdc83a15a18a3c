//! Workflows and their lifecycle.

use flowker_core::code::Code;
use flowker_core::workflow::Lifecycle;
use serde_json::{Value, json};

use super::{BY_ID, CREATED, OK, Operation};
use crate::openapi::parameter::{id, paging, words};
use crate::openapi::requests;
use crate::paging::Page;
use crate::show::{Workflow, WorkflowCreated};

fn operation(summary: &'static str) -> Operation {
    Operation::new("Workflows", summary)
}

/// One that is found by its id.
fn of_one(summary: &'static str) -> Operation {
    operation(summary).takes([id()]).refuses(&BY_ID).refuses(&[Code::WorkflowNotFound])
}

const NAME: [Code; 3] =
    [Code::WorkflowNameEmpty, Code::WorkflowNameTooLong, Code::WorkflowNameTaken];

/// What is looked at whenever a graph is written.
const GRAPH: [Code; 10] = [
    Code::NodesTooMany,
    Code::EdgesTooMany,
    Code::EdgeDangling,
    Code::ExecutorUnknown,
    Code::ExecutorConfigInvalid,
    Code::ProviderConfigUnusable,
    Code::ProviderMismatch,
    Code::InputMappingInvalid,
    Code::OutputMappingInvalid,
    Code::TransformsInvalid,
];

fn example() -> Value {
    json!({
        "name": "paid orders",
        "nodes": [
            {
                "id": "paid", "type": "trigger", "position": { "x": 0, "y": 0 },
                "data": { "triggerType": "webhook", "method": "POST", "path": "orders/paid" },
            },
            {
                "id": "done", "type": "action", "position": { "x": 0, "y": 150 },
                "data": { "actionType": "set_output", "output": { "order": "{{ workflow.order.id }}" } },
            },
        ],
        "edges": [{ "id": "paid-done", "source": "paid", "target": "done" }],
    })
}

pub(super) fn create() -> Operation {
    operation("Makes a draft")
        .reads(requests::workflow_draft, example())
        .answers::<WorkflowCreated>(CREATED, "It is made.")
        .refuses(&NAME)
        .refuses(&GRAPH)
}

pub(super) fn create_from_template() -> Operation {
    let params = json!({
        "workflowName": "transactions",
        "tracerProviderConfigId": "01900000-0000-7000-8000-000000000001",
        "midazProviderConfigId": "01900000-0000-7000-8000-000000000002",
    });
    let example = json!({ "templateId": "tracer-midaz-validation", "params": params });
    operation("Makes a draft of a template and a few parameters")
        .reads(requests::template_order, example)
        .answers::<WorkflowCreated>(CREATED, "It is made.")
        .refuses(&NAME)
        .refuses(&GRAPH)
        .refuses(&[Code::TemplateNotFound, Code::TemplateParamsInvalid])
}

pub(super) fn list() -> Operation {
    let status = words("status", "In one status only.", Lifecycle::ALL.map(Lifecycle::as_str));
    operation("Lists workflows")
        .takes(paging(&["createdAt", "updatedAt", "name"]))
        .takes([status])
        .answers::<Page<Workflow>>(OK, "One page.")
        .refuses(&[Code::QueryInvalid, Code::CursorInvalid])
}

pub(super) fn show() -> Operation {
    of_one("Shows a workflow").answers::<Workflow>(OK, "As it was last edited.")
}

pub(super) fn update() -> Operation {
    of_one("Replaces a draft, and adds to its metadata")
        .reads(requests::workflow_draft, example())
        .answers::<Workflow>(OK, "As it is now.")
        .refuses(&NAME)
        .refuses(&GRAPH)
        .refuses(&[Code::WorkflowNotEditable, Code::Conflict])
}

pub(super) fn delete() -> Operation {
    of_one("Removes a workflow that is not active")
        .answers_nothing("It is gone. Its executions stay.")
        .refuses(&[Code::WorkflowNotEditable, Code::Conflict])
}

pub(super) fn clone() -> Operation {
    of_one("Makes a draft of the same graph under another name")
        .reads(requests::clone_request, json!({ "name": "paid orders, changed" }))
        .answers::<WorkflowCreated>(CREATED, "It is made.")
        .refuses(&NAME)
        .refuses(&GRAPH)
}

pub(super) fn activate() -> Operation {
    transition("Puts a draft into service").refuses(&NAME).refuses(&GRAPH).refuses(&[
        Code::NodesMissing,
        Code::TriggerMissing,
        Code::GraphCyclic,
        Code::IdDuplicate,
        Code::NodeInvalid,
        Code::ConditionInvalid,
        Code::TriggerInvalid,
        Code::RouteTaken,
    ])
}

pub(super) fn deactivate() -> Operation {
    transition("Takes an active workflow out of service")
}

pub(super) fn to_draft() -> Operation {
    transition("Makes an inactive workflow a draft again")
}

fn transition(summary: &'static str) -> Operation {
    of_one(summary)
        .answers::<Workflow>(OK, "As it is now.")
        .refuses(&[Code::TransitionNotAllowed, Code::Conflict])
}
