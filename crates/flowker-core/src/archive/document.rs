//! Records as JSON documents and back.
//!
//! Moments and durations are whole microseconds, bytes are base64, and the input of an execution is
//! a text, for it is kept to the byte.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::fields::{Fields, Object};
use super::record::{
    ArchivedExecution, ArchivedKey, FrozenVersion, Kind, Record, SharedValue, Stage,
};
use crate::access::{KeyDigest, Scopes};
use crate::audit::{AuditEntry, AuditEvent};
use crate::digest::Digest;
use crate::execution::{
    Entry, Event, Execution, Failure, FailureCode, Fence, Outcome, Status, StepRun,
};
use crate::id::{ApiKeyId, AuditEventId, ExecutionId, ProviderConfigId, WorkflowId};
use crate::idempotency::{Fingerprint, IdempotencyKey};
use crate::members::Members;
use crate::ports::{ApiKey, ConfigStatus, PreviousKey, ProviderConfig};
use crate::refusal::Fault;
use crate::time::Timestamp;
use crate::trace::TraceContext;
use crate::workflow::{Definition, Lifecycle, NewRoute, Route, WebhookPath, Workflow};

const ADOPTED: &str = "adopted";
const STARTED: &str = "started";
const INTERRUPTED: &str = "interrupted";
const RETRY_AT: &str = "retryAt";
const COMPLETED: &str = "completed";
const FAILED: &str = "failed";

/// A document of one member, which names the kind.
pub(super) fn write(record: &Record) -> Value {
    let document = match record {
        Record::Workflow(it) => workflow(it),
        Record::Version(it) => version(it),
        Record::Route(it) => route(it),
        Record::ProviderConfig(it) => provider_config(it),
        Record::ApiKey(it) => api_key(it),
        Record::SharedValue(it) => {
            Object::default().with("name", &*it.name).with_bytes("value", &it.value)
        }
        Record::Execution(it) => execution(it),
        Record::Key(it) => key(it),
        Record::AuditEntry(it) => audit_entry(it),
    };
    Object::default().with(record.kind().as_str(), document).into()
}

fn workflow(it: &Workflow) -> Object {
    Object::default()
        .with("id", it.id.to_string())
        .with("name", &*it.name)
        .with_some("description", it.description.as_deref())
        .with("status", it.status.as_str())
        .with("revision", it.revision)
        .with("version", it.version)
        .with("definition", it.definition.to_document())
        .with("metadata", it.metadata.clone())
        .with_moment("createdAt", it.created_at)
        .with_moment("updatedAt", it.updated_at)
}

fn version(it: &FrozenVersion) -> Object {
    Object::default()
        .with("workflowId", it.workflow_id.to_string())
        .with("version", it.version)
        .with_moment("frozenAt", it.frozen_at)
        .with("definition", it.definition.to_document())
}

fn route(it: &Route) -> Object {
    Object::default()
        .with("method", &*it.key.method)
        .with("path", it.key.path.as_str())
        .with("nodeId", &*it.key.node_id)
        .with("workflowId", it.workflow_id.to_string())
        .with("version", it.version)
}

fn provider_config(it: &ProviderConfig) -> Object {
    Object::default()
        .with("id", it.id.to_string())
        .with("name", &*it.name)
        .with_some("description", it.description.as_deref())
        .with("providerId", &*it.provider_id)
        .with("config", it.config.clone())
        .with("status", it.status.as_str())
        .with("metadata", it.metadata.clone())
        .with("revision", it.revision)
        .with_moment("createdAt", it.created_at)
        .with_moment("updatedAt", it.updated_at)
}

fn api_key(it: &ApiKey) -> Object {
    let moment = |moment: Option<Timestamp>| moment.map(Timestamp::as_micros);
    let previous = it.previous.map(|previous| {
        let object = Object::default().with_bytes("digest", previous.digest.as_bytes());
        object.with_moment("until", previous.until)
    });
    Object::default()
        .with("id", it.id.to_string())
        .with("name", &*it.name)
        .with("scopes", it.scopes.to_string())
        .with_bytes("digest", it.digest.as_bytes())
        .with_some("previous", previous)
        .with("revision", it.revision)
        .with_moment("createdAt", it.created_at)
        .with_moment("updatedAt", it.updated_at)
        .with_some("rotatedAt", moment(it.rotated_at))
        .with_some("expiresAt", moment(it.expires_at))
        .with_some("revokedAt", moment(it.revoked_at))
}

fn execution(it: &ArchivedExecution) -> Object {
    let ArchivedExecution { execution, journal, stage } = it;
    let object = Object::default()
        .with("id", execution.id.to_string())
        .with("workflowId", execution.workflow_id.to_string())
        .with("version", execution.version)
        .with("startNode", &*execution.start_node)
        // Compact JSON is UTF-8.
        .with("input", String::from_utf8_lossy(&execution.input))
        .with("totalSteps", execution.total_steps)
        .with_moment("acceptedAt", execution.accepted_at)
        .with_some("retryOf", execution.retry_of.map(|id| id.to_string()))
        .with_some("trace", execution.trace.as_ref().map(ToString::to_string))
        .with("journal", journal.iter().map(|it| Value::from(entry(it))).collect::<Vec<_>>());
    match stage {
        Stage::Unfinished { fence, due } => object
            .with("unfinished", Object::default().with("fence", fence.0).with_moment("due", *due)),
        Stage::Ended { outcome, at } => {
            let ended =
                Object::default().with_moment("at", *at).with("status", outcome.status().as_str());
            object.with(
                "ended",
                match outcome.as_ref() {
                    Outcome::Completed { output } => ended.with("output", output.clone()),
                    Outcome::Failed(failure) => with_failure(ended, failure),
                    Outcome::Cancelled => ended,
                },
            )
        }
    }
}

fn with_failure(object: Object, failure: &Failure) -> Object {
    object.with("failureCode", failure.code.as_str()).with("message", &*failure.message)
}

fn entry(it: &Entry) -> Object {
    let Entry { fence, at, event } = it;
    let of = |name: &str| {
        Object::default().with("fence", fence.0).with_moment("at", *at).with("event", name)
    };
    let ended = |name: &str, node: &str, run: &StepRun| {
        of(name)
            .with("node", node)
            .with("attempt", run.attempt)
            .with_moment("startedAt", run.started_at)
            .with("durationMicros", u64::try_from(run.duration.as_micros()).unwrap_or(u64::MAX))
    };
    match event {
        Event::Adopted => of(ADOPTED),
        Event::Started { node, attempt } => {
            of(STARTED).with("node", &**node).with("attempt", *attempt)
        }
        Event::Interrupted { node } => of(INTERRUPTED).with("node", &**node),
        Event::RetryAt { node, attempt, due, message } => of(RETRY_AT)
            .with("node", &**node)
            .with("attempt", *attempt)
            .with_moment("due", *due)
            .with("message", &**message),
        Event::Completed { node, run, output } => {
            ended(COMPLETED, node, run).with("output", Value::clone(output))
        }
        Event::Failed { node, run, failure } => with_failure(ended(FAILED, node, run), failure),
    }
}

fn key(it: &ArchivedKey) -> Object {
    Object::default()
        .with("workflowId", it.workflow_id.to_string())
        .with("key", it.key.as_str())
        .with_bytes("fingerprint", it.fingerprint.as_bytes())
        .with("executionId", it.execution_id.to_string())
        .with_moment("expiresAt", it.expires_at)
}

fn audit_entry(it: &AuditEntry) -> Object {
    Object::default()
        .with("sequence", it.sequence)
        .with("id", it.event.id.to_string())
        .with_moment("at", it.at)
        .with("event", it.event.to_document())
        .with_some("previousHash", it.previous.map(|hash| hash.to_string()))
        .with("hash", it.hash.to_string())
}

/// Reads what [`write`] wrote.
///
/// # Errors
///
/// Every member that is missing or wrong.
pub(super) fn read(document: Value) -> Result<Record, Vec<Fault>> {
    let mut faults = Vec::new();
    let record = read_any(Fields(Members::of(document, "", &mut faults)));
    match record {
        Some(record) if faults.is_empty() => Ok(record),
        _ => Err(faults),
    }
}

fn read_any(mut fields: Fields<'_>) -> Option<Record> {
    let Some(kind) = Kind::ALL.into_iter().find(|kind| fields.0.has(kind.as_str())) else {
        fields.0.fault("", "is no record of a known kind");
        return None;
    };
    let of_kind = fields.nested(kind.as_str())?;
    match kind {
        Kind::Workflow => read_workflow(of_kind).map(Record::Workflow),
        Kind::Version => read_version(of_kind).map(Record::Version),
        Kind::Route => read_route(of_kind).map(Record::Route),
        Kind::ProviderConfig => read_provider_config(of_kind).map(Record::ProviderConfig),
        Kind::ApiKey => read_api_key(of_kind).map(Record::ApiKey),
        Kind::SharedValue => read_shared_value(of_kind).map(Record::SharedValue),
        Kind::Execution => read_execution(of_kind).map(Record::Execution),
        Kind::Key => read_key(of_kind).map(Record::Key),
        Kind::AuditEntry => read_audit_entry(of_kind).map(Record::AuditEntry),
    }
}

fn read_workflow(mut fields: Fields<'_>) -> Option<Workflow> {
    Some(Workflow {
        id: fields.id("id", WorkflowId::parse)?,
        name: fields.text("name")?,
        description: fields.0.string("description"),
        status: fields.word("status", Lifecycle::parse)?,
        revision: fields.number("revision")?,
        version: fields.number("version")?,
        definition: read_definition(&mut fields)?,
        metadata: fields.object("metadata")?,
        created_at: fields.moment("createdAt")?,
        updated_at: fields.moment("updatedAt")?,
    })
}

fn read_definition(fields: &mut Fields<'_>) -> Option<Definition> {
    fields.nested("definition").map(|mut fields| Definition::read(&mut fields.0))
}

fn read_version(mut fields: Fields<'_>) -> Option<FrozenVersion> {
    Some(FrozenVersion {
        workflow_id: fields.id("workflowId", WorkflowId::parse)?,
        version: fields.number("version")?,
        frozen_at: fields.moment("frozenAt")?,
        definition: read_definition(&mut fields)?,
    })
}

fn read_route(mut fields: Fields<'_>) -> Option<Route> {
    let method = fields.text("method")?;
    // Written without the leading slash, of which reading takes one away.
    let path = WebhookPath::registered(&format!("/{}", fields.text("path")?));
    let node_id = fields.text("nodeId")?;
    Some(Route {
        key: NewRoute { method, path, node_id },
        workflow_id: fields.id("workflowId", WorkflowId::parse)?,
        version: fields.number("version")?,
    })
}

fn read_provider_config(mut fields: Fields<'_>) -> Option<ProviderConfig> {
    Some(ProviderConfig {
        id: fields.id("id", ProviderConfigId::parse)?,
        name: fields.text("name")?,
        description: fields.0.string("description"),
        provider_id: fields.text("providerId")?,
        config: fields.object("config")?,
        status: fields.word("status", ConfigStatus::parse)?,
        metadata: fields.object("metadata")?,
        revision: fields.number("revision")?,
        created_at: fields.moment("createdAt")?,
        updated_at: fields.moment("updatedAt")?,
    })
}

fn read_api_key(mut fields: Fields<'_>) -> Option<ApiKey> {
    let previous = if fields.0.has("previous") {
        let mut previous = fields.nested("previous")?;
        let digest = read_digest(&mut previous)?;
        Some(PreviousKey { digest, until: previous.moment("until")? })
    } else {
        None
    };
    Some(ApiKey {
        id: fields.id("id", ApiKeyId::parse)?,
        name: fields.text("name")?,
        scopes: fields.word("scopes", Scopes::parse)?,
        digest: read_digest(&mut fields)?,
        previous,
        revision: fields.number("revision")?,
        created_at: fields.moment("createdAt")?,
        updated_at: fields.moment("updatedAt")?,
        rotated_at: fields.0.integer("rotatedAt").map(Timestamp::from_micros),
        expires_at: fields.0.integer("expiresAt").map(Timestamp::from_micros),
        revoked_at: fields.0.integer("revokedAt").map(Timestamp::from_micros),
    })
}

fn read_digest(fields: &mut Fields<'_>) -> Option<KeyDigest> {
    let bytes = <[u8; 32]>::try_from(fields.bytes("digest")?).ok();
    fields.known("digest", bytes, "must be 32 bytes").map(KeyDigest::from_bytes)
}

fn read_shared_value(mut fields: Fields<'_>) -> Option<SharedValue> {
    Some(SharedValue { name: fields.text("name")?, value: fields.bytes("value")? })
}

fn read_execution(mut fields: Fields<'_>) -> Option<ArchivedExecution> {
    let execution = Execution {
        id: fields.id("id", ExecutionId::parse)?,
        workflow_id: fields.id("workflowId", WorkflowId::parse)?,
        version: fields.number("version")?,
        start_node: fields.text("startNode")?,
        input: Bytes::from(fields.text("input")?),
        total_steps: fields.number("totalSteps")?,
        accepted_at: fields.moment("acceptedAt")?,
        retry_of: fields.optional_id("retryOf", ExecutionId::parse),
        trace: fields.0.string("trace").and_then(|text| TraceContext::from_stored(&text)),
    };
    fields.needed("journal")?;
    let journal = fields.0.each("journal", |members| read_entry(Fields(members)));
    let stage = if fields.0.has("unfinished") {
        read_unfinished(fields.nested("unfinished")?)?
    } else {
        read_ended(fields.nested("ended")?)?
    };
    let journal = journal.into_iter().collect::<Option<_>>()?;
    Some(ArchivedExecution { execution: Arc::new(execution), journal, stage })
}

fn read_unfinished(mut fields: Fields<'_>) -> Option<Stage> {
    let fence = Fence(fields.number("fence")?);
    Some(Stage::Unfinished { fence, due: fields.moment("due")? })
}

fn read_ended(mut fields: Fields<'_>) -> Option<Stage> {
    let at = fields.moment("at")?;
    let outcome = match fields.word("status", Status::parse)? {
        Status::Completed => Outcome::Completed { output: fields.object("output")? },
        Status::Failed => Outcome::Failed(read_failure(&mut fields)?),
        Status::Cancelled => Outcome::Cancelled,
        Status::Pending | Status::Running => {
            return fields.known("status", None, "must be the status of an end");
        }
    };
    Some(Stage::Ended { outcome: Arc::new(outcome), at })
}

fn read_failure(fields: &mut Fields<'_>) -> Option<Failure> {
    let code = fields.word("failureCode", FailureCode::parse)?;
    Some(Failure { code, message: fields.text("message")? })
}

fn read_entry(mut fields: Fields<'_>) -> Option<Entry> {
    let fence = Fence(fields.number("fence")?);
    let at = fields.moment("at")?;
    let name = fields.text("event")?;
    let event = match name.as_str() {
        ADOPTED => Event::Adopted,
        STARTED => {
            Event::Started { node: fields.text("node")?, attempt: fields.number("attempt")? }
        }
        INTERRUPTED => Event::Interrupted { node: fields.text("node")? },
        RETRY_AT => Event::RetryAt {
            node: fields.text("node")?,
            attempt: fields.number("attempt")?,
            due: fields.moment("due")?,
            message: fields.text("message")?,
        },
        COMPLETED => Event::Completed {
            node: fields.text("node")?,
            run: read_run(&mut fields)?,
            // `null` counts as absent, and is an output like any other.
            output: Arc::new(fields.0.take("output").unwrap_or_default()),
        },
        FAILED => Event::Failed {
            node: fields.text("node")?,
            run: read_run(&mut fields)?,
            failure: read_failure(&mut fields)?,
        },
        _ => return fields.known("event", None, &format!("must be another word than {name:?}")),
    };
    Some(Entry { fence, at, event })
}

fn read_run(fields: &mut Fields<'_>) -> Option<StepRun> {
    Some(StepRun {
        attempt: fields.number("attempt")?,
        started_at: fields.moment("startedAt")?,
        duration: Duration::from_micros(fields.number("durationMicros")?),
    })
}

fn read_key(mut fields: Fields<'_>) -> Option<ArchivedKey> {
    let workflow_id = fields.id("workflowId", WorkflowId::parse)?;
    let text = fields.text("key")?;
    let is_key = IdempotencyKey::is_valid(&text).then_some(());
    fields.known("key", is_key, "must be 1 to 255 printable ASCII characters")?;
    let bytes = <[u8; 32]>::try_from(fields.bytes("fingerprint")?).ok();
    let bytes = fields.known("fingerprint", bytes, "must be 32 bytes")?;
    Some(ArchivedKey {
        workflow_id,
        key: IdempotencyKey::from_stored(text),
        fingerprint: Fingerprint::from_bytes(bytes),
        execution_id: fields.id("executionId", ExecutionId::parse)?,
        expires_at: fields.moment("expiresAt")?,
    })
}

fn read_audit_entry(mut fields: Fields<'_>) -> Option<AuditEntry> {
    let id = fields.id("id", AuditEventId::parse)?;
    let document = fields.object("event")?;
    let event = AuditEvent::from_document(id, Value::Object(document));
    let event = fields.known("event", event.ok(), "must be an event as it was written")?;
    let previous = fields.0.has("previousHash").then(|| fields.word("previousHash", Digest::parse));
    Some(AuditEntry {
        sequence: fields.number("sequence")?,
        at: fields.moment("at")?,
        event,
        previous: previous.map_or(Some(None), |hash| hash.map(Some))?,
        hash: fields.word("hash", Digest::parse)?,
    })
}
