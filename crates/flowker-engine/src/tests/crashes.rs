//! Replicas that are lost, and what others make of their work.

use std::time::Duration;

use flowker_core::execution::{FailureCode, Fence};
use flowker_core::ports::{Dispatcher, ExecutionStore};
use flowker_testkit::{Answer, Gate, Method};
use serde_json::json;
use tokio::time::Instant;

use super::world::{World, until};
use crate::Limits;

fn held() -> Answer {
    Answer::Hold(Gate::new(), json!({}))
}

#[tokio::test(start_paused = true)]
async fn what_is_done_stays_done_and_what_was_in_flight_is_repeated_with_its_key() {
    let world = World::chain(&[("a", ""), ("b", ""), ("c", "")]).await;
    world.provider.script("b", [held()]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    world.provider.called(2).await;
    let lost = Instant::now();
    drop(replica);
    let other = world.replica(Limits::default()).await;
    world.output(id).await;
    assert!(lost.elapsed() < Duration::from_secs(12), "a lapse and a poll");
    let keys = |node| {
        let calls = world.provider.calls_of(node);
        calls.into_iter().map(|it| it.call.idempotency_key).collect::<Vec<_>>()
    };
    assert_eq!(keys("a").len(), 1);
    assert_eq!(keys("b"), [format!("{id}:b"), format!("{id}:b")]);
    assert_eq!(keys("c").len(), 1);
    assert_eq!(
        world.journal(id).await,
        "1 completed a, 2 adopted, 2 started b, 2 completed b, 2 completed c",
        "an attempt is announced until there is progress"
    );
    assert_eq!(other.stats().adopted, 1);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_was_only_slow_cannot_write_any_more() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    let slow =
        world.replica(Limits { heartbeat: Duration::from_hours(1), ..Limits::default() }).await;
    let append = world.store.hold_next(Method::Append);
    let id = world.start(&slow).await;
    append.arrived(1).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    let _other = world.replica(Limits::default()).await;
    world.output(id).await;
    append.open();
    until("it notices", || slow.stats().superseded == 1).await;
    assert_eq!(slow.stats().executions, 0);
    assert_eq!(world.journal(id).await, "2 adopted, 2 started a, 2 completed a, 2 completed b");
    assert_eq!(world.provider.calls_of("b").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_to_its_first_owner_is_driven_once() {
    let world = World::chain(&[("a", "")]).await;
    world.provider.always("a", held());
    let first =
        world.replica(Limits { heartbeat: Duration::from_hours(1), ..Limits::default() }).await;
    let id = world.start(&first).await;
    world.provider.called(1).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    let second = world.replica(Limits::default()).await;
    world.provider.called(2).await;
    assert_eq!(world.provider.n_in_flight(), 2);
    drop(second);
    world.provider.called(3).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(world.provider.n_in_flight(), 1, "the first run is dropped");
    assert_eq!(first.stats().executions, 1);
    assert_eq!(world.journal(id).await, "2 adopted, 2 started a, 3 adopted, 3 started a");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_must_not_be_repeated_is_announced_and_then_uncertain() {
    let world = World::chain(&[("pay", r#", "onUncertain": "fail""#)]).await;
    world.provider.script("pay", [held()]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    world.provider.called(1).await;
    assert_eq!(world.journal(id).await, "1 started pay");
    drop(replica);
    let _other = world.replica(Limits::default()).await;
    let (code, message) = world.failure(id).await;
    assert_eq!(code, FailureCode::Uncertain);
    assert!(message.contains(r#"node "pay""#), "{message}");
    assert_eq!(world.provider.calls().len(), 1);
    assert_eq!(world.journal(id).await, "1 started pay, 2 adopted, 2 failed pay");
}

#[tokio::test(start_paused = true)]
async fn an_announcement_is_stored_before_the_call() {
    let world = World::chain(&[("pay", r#", "onUncertain": "fail""#)]).await;
    let replica = world.replica(Limits::default()).await;
    let append = world.store.hold_next(Method::Append);
    let id = world.start(&replica).await;
    append.arrived(1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.provider.calls().len(), 0);
    append.open();
    world.output(id).await;
    assert_eq!(world.provider.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn ten_owners_lost_in_a_row_are_enough() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    world.provider.always("b", held());
    let mut replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    // The first loss is not announced; the ten after it are.
    for n in 1..=11 {
        until("b is called", || world.provider.calls_of("b").len() == n).await;
        drop(replica);
        replica = world.replica(Limits::default()).await;
    }
    let (code, message) = world.failure(id).await;
    assert_eq!(code, FailureCode::Quarantined);
    assert!(message.contains("lost 10 times in a row"), "{message}");
    assert_eq!(world.provider.calls_of("b").len(), 11);
    assert_eq!(replica.stats().quarantined, 1);
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_another_release_cannot_read_back_ends() {
    let world = World::chain(&[("a", "")]).await;
    let replica = world.replica(Limits::default()).await;
    let unknown_version =
        flowker_core::execution::Execution { version: 9, ..world.new_execution("{}") };
    let broken_input = world.new_execution("{");
    let lost_start = flowker_core::execution::Execution {
        start_node: "gone".to_owned(),
        ..world.new_execution("{}")
    };
    let cases = [
        (unknown_version, FailureCode::DefinitionError),
        (broken_input, FailureCode::Internal),
        (lost_start, FailureCode::DefinitionError),
    ];
    for (execution, code) in cases {
        let id = execution.id;
        world.accept(execution.into(), None).await;
        assert_eq!(world.failure(id).await.0, code);
    }
    assert_eq!(replica.stats().failed, 3);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_not_the_versions_ends_the_execution() {
    let world = World::chain(&[("a", "")]).await;
    let id = world.start_unowned().await;
    let foreign = flowker_testkit::sample::replica(99);
    let owned = world.store.adopt(foreign, 1, flowker_testkit::TestClock::START).await.unwrap();
    assert_eq!(owned[0].fence, Fence::FIRST);
    let completed = flowker_testkit::sample::completed("nobody", json!({}));
    let entries = vec![flowker_testkit::sample::entry(Fence::FIRST, completed)];
    let append =
        flowker_core::ports::Append { id, fence: Fence::FIRST, position: 0, entries, end: None };
    world.store.append(append).await.unwrap();
    let _replica = world.replica(Limits::default()).await;
    assert_eq!(world.failure(id).await.0, FailureCode::Internal);
}

#[tokio::test(start_paused = true)]
async fn what_was_cancelled_is_not_driven_any_further() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    world.provider.script("a", [held()]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    world.provider.called(1).await;
    world
        .store
        .cancel(id, flowker_testkit::TestClock::START, &flowker_testkit::sample::actor())
        .await
        .unwrap();
    replica.abandon(id);
    until("it is dropped", || replica.stats().executions == 0).await;
    assert_eq!(world.provider.n_in_flight(), 0);
    assert_eq!(world.end(id).await.status.as_str(), "cancelled");
    assert_eq!(world.store.n_calls(Method::Append), 0);
}
