//! Many executions, few of anything else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flowker_core::ports::{CallFailure, Dispatcher, ExecutionStore, FailureKind};
use flowker_testkit::{Answer, Gate, sample};
use serde_json::json;
use tokio::time;

use super::world::{World, graph, until};
use crate::Limits;

#[tokio::test(start_paused = true)]
async fn calls_are_bounded_in_all_and_for_each_configuration() {
    let cases = [
        (Limits { calls_max: 3, ..Limits::default() }, 3),
        (Limits { calls_per_config_max: 4, ..Limits::default() }, 4),
    ];
    for (limits, n_max) in cases {
        let world = World::chain(&[("a", "")]).await;
        let gate = Gate::new();
        world.provider.always("a", Answer::Hold(gate.clone(), json!({})));
        let replica = world.replica(limits).await;
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(world.start(&replica).await);
        }
        gate.arrived(n_max).await;
        time::sleep(Duration::from_secs(5)).await;
        assert_eq!(world.provider.n_in_flight(), n_max);
        gate.open();
        for id in ids {
            world.output(id).await;
        }
        assert_eq!(world.provider.n_in_flight_max(), n_max);
        assert_eq!(world.provider.calls().len(), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_executions_run_in_the_room_for_eight() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    let retry_after = Some(Duration::from_secs(20));
    let busy = CallFailure { retry_after, ..CallFailure::new(FailureKind::Transient, "busy") };
    let limits = Limits {
        executions_max: 8,
        parked_max: 100,
        calls_max: 4,
        // So many fail at once that a breaker would open.
        breaker_failures: u32::MAX,
        ..Limits::default()
    };
    let replica = world.replica(limits).await;
    // Every tenth has to wait, which is more than there are places for.
    for n in (1..=1_000).step_by(10) {
        let key = format!("{}:a", sample::execution_id(n));
        world.provider.script(&key, [Answer::Fail(busy.clone())]);
    }
    let most = AtomicUsize::new(0);
    let watch = async {
        loop {
            let stats = replica.stats();
            assert!(stats.parked <= 100);
            most.fetch_max(stats.executions, Ordering::Relaxed);
            time::sleep(Duration::from_millis(1)).await;
        }
    };
    let work = async {
        let mut ids = Vec::new();
        for _ in 0..1_000 {
            ids.push(world.start(&replica).await);
        }
        for id in ids {
            world.output(id).await;
        }
    };
    tokio::select! {
        () = watch => {}
        () = work => {}
    }
    assert!(most.into_inner() <= 8);
    assert!(world.provider.n_in_flight_max() <= 4);
    assert_eq!(world.provider.calls_of("b").len(), 1_000);
    assert_eq!(replica.stats().completed, 1_000);
}

#[tokio::test(start_paused = true)]
async fn what_is_dispatched_without_room_waits_for_its_turn() {
    let world = World::chain(&[("a", "")]).await;
    let gate = Gate::new();
    world.provider.always("a", Answer::Hold(gate.clone(), json!({})));
    let replica =
        world.replica(Limits { executions_max: 1, parked_max: 2, ..Limits::default() }).await;
    let mut ids = vec![world.start(&replica).await];
    assert!(!replica.has_room());
    // Accepted when there was room, and others were faster.
    for _ in 0..4 {
        let execution = std::sync::Arc::new(world.new_execution("{}"));
        world.accept(execution.clone(), Some(replica.id)).await;
        ids.push(execution.id);
        let fence = flowker_core::execution::Fence::FIRST;
        replica.dispatch(flowker_core::execution::Owned { execution, fence, journal: Vec::new() });
    }
    until("the others are released", || replica.stats().released == 2).await;
    assert_eq!((replica.stats().executions, replica.stats().parked), (1, 2));
    gate.open();
    for id in ids {
        world.output(id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wide_execution_does_not_starve_others() {
    let ids: Vec<_> = (0..50).map(|n| format!("n{n}")).collect();
    let nodes: Vec<_> = ids.iter().map(|id| sample::executor_node(id, "")).collect();
    let edges: Vec<_> = ids.iter().map(|id| ("start", id.as_str())).collect();
    let world = World::of(&graph(&nodes, &edges, "")).await;
    let gate = Gate::new();
    for id in &ids {
        world.provider.always(id, Answer::Hold(gate.clone(), json!({})));
    }
    let replica = world.replica(Limits { calls_max: 2, ..Limits::default() }).await;
    let first = world.start(&replica).await;
    gate.arrived(2).await;
    let second = world.start(&replica).await;
    gate.open();
    world.output(second).await;
    world.output(first).await;
    assert!(world.provider.n_in_flight_max() <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_adopted_without_waiting_for_the_next_poll() {
    let world = World::chain(&[("a", "")]).await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(world.start_unowned().await);
    }
    let began = time::Instant::now();
    let _replica =
        world.replica(Limits { executions_max: 2, adopt_max: 2, ..Limits::default() }).await;
    for id in ids {
        world.output(id).await;
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(world.store.list(every()).await.unwrap().items.len() == 30);
}

fn every() -> flowker_core::ports::ExecutionQuery {
    flowker_core::ports::ExecutionQuery {
        workflow_id: None,
        status: Some(flowker_core::execution::Status::Completed),
        sort: flowker_core::ports::ExecutionSort::StartedAt,
        direction: flowker_core::ports::Direction::Ascending,
        after: None,
        limit: 100,
    }
}
