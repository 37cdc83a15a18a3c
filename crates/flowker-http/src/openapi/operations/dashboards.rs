//! Dashboards.

use flowker_core::code::Code;
use flowker_core::execution::Status;
use serde_json::json;

use super::{BY_ID, OK, Operation};
use crate::openapi::parameter::{Parameter, moment, uuid, words};
use crate::show::{ExecutionsSummary, Timeseries, WorkflowsSummary};

fn operation(summary: &'static str) -> Operation {
    Operation::new("Dashboards", summary)
}

fn span() -> [Parameter; 2] {
    let about = "Accepted then or later.";
    [moment("startTime", about), moment("endTime", "Accepted then or earlier.")]
}

pub(super) fn workflows() -> Operation {
    operation("Counts workflows by status").answers::<WorkflowsSummary>(OK, "The counts.")
}

pub(super) fn executions() -> Operation {
    operation("Counts executions by status")
        .takes(span())
        .takes([words("status", "In one status only.", Status::ALL.map(Status::as_str))])
        .answers::<ExecutionsSummary>(OK, "The counts.")
        .refuses(&[Code::DashboardFilterInvalid])
}

pub(super) fn timeseries() -> Operation {
    let bucket = json!({ "type": "string", "pattern": "^[0-9]+[smhd]$", "default": "1h" });
    operation("Counts executions over time, and says how long they took")
        .takes(span())
        .takes([
            Parameter::query("bucket", "From `1s` to `31d`; at most 1000 in the span.", bucket),
            uuid("workflowId", "Of one workflow only."),
        ])
        .answers::<Timeseries>(OK, "The figures.")
        .refuses(&BY_ID)
        .refuses(&[Code::DashboardFilterInvalid])
}
