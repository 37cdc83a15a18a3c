//! Entries of the audit log.

use flowker_core::audit::{AuditEntry, Verdict};
use serde_json::Value;

use super::Shape;

/// The full shape. Names of metadata hold dots as they are.
pub(crate) fn audit_entry(entry: &AuditEntry) -> Value {
    let (event, actor) = (&entry.event, &entry.event.actor);
    let shown_actor = Shape::new()
        .with("type", actor.kind.as_str())
        .with("id", actor.id.as_str())
        .text("ipAddress", actor.ip)
        .done();
    Shape::new()
        .text("eventId", event.id)
        .with("sequence", entry.sequence)
        .with("eventType", event.kind.as_str())
        .with("action", event.kind.action().as_str())
        .with("result", event.kind.result().as_str())
        .with("resourceType", event.kind.resource_type().as_str())
        .with("resourceId", event.resource_id.as_str())
        .with("actor", shown_actor)
        .unless_empty("context", &event.context)
        .unless_empty("metadata", &event.metadata)
        .with("timestamp", entry.moment())
        .with("hash", entry.hash.to_string())
        .maybe("previousHash", entry.previous.map(|hash| hash.to_string()))
        .done()
}

/// What came of a check.
pub(crate) fn verdict(verdict: Verdict) -> Value {
    let Verdict { first_invalid, n_checked } = verdict;
    let message = match first_invalid {
        None => format!("{n_checked} entries are as they were sealed."),
        Some(sequence) => format!(
            "The entry {sequence} is not as it was sealed: it was changed, removed or moved."
        ),
    };
    Shape::new()
        .with("isValid", first_invalid.is_none())
        .maybe("firstInvalidId", first_invalid)
        .with("totalChecked", n_checked)
        .with("message", message)
        .done()
}
