//! Engines that stop in good order.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{Fence, Owned};
use flowker_core::ports::{CallFailure, Dispatcher, FailureKind};
use flowker_testkit::{Answer, Fault, Gate, Method, When, sample};
use serde_json::json;
use tokio::time::{self, Instant};

use super::world::{World, graph, until};
use crate::Limits;

fn in_seconds(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn steps_in_flight_finish_and_the_rest_is_handed_over() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    let gate = Gate::new();
    world.provider.script("a", [Answer::Hold(gate.clone(), json!({}))]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    gate.arrived(1).await;
    let began = Instant::now();
    let open = async {
        time::sleep(Duration::from_secs(5)).await;
        gate.open();
    };
    tokio::join!(replica.drain(in_seconds(20)), open);
    assert_eq!(began.elapsed().as_secs(), 5, "it returns when all is done");
    assert!(!replica.has_room());
    assert_eq!(world.journal(id).await, "1 completed a");
    assert_eq!(world.provider.calls().len(), 1, "nothing new was begun");
    let handed_over = Instant::now();
    let _other = world.replica(Limits::default()).await;
    world.output(id).await;
    assert!(handed_over.elapsed() < Duration::from_secs(2), "no lapse is waited for");
    assert_eq!(world.provider.calls_of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_may_begin_does_not_wait_for_one_that_may_not() {
    let nodes = ["slow", "next", "busy"].map(|id| sample::executor_node(id, ""));
    let edges = [("start", "slow"), ("slow", "next"), ("start", "busy")];
    let world = World::of(&graph(&nodes, &edges, "")).await;
    let gate = Gate::new();
    world.provider.script("slow", [Answer::Hold(gate.clone(), json!({}))]);
    let retry_after = Some(Duration::from_mins(1));
    let busy = CallFailure { retry_after, ..CallFailure::new(FailureKind::Transient, "busy") };
    world.provider.script("busy", [Answer::Fail(busy)]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    until("one waits", || world.store.n_calls(Method::Append) == 1).await;
    let open = async {
        time::sleep(Duration::from_secs(1)).await;
        gate.open();
    };
    tokio::join!(replica.drain(in_seconds(20)), open);
    let handed_over = Instant::now();
    let _other = world.replica(Limits::default()).await;
    until("the next is called", || world.provider.calls_of("next").len() == 1).await;
    assert!(handed_over.elapsed() < Duration::from_secs(2), "{:?}", handed_over.elapsed());
    world.output(id).await;
    let times = world.call_times("busy");
    assert!((60_000..60_010).contains(&times[1]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_ends_within_the_time_is_ended() {
    let world = World::chain(&[("a", "")]).await;
    let gate = Gate::new();
    world.provider.script("a", [Answer::Hold(gate.clone(), json!({}))]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    gate.arrived(1).await;
    let open = async {
        time::sleep(Duration::from_secs(1)).await;
        gate.open();
    };
    tokio::join!(replica.drain(in_seconds(20)), open);
    assert_eq!(world.end(id).await.status.as_str(), "completed");
    assert_eq!(replica.stats().released, 0);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_is_cut_and_released_at_once() {
    let careful = r#", "onUncertain": "fail""#;
    for (settings, journal) in [("", ""), (careful, "1 started a, 1 interrupted a")] {
        let world = World::chain(&[("a", settings)]).await;
        world.provider.script("a", [Answer::Hold(Gate::new(), json!({}))]);
        let replica = world.replica(Limits::default()).await;
        let id = world.start(&replica).await;
        world.provider.called(1).await;
        let began = Instant::now();
        replica.drain(in_seconds(20)).await;
        assert_eq!(began.elapsed().as_secs(), 20);
        assert_eq!(world.journal(id).await, journal);
        assert_eq!(world.provider.n_in_flight(), 0);
        assert_eq!(replica.stats().released, 1);
        let _other = world.replica(Limits::default()).await;
        assert!(world.end(id).await.completed_at.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn rolling_restarts_are_no_losses() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    let limits = Limits { quarantine_losses: 2, ..Limits::default() };
    world.provider.script("b", (0..5).map(|_| Answer::Hold(Gate::new(), json!({}))));
    let mut replica = world.replica(limits.clone()).await;
    let id = world.start(&replica).await;
    for n in 1..=5 {
        until("b is called", || world.provider.calls_of("b").len() == n).await;
        replica.drain(in_seconds(1)).await;
        replica = world.replica(limits.clone()).await;
    }
    world.output(id).await;
    assert_eq!(world.provider.calls_of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_released_with_its_moment() {
    let world = World::chain(&[("a", "")]).await;
    let retry_after = Some(Duration::from_secs(30));
    let busy = CallFailure { retry_after, ..CallFailure::new(FailureKind::Transient, "busy") };
    world.provider.script("a", [Answer::Fail(busy)]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    until("it waits", || replica.stats().parked == 1).await;
    replica.drain(in_seconds(20)).await;
    assert_eq!((replica.stats().parked, replica.stats().released), (0, 1));
    let _other = world.replica(Limits::default()).await;
    world.output(id).await;
    let times = world.call_times("a");
    assert!((30_000..31_100).contains(&times[1]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_late_is_released() {
    let world = World::chain(&[("a", "")]).await;
    let replica = world.replica(Limits::default()).await;
    let gate = Gate::new();
    world.provider.script("a", [Answer::Hold(gate.clone(), json!({}))]);
    world.start(&replica).await;
    gate.arrived(1).await;
    let late = Arc::new(world.new_execution("{}"));
    world.accept(late.clone(), Some(replica.id)).await;
    let id = late.id;
    let hand_over = async {
        time::sleep(Duration::from_secs(1)).await;
        replica.dispatch(Owned { execution: late, fence: Fence::FIRST, journal: Vec::new() });
        gate.open();
    };
    tokio::join!(replica.drain(in_seconds(20)), hand_over);
    assert_eq!(replica.stats().released, 1);
    let began = Instant::now();
    let _other = world.replica(Limits::default()).await;
    world.output(id).await;
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_without_a_store() {
    let world = World::chain(&[("a", "")]).await;
    let replica = world.replica(Limits::default()).await;
    world.store.inject(Method::Append, When::From(1), Fault::Unavailable);
    world.store.inject(Method::Release, When::From(1), Fault::Unavailable);
    world.start(&replica).await;
    until("it tries to write", || world.store.n_calls(Method::Append) > 0).await;
    let began = Instant::now();
    replica.drain(in_seconds(20)).await;
    assert_eq!(began.elapsed().as_secs(), 22, "the deadline, and the time to release");
    assert_eq!(replica.stats().executions, 0);
}
