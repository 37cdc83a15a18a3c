//! The audit log.

use flowker_core::audit::{Action, AuditResult, EventType, ResourceType};
use flowker_core::code::Code;
use serde_json::json;

use super::{BY_ID, OK, Operation};
use crate::handle::NDJSON;
use crate::openapi::parameter::{
    Parameter, cursor, hash, id, limit, moment, sort_order, uuid, words,
};
use crate::paging::{AUDIT_LIMIT_DEFAULT, Page};
use crate::shape::Shown;
use crate::show::{AuditEntry, AuditVerification};

fn operation(summary: &'static str) -> Operation {
    Operation::new("Audit log", summary)
}

/// One that is found by its id.
fn of_one(summary: &'static str) -> Operation {
    operation(summary).takes([id()]).refuses(&BY_ID).refuses(&[Code::AuditEntryNotFound])
}

/// Those that match filters.
fn of_matching(summary: &'static str, sort_order_default: &str) -> Operation {
    let (types, actions) = (EventType::ALL.iter(), Action::ALL.iter());
    let (results, resources) = (AuditResult::ALL.iter(), ResourceType::ALL.iter());
    operation(summary)
        .takes([
            words("eventType", "What happened.", types.map(|it| it.as_str())),
            words("action", "What was done.", actions.map(|it| it.as_str())),
            words("result", "How it went.", results.map(|it| it.as_str())),
            words("resourceType", "To what it was done.", resources.map(|it| it.as_str())),
            uuid("resourceId", "The id of that."),
            moment("dateFrom", "Then or later."),
            moment("dateTo", "Then or earlier."),
            sort_order(sort_order_default),
        ])
        .refuses(&BY_ID)
        .refuses(&[Code::QueryInvalid, Code::DateInvalid, Code::DateRangeInvalid])
}

pub(super) fn list() -> Operation {
    of_matching("Lists who changed what, and who was turned away", "DESC")
        .takes([limit(AUDIT_LIMIT_DEFAULT), cursor()])
        .answers::<Page<AuditEntry>>(OK, "One page.")
        .refuses(&[Code::AuditCursorInvalid])
}

pub(super) fn export() -> Operation {
    let about = "All of them, each as JSON in a line of its own. If the end of the body is missing, \
        so are entries.";
    of_matching("Hands out all entries at once", "ASC").answers_as(
        OK,
        about,
        NDJSON,
        <AuditEntry as Shown>::schema,
    )
}

pub(super) fn show() -> Operation {
    of_one("Shows an entry").answers::<AuditEntry>(OK, "As it was sealed.")
}

pub(super) fn verify() -> Operation {
    let sequence = json!({ "type": "integer", "minimum": 1 });
    let about = "Checks from this entry on, and not from the first. It must not be behind the one \
        that is asked for, and comes with `fromHash`.";
    of_one("Computes every hash again up to an entry")
        .takes([
            Parameter::query("fromSequence", about, sequence),
            hash("fromHash", "The hash that the entry `fromSequence` had."),
        ])
        .answers::<AuditVerification>(OK, "What came of it.")
        .refuses(&[Code::QueryInvalid])
}
