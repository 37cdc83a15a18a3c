//! Runs whose time is up.

use std::time::Duration;

use flowker_core::execution::FailureCode;
use flowker_core::ports::{CallFailure, ExecutionStore, FailureKind};
use flowker_testkit::{Answer, Gate, sample};
use serde_json::json;
use tokio::time::Instant;

use super::world::{World, chain, graph, until};
use crate::Limits;

const TWENTY: &str = r#", "settings": {"executionTimeoutSeconds": 20}"#;

fn held() -> Answer {
    Answer::Hold(Gate::new(), json!({}))
}

fn later(seconds: u64) -> Answer {
    let retry_after = Some(Duration::from_secs(seconds));
    Answer::Fail(CallFailure { retry_after, ..CallFailure::new(FailureKind::Transient, "busy") })
}

/// How the run of the executor `a` ends after exactly 20 seconds.
async fn failure_after_20_s(settings: &str, answers: Vec<Answer>) -> (FailureCode, String) {
    let world = World::of(&chain(&[("a", settings)], TWENTY)).await;
    world.provider.script("a", answers);
    let replica = world.replica(Limits::default()).await;
    let began = Instant::now();
    let id = world.start(&replica).await;
    let failure = world.failure(id).await;
    let took = began.elapsed().as_millis();
    assert!((20_000..20_050).contains(&took), "{took} ms");
    assert!(world.journal(id).await.ends_with("1 failed a"));
    assert_eq!(world.provider.n_in_flight(), 0, "the call was cut");
    assert_eq!(replica.stats().calls, 0);
    failure
}

#[tokio::test(start_paused = true)]
async fn calls_and_waits_are_cut_at_the_deadline() {
    let timed_out = |when: &str| {
        let text = format!(r#"FLK-0504: node "a": the execution's 20 s were up {when}"#);
        (FailureCode::TimedOut, text)
    };
    assert_eq!(failure_after_20_s("", vec![held()]).await, timed_out("during attempt 1"));
    assert_eq!(failure_after_20_s("", vec![later(50)]).await, timed_out("before attempt 2"));
    let late_call = vec![later(15), held()];
    assert_eq!(failure_after_20_s("", late_call).await, timed_out("during attempt 2"));
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_waits_outside_of_memory_keeps_its_deadline() {
    let patient = r#", "retry": {"initialDelayMs": 3600000, "maxDelayMs": 3600000}"#;
    let world = World::of(&chain(&[("a", patient)], TWENTY)).await;
    world.provider.script("a", [held()]);
    let limits = Limits { call_time_max: Duration::from_secs(15), ..Limits::default() };
    let replica = world.replica(limits).await;
    let began = Instant::now();
    let id = world.start(&replica).await;
    until("it waits", || replica.stats().parked == 1).await;
    assert_eq!(began.elapsed().as_secs(), 15);
    assert_eq!(world.failure(id).await.0, FailureCode::TimedOut);
    // From the first call's start, of which the journal knows nothing.
    assert_eq!(began.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_cut_call_that_must_not_be_repeated_is_uncertain() {
    let (code, _) = failure_after_20_s(r#", "onUncertain": "fail""#, vec![held()]).await;
    assert_eq!(code, FailureCode::Uncertain);
}

#[tokio::test(start_paused = true)]
async fn all_open_steps_are_journaled_as_failed() {
    let nodes = ["a", "b", "c"].map(|id| sample::executor_node(id, ""));
    let edges = [("start", "a"), ("start", "b"), ("start", "c")];
    let world = World::of(&graph(&nodes, &edges, TWENTY)).await;
    world.provider.script("a", [held()]);
    world.provider.script("b", [later(50)]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    let (code, message) = world.failure(id).await;
    assert_eq!(code, FailureCode::TimedOut);
    assert!(message.contains(r#"node "a""#), "{message}");
    let journal = world.journal(id).await;
    assert!(journal.contains("1 completed c"), "{journal}");
    assert!(journal.ends_with("1 failed a, 1 failed b"), "{journal}");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_never_got_its_turn_fails_too() {
    let world = World::of(&chain(&[("a", "")], TWENTY)).await;
    world.provider.script("a", [held()]);
    let replica = world.replica(Limits { calls_max: 1, ..Limits::default() }).await;
    let first = world.start(&replica).await;
    world.provider.called(1).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let second = world.start(&replica).await;
    // The first one's slot comes free at its deadline, which is before the second one's.
    world.provider.script("a", [held()]);
    for id in [first, second] {
        assert_eq!(world.failure(id).await.0, FailureCode::TimedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn time_without_an_owner_does_not_count() {
    let world = World::of(&chain(&[("a", ""), ("b", "")], TWENTY)).await;
    world.provider.script("b", [held(), held()]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    world.provider.called(2).await;
    drop(replica);
    tokio::time::sleep(Duration::from_hours(1)).await;
    let began = Instant::now();
    let _other = world.replica(Limits::default()).await;
    assert_eq!(world.failure(id).await.0, FailureCode::TimedOut);
    let took = began.elapsed().as_millis();
    assert!((20_000..20_050).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_keeps_no_bound_is_cut() {
    let world = World::of(&chain(
        &[("a", r#", "retry": {"maxAttempts": 1}"#)],
        r#", "settings": {"executionTimeoutSeconds": 86400}"#,
    ))
    .await;
    world.provider.script("a", [held()]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    let (code, message) = world.failure(id).await;
    assert_eq!(code, FailureCode::StepFailed);
    assert!(message.ends_with("no answer within 660 s"), "{message}");
    until("the slot is free", || replica.stats().calls == 0).await;
    assert_eq!(world.store.journal(id).await.unwrap().len(), 1);
}
