//! Every management route that changes something, from the socket through its use-case.

use std::sync::Arc;

use flowker_core::execution::{Execution, Status};
use flowker_core::id::ProviderConfigId;
use flowker_core::ports::{
    Acceptance, CancelAnswer, ConfigStatus, ConfigUser, ConfigWritten, MockExecutionStore,
    ProviderConfig, UnusedWritten, WorkflowWritten,
};
use flowker_core::workflow::{Lifecycle, Workflow};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::wire::{Answer, ask};
use super::world::{EXECUTION, NOW, WORKFLOW, World, summary, workflow};
use crate::answer::Door;

const JSON: &str = "Content-Type: application/json";

async fn send(door: &Arc<Door>, line: &str, body: &str) -> Answer {
    ask(door, line, &[JSON], body).await
}

/// Names of the members of a body, in alphabetical order.
fn members(answer: &Answer) -> String {
    let body = answer.json();
    let names: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    names.join(" ")
}

/// A door behind which the workflow has this status.
fn with_workflow(status: Lifecycle) -> Arc<Door> {
    let stored = Workflow { id: WORKFLOW, version: 1, status, ..workflow(1) };
    let mut world = World::new();
    let store = &mut world.workflows;
    let found = stored.clone();
    store.expect_get().returning(move |_| Ok(Some(found.clone())));
    store.expect_create().returning(|workflow, _| Ok(WorkflowWritten::Done(workflow)));
    store.expect_update().returning(|workflow, _| Ok(WorkflowWritten::Done(workflow)));
    let active = Workflow { status: Lifecycle::Active, ..stored.clone() };
    store.expect_activate().returning(move |_, _| Ok(WorkflowWritten::Done(active.clone())));
    store.expect_transition().returning(move |transition, _| {
        Ok(WorkflowWritten::Done(Workflow { status: transition.to, ..stored.clone() }))
    });
    store.expect_delete().returning(|_, _, _| Ok(true));
    store.expect_routes().returning(|| Ok(Vec::new()));
    store.expect_routes_revision().returning(|| Ok(1));
    world.door()
}

#[tokio::test(start_paused = true)]
async fn workflows_are_made_changed_and_removed() {
    const FULL: &str = "createdAt edges id name nodes status updatedAt";
    const SHORT: &str = "createdAt status version workflowId";
    let one = format!("/v1/workflows/{WORKFLOW}");
    let draft = with_workflow(Lifecycle::Draft);
    for (door, line, body, status, shape) in [
        (&draft, "POST /v1/workflows".to_owned(), r#"{"name":"n"}"#, 201, SHORT),
        (&draft, format!("PUT {one}"), r#"{"name":"n"}"#, 200, FULL),
        (&draft, format!("POST {one}/clone"), r#"{"name":"n"}"#, 201, SHORT),
        (&draft, format!("POST {one}/activate"), "", 200, FULL),
        (&with_workflow(Lifecycle::Active), format!("POST {one}/deactivate"), "no JSON", 200, FULL),
        (&with_workflow(Lifecycle::Inactive), format!("POST {one}/draft"), "", 200, FULL),
        (&draft, format!("GET {one}"), "", 200, FULL),
    ] {
        let answer = send(door, &line, body).await;
        assert_eq!((answer.status, &*members(&answer)), (status, shape), "{line}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let removed = send(&draft, &format!("DELETE {one}"), "").await;
    assert_eq!((removed.status, removed.body.len()), (204, 0));
    assert_eq!(removed.header("content-type"), None);
    let active = with_workflow(Lifecycle::Active);
    let kept = send(&active, &format!("DELETE {one}"), "").await;
    assert_eq!((kept.status, kept.json()["code"].as_str()), (422, Some("FLK-0103")));
    let unnamed = send(&draft, "POST /v1/workflows", r#"{"name": 7}"#).await;
    assert_eq!(unnamed.status, 400);
    assert_eq!(unnamed.json()["fields"]["name"], "must be a string, not a number");
    let nameless = send(&draft, "POST /v1/workflows", "null").await;
    assert_eq!((nameless.status, nameless.json()["code"].as_str()), (400, Some("FLK-0110")));
}

#[tokio::test(start_paused = true)]
async fn an_execution_is_started_once_a_key() {
    let door = with_workflow(Lifecycle::Active);
    let line = format!("POST /v1/workflows/{WORKFLOW}/executions");
    let check = async |headers: &[&str], body: &str, status: u16, code: Option<&str>| {
        let headers = [&[JSON], headers].concat();
        let answer = ask(&door, &line, &headers, body).await;
        let found = answer.json()["code"].as_str().map(str::to_owned);
        assert_eq!((answer.status, found.as_deref()), (status, code), "{headers:?} {body}");
        answer
    };
    let begun = check(&["Idempotency-Key: k"], r#"{"inputData":{"a":1}}"#, 201, None).await;
    assert_eq!(members(&begun), "executionId startedAt status workflowId");
    assert_eq!(begun.header("x-webhook-execution-id"), None);
    check(&["Idempotency-Key: k"], r#"{"inputData":null}"#, 201, None).await;
    check(&[], "{}", 400, Some("FLK-0509")).await;
    check(&["Idempotency-Key:  "], "{}", 400, Some("FLK-0509")).await;
    check(&["Idempotency-Key: \"k"], "{}", 400, Some("FLK-0511")).await;
    // The body is looked at before the key.
    check(&[], r#"{"inputData":7}"#, 400, Some("FLK-0001")).await;
    check(&[], "[1", 400, Some("FLK-0001")).await;
}

/// A door behind which the execution stands so.
fn with_execution(status: Status) -> Arc<Door> {
    let mut world = World::new();
    let mut store = MockExecutionStore::new();
    store.expect_get().returning(move |id| Ok((id == EXECUTION).then(|| summary(status))));
    store.expect_execution().returning(|_| {
        Ok(Some(Execution {
            id: EXECUTION,
            workflow_id: WORKFLOW,
            version: 1,
            start_node: "t".to_owned(),
            input: "{}".into(),
            total_steps: 1,
            accepted_at: NOW,
            retry_of: None,
            trace: None,
        }))
    });
    store.expect_journal().returning(|_| Ok(Vec::new()));
    store.expect_accept().returning(|_| Ok(Acceptance::Accepted));
    store.expect_cancel().returning(move |_, _, _| {
        Ok(if status.is_terminal() {
            CancelAnswer::AlreadyTerminal
        } else {
            CancelAnswer::Cancelled(summary(Status::Cancelled))
        })
    });
    world.executions = store;
    world.dispatcher.expect_abandon().return_const(());
    world.dispatcher.expect_wait_for_end().returning(|_, _| Some(summary(Status::Completed)));
    world.door()
}

#[tokio::test(start_paused = true)]
async fn executions_are_watched_ended_and_repeated() {
    let check = async |status: Status, line: &str, expected: &str| {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let line = format!("{method} /v1/executions/{EXECUTION}{path}");
        let answer = send(&with_execution(status), &line, "").await;
        let body = answer.json();
        let told = body.get("code").or_else(|| body.get("status")).and_then(Value::as_str);
        assert_eq!(format!("{} {}", answer.status, told.expect("a word")), expected, "{line}");
        answer
    };
    check(Status::Running, "GET ", "200 running").await;
    check(Status::Running, "GET ?wait=5", "200 completed").await;
    check(Status::Running, "GET ?wait=soon", "400 FLK-0304").await;
    check(Status::Failed, "GET /results", "200 failed").await;
    check(Status::Running, "GET /results", "422 FLK-0502").await;
    check(Status::Running, "POST /cancel", "200 cancelled").await;
    check(Status::Failed, "POST /cancel", "409 FLK-0520").await;
    check(Status::Running, "POST /retry", "409 FLK-0520").await;
    let retried = check(Status::Failed, "POST /retry", "201 running").await;
    assert_eq!(retried.json()["retryOf"].as_str(), Some(&*EXECUTION.to_string()));
}

#[tokio::test(start_paused = true)]
async fn provider_configurations_are_made_changed_and_removed_without_showing_secrets() {
    const FULL: &str = "config createdAt id name providerId status updatedAt";
    let id = ProviderConfigId::from_uuid(Uuid::from_u128(9));
    let door = |status: ConfigStatus| {
        let mut world = World::new();
        let secret = Value::from("topsecret-1234");
        let stored = ProviderConfig {
            id,
            name: "n".to_owned(),
            description: None,
            provider_id: "http".to_owned(),
            config: Map::from_iter([("api_key".to_owned(), secret)]),
            status,
            metadata: Map::new(),
            revision: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        world.configs.expect_get().returning(move |_| Ok(Some(stored.clone())));
        world.configs.expect_create().returning(|_, _| Ok(ConfigWritten::Done));
        world.configs.expect_update().returning(|_, _| Ok(ConfigWritten::Done));
        world.configs.expect_delete().returning(|_, _| Ok(true));
        let user = ConfigUser { id: WORKFLOW, name: "w".to_owned() };
        let in_use = UnusedWritten::InUse(vec![user]);
        let answer = in_use.clone();
        world.configs.expect_update_unused().returning(move |_, _| Ok(answer.clone()));
        world.configs.expect_delete_unused().returning(move |_, _| Ok(in_use.clone()));
        world.door()
    };
    let one = format!("/v1/provider-configurations/{id}");
    let (active, disabled) = (door(ConfigStatus::Active), door(ConfigStatus::Disabled));
    let new = r#"{"name":"n","providerId":"http","config":{"api_key":"topsecret-5678"}}"#;
    for (door, line, body, status, shape) in [
        (&active, "POST /v1/provider-configurations", new, 201, "createdAt id name status"),
        (&active, &*format!("GET {one}"), "", 200, FULL),
        (&active, &*format!("PATCH {one}"), r#"{"name":"m"}"#, 200, FULL),
        (&active, &*format!("POST {one}/disable?force=true"), "", 200, FULL),
        (&disabled, &*format!("POST {one}/enable"), "", 200, FULL),
    ] {
        let answer = send(door, line, body).await;
        assert_eq!((answer.status, &*members(&answer)), (status, shape), "{line}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("topsecret"), "{line}");
    }
    for line in [format!("DELETE {one}"), format!("POST {one}/disable?force=false")] {
        let answer = send(&active, &line, "").await;
        let body = answer.json();
        assert_eq!((answer.status, body["code"].as_str()), (409, Some("FLK-0351")), "{line}");
        assert_eq!(body["fields"]["workflows[0]"], format!("{WORKFLOW} \"w\" uses it"));
    }
    let wrong = send(&active, &format!("DELETE {one}?force=1"), "").await;
    assert_eq!((wrong.status, wrong.json()["code"].as_str()), (400, Some("FLK-0304")));
    assert_eq!(send(&active, &format!("DELETE {one}?force=true"), "").await.status, 204);
    let again = send(&active, &format!("POST {one}/enable"), "").await;
    assert_eq!((again.status, again.json()["code"].as_str()), (422, Some("FLK-0292")));
}
