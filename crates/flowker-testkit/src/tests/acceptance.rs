//! A caller hears of success only after the commit, and a lost answer is found again by its key.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flowker_core::code::Code;
use flowker_core::ports::{MockDispatcher, Precondition};
use flowker_core::refusal::Refusal;
use flowker_core::trigger::{Begun, StartRequest, Starter};

use crate::faulty::{Fault, FaultyStore, Method, When};
use crate::gate::Gate;
use crate::ids::SequentialIds;
use crate::memory::MemoryStore;
use crate::sample;
use crate::subject::Stores;

/// What makes executions durable, over a store that fails on demand.
fn starter() -> (Starter, Arc<FaultyStore>) {
    let subject = MemoryStore::subject();
    let store = FaultyStore::new(subject.stores);
    let mut dispatcher = MockDispatcher::new();
    dispatcher.expect_has_room().return_const(true);
    dispatcher.expect_dispatch().return_const(());
    let starter = Starter {
        executions: Stores::of(&store).executions,
        dispatcher: Arc::new(dispatcher),
        clock: subject.clock,
        ids: Arc::new(SequentialIds::of(7)),
        replica: sample::replica(1),
        retention: Duration::from_mins(1),
        wait_max: Duration::ZERO,
    };
    (starter, store)
}

async fn start(starter: &Starter) -> Result<Begun, Refusal> {
    let plan = sample::plan(&sample::chain("orders/paid", &[]));
    let request = StartRequest {
        workflow_id: sample::workflow_id(1),
        version: 1,
        start: plan.first_trigger().expect("a trigger"),
        plan,
        input: Bytes::from_static(b"{}"),
        claim: Some(sample::claim("order-42", "the request")),
        precondition: Precondition::None,
        retry_of: None,
        trace: None,
        actor: sample::actor(),
    };
    starter.start(request).await.map(|begun| begun.expect("no precondition"))
}

#[tokio::test(start_paused = true)]
async fn success_is_told_after_the_commit_and_not_before() {
    for held in [Fault::HeldBefore, Fault::HeldAfter] {
        let (starter, store) = starter();
        let gate = Gate::new();
        store.inject(Method::Accept, When::Next, held(gate.clone()));
        let mut starting = Box::pin(start(&starter));
        // Time is paused: this hour passes as soon as nothing else can go on.
        let early = tokio::time::timeout(Duration::from_hours(1), starting.as_mut()).await;
        assert!(early.is_err(), "answered while the commit was held: {early:?}");
        gate.open();
        let begun = starting.await.expect("accepted");
        assert!(!begun.replayed);
    }
}

#[tokio::test]
async fn a_failed_commit_is_no_success_and_starts_nothing() {
    for (fault, code) in [
        (Fault::Unavailable, Code::StoreUnavailable),
        (Fault::Full, Code::Overloaded),
        (Fault::CallLost, Code::StoreUnavailable),
    ] {
        let (starter, store) = starter();
        store.inject(Method::Accept, When::From(1), fault);
        let refusal = start(&starter).await.expect_err("no success");
        store.heal();
        assert_eq!(refusal.code, code);
        assert!(refusal.retry_after.is_some());
        let begun = start(&starter).await.expect("accepted now");
        assert!(!begun.replayed, "the failed attempt used the key");
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    for fault in [Fault::CallLost, Fault::AnswerLost] {
        let (starter, store) = starter();
        store.inject(Method::Accept, When::Next, fault);
        let first = start(&starter).await.expect("accepted");
        assert!(!first.replayed, "it is this request's own");
        assert_eq!(store.n_calls(Method::Accept), 2);
        let second = start(&starter).await.expect("found by its key");
        assert!(second.replayed);
        assert_eq!(first.summary.id, second.summary.id);
    }
}

#[tokio::test]
async fn what_was_accepted_without_an_answer_is_found_again_by_its_key() {
    let (starter, store) = starter();
    store.inject(Method::Accept, When::From(1), Fault::AnswerLost);
    let refusal = start(&starter).await.expect_err("nobody knows");
    assert_eq!(refusal.code, Code::StoreUnavailable);
    assert_eq!(store.n_calls(Method::Accept), 3);
    store.heal();
    let first = start(&starter).await.expect("found");
    let second = start(&starter).await.expect("found again");
    assert!(first.replayed && second.replayed);
    assert_eq!(first.summary.id, second.summary.id);
}
