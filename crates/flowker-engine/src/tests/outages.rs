//! A store that fails: nothing is lost, nothing is done twice, nothing is acted on too early.

use std::time::Duration;

use flowker_core::execution::FailureCode;
use flowker_core::ports::Dispatcher;
use flowker_testkit::{Fault, Method, When, sample};
use serde_json::json;

use super::world::{World, graph, until};
use crate::Limits;

#[tokio::test(start_paused = true)]
async fn every_answer_to_an_append_leads_to_one_entry_and_one_call() {
    let faults = [Fault::Unavailable, Fault::Full, Fault::CallLost, Fault::AnswerLost];
    for fault in faults {
        for nth in 1..=3 {
            let world = World::chain(&[("a", ""), ("b", ""), ("c", "")]).await;
            world.store.inject(Method::Append, When::Call(nth), fault.clone());
            let replica = world.replica(Limits::default()).await;
            let id = world.start(&replica).await;
            world.output(id).await;
            let journal = world.journal(id).await;
            let expected = "1 completed a, 1 completed b, 1 completed c";
            assert_eq!(journal, expected, "{fault:?} at append {nth}");
            assert_eq!(world.provider.calls().len(), 3, "{fault:?} at append {nth}");
            until("it is left", || replica.stats().executions == 0).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_and_nothing_is_built_on_what_is_not_stored() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    let replica = world.replica(Limits::default()).await;
    for method in [Method::Append, Method::Load] {
        world.store.inject(method, When::From(1), Fault::Unavailable);
    }
    let id = world.start(&replica).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(world.provider.calls().len(), 1);
    let n_tries = world.store.n_calls(Method::Append);
    assert!((30..80).contains(&n_tries), "{n_tries} tries in a minute");
    world.store.heal();
    world.output(id).await;
    assert_eq!(world.journal(id).await, "1 completed a, 1 completed b");
    assert_eq!(world.provider.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_ends_during_an_append_goes_into_the_next_one() {
    let ids = ["a", "b", "c", "d"];
    let nodes = ids.map(|id| sample::executor_node(id, ""));
    let world = World::of(&graph(&nodes, &ids.map(|id| ("start", id)), "")).await;
    let append = world.store.hold_next(Method::Append);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    append.arrived(1).await;
    until("all have ended", || world.provider.calls().len() == 4).await;
    append.open();
    world.output(id).await;
    assert_eq!(world.store.n_calls(Method::Append), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_ownership_ends_the_driving_in_silence() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    world.store.inject(Method::Append, When::Next, Fault::Superseded);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    until("it is dropped", || replica.stats().superseded == 1).await;
    assert_eq!(world.journal(id).await, "");
    assert_eq!(world.provider.calls().len(), 1);
    assert_eq!(replica.stats().executions, 0);
}

#[tokio::test(start_paused = true)]
async fn adoption_survives_an_outage() {
    let world = World::chain(&[("a", "")]).await;
    let replica = world.replica(Limits::default()).await;
    for method in [Method::Adopt, Method::KeepAlive, Method::Version, Method::GetConfig] {
        world.store.inject(method, When::From(1), Fault::Unavailable);
    }
    let id = world.start_unowned().await;
    let owned = world.start(&replica).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.provider.calls().len(), 0);
    world.store.heal();
    world.output(id).await;
    world.output(owned).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_end_is_no_second_end() {
    let world = World::chain(&[("a", "")]).await;
    world.store.inject(Method::Append, When::Next, Fault::AnswerLost);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    assert_eq!(world.output(id).await["a"]["body"], json!({"n": 1}));
    let told = replica.wait_for_end(id, Duration::from_mins(1)).await;
    assert_eq!(told.map(|it| it.current_step), Some(1));
    until("it is left", || replica.stats().executions == 0).await;
    assert_eq!(world.journal(id).await, "1 completed a");
}

#[tokio::test(start_paused = true)]
async fn an_end_of_what_cannot_run_is_written_through_an_outage() {
    let world = World::chain(&[("a", "")]).await;
    for (nth, fault) in [(1, Fault::Unavailable), (2, Fault::CallLost), (3, Fault::AnswerLost)] {
        world.store.inject(Method::Append, When::Call(nth), fault);
    }
    let _replica = world.replica(Limits::default()).await;
    let broken = world.new_execution("{");
    let id = broken.id;
    world.accept(broken.into(), None).await;
    assert_eq!(world.failure(id).await.0, FailureCode::Internal);
}
