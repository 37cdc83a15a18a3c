//! The service itself.

use http::StatusCode;
use serde_json::json;

use super::{OK, Operation};
use crate::handle::{CSS, HTML, JAVASCRIPT, TEXT_FORMAT};
use crate::shape::Schemas;
use crate::show::{Health, Readiness, Version};

const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

fn operation(summary: &'static str) -> Operation {
    Operation::new("Service", summary)
}

pub(super) fn health() -> Operation {
    operation("Says whether the process is alive")
        .answers::<Health>(OK, "It is.")
        .answers::<Health>(UNAVAILABLE, "Its store does not answer.")
}

pub(super) fn ready() -> Operation {
    operation("Says whether the process should get traffic")
        .answers::<Readiness>(OK, "It should.")
        .answers::<Readiness>(UNAVAILABLE, "Its store does not answer, or it drains.")
}

pub(super) fn version() -> Operation {
    operation("Says what runs").answers::<Version>(OK, "The version.")
}

pub(super) fn metrics() -> Operation {
    text("Tells Prometheus how the service does", TEXT_FORMAT)
}

pub(super) fn description() -> Operation {
    operation("Describes the API (OpenAPI 3.1)").answers_as(
        OK,
        "This document.",
        "application/json",
        |_| json!({ "type": "object" }),
    )
}

pub(super) fn explorer() -> Operation {
    text("Shows the description to people, and sends requests for them", HTML)
}

pub(super) fn explorer_script() -> Operation {
    text("The script of that page", JAVASCRIPT)
}

pub(super) fn explorer_style() -> Operation {
    text("The style of that page", CSS)
}

fn text(summary: &'static str, media_type: &'static str) -> Operation {
    let schema: fn(&mut Schemas) -> _ = |_| json!({ "type": "string" });
    operation(summary).answers_as(OK, "Text.", media_type, schema)
}
