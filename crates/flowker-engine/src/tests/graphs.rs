//! What runs, in which order, and what is stored of it.

use flowker_core::execution::{FailureCode, Status};
use flowker_core::ports::FailureKind;
use flowker_testkit::{Answer, Gate, Method, sample};
use serde_json::json;

use super::world::{World, graph, node};
use crate::Limits;

#[tokio::test(start_paused = true)]
async fn a_row_of_calls_runs_in_order_and_the_last_step_ends_it() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    let output = world.output(id).await;
    assert_eq!(output["workflow"], json!({"n": 1}));
    assert_eq!(output["b"]["body"], json!({"n": 1}));
    assert_eq!(world.journal(id).await, "1 completed a, 1 completed b");
    let called: Vec<_> =
        world.provider.calls().iter().map(|it| it.call.idempotency_key.clone()).collect();
    assert_eq!(called, [format!("{id}:a"), format!("{id}:b")]);
    assert_eq!(world.store.n_calls(Method::Append), 2, "the end goes with the last step");
    assert_eq!(replica.stats().completed, 1);
}

#[tokio::test(start_paused = true)]
async fn branches_run_at_once_and_their_join_runs_once() {
    let nodes = ["a", "b", "join"].map(|id| sample::executor_node(id, ""));
    let edges = [("start", "a"), ("start", "b"), ("a", "join"), ("b", "join")];
    let world = World::of(&graph(&nodes, &edges, "")).await;
    let gate = Gate::new();
    for branch in ["a", "b"] {
        world.provider.script(branch, [Answer::Hold(gate.clone(), json!({}))]);
    }
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    gate.arrived(2).await;
    assert_eq!(world.provider.n_in_flight(), 2);
    gate.open();
    world.output(id).await;
    assert_eq!(world.provider.calls_of("join").len(), 1);
    assert_eq!(world.end(id).await.current_step, 3);
}

#[tokio::test(start_paused = true)]
async fn steps_that_call_nobody_are_written_with_the_call_that_follows() {
    let nodes = [
        node("is big", "conditional", r#"{"condition": "workflow.n > 10"}"#),
        sample::executor_node("small", ""),
        sample::executor_node("big", ""),
        node(
            "say",
            "action",
            r#"{"actionType": "set_output", "output": {"size": "{{ small.status }}"}}"#,
        ),
    ];
    let edges =
        [("start", "is big"), ("is big/true", "big"), ("is big/false", "small"), ("small", "say")];
    let world = World::of(&graph(&nodes, &edges, "")).await;
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    assert_eq!(world.output(id).await, json!({"size": 200}));
    assert_eq!(world.journal(id).await, "1 completed is big, 1 completed small, 1 completed say");
    assert_eq!(world.store.n_calls(Method::Append), 1);
    assert_eq!(world.provider.calls_of("big").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_workflow_without_steps_ends_at_once() {
    let world = World::of(&graph(&[], &[], "")).await;
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    assert_eq!(world.output(id).await, json!({"workflow": {"n": 1}}));
}

#[tokio::test(start_paused = true)]
async fn a_failure_lets_siblings_end_and_begins_nothing_new() {
    let nodes = ["slow", "after", "bad", "worse"].map(|id| sample::executor_node(id, ""));
    let edges = [("start", "slow"), ("slow", "after"), ("start", "bad"), ("start", "worse")];
    let world = World::of(&graph(&nodes, &edges, "")).await;
    let gate = Gate::new();
    world.provider.script("slow", [Answer::Hold(gate.clone(), json!({"done": true}))]);
    world.provider.script("bad", [Answer::fail(FailureKind::Permanent, "HTTP status 404")]);
    world.provider.script("worse", [Answer::fail(FailureKind::Permanent, "HTTP status 400")]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    gate.arrived(1).await;
    super::world::until("the failures are stored", || world.store.n_calls(Method::Append) > 0)
        .await;
    gate.open();
    let (code, message) = world.failure(id).await;
    assert_eq!(code, FailureCode::StepFailed);
    assert_eq!(
        message,
        r#"FLK-0504: node "bad": executor call failed after 1 attempt: HTTP status 404"#
    );
    assert_eq!(world.provider.calls_of("after").len(), 0);
    let journal = world.journal(id).await;
    assert!(journal.ends_with("1 completed slow"), "{journal}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_takes_the_turn_from_steps_that_wait_for_it() {
    let nodes = ["bad", "next"].map(|id| sample::executor_node(id, ""));
    let world = World::of(&graph(&nodes, &[("start", "bad"), ("start", "next")], "")).await;
    world.provider.script("bad", [Answer::fail(FailureKind::Permanent, "HTTP status 404")]);
    let replica = world.replica(Limits { calls_max: 1, ..Limits::default() }).await;
    let id = world.start(&replica).await;
    world.failure(id).await;
    assert_eq!(world.provider.calls_of("next").len(), 0);
    assert_eq!(world.journal(id).await, "1 failed bad");
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_cannot_be_evaluated_fails_its_step() {
    let nodes = [node("ask", "conditional", r#"{"condition": "workflow.missing > 1"}"#)];
    let world = World::of(&graph(&nodes, &[("start", "ask")], "")).await;
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    let (code, message) = world.failure(id).await;
    assert_eq!(code, FailureCode::StepFailed);
    assert!(message.starts_with(r#"FLK-0504: node "ask": "#), "{message}");
    assert_eq!(world.end(id).await.status, Status::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_provider_fails_its_step_and_nothing_else() {
    let world = World::chain(&[("a", "")]).await;
    let replica = world.replica(Limits::default()).await;
    world.provider.script("a", [Answer::Panic]);
    let bad = world.start(&replica).await;
    let (code, message) = world.failure(bad).await;
    assert_eq!(code, FailureCode::Internal);
    assert_eq!(message, r#"FLK-0504: node "a": an unexpected failure of the service"#);
    let good = world.start(&replica).await;
    world.output(good).await;
    assert_eq!(replica.stats().calls, 0, "the slot came back");
}
