//! Receivers that fail, and are left alone for a while.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::FailureCode;
use flowker_core::ports::FailureKind;
use flowker_testkit::{Answer, Gate, sample};
use metrics::Counter;
use serde_json::json;
use tokio::time::{self, Instant};

use super::world::{World, chain, until};
use crate::Limits;
use crate::target::{Pass, Target, Targets};

fn target(limits: &Limits) -> Arc<Target> {
    Targets::new(limits, Counter::noop()).get(sample::config_id(1))
}

fn pass(target: &Arc<Target>) -> Option<Pass> {
    target.enter(Instant::now()).ok()
}

fn report(target: &Arc<Target>, results: &[bool]) {
    for is_success in results {
        pass(target).expect("it is closed").report(*is_success);
    }
}

#[tokio::test(start_paused = true)]
async fn only_failures_in_a_row_open_it() {
    let target = target(&Limits::default());
    report(&target, &[false, false, false, false, true, false, false, false, false]);
    assert!(pass(&target).is_some());
    report(&target, &[false]);
    let blocked = target.check(Instant::now()).expect_err("it is open");
    assert_eq!(blocked.until, Instant::now() + Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn one_call_tries_and_decides() {
    let target = target(&Limits::default());
    report(&target, &[false; 5]);
    time::advance(Duration::from_secs(30)).await;
    let trial = pass(&target).expect("one may try");
    assert!(pass(&target).is_none(), "one only");
    trial.report(false);
    assert!(pass(&target).is_none());
    time::advance(Duration::from_secs(30)).await;
    drop(pass(&target).expect("one may try"));
    let again = pass(&target).expect("a trial that was cut is made again");
    again.report(true);
    report(&target, &[false; 4]);
    assert!(pass(&target).is_some(), "it counts from nothing");
}

#[tokio::test(start_paused = true)]
async fn a_call_from_before_it_opened_has_no_say() {
    let target = target(&Limits::default());
    let early = [pass(&target).unwrap(), pass(&target).unwrap()];
    report(&target, &[false; 5]);
    let [good, late] = early;
    good.report(true);
    assert!(pass(&target).is_none());
    time::advance(Duration::from_secs(30)).await;
    let trial = pass(&target).unwrap();
    late.report(true);
    assert!(pass(&target).is_none(), "the trial is not over");
    trial.report(true);
    assert!(pass(&target).is_some());
}

#[tokio::test(start_paused = true)]
async fn unused_targets_are_forgotten_when_there_are_too_many() {
    let targets = Targets::new(&Limits { configs_max: 2, ..Limits::default() }, Counter::noop());
    let used = targets.get(sample::config_id(1));
    let trial = pass(&used).unwrap();
    report(&targets.get(sample::config_id(2)), &[false; 5]);
    assert!(targets.is_blocked(sample::config_id(2)));
    targets.get(sample::config_id(3));
    assert!(!targets.is_blocked(sample::config_id(2)), "forgotten");
    assert!(Arc::ptr_eq(&used, &targets.get(sample::config_id(1))), "in use");
    drop(trial);
}

/// Executors `a` that are tried once.
const ONCE: &str = r#", "retry": {"maxAttempts": 1}"#;

async fn open_breaker(world: &World, replica: &super::world::Replica) {
    for _ in 0..5 {
        let id = world.start(replica).await;
        world.failure(id).await;
    }
    assert_eq!(replica.stats().breakers_open, 1);
}

#[tokio::test(start_paused = true)]
async fn steps_wait_for_an_open_breaker_without_slots_and_one_tries_first() {
    let world = World::chain(&[("a", ONCE)]).await;
    let few = Limits { executions_max: 2, calls_max: 2, ..Limits::default() };
    let replica = world.replica(few).await;
    let gate = Gate::new();
    let failing = (0..5).map(|_| Answer::fail(FailureKind::Transient, "HTTP status 503"));
    let trial = Answer::Hold(gate.clone(), json!({}));
    world.provider.script("a", failing.chain([trial]));
    open_breaker(&world, &replica).await;

    let opened = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(world.start_unowned().await);
    }
    until("all wait", || replica.stats().parked == 20).await;
    assert_eq!((replica.stats().executions, replica.stats().calls), (0, 0));
    gate.arrived(1).await;
    let waited = opened.elapsed();
    assert!((29_000..31_100).contains(&waited.as_millis()), "{waited:?}");
    time::sleep(Duration::from_mins(1)).await;
    assert_eq!(world.provider.calls().len(), 6, "one tries, the others wait");
    gate.open();
    for id in waiting {
        world.output(id).await;
    }
    assert_eq!(replica.stats().breakers_open, 0);
}

#[tokio::test(start_paused = true)]
async fn permanent_failures_do_not_open_it() {
    let world = World::chain(&[("a", ONCE)]).await;
    world.provider.always("a", Answer::fail(FailureKind::Permanent, "HTTP status 404"));
    let replica = world.replica(Limits::default()).await;
    for _ in 0..10 {
        let id = world.start(&replica).await;
        world.failure(id).await;
    }
    assert_eq!(world.provider.calls().len(), 10);
    assert_eq!(replica.stats().breakers_open, 0);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_stays_open_until_the_deadline_fails_the_run() {
    let settings = r#", "settings": {"executionTimeoutSeconds": 20}"#;
    let world = World::of(&chain(&[("a", ONCE)], settings)).await;
    world.provider.always("a", Answer::fail(FailureKind::Unknown, "no answer"));
    let replica = world.replica(Limits::default()).await;
    open_breaker(&world, &replica).await;
    let began = Instant::now();
    let id = world.start(&replica).await;
    let (code, message) = world.failure(id).await;
    assert_eq!(code, FailureCode::CircuitOpen);
    assert!(
        message.starts_with(r#"FLK-0507: node "a": the execution's 20 s were up"#),
        "{message}"
    );
    assert!((20_000..20_100).contains(&began.elapsed().as_millis()));
    assert_eq!(world.journal(id).await, "1 failed a");
    assert_eq!(world.provider.calls().len(), 5);
}
