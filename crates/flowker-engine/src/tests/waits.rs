//! Callers that wait for an end.

use std::time::Duration;

use flowker_core::execution::{Outcome, Status};
use flowker_core::ports::{Dispatcher, ExecutionStore};
use flowker_testkit::{Answer, Gate, Method, TestClock, sample};
use serde_json::json;
use tokio::time::{self, Instant};

use super::world::{World, until};
use crate::Limits;

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn the_end_of_what_is_driven_here_is_told_at_once_and_the_store_is_asked_once() {
    let world = World::chain(&[("a", "")]).await;
    let gate = Gate::new();
    world.provider.script("a", [Answer::Hold(gate.clone(), json!({}))]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    let open = async {
        time::sleep(Duration::from_millis(12_345)).await;
        gate.open();
        Instant::now()
    };
    let waiting = async { (replica.wait_for_end(id, MINUTE).await, Instant::now()) };
    let ((summary, told), opened) = tokio::join!(waiting, open);
    let summary = summary.expect("it ended");
    assert_eq!(told, opened, "no poll lies between");
    assert!(matches!(&*summary.outcome.unwrap(), Outcome::Completed { .. }));
    assert_eq!(world.store.n_calls(Method::GetExecution), 1);
    assert_eq!(replica.stats().waiters, 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_what_is_driven_elsewhere_is_seen_soon() {
    let world = World::chain(&[("a", "")]).await;
    let gate = Gate::new();
    world.provider.script("a", [Answer::Hold(gate.clone(), json!({}))]);
    let (here, elsewhere) =
        (world.replica(Limits::default()).await, world.replica(Limits::default()).await);
    let id = world.start(&elsewhere).await;
    let open = async {
        time::sleep(Duration::from_millis(1_234)).await;
        gate.open();
        Instant::now()
    };
    let waiting = async { (here.wait_for_end(id, MINUTE).await, Instant::now()) };
    let ((summary, told), opened) = tokio::join!(waiting, open);
    assert_eq!(summary.map(|it| it.status), Some(Status::Completed));
    assert!(told - opened <= Duration::from_millis(201), "{:?}", told - opened);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_there_before_is_answered_and_time_runs_out_otherwise() {
    let world = World::chain(&[("a", "")]).await;
    let replica = world.replica(Limits::default()).await;
    let ended = world.start(&replica).await;
    world.output(ended).await;
    assert!(replica.wait_for_end(ended, Duration::from_secs(1)).await.is_some());
    assert!(replica.wait_for_end(sample::execution_id(77), MINUTE).await.is_none(), "unknown");

    world.provider.script("a", [Answer::Hold(Gate::new(), json!({}))]);
    let open = world.start(&replica).await;
    let began = Instant::now();
    assert!(replica.wait_for_end(open, Duration::from_secs(7)).await.is_none());
    assert_eq!(began.elapsed().as_millis(), 7_000);
    assert_eq!(replica.stats().waiters, 0);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_callers_ask_the_store() {
    let world = World::chain(&[("a", "")]).await;
    let gate = Gate::new();
    world.provider.script("a", [Answer::Hold(gate.clone(), json!({}))]);
    let replica = world.replica(Limits { waiters_max: 1, ..Limits::default() }).await;
    let id = world.start(&replica).await;
    let open = async {
        until("one waits", || replica.stats().waiters == 1).await;
        time::sleep(Duration::from_secs(3)).await;
        assert_eq!(replica.stats().waiters, 1);
        gate.open();
    };
    let (first, second, ()) =
        tokio::join!(replica.wait_for_end(id, MINUTE), replica.wait_for_end(id, MINUTE), open);
    assert!(first.is_some() && second.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_is_an_end_too() {
    let world = World::chain(&[("a", "")]).await;
    world.provider.script("a", [Answer::Hold(Gate::new(), json!({}))]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    let cancel = async {
        until("one waits", || replica.stats().waiters == 1).await;
        world.store.cancel(id, TestClock::START, &flowker_testkit::sample::actor()).await.unwrap();
        replica.abandon(id);
    };
    let (summary, ()) = tokio::join!(replica.wait_for_end(id, MINUTE), cancel);
    assert_eq!(summary.map(|it| it.status), Some(Status::Cancelled));
}
