//! Entries of the audit log.

use std::net::IpAddr;

use flowker_core::actor::ActorKind;
use flowker_core::audit::{self, Action, AuditResult, EventType, ResourceType, Verdict};
use flowker_core::digest::Digest;
use flowker_core::id::AuditEventId;
use serde_json::{Map, Value, json};

use crate::shape::{Schemas, Shown, shapes, unless_empty};

shapes! {
    /// An entry of the audit log.
    AuditEntry {
        /// The id of the event.
        event_id "eventId": AuditEventId,
        /// Its place in the chain, from 1 without a gap.
        sequence "sequence": u64,
        /// What happened.
        event_type "eventType": EventType,
        /// What was done.
        action "action": Action,
        /// How it went.
        result "result": AuditResult,
        /// To what it was done.
        resource_type "resourceType": ResourceType,
        /// The id of that; of a route, its template.
        resource_id "resourceId": String,
        /// Who did it.
        actor "actor": AuditActor,
        /// Where it happened.
        context "context": Option<Map<String, Value>>,
        /// More about it. The names of its members hold dots as they are.
        metadata "metadata": Option<Map<String, Value>>,
        /// When, to the microsecond; never before the entry that stands before it.
        timestamp "timestamp": AuditMoment,
        /// Over the entry and `previousHash`.
        hash "hash": Digest,
        /// The hash of the entry before it. Not on the first one.
        previous_hash "previousHash": Option<Digest>,
    }

    /// Who did something.
    AuditActor {
        /// How it proved who it is.
        kind "type": ActorKind,
        /// The name of the API key, the subject of the token, or `flowker`.
        id "id": String,
        /// Where the request came from; `0.0.0.0` for what the service does by itself.
        ip "ipAddress": IpAddr,
    }

    /// What came of a check of the audit log.
    AuditVerification {
        /// Whether every entry is as it was sealed.
        is_valid "isValid": bool,
        /// The sequence number of the first that is not.
        first_invalid_id "firstInvalidId": Option<u64>,
        /// How many were looked at.
        total_checked "totalChecked": u64,
        /// The same for people.
        message "message": String,
    }
}

/// When an entry was sealed.
#[derive(Debug)]
pub(crate) struct AuditMoment(String);

impl Shown for AuditMoment {
    fn shown(self) -> Value {
        self.0.into()
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "format": "date-time" })
    }
}

/// The full shape.
pub(crate) fn audit_entry(entry: &audit::AuditEntry) -> AuditEntry {
    let (event, actor) = (&entry.event, &entry.event.actor);
    AuditEntry {
        event_id: event.id,
        sequence: entry.sequence,
        event_type: event.kind,
        action: event.kind.action(),
        result: event.kind.result(),
        resource_type: event.kind.resource_type(),
        resource_id: event.resource_id.clone(),
        actor: AuditActor { kind: actor.kind, id: actor.id.clone(), ip: actor.ip },
        context: unless_empty(&event.context),
        metadata: unless_empty(&event.metadata),
        timestamp: AuditMoment(entry.moment()),
        hash: entry.hash,
        previous_hash: entry.previous,
    }
}

/// What came of a check.
pub(crate) fn verification(verdict: Verdict) -> AuditVerification {
    let Verdict { first_invalid, n_checked } = verdict;
    let message = match first_invalid {
        None => format!("{n_checked} entries are as they were sealed."),
        Some(sequence) => format!(
            "The entry {sequence} is not as it was sealed: it was changed, removed or moved."
        ),
    };
    AuditVerification {
        is_valid: first_invalid.is_none(),
        first_invalid_id: first_invalid,
        total_checked: n_checked,
        message,
    }
}
