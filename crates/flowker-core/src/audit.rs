//! The audit log: who changed what, in an order that nobody can rewrite unnoticed.
//!
//! A change and its [`AuditEvent`] are written in one transaction. A little later one sealer at a time
//! gives the events their place in a chain: each [`AuditEntry`] holds the hash of the one before, so
//! whoever knows a [`Checkpoint`] finds out whether anything up to it was changed, removed or moved.

mod chain;
mod document;
mod kind;

pub use chain::{Checkpoint, Head, Link, Verdict, Verification};
pub use kind::{Action, AuditResult, EventType, KindFilter, ResourceType};

use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::actor::Actor;
use crate::digest::Digest;
use crate::execution::{Execution, Outcome};
use crate::id::{AuditEventId, ExecutionId, ProviderConfigId, WorkflowId};
use crate::ports::{ApiKey, ProviderConfig};
use crate::time::Timestamp;

/// The longest id of a resource, in bytes (contract).
const RESOURCE_ID_BYTES_MAX: usize = 255;

/// How much of an error's message is kept, in bytes. The whole of it stands with the execution.
const ERROR_BYTES_MAX: usize = 1_024;

/// Something that somebody did. When, and in which order, is for the store to say.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEvent {
    /// Given by nobody else.
    pub id: AuditEventId,
    /// What happened.
    pub kind: EventType,
    /// Of what it happened to; at most 255 bytes.
    pub resource_id: String,
    /// Who did it.
    pub actor: Actor,
    /// Where it happened. Holds nothing secret.
    pub context: Map<String, Value>,
    /// More about it. Holds nothing secret.
    pub metadata: Map<String, Value>,
}

/// An event that has its place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// From 1, without a gap.
    pub sequence: u64,
    /// When, by the store's clock. Never before the entry that stands before it.
    pub at: Timestamp,
    /// What.
    pub event: AuditEvent,
    /// The hash of the entry before it; `None` for the first.
    pub previous: Option<Digest>,
    /// Over all of the above but the sequence, which follows from `previous`.
    pub hash: Digest,
}

impl AuditEntry {
    /// When, as it is shown: RFC 3339 in UTC, to the microsecond, without zeros at its end.
    pub fn moment(&self) -> String {
        let text = chain::moment(self.at);
        let shown = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
        format!("{shown}Z")
    }
}

impl AuditEvent {
    fn new(id: Uuid, kind: EventType, resource_id: &dyn fmt::Display, actor: &Actor) -> Self {
        Self {
            id: AuditEventId::from_uuid(id),
            kind,
            resource_id: cut(resource_id.to_string(), RESOURCE_ID_BYTES_MAX),
            actor: actor.clone(),
            context: Map::new(),
            metadata: Map::new(),
        }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.to_owned(), value.into());
        self
    }

    /// A workflow was made, changed, or brought into another status.
    pub fn of_workflow(
        id: Uuid,
        kind: EventType,
        workflow: WorkflowId,
        name: &str,
        actor: &Actor,
    ) -> Self {
        Self::new(id, kind, &workflow, actor).with("workflow.name", name)
    }

    /// A workflow was removed.
    pub fn workflow_deleted(id: Uuid, workflow: WorkflowId, actor: &Actor) -> Self {
        Self::new(id, EventType::WorkflowDeleted, &workflow, actor)
            .with("workflow.id", workflow.to_string())
    }

    /// A provider configuration was made.
    pub fn provider_config_created(id: Uuid, config: &ProviderConfig, actor: &Actor) -> Self {
        Self::of_provider_config(id, EventType::ProviderConfigCreated, config, actor)
            .with("provider_config.provider_id", &*config.provider_id)
    }

    /// A provider configuration was made, changed, or switched.
    pub fn of_provider_config(
        id: Uuid,
        kind: EventType,
        config: &ProviderConfig,
        actor: &Actor,
    ) -> Self {
        Self::new(id, kind, &config.id, actor).with("provider_config.name", &*config.name)
    }

    /// A provider configuration was removed.
    pub fn provider_config_deleted(id: Uuid, config: ProviderConfigId, actor: &Actor) -> Self {
        Self::new(id, EventType::ProviderConfigDeleted, &config, actor)
            .with("provider_config.id", config.to_string())
    }

    /// An API key was made, replaced or revoked. Its text and digest are not in it.
    pub fn of_api_key(id: Uuid, kind: EventType, key: &ApiKey, actor: &Actor) -> Self {
        Self::new(id, kind, &key.id, actor)
            .with("api_key.name", &*key.name)
            .with("api_key.scopes", key.scopes.to_string())
    }

    /// An execution was accepted. However often it is asked for, it is one event with one id.
    pub fn execution_started(execution: &Execution, actor: &Actor) -> Self {
        let id = derived(execution.id, b"started");
        Self::new(id, EventType::ExecutionStarted, &execution.id, actor)
    }

    /// An execution ended. However it ended, it is one event with one id.
    pub fn execution_ended(id: ExecutionId, outcome: &Outcome, actor: &Actor) -> Self {
        let event = |kind| Self::new(derived(id, b"ended"), kind, &id, actor);
        match outcome {
            Outcome::Completed { .. } => event(EventType::ExecutionCompleted),
            Outcome::Failed(failure) => event(EventType::ExecutionFailed)
                .with("error", cut(failure.message.clone(), ERROR_BYTES_MAX)),
            Outcome::Cancelled => event(EventType::ExecutionCancelled),
        }
    }

    /// The same event, saying of which workflow the execution is. Stores add it: whoever ends an
    /// execution may not know.
    #[must_use]
    pub fn of_execution_of(self, workflow: WorkflowId) -> Self {
        self.with("workflow.id", workflow.to_string())
    }

    /// Somebody was not let in. `route` is a template without anything that the caller chose;
    /// `n_unrecorded` is how many were turned away since the last event that was written.
    pub fn access_denied(
        id: Uuid,
        (method, route): (&str, &str),
        code: &str,
        n_unrecorded: u64,
        actor: &Actor,
    ) -> Self {
        let event = Self::new(id, EventType::AccessDenied, &route, actor)
            .with("request.method", method)
            .with("error.code", code);
        if n_unrecorded == 0 { event } else { event.with("denials.unrecorded", n_unrecorded) }
    }
}

/// An id that follows from an execution's, so that the same event never has two. Of version 7 and of
/// the same moment, so that they are written in order too.
fn derived(execution: ExecutionId, word: &[u8]) -> Uuid {
    let id = execution.as_uuid().as_bytes();
    let mut bytes: [u8; 32] = Sha256::new().chain_update(id).chain_update(word).finalize().into();
    bytes[..6].copy_from_slice(&id[..6]);
    let mut short = [0; 16];
    short.copy_from_slice(&bytes[..16]);
    Builder::from_bytes(short)
        .with_version(uuid::Version::SortRand)
        .with_variant(uuid::Variant::RFC4122)
        .into_uuid()
}

/// The beginning of a text, cut between characters.
fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

#[cfg(test)]
mod tests;
