//! Answers of the store that are lost: what became this replica's own is driven, and driven once.

use std::time::Duration;

use flowker_core::execution::{Fence, Owned};
use flowker_core::id::ExecutionId;
use flowker_core::ports::{Acceptance, Dispatcher, ExecutionStore, NewExecution, Precondition};
use flowker_testkit::{Answer, Fault, Gate, Method, When};
use serde_json::json;
use tokio::time::{self, Instant};

use super::world::{Replica, World, until};
use crate::Limits;

/// Accepts one execution for `replica` as the store sees it, whatever it answers.
async fn accept(world: &World, replica: &Replica) -> (Owned, bool) {
    let execution = std::sync::Arc::new(world.new_execution("{}"));
    let new = NewExecution {
        execution: execution.clone(),
        precondition: Precondition::None,
        claim: None,
        owner: Some(replica.id),
        actor: flowker_testkit::sample::actor(),
    };
    let answer = world.store.accept(new).await;
    let is_accepted = matches!(answer, Ok(Acceptance::Accepted));
    (Owned { execution, fence: Fence::FIRST, journal: Vec::new() }, is_accepted)
}

fn n_calls(world: &World, id: ExecutionId, node: &str) -> usize {
    let key = format!("{id}:{node}");
    world.provider.calls().iter().filter(|it| it.call.idempotency_key == key).count()
}

#[tokio::test(start_paused = true)]
async fn what_was_adopted_without_an_answer_is_driven() {
    let world = World::chain(&[("a", "")]).await;
    let id = world.start_unowned().await;
    world.store.inject(Method::Adopt, When::Next, Fault::AnswerLost);
    let replica = world.replica(Limits::default()).await;
    let began = Instant::now();
    world.output(id).await;
    assert!(Duration::from_secs(20) <= began.elapsed(), "found in the second look");
    assert!(began.elapsed() < Duration::from_secs(21));
    assert_eq!(world.journal(id).await, "1 completed a");
    assert_eq!(n_calls(&world, id, "a"), 1);
    until("it is left", || replica.stats().executions == 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_over_without_an_answer_is_driven() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    world.provider.script("b", [Answer::Hold(Gate::new(), json!({}))]);
    let lost = world.replica(Limits::default()).await;
    let id = world.start(&lost).await;
    world.provider.called(2).await;
    drop(lost);
    time::sleep(Duration::from_secs(11)).await;
    world.store.inject(Method::Adopt, When::Next, Fault::AnswerLost);
    let _replica = world.replica(Limits::default()).await;
    world.output(id).await;
    assert_eq!(world.journal(id).await, "1 completed a, 2 adopted, 2 started b, 2 completed b");
    assert_eq!((n_calls(&world, id, "a"), n_calls(&world, id, "b")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_without_an_answer_is_driven() {
    let world = World::chain(&[("a", "")]).await;
    let replica = world.replica(Limits::default()).await;
    world.store.inject(Method::Accept, When::Next, Fault::AnswerLost);
    let (owned, is_accepted) = accept(&world, &replica).await;
    assert!(!is_accepted);
    let id = owned.execution.id;
    // A look that fails is no look.
    world.store.inject(Method::Owned, When::Call(2), Fault::Unavailable);
    world.output(id).await;
    assert_eq!(world.store.n_calls(Method::Owned), 3);
    assert_eq!(n_calls(&world, id, "a"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_that_is_about_to_be_dispatched_is_left_alone() {
    let world = World::chain(&[("a", "")]).await;
    world.provider.always("a", Answer::Hold(Gate::new(), json!({})));
    let replica = world.replica(Limits::default()).await;
    time::sleep(Duration::from_secs(9)).await;
    let (owned, is_accepted) = accept(&world, &replica).await;
    assert!(is_accepted);
    time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.store.n_calls(Method::Owned), 1);
    assert_eq!(world.provider.calls().len(), 0);
    replica.dispatch(owned);
    time::sleep(Duration::from_mins(1)).await;
    assert_eq!(world.provider.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_driven_or_parked_is_not_dispatched_again() {
    let world = World::chain(&[("a", "")]).await;
    let gate = Gate::new();
    world.provider.script("a", [Answer::Hold(gate.clone(), json!({}))]);
    let limits = Limits { executions_max: 1, ..Limits::default() };
    let replica = world.replica(limits).await;
    let (driven, _) = accept(&world, &replica).await;
    let (parked, _) = accept(&world, &replica).await;
    let ids = [driven.execution.id, parked.execution.id];
    for _ in 0..3 {
        replica.dispatch(driven.clone());
        replica.dispatch(parked.clone());
        world.provider.called(1).await;
    }
    assert_eq!((replica.stats().executions, replica.stats().parked), (1, 1));
    gate.open();
    for id in ids {
        world.output(id).await;
        assert_eq!(n_calls(&world, id, "a"), 1);
        assert_eq!(world.journal(id).await, "1 completed a");
    }
}

/// Executions that run, wait and queue, while the store is asked all the time what is owned.
#[tokio::test(start_paused = true)]
async fn nothing_is_driven_twice_however_often_it_is_looked_for() {
    let world = World::chain(&[("a", ""), ("b", ""), ("c", "")]).await;
    let limits = Limits {
        executions_max: 4,
        parked_max: 8,
        poll: Duration::from_millis(7),
        reconcile: Duration::from_micros(300),
        ..Limits::default()
    };
    let replica = world.replica(limits).await;
    let gate = Gate::new();
    world
        .provider
        .script("b", std::iter::repeat_with(|| Answer::Hold(gate.clone(), json!({}))).take(6));
    let mut ids = Vec::new();
    for n in 0..30 {
        if n % 3 == 0 {
            world.store.inject(Method::Adopt, When::Next, Fault::AnswerLost);
        }
        ids.push(world.start(&replica).await);
        time::sleep(Duration::from_millis(5)).await;
    }
    gate.open();
    for id in ids {
        world.output(id).await;
        for node in ["a", "b", "c"] {
            assert_eq!(n_calls(&world, id, node), 1, "{node} of {}", world.journal(id).await);
        }
    }
    assert!(100 < world.store.n_calls(Method::Owned));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_cannot_say_that_it_is_alive_begins_nothing() {
    let world = World::chain(&[("a", "")]).await;
    let id = world.start_unowned().await;
    world.store.inject(Method::KeepAlive, When::Call(1), Fault::Unavailable);
    let engine = world.engine(Limits::default());
    engine.start().await.unwrap_err();
    time::sleep(Duration::from_mins(1)).await;
    assert_eq!(
        (world.store.n_calls(Method::Adopt), world.store.n_calls(Method::KeepAlive)),
        (0, 1)
    );
    engine.start().await.unwrap();
    assert_eq!(world.store.n_calls(Method::KeepAlive), 2, "before anything else");
    world.output(id).await;
}
