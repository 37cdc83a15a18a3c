//! Cancellation.

use std::sync::Arc;

use flowker_core::execution::{Fence, Outcome, Status};
use flowker_core::ports::{CancelAnswer, NewExecution};

use super::{accept, accept_owned, append, assert_superseded, completed, ending, journal};
use crate::contract::race;
use crate::sample;
use crate::subject::Subject;

/// An execution is cancelled whoever owns it, and its owner's next write is refused.
pub async fn an_execution_is_cancelled_whoever_owns_it(subject: Subject) {
    let executions = &subject.stores.executions;
    let pending = accept(&subject, sample::new_execution(1)).await;
    let owned = accept_owned(&subject, 2, sample::replica(1)).await;
    for id in [pending, owned] {
        let answer =
            executions.cancel(id, sample::moment(42), &sample::actor()).await.expect("cancel");
        let summary = executions.get(id).await.expect("get").expect("it is there");
        assert_eq!(answer, CancelAnswer::Cancelled(summary.clone()));
        assert_eq!(summary.status, Status::Cancelled);
        assert_eq!(summary.completed_at, Some(sample::moment(42)));
        assert_eq!(summary.outcome.as_deref(), Some(&Outcome::Cancelled));
        for fence in [Fence::NONE, Fence::FIRST] {
            let step = sample::entry(fence, sample::completed("call", sample::value("1")));
            assert_superseded(&executions.append(append(id, fence, 0, vec![step])).await);
            assert_superseded(&executions.release(id, fence, None).await);
            assert_eq!(executions.load(id, fence).await.expect("load"), None);
        }
        assert_eq!(journal(&subject, id).await, []);
    }
}

/// An end that is there is never changed.
pub async fn what_has_ended_is_not_cancelled(subject: Subject) {
    let executions = &subject.stores.executions;
    let cancelled = accept_owned(&subject, 1, sample::replica(1)).await;
    executions.cancel(cancelled, sample::moment(42), &sample::actor()).await.expect("cancel");
    let done = accept_owned(&subject, 2, sample::replica(1)).await;
    let end = ending(done, Fence::FIRST, completed(r#"{"a": 1}"#), sample::moment(8));
    executions.append(end).await.expect("append");
    for id in [cancelled, done] {
        let before = executions.get(id).await.expect("get");
        let answer =
            executions.cancel(id, sample::moment(43), &sample::actor()).await.expect("cancel");
        assert_eq!(answer, CancelAnswer::AlreadyTerminal);
        assert_eq!(executions.get(id).await.expect("get"), before);
    }
}

/// What is not there is not cancelled.
pub async fn an_unknown_execution_is_not_cancelled(subject: Subject) {
    let unknown = sample::execution_id(1);
    let answer =
        subject.stores.executions.cancel(unknown, sample::moment(1), &sample::actor()).await;
    assert_eq!(answer.expect("cancel"), CancelAnswer::NotFound);
}

/// When cancellations race with the end, one of them wins, and what it wrote stays.
pub async fn a_cancellation_and_the_end_do_not_cross(subject: Subject) {
    let executions = &subject.stores.executions;
    let owner = Some(sample::replica(1));
    executions.keep_alive(sample::replica(1)).await.expect("keep_alive");
    for n in 1..=8 {
        accept(&subject, NewExecution { owner, ..sample::new_execution(n) }).await;
    }
    let wins = race(|idx| {
        let executions = Arc::clone(&subject.stores.executions);
        let id = sample::execution_id(idx % 8 + 1);
        async move {
            let outcome = if idx / 8 % 2 == 0 { Outcome::Cancelled } else { completed("{}") };
            let at = sample::moment(idx);
            let has_won = if outcome == Outcome::Cancelled {
                let answer = executions.cancel(id, at, &sample::actor()).await.expect("cancel");
                matches!(answer, CancelAnswer::Cancelled(_))
            } else {
                executions.append(ending(id, Fence::FIRST, outcome.clone(), at)).await.is_ok()
            };
            has_won.then_some((id, outcome, at))
        }
    })
    .await;
    let wins: Vec<_> = wins.into_iter().flatten().collect();
    assert_eq!(wins.len(), 8, "one winner for each execution: {wins:?}");
    for (id, outcome, at) in &wins {
        let summary = executions.get(*id).await.expect("get").expect("it is there");
        assert_eq!(summary.outcome.as_deref(), Some(outcome));
        assert_eq!(summary.completed_at, Some(*at));
    }
}
