//! Attempts, and the waits between them.

use std::time::Duration;

use flowker_core::execution::{Event, FailureCode};
use flowker_core::ports::{CallFailure, Dispatcher, ExecutionStore, FailureKind};
use flowker_testkit::{Answer, Method};

use super::world::{World, until};
use crate::Limits;

fn transient() -> Answer {
    Answer::fail(FailureKind::Transient, "HTTP status 503")
}

fn later(seconds: u64) -> Answer {
    let retry_after = Some(Duration::from_secs(seconds));
    Answer::Fail(CallFailure { retry_after, ..CallFailure::new(FailureKind::Transient, "busy") })
}

#[tokio::test(start_paused = true)]
async fn waits_are_random_up_to_a_doubling_bound_and_durable_before_they_begin() {
    let mut gaps_seen = Vec::new();
    for _ in 0..3 {
        let world = World::chain(&[("a", "")]).await;
        world.provider.script("a", [transient(), transient(), transient(), transient()]);
        let replica = world.replica(Limits::default()).await;
        let id = world.start(&replica).await;
        world.output(id).await;
        let calls = world.provider.calls_of("a");
        assert_eq!(calls.iter().map(|it| it.call.attempt).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert!(calls.iter().all(|it| it.call.idempotency_key == format!("{id}:a")));
        let journal = world.store.journal(id).await.unwrap();
        for (idx, bound) in [1_000, 2_000, 4_000, 8_000].into_iter().enumerate() {
            let Event::RetryAt { due, message, .. } = &journal[idx].event else {
                panic!("{:?}", journal[idx]);
            };
            assert_eq!(message, "HTTP status 503");
            assert!(due.since(calls[idx].at) <= Duration::from_millis(bound));
            assert!(*due <= calls[idx + 1].at, "called too early");
            // tokio's clock counts in milliseconds.
            assert!(calls[idx + 1].at.since(*due) <= Duration::from_millis(2), "called too late");
            gaps_seen.push(due.since(calls[idx].at));
        }
    }
    gaps_seen.sort_unstable();
    gaps_seen.dedup();
    assert!(3 < gaps_seen.len(), "no jitter: {gaps_seen:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_asks_for_replaces_the_wait_up_to_a_minute() {
    let world = World::chain(&[("a", "")]).await;
    world.provider.script("a", [later(7), later(3_600), later(0)]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    world.output(id).await;
    let times = world.call_times("a");
    let expected = [0, 7_000, 67_000, 67_000];
    assert!(times.iter().zip(expected).all(|(at, due)| (due..due + 10).contains(at)), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn used_up_attempts_say_how_many_and_what_came_last() {
    let world = World::chain(&[("charge", "")]).await;
    world.provider.always("charge", transient());
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    let failure = world.failure(id).await;
    let text = r#"FLK-0504: node "charge": executor call failed after 5 attempts: HTTP status 503"#;
    assert_eq!(failure, (FailureCode::StepFailed, text.to_owned()));
    assert_eq!(world.provider.calls().len(), 5);
    assert_eq!(replica.stats().attempts_failed, 5);
}

#[tokio::test(start_paused = true)]
async fn settings_and_the_kind_of_failure_decide_how_often() {
    use FailureKind::{Permanent, Transient, Unknown};
    let fast = r#", "retry": {"maxAttempts": 3, "initialDelayMs": 0, "maxDelayMs": 0}"#;
    let careful = r#", "onUncertain": "fail", "retry": {"maxAttempts": 3, "initialDelayMs": 0}"#;
    let cases = [
        (fast, Transient, 3, FailureCode::StepFailed),
        (fast, Unknown, 3, FailureCode::StepFailed),
        (fast, Permanent, 1, FailureCode::StepFailed),
        (careful, Transient, 3, FailureCode::StepFailed),
        (careful, Unknown, 1, FailureCode::Uncertain),
    ];
    for (settings, kind, n_calls, code) in cases {
        let world = World::chain(&[("a", settings)]).await;
        world.provider.always("a", Answer::fail(kind, "no"));
        let replica = world.replica(Limits::default()).await;
        let id = world.start(&replica).await;
        assert_eq!(world.failure(id).await.0, code, "{settings} {kind:?}");
        assert_eq!(world.provider.calls().len(), n_calls, "{settings} {kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_holds_no_slot() {
    let world = World::chain(&[("a", "")]).await;
    let only_one = Limits { executions_max: 1, calls_max: 1, ..Limits::default() };
    let replica = world.replica(only_one).await;
    let waiting = world.start(&replica).await;
    world.provider.script(&format!("{waiting}:a"), [later(50)]);
    until("it waits", || replica.stats().parked == 1).await;
    assert_eq!((replica.stats().executions, replica.stats().calls), (0, 0));
    let other = world.start(&replica).await;
    world.output(other).await;
    assert_eq!(world.end(waiting).await.status.as_str(), "completed");
    assert_eq!(replica.stats().parked, 0);
    assert_eq!(world.store.n_calls(Method::Release), 0);
}

#[tokio::test(start_paused = true)]
async fn not_even_a_short_wait_holds_the_last_slot() {
    let world = World::chain(&[("a", "")]).await;
    world.provider.script("a", [later(1)]);
    let replica = world.replica(Limits { executions_max: 1, ..Limits::default() }).await;
    let id = world.start(&replica).await;
    until("it waits", || replica.stats().parked == 1).await;
    assert!(replica.has_room());
    world.output(id).await;
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_stays_in_memory_while_there_is_room() {
    let world = World::chain(&[("a", "")]).await;
    world.provider.script("a", [later(1)]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    world.output(id).await;
    assert_eq!(world.store.n_calls(Method::Load), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_place_to_wait_the_store_keeps_the_execution_until_it_is_due() {
    let world = World::chain(&[("a", "")]).await;
    world.provider.script("a", [later(20)]);
    let replica = world.replica(Limits { parked_max: 0, ..Limits::default() }).await;
    let id = world.start(&replica).await;
    world.output(id).await;
    assert_eq!(world.journal(id).await, "1 retry a, 2 adopted, 2 started a, 2 completed a");
    let times = world.call_times("a");
    assert!((20_000..21_100).contains(&times[1]), "{times:?}");
    assert_eq!(replica.stats().released, 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_not_begun_anew_by_a_crash() {
    let world = World::chain(&[("a", "")]).await;
    world.provider.script("a", [later(40)]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    until("it waits", || replica.stats().parked == 1).await;
    drop(replica);
    let _other = world.replica(Limits::default()).await;
    world.output(id).await;
    let times = world.call_times("a");
    assert!((40_000..40_010).contains(&times[1]), "{times:?}");
}
