//! The doubles do what their scripts say.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::Fence;
use flowker_core::ports::{
    Acceptance, Call, Clock, ExecutionStore, FailureKind, IdSource, NewExecution, Provider,
    StoreError, SuccessCodes, WorkflowStore,
};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::clock::{TestClock, TokioClock};
use crate::faulty::{Fault, FaultyStore, Method, When};
use crate::gate::Gate;
use crate::ids::SequentialIds;
use crate::memory::MemoryStore;
use crate::provider::{Answer, RecordingProvider};
use crate::sample;
use crate::subject::Stores;

fn faulty() -> Arc<FaultyStore> {
    FaultyStore::new(Stores::of(&MemoryStore::new(TestClock::new())))
}

#[tokio::test]
async fn a_fault_meets_the_call_it_was_made_for() {
    let check = async |fault: Fault, expected: &str, is_applied: bool| {
        let store = faulty();
        store.inject(Method::Accept, When::Call(2), fault);
        for n in 1..4 {
            let answer = match store.accept(sample::new_execution(n)).await {
                Ok(_) => "ok",
                Err(StoreError::Full) => "full",
                Err(StoreError::Unavailable { .. }) => "unavailable",
                Err(StoreError::Unknown { .. }) => "unknown",
                Err(StoreError::Superseded) => "superseded",
                Err(StoreError::Corrupt { .. }) => "corrupt",
            };
            assert_eq!(answer, if n == 2 { expected } else { "ok" }, "call {n}");
            let is_there =
                ExecutionStore::get(&*store, sample::execution_id(n)).await.expect("get").is_some();
            assert_eq!(is_there, n != 2 || is_applied, "call {n} of {expected}");
        }
        assert_eq!((store.n_calls(Method::Accept), store.n_calls(Method::GetExecution)), (3, 3));
    };
    check(Fault::Unavailable, "unavailable", false).await;
    check(Fault::Full, "full", false).await;
    check(Fault::Superseded, "superseded", false).await;
    check(Fault::CallLost, "unknown", false).await;
    check(Fault::AnswerLost, "unknown", true).await;
}

#[tokio::test]
async fn faults_last_until_they_are_healed() {
    let store = faulty();
    store.inject(Method::Routes, When::From(2), Fault::Full);
    assert!(store.routes().await.is_ok());
    for _ in 0..3 {
        assert!(matches!(store.routes().await, Err(StoreError::Full)));
    }
    store.heal();
    assert!(store.routes().await.is_ok());
    store.inject(Method::Routes, When::Next, Fault::Unavailable);
    assert!(store.routes().await.is_err());
    assert!(store.routes().await.is_ok());
}

#[tokio::test]
async fn a_held_call_is_applied_when_its_gate_opens() {
    let store = faulty();
    let before = store.hold_next(Method::Accept);
    let after = Gate::new();
    store.inject(Method::Accept, When::Call(2), Fault::HeldAfter(after.clone()));
    let mut calls = JoinSet::new();
    for (n, gate, is_applied) in [(1, before, false), (2, after, true)] {
        let callee = Arc::clone(&store);
        calls.spawn(async move { callee.accept(sample::new_execution(n)).await });
        gate.arrived(1).await;
        let is_there = ExecutionStore::get(&*store, sample::execution_id(n)).await.expect("get");
        assert_eq!(is_there.is_some(), is_applied, "call {n}");
        assert!(calls.try_join_next().is_none(), "nobody has an answer yet");
        gate.open();
        let answer = calls.join_next().await.expect("one call").expect("no panic");
        assert_eq!(answer.expect("accept"), Acceptance::Accepted);
    }
}

fn call(key: &str, attempt: u32) -> Call {
    Call {
        trace: None,
        executor_id: sample::EXECUTOR_ID.to_owned(),
        config: Arc::new(sample::config(1)),
        idempotency_key: key.to_owned(),
        attempt,
        method: None,
        path: None,
        headers: Vec::new(),
        query: Vec::new(),
        extra: Map::new(),
        document: json!({ "attempt": attempt }),
        timeout: None,
        success: SuccessCodes::Any2xx,
    }
}

#[tokio::test]
async fn a_provider_plays_its_script_and_remembers() {
    let clock = TestClock::new();
    let provider = RecordingProvider::new(clock.clone());
    provider.script("a", [Answer::fail(FailureKind::Transient, "busy"), Answer::body(json!(1))]);
    provider.script("2:a", [Answer::Output(json!("of the key"))]);
    provider.always("b", Answer::fail(FailureKind::Permanent, "no"));
    let body = |answer: Result<Value, _>| {
        answer.map(|it| it["body"].clone()).map_err(|it: flowker_core::ports::CallFailure| it.kind)
    };
    assert_eq!(body(provider.call(call("1:a", 1)).await), Err(FailureKind::Transient));
    clock.advance(Duration::from_secs(1));
    assert_eq!(provider.call(call("2:a", 1)).await, Ok(json!("of the key")));
    assert_eq!(body(provider.call(call("1:a", 2)).await), Ok(json!(1)));
    assert_eq!(body(provider.call(call("1:a", 3)).await), Ok(json!({ "attempt": 3 })));
    for attempt in 1..3 {
        assert_eq!(body(provider.call(call("1:b", attempt)).await), Err(FailureKind::Permanent));
    }
    let seen: Vec<_> = provider
        .calls_of("a")
        .iter()
        .map(|it| (it.call.idempotency_key.clone(), it.call.attempt, it.at))
        .collect();
    let (start, later) = (TestClock::START, sample::moment(1_000));
    let key = str::to_owned;
    assert_eq!(
        seen,
        [
            (key("1:a"), 1, start),
            (key("2:a"), 1, later),
            (key("1:a"), 2, later),
            (key("1:a"), 3, later)
        ]
    );
    assert_eq!(provider.calls().len(), 6);
}

#[tokio::test]
async fn a_provider_holds_and_panics_on_demand() {
    let provider = RecordingProvider::new(TestClock::new());
    let gate = Gate::new();
    provider.always("a", Answer::Hold(gate.clone(), json!("late")));
    provider.script("b", [Answer::Panic]);
    let mut calls = JoinSet::new();
    for key in ["1:a", "2:a"] {
        let callee = Arc::clone(&provider);
        calls.spawn(async move { callee.call(call(key, 1)).await });
    }
    provider.called(2).await;
    gate.arrived(2).await;
    assert_eq!((provider.n_in_flight(), provider.n_in_flight_max()), (2, 2));
    gate.open();
    for answer in calls.join_all().await {
        assert_eq!(answer, Ok(json!("late")));
    }
    let callee = Arc::clone(&provider);
    let mut panicking = JoinSet::new();
    panicking.spawn(async move { callee.call(call("1:b", 1)).await });
    let panic = panicking.join_next().await.expect("one call").expect_err("it panics");
    assert!(panic.is_panic());
    assert_eq!((provider.n_in_flight(), provider.n_in_flight_max()), (0, 2));
}

#[test]
fn ids_rise_and_differ_between_sources() {
    let (one, two) = (SequentialIds::of(1), SequentialIds::of(2));
    let ids: Vec<_> = (0..1_000).flat_map(|_| [one.next_id(), two.next_id()]).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "in the order of asking");
    assert!(ids.iter().all(|id| id.get_version_num() == 7));
    assert_eq!(SequentialIds::of(1).next_id(), ids[0], "the same in every run");
}

#[tokio::test(start_paused = true)]
async fn a_tokio_clock_jumps_with_paused_time() {
    let clock = TokioClock::new();
    assert_eq!(clock.now(), TestClock::START);
    tokio::time::advance(Duration::from_millis(1_500)).await;
    assert_eq!(clock.now(), sample::moment(1_500));
}

#[test]
fn a_test_clock_stands_still_until_it_is_moved() {
    let clock = TestClock::new();
    assert_eq!((clock.now(), clock.now()), (TestClock::START, TestClock::START));
    clock.advance(Duration::from_millis(7));
    assert_eq!(clock.now(), sample::moment(7));
    clock.set(TestClock::START);
    assert_eq!(clock.now(), TestClock::START);
}

/// What the contract suites cannot ask of every store: when exactly silence is a lapse.
#[tokio::test]
async fn a_silent_owner_lapses_by_the_clock() {
    let clock = TestClock::new();
    let store = MemoryStore::new(clock.clone());
    let (owner, other) = (sample::replica(1), sample::replica(2));
    let new = NewExecution { owner: Some(owner), ..sample::new_execution(1) };
    store.accept(new).await.expect("accept");
    let adopted = async || store.adopt(other, 1, clock.now()).await.expect("adopt");
    clock.advance(MemoryStore::LAPSE);
    assert_eq!(adopted().await, [], "silent for no longer than the lapse");
    store.keep_alive(owner).await.expect("keep_alive");
    clock.advance(MemoryStore::LAPSE);
    assert_eq!(adopted().await, [], "it was heard of");
    clock.advance(Duration::from_micros(1));
    assert_eq!(adopted().await.first().map(|it| it.fence), Some(Fence::FIRST.next()));
}

#[test]
fn the_samples_are_graphs_that_run() {
    let plan = sample::plan(&sample::chain("hooks/1", &["a", "b"]));
    let (_, webhook) = plan.webhooks().next().expect("a webhook");
    assert_eq!((webhook.method.as_str(), webhook.path.as_str()), ("POST", "hooks/1"));
    assert_eq!(plan.n_steps(), 2);
    sample::plan(&sample::chain("hooks/1", &[]));
}
