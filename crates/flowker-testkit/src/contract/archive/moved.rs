//! What was moved works on as if it had always been there.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::audit::Verdict;
use flowker_core::execution::{Event, Fence, Outcome, Status};
use flowker_core::id::ExecutionId;
use flowker_core::ports::{
    Acceptance, ApiKey, ApiKeyWritten, Append, ConfigWritten, Direction, ExecutionQuery,
    ExecutionSort, NewExecution, ProviderConfig, UnusedWritten, WorkflowWritten,
};
use flowker_core::workflow::Workflow;

use super::{
    CANCELLED, COMPLETED, DRIVEN, FAILED, PAGE, PENDING, WAITING, accept, claimed, due, events,
    fill_and_move, ids, written_by,
};
use crate::contract::audit;
use crate::sample::{self, replica};
use crate::subject::{ArchiveSubject, Subject};

/// Every key answers with the execution that it started, wherever that stands.
pub async fn a_moved_key_replays_its_execution(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    for n in [COMPLETED, FAILED, CANCELLED, DRIVEN, PENDING, WAITING] {
        let before = replay(&from.subject, n).await;
        assert_eq!(replay(&to.subject, n).await, before, "key {n}");
        assert!(matches!(before, Acceptance::Replayed(_)), "key {n}: {before:?}");
        let claim = sample::claim(&format!("key {n}"), "another request");
        let reused = NewExecution { claim: Some(claim), ..claimed(1_000 + n) };
        let answer = to.subject.stores.executions.accept(reused).await.expect("accept");
        assert_eq!(answer, Acceptance::KeyReused, "key {n}");
    }
}

/// What a delivery gets that was made before.
async fn replay(subject: &Subject, n: u64) -> Acceptance {
    let again = NewExecution { claim: claimed(n).claim, ..claimed(1_000 + n) };
    subject.stores.executions.accept(again).await.expect("accept")
}

/// A key is kept until the moment that was set at its first use, and not any longer.
pub async fn a_moved_key_expires_when_it_would_have(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    let (keys, clock) = (&to.subject.stores.keys, &to.subject.clock);
    let ended = sample::key(&format!("key {COMPLETED}"));
    clock.advance(sample::RETENTION.saturating_sub(Duration::from_secs(1)));
    let found = keys.find(sample::workflow_id(1), &ended).await.expect("find");
    assert_eq!(found.map(|it| it.execution.id), Some(sample::execution_id(COMPLETED)));
    clock.advance(Duration::from_secs(2));
    assert_eq!(keys.find(sample::workflow_id(1), &ended).await.expect("find"), None);
    let driven = sample::key(&format!("key {DRIVEN}"));
    let found = keys.find(sample::workflow_id(1), &driven).await.expect("find");
    assert!(found.is_some(), "its execution has not ended");
    assert_eq!(keys.purge_expired(10).await.expect("purge"), 3);
}

/// What a replica drove is unowned after the move, and goes on where it was.
pub async fn what_was_driven_is_adopted_with_a_higher_fence_and_completes(
    from: ArchiveSubject,
    to: ArchiveSubject,
) {
    fill_and_move(&from, &to).await;
    let executions = &to.subject.stores.executions;
    let id = sample::execution_id(DRIVEN);
    assert_eq!(executions.owned(replica(1)).await.expect("owned"), [], "no owner was moved");
    to.subject.clock.advance(Duration::from_secs(1));
    executions.keep_alive(replica(5)).await.expect("keep_alive");
    let now = sample::moment(1_000);
    let adopted = executions.adopt(replica(5), 10, now).await.expect("adopt");
    let found = adopted.iter().find(|it| it.execution.id == id).expect("it is adopted");
    let fence = Fence::FIRST.next();
    let mut journal = written_by(Fence::FIRST, events());
    let mut adoption = sample::entry(fence, Event::Adopted);
    adoption.at = now;
    journal.push(adoption);
    assert_eq!((found.fence, &found.journal), (fence, &journal));
    assert_eq!(*found.execution, *claimed(DRIVEN).execution);

    let late = Append { id, fence: Fence::FIRST, position: 4, entries: Vec::new(), end: None };
    executions.append(late).await.expect_err("its owner in the old store has no say");
    let output = sample::object(sample::HARD_JSON);
    let outcome = Outcome::Completed { output };
    let end = Some((outcome.clone(), sample::moment(1_001)));
    let entries = vec![sample::entry(fence, sample::failed("next", ""))];
    let append = Append { id, fence, position: journal.len(), entries, end };
    executions.append(append).await.expect("append");
    let ended = executions.get(id).await.expect("get").expect("it is there");
    assert_eq!((ended.status, ended.current_step), (Status::Completed, 2));
    assert_eq!(ended.outcome.as_deref(), Some(&outcome));
}

/// What waited for its first owner has no change of owner in its journal.
pub async fn what_nobody_owned_begins_with_the_first_fence(
    from: ArchiveSubject,
    to: ArchiveSubject,
) {
    fill_and_move(&from, &to).await;
    let executions = &to.subject.stores.executions;
    let pending = sample::execution_id(PENDING);
    let status = executions.get(pending).await.expect("get").expect("it is there").status;
    assert_eq!(status, Status::Pending);
    to.subject.clock.advance(Duration::from_secs(1));
    executions.keep_alive(replica(5)).await.expect("keep_alive");
    let adopted = executions.adopt(replica(5), 10, sample::moment(9)).await.expect("adopt");
    let found = adopted.iter().find(|it| it.execution.id == pending).expect("it is adopted");
    assert_eq!((found.fence, &*found.journal), (Fence::FIRST, &[][..]));
    let taken: Vec<ExecutionId> = adopted.iter().map(|it| it.execution.id).collect();
    assert_eq!(taken, ids(&[DRIVEN, PENDING, 7]), "the oldest first, and none that waits");
}

/// What was to wait in the old store waits as long in the new one.
pub async fn what_waits_keeps_its_moment(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    let executions = &to.subject.stores.executions;
    executions.keep_alive(replica(5)).await.expect("keep_alive");
    let waiting = sample::execution_id(WAITING);
    let second = Duration::from_secs(1);
    let mut taken = Vec::new();
    for expected in [false, true] {
        let now = if expected { due().plus(second) } else { sample::moment(59_000) };
        to.subject.clock.set(now);
        executions.keep_alive(replica(5)).await.expect("keep_alive");
        let adopted = executions.adopt(replica(5), 10, now).await.expect("adopt");
        taken.extend(adopted.iter().map(|it| it.execution.id));
        assert_eq!(taken.contains(&waiting), expected);
    }
}

/// Every list, every result and every input is the same in both stores.
pub async fn lists_and_results_show_the_same(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    let (old, new) = (&from.subject.stores, &to.subject.stores);
    for sort in [ExecutionSort::StartedAt, ExecutionSort::CompletedAt] {
        for direction in [Direction::Ascending, Direction::Descending] {
            for status in [None, Some(Status::Running), Some(Status::Completed)] {
                let workflow_id = Some(sample::workflow_id(1));
                let query =
                    ExecutionQuery { workflow_id, status, sort, direction, after: None, limit: 10 };
                let expected = old.executions.list(query.clone()).await.expect("list");
                assert_eq!(new.executions.list(query).await.expect("list"), expected);
                assert!(!expected.items.is_empty());
            }
        }
    }
    for n in 1..=7 {
        let id = sample::execution_id(n);
        let expected = old.executions.journal(id).await.expect("journal");
        assert_eq!(new.executions.journal(id).await.expect("journal"), expected);
        let expected = old.executions.execution(id).await.expect("execution");
        assert_eq!(new.executions.execution(id).await.expect("execution"), expected);
        assert!(expected.is_some());
    }
}

/// The workflow that was active accepts, with the version that was, and others do not.
pub async fn a_moved_workflow_accepts(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    let (old, new) = (&from.subject.stores, &to.subject.stores);
    accept(&to.subject, claimed(100)).await;
    let mut outdated = claimed(101);
    let mut execution = sample::execution(101);
    execution.version = 1;
    outdated.execution = execution.into();
    let answer = new.executions.accept(outdated).await.expect("accept");
    assert_eq!(answer, Acceptance::RouteGone);

    let route = sample::route(1);
    let found = new.workflows.route(&route.method, &route.path).await.expect("route");
    assert_eq!(found, old.workflows.route(&route.method, &route.path).await.expect("route"));
    assert_eq!(found.map(|it| (it.key, it.version)), Some((route, 2)));
    for n in 1..=4 {
        let id = sample::workflow_id(n);
        let expected = old.workflows.get(id).await.expect("get");
        assert_eq!(new.workflows.get(id).await.expect("get"), expected);
        for version in 1..=3 {
            let expected = old.workflows.version(id, version).await.expect("version");
            assert_eq!(new.workflows.version(id, version).await.expect("version"), expected);
        }
    }
}

/// Whoever follows the routes of the new store learns that some came.
pub async fn followers_notice_moved_routes(from: ArchiveSubject, to: ArchiveSubject) {
    let before = to.subject.stores.workflows.routes_revision().await.expect("routes_revision");
    fill_and_move(&from, &to).await;
    let after = to.subject.stores.workflows.routes_revision().await.expect("routes_revision");
    assert!(before < after, "{before} < {after}");
}

/// A name and a route that were taken in the old store are taken in the new one.
pub async fn names_stay_taken(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    let stores = &to.subject.stores;
    let taken = Workflow { name: sample::workflow(2).name, ..sample::workflow(30) };
    let answer = stores.workflows.create(taken, sample::event()).await.expect("create");
    assert_eq!(answer, WorkflowWritten::NameTaken);
    let taken = ProviderConfig { name: sample::config(2).name, ..sample::config(30) };
    assert_eq!(
        stores.configs.create(taken, sample::event()).await.expect("create"),
        ConfigWritten::NameTaken
    );
    let second = stores.workflows.get(sample::workflow_id(2)).await.expect("get").expect("there");
    let mut activation = crate::contract::activation(&second, 1);
    activation.routes = vec![sample::route(1)];
    let answer = stores.workflows.activate(activation, sample::event()).await.expect("activate");
    let holder = sample::workflow_id(1);
    assert_eq!(answer, WorkflowWritten::RouteTaken { route: sample::route(1), holder });
}

/// Whoever follows the keys of the new store learns that some came, and names stay taken.
pub async fn moved_keys_are_noticed_and_their_names_stay_taken(
    from: ArchiveSubject,
    to: ArchiveSubject,
) {
    let keys = Arc::clone(&to.subject.stores.api_keys);
    let before = keys.keys_revision().await.expect("keys_revision");
    fill_and_move(&from, &to).await;
    let after = keys.keys_revision().await.expect("keys_revision");
    assert!(before < after, "{before} < {after}");
    assert_eq!(keys.unrevoked().await.expect("unrevoked"), [sample::api_key(1)]);
    let taken = ApiKey { name: sample::api_key(2).name, ..sample::api_key(30) };
    assert_eq!(
        keys.create(taken, sample::event()).await.expect("create"),
        ApiKeyWritten::NameTaken
    );
}

/// A configuration that a moved workflow uses is kept for it, as one that was activated here.
pub async fn configurations_in_use_stay(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    let configs = &to.subject.stores.configs;
    let answer =
        configs.delete_unused(sample::config_id(1), sample::event()).await.expect("delete_unused");
    let UnusedWritten::InUse(users) = answer else { panic!("it is in use, not {answer:?}") };
    assert_eq!(users[0].id, sample::workflow_id(1));
}

/// What processes share is the same, and what is kept under a moved name is not replaced.
pub async fn shared_values_stay(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    let shared = &to.subject.stores.shared;
    for (name, value) in [("a", Vec::new()), ("b", vec![0xFF, 0, 0xC0])] {
        assert_eq!(shared.keep(name, vec![9]).await.expect("keep"), value);
    }
}

/// The chain is the same to the byte, and what happens in the new store stands behind it.
pub async fn a_moved_chain_is_whole_and_goes_on(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    let before = audit::log(&from.subject).await;
    assert_eq!(audit::log(&to.subject).await, before);
    assert!(before.len() > PAGE, "it is moved in several batches");
    assert_eq!(audit::seal_all(&to.subject).await, 0, "a move is no event");
    accept(&to.subject, claimed(100)).await;
    assert_eq!(audit::seal_all(&to.subject).await, 1);
    let after = audit::log(&to.subject).await;
    let last = after.last().expect("an entry");
    assert_eq!(last.previous, before.last().map(|it| it.hash));
    let n_checked = before.len() as u64 + 1;
    assert_eq!(audit::verify(&to.subject).await, Verdict { first_invalid: None, n_checked });
}
