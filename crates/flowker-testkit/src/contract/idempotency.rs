//! What every [`IdempotencyStore`](flowker_core::ports::IdempotencyStore) promises.

use std::time::Duration;

use flowker_core::execution::Status;
use flowker_core::id::ExecutionId;
use flowker_core::idempotency::Fingerprint;
use flowker_core::ports::{Acceptance, Claim, KnownKey, NewExecution};

use crate::sample;
use crate::subject::Subject;

/// Accepts the `n`-th execution with the key `key {n}`.
async fn claim(subject: &Subject, n: u64) -> ExecutionId {
    claim_for(subject, n, sample::RETENTION).await
}

async fn claim_for(subject: &Subject, n: u64, retention: Duration) -> ExecutionId {
    let claim = Claim { retention, ..sample::claim(&format!("key {n}"), "a") };
    let new = NewExecution { claim: Some(claim), ..sample::new_execution(n) };
    let id = new.execution.id;
    let answer = subject.stores.executions.accept(new).await.expect("accept");
    assert_eq!(answer, Acceptance::Accepted);
    id
}

async fn end(subject: &Subject, id: ExecutionId) {
    subject
        .stores
        .executions
        .cancel(id, sample::moment(3), &sample::actor())
        .await
        .expect("cancel");
}

async fn find(subject: &Subject, n: u64) -> Option<KnownKey> {
    let key = sample::key(&format!("key {n}"));
    subject.stores.keys.find(sample::workflow_id(1), &key).await.expect("find")
}

/// A key is found with its fingerprint, and with its execution as it stands now.
pub async fn a_claimed_key_is_found_as_it_stands_now(subject: Subject) {
    let id = claim(&subject, 1).await;
    for status in [Status::Pending, Status::Cancelled] {
        let execution = subject.stores.executions.get(id).await.expect("get").expect("it is there");
        assert_eq!(execution.status, status);
        let fingerprint = Fingerprint::of(&[b"a"]);
        assert_eq!(find(&subject, 1).await, Some(KnownKey { fingerprint, execution }));
        end(&subject, id).await;
    }
}

/// Neither another key nor the same one of another workflow is found.
pub async fn a_key_that_was_not_claimed_is_not_found(subject: Subject) {
    claim(&subject, 1).await;
    assert_eq!(find(&subject, 2).await, None);
    let keys = &subject.stores.keys;
    let elsewhere = keys.find(sample::workflow_id(2), &sample::key("key 1")).await;
    assert_eq!(elsewhere.expect("find"), None);
    let other_case = keys.find(sample::workflow_id(1), &sample::key("KEY 1")).await;
    assert_eq!(other_case.expect("find"), None);
}

/// Once its retention is over and its execution has ended, a key is not found, forgotten or not.
pub async fn an_expired_key_is_not_found(subject: Subject) {
    let id = claim(&subject, 1).await;
    end(&subject, id).await;
    subject.clock.advance(sample::RETENTION.saturating_sub(Duration::from_secs(1)));
    assert!(find(&subject, 1).await.is_some(), "it is kept for its retention");
    subject.clock.advance(Duration::from_secs(2));
    assert_eq!(find(&subject, 1).await, None);
}

/// While its execution has not ended, a key is found, however long ago its retention was over.
pub async fn the_key_of_an_unfinished_execution_is_found(subject: Subject) {
    let id = claim(&subject, 1).await;
    subject.clock.advance(sample::RETENTION * 3);
    assert_eq!(find(&subject, 1).await.map(|it| it.execution.id), Some(id));
    end(&subject, id).await;
    assert_eq!(find(&subject, 1).await, None);
}

/// Only keys whose retention is over are forgotten, and they are counted.
pub async fn only_expired_keys_are_forgotten(subject: Subject) {
    let keys = &subject.stores.keys;
    assert_eq!(keys.purge_expired(10).await.expect("purge"), 0, "there is none");
    for n in 1..=6 {
        let retention = if n % 2 == 0 { sample::RETENTION } else { sample::RETENTION * 2 };
        let id = claim_for(&subject, n, retention).await;
        end(&subject, id).await;
    }
    assert_eq!(keys.purge_expired(10).await.expect("purge"), 0, "none has expired");
    subject.clock.advance(sample::RETENTION + Duration::from_secs(1));
    assert_eq!(keys.purge_expired(10).await.expect("purge"), 3);
    assert_eq!(keys.purge_expired(10).await.expect("purge"), 0, "once is enough");
    for n in [1, 3, 5] {
        assert!(find(&subject, n).await.is_some(), "key {n} has not expired");
    }
    for n in 1..=6 {
        let execution = subject.stores.executions.get(sample::execution_id(n)).await;
        assert!(execution.expect("get").is_some(), "only keys are forgotten");
    }
}

/// The key of an execution that has not ended is never forgotten.
pub async fn the_key_of_an_unfinished_execution_is_not_forgotten(subject: Subject) {
    let id = claim(&subject, 1).await;
    subject.clock.advance(sample::RETENTION * 3);
    let keys = &subject.stores.keys;
    assert_eq!(keys.purge_expired(10).await.expect("purge"), 0);
    assert!(find(&subject, 1).await.is_some());
    end(&subject, id).await;
    assert_eq!(keys.purge_expired(10).await.expect("purge"), 1);
}

/// No more keys are forgotten at a time than were asked for, and the rest later.
pub async fn no_more_keys_are_forgotten_than_asked_for(subject: Subject) {
    for n in 1..=7 {
        let id = claim(&subject, n).await;
        if n != 1 {
            end(&subject, id).await;
        }
    }
    subject.clock.advance(sample::RETENTION + Duration::from_secs(1));
    let keys = &subject.stores.keys;
    // The first is not to be forgotten, and does not stand in the way of the others.
    for expected in [2, 2, 2, 0] {
        assert_eq!(keys.purge_expired(2).await.expect("purge"), expected);
    }
}

/// A key that was forgotten is like one that was never there.
pub async fn a_forgotten_key_can_be_claimed_again(subject: Subject) {
    let id = claim(&subject, 1).await;
    end(&subject, id).await;
    subject.clock.advance(sample::RETENTION + Duration::from_secs(1));
    assert_eq!(subject.stores.keys.purge_expired(10).await.expect("purge"), 1);
    let claim = Some(sample::claim("key 1", "b"));
    let new = NewExecution { claim, ..sample::new_execution(2) };
    let answer = subject.stores.executions.accept(new).await.expect("accept");
    assert_eq!(answer, Acceptance::Accepted);
    assert_eq!(find(&subject, 1).await.map(|it| it.execution.id), Some(sample::execution_id(2)));
}
