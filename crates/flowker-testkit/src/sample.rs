//! Workflows, executions and journals for tests, the same ones in every run.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flowker_core::access::{KeyDigest, Scope};
use flowker_core::actor::{Actor, ActorKind};
use flowker_core::audit::{AuditEvent, EventType};
use flowker_core::execution::{Entry, Event, Execution, Failure, FailureCode, Fence, StepRun};
use flowker_core::id::{ApiKeyId, ExecutionId, ProviderConfigId, ReplicaId, WorkflowId};
use flowker_core::idempotency::{Fingerprint, IdempotencyKey};
use flowker_core::json;
use flowker_core::ports::{
    ApiKey, Claim, ConfigStatus, NewExecution, Precondition, ProviderConfig,
};
use flowker_core::time::Timestamp;
use flowker_core::trace::TraceContext;
use flowker_core::workflow::{Definition, Lifecycle, NewRoute, Plan, WebhookPath, Workflow};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::clock::TestClock;
use crate::ids;

/// The provider of every sample.
pub const PROVIDER_ID: &str = "http";

/// The executor of every sample.
pub const EXECUTOR_ID: &str = "http.request";

/// How long the sample keys are kept: far longer than any lapse.
pub const RETENTION: Duration = Duration::from_hours(7 * 24);

/// JSON that a careless store changes: numbers beyond a double, zeros at their end, NUL, names that
/// serializers use, empty containers.
pub const HARD_JSON: &str = r#"{
    "": {},
    "$serde_json::private::Number": "1",
    "big": 123456789012345678901234567890.12345678901234567890,
    "exponent": 1E+5,
    "list": [[], {}, null, true, false, ""],
    "long": 9007199254740993,
    "nested": {"a": {"b": {"c": [1, 2.0, 3.00]}}},
    "nul": "before\u0000after",
    "negative zero": -0.0,
    "small": 1e-400,
    "text": "ü 😀 \u2028 \" \\ \u001f 'quoted' %s $1",
    "trailing": 1.50
}"#;

/// Parses JSON text.
///
/// # Panics
///
/// If it is none.
pub fn value(text: &str) -> Value {
    json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Parses JSON text of an object.
///
/// # Panics
///
/// If it is none.
pub fn object(text: &str) -> Map<String, Value> {
    match value(text) {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

/// The `n`-th execution id. Ids rise with `n`.
pub fn execution_id(n: u64) -> ExecutionId {
    ExecutionId::from_uuid(ids::uuid(0xE, n))
}

/// The `n`-th workflow id. Ids rise with `n`.
pub fn workflow_id(n: u64) -> WorkflowId {
    WorkflowId::from_uuid(ids::uuid(0xF, n))
}

/// The `n`-th id of a provider configuration. Ids rise with `n`.
pub fn config_id(n: u64) -> ProviderConfigId {
    ProviderConfigId::from_uuid(ids::uuid(0xC, n))
}

/// The `n`-th id of an API key. Ids rise with `n`.
pub fn api_key_id(n: u64) -> ApiKeyId {
    ApiKeyId::from_uuid(ids::uuid(0xD, n))
}

/// The `n`-th replica.
pub fn replica(n: u64) -> ReplicaId {
    ReplicaId::from_uuid(ids::uuid(0xA, n))
}

/// `millis` after [`TestClock::START`].
pub fn moment(millis: u64) -> Timestamp {
    TestClock::START.plus(Duration::from_millis(millis))
}

/// The graph that a document of `nodes`, `edges` and `settings` describes.
///
/// # Panics
///
/// If it does not describe one.
pub fn definition(document: &str) -> Definition {
    Definition::from_document(value(document)).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// The graph that a document describes, ready to run.
///
/// # Panics
///
/// If it does not describe one that can run.
pub fn plan(document: &str) -> Arc<Plan> {
    let plan = Plan::compile(&definition(document));
    Arc::new(plan.unwrap_or_else(|violations| panic!("{violations:?}")))
}

/// A trigger node `start`, reached with `POST /{path}`, as a document.
pub fn trigger_node(path: &str) -> String {
    format!(
        r#"{{"id": "start", "type": "trigger", "position": {{"x": 0, "y": 0}}, "data":
            {{"triggerType": "webhook", "method": "POST", "path": "{path}"}}}}"#
    )
}

/// An executor node that calls with the configuration [`config_id`]`(1)`, as a document. `settings`
/// are further members of its data, each with a comma before it.
pub fn executor_node(id: &str, settings: &str) -> String {
    format!(
        r#"{{"id": "{id}", "type": "executor", "position": {{"x": 0, "y": 0}}, "data":
            {{"executorId": "{EXECUTOR_ID}", "providerConfigId": "{}"{settings}}}}}"#,
        config_id(1)
    )
}

/// A graph of a trigger `start` at `POST /{path}` and executors in a row, as a document.
pub fn chain(path: &str, executors: &[&str]) -> String {
    let mut nodes = vec![trigger_node(path)];
    let mut edges = Vec::new();
    let mut source = "start";
    for id in executors {
        nodes.push(executor_node(id, ""));
        edges.push(format!(r#"{{"id": "to {id}", "source": "{source}", "target": "{id}"}}"#));
        source = id;
    }
    format!(r#"{{"nodes": [{}], "edges": [{}]}}"#, nodes.join(","), edges.join(","))
}

/// The `n`-th draft: `start` at `POST /hooks/{n}`, and an executor `call` behind it.
pub fn workflow(n: u64) -> Workflow {
    Workflow {
        id: workflow_id(n),
        name: format!("workflow {n}"),
        description: None,
        status: Lifecycle::Draft,
        revision: 1,
        version: 0,
        definition: definition(&chain(&format!("hooks/{n}"), &["call"])),
        metadata: Map::new(),
        created_at: moment(n),
        updated_at: moment(n),
    }
}

/// The route of the `n`-th workflow.
pub fn route(n: u64) -> NewRoute {
    NewRoute {
        method: "POST".to_owned(),
        path: WebhookPath::registered(&format!("hooks/{n}")),
        node_id: "start".to_owned(),
    }
}

/// The `n`-th provider configuration, active.
pub fn config(n: u64) -> ProviderConfig {
    ProviderConfig {
        id: config_id(n),
        name: format!("config {n}"),
        description: None,
        provider_id: PROVIDER_ID.to_owned(),
        config: object(r#"{"base_url": "http://receiver.test"}"#),
        status: ConfigStatus::Active,
        metadata: Map::new(),
        revision: 1,
        created_at: moment(n),
        updated_at: moment(n),
    }
}

/// The `n`-th API key, which may trigger, with the text `key {n}`.
pub fn api_key(n: u64) -> ApiKey {
    let name = format!("key {n}");
    ApiKey {
        id: api_key_id(n),
        digest: KeyDigest::of(name.as_bytes()),
        name,
        scopes: [Scope::Trigger].into_iter().collect(),
        previous: None,
        revision: 1,
        created_at: moment(n),
        updated_at: moment(n),
        rotated_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

/// The `n`-th execution, of version 1 of the workflow [`workflow_id`]`(1)`, accepted `n`
/// milliseconds after the start of the clock.
pub fn execution(n: u64) -> Execution {
    Execution {
        id: execution_id(n),
        workflow_id: workflow_id(1),
        version: 1,
        start_node: "start".to_owned(),
        input: Bytes::from(format!(r#"{{"n":{n}}}"#)),
        total_steps: 1,
        accepted_at: moment(n),
        retry_of: None,
        trace: None,
    }
}

/// A place in a trace, with as much state as is kept.
///
/// # Panics
///
/// Never.
pub fn trace() -> TraceContext {
    let state = format!("a={},b={}", "x y".repeat(84), "z".repeat(255));
    let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 {state}");
    let trace = TraceContext::from_stored(&text).expect("a trace context");
    assert_eq!(trace.tracestate(), Some(state.as_str()));
    trace
}

/// The acceptance of [`execution`]`(n)`: without a precondition, a key or an owner.
pub fn new_execution(n: u64) -> NewExecution {
    NewExecution {
        execution: Arc::new(execution(n)),
        precondition: Precondition::None,
        claim: None,
        owner: None,
        actor: actor(),
    }
}

/// Who asks.
pub fn actor() -> Actor {
    Actor { kind: ActorKind::ApiKey, id: "ops|\\0\0".to_owned(), ip: [192, 0, 2, 7].into() }
}

/// An event for the audit log, with an id that no other has.
pub fn event() -> AuditEvent {
    let kind = EventType::WorkflowUpdated;
    AuditEvent::of_workflow(Uuid::now_v7(), kind, workflow_id(1), "workflow 1", &actor())
}

/// A key.
///
/// # Panics
///
/// If `text` is not one.
pub fn key(text: &str) -> IdempotencyKey {
    let key = IdempotencyKey::from_header([text.as_bytes()]);
    key.unwrap_or_else(|error| panic!("{text}: {error}")).expect("a key that is not blank")
}

/// A key for the request `request`, kept for [`RETENTION`].
pub fn claim(key_text: &str, request: &str) -> Claim {
    let fingerprint = Fingerprint::of(&[request.as_bytes()]);
    Claim { key: key(key_text), fingerprint, retention: RETENTION }
}

/// An entry of the owner `fence`.
pub fn entry(fence: Fence, event: Event) -> Entry {
    Entry { fence, at: moment(7), event }
}

/// A step that took some milliseconds and microseconds.
pub fn run(attempt: u32) -> StepRun {
    StepRun { attempt, started_at: moment(5), duration: Duration::from_micros(12_345_678) }
}

/// That a step was done and gave `output`.
pub fn completed(node: &str, output: Value) -> Event {
    Event::Completed { node: node.to_owned(), run: run(1), output: Arc::new(output) }
}

/// That a step failed for good.
pub fn failed(node: &str, message: &str) -> Event {
    let failure = Failure::new(FailureCode::StepFailed, message);
    Event::Failed { node: node.to_owned(), run: run(5), failure }
}
