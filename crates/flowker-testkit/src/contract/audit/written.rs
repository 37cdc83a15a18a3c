//! Every change and its event are one; what changes nothing writes none.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flowker_core::actor::Actor;
use flowker_core::audit::{AuditEvent, EventType, Verdict};
use flowker_core::execution::{Failure, FailureCode, Fence, Outcome};
use flowker_core::ports::{
    Acceptance, Activation, ApiKey, ApiKeyWritten, Append, ConfigStatus, ConfigWritten,
    NewExecution, ProviderConfig, UnusedWritten,
};
use flowker_core::workflow::{Lifecycle, Workflow};
use serde_json::{Value, json};
use tokio::task::{JoinSet, yield_now};

use super::{log, news, seal_all, verify};
use crate::contract::{activation, done, transition};
use crate::sample::{self, replica};
use crate::subject::{Stores, Subject};

fn of(kind: EventType) -> AuditEvent {
    AuditEvent { kind, ..sample::event() }
}

/// A change of a workflow writes its event, and a refused one does not.
pub async fn changes_of_workflows_are_written(subject: Subject) {
    let (workflows, mut n_known) = (&subject.stores.workflows, 0);
    let event = of(EventType::WorkflowCreated);
    let draft = done(workflows.create(sample::workflow(1), event.clone()).await.expect("create"));
    assert_eq!(news(&subject, &mut n_known).await, ["WORKFLOW_CREATED"]);
    assert_eq!(log(&subject).await[0].event, event, "as it was given");

    let edited = Workflow { revision: 2, ..draft.clone() };
    let edited = workflows.update(edited, of(EventType::WorkflowUpdated)).await.expect("update");
    let edited = done(edited);
    let active = workflows.activate(activation(&edited, 1), of(EventType::WorkflowActivated));
    let active = done(active.await.expect("activate"));
    let inactive = transition(&active, Lifecycle::Inactive);
    let inactive = workflows.transition(inactive, of(EventType::WorkflowDeactivated));
    let inactive = done(inactive.await.expect("transition"));
    let deleted = workflows.delete(inactive.id, inactive.revision, of(EventType::WorkflowDeleted));
    assert!(deleted.await.expect("delete"));
    let expected =
        ["WORKFLOW_UPDATED", "WORKFLOW_ACTIVATED", "WORKFLOW_DEACTIVATED", "WORKFLOW_DELETED"];
    assert_eq!(news(&subject, &mut n_known).await, expected);

    // Whatever is refused: a name, a revision, a route, a status.
    let second =
        done(workflows.create(sample::workflow(2), sample::event()).await.expect("create"));
    let third = done(workflows.create(sample::workflow(3), sample::event()).await.expect("create"));
    let holder = workflows.activate(activation(&second, 2), sample::event()).await;
    let holder = done(holder.expect("activate"));
    n_known = news(&subject, &mut 0).await.len();
    let namesake = Workflow { name: third.name.clone(), ..sample::workflow(4) };
    let renamed = Workflow { name: holder.name.clone(), revision: 2, ..third.clone() };
    let stale = Workflow { revision: 9, ..third.clone() };
    workflows.create(namesake, sample::event()).await.expect("create");
    workflows.update(renamed, sample::event()).await.expect("update");
    workflows.update(stale, sample::event()).await.expect("update");
    workflows.activate(activation(&third, 2), sample::event()).await.expect("activate");
    let late = Workflow { revision: 9, ..third.clone() };
    workflows.activate(activation(&late, 3), sample::event()).await.expect("activate");
    let late = transition(&late, Lifecycle::Inactive);
    workflows.transition(late, sample::event()).await.expect("transition");
    assert!(!workflows.delete(third.id, 9, sample::event()).await.expect("delete"));
    let in_use = workflows.delete(holder.id, holder.revision, sample::event());
    assert!(!in_use.await.expect("delete"));
    assert_eq!(news(&subject, &mut n_known).await, [""; 0]);
}

/// A change of a provider configuration writes its event, and a refused one does not.
pub async fn changes_of_provider_configurations_are_written(subject: Subject) {
    let (configs, mut n_known) = (&subject.stores.configs, 0);
    let created = configs.create(sample::config(1), of(EventType::ProviderConfigCreated));
    assert_eq!(created.await.expect("create"), ConfigWritten::Done);
    let status = ConfigStatus::Disabled;
    let disabled = ProviderConfig { status, revision: 2, ..sample::config(1) };
    let updated = configs.update(disabled.clone(), of(EventType::ProviderConfigDisabled));
    assert_eq!(updated.await.expect("update"), ConfigWritten::Done);
    let id = disabled.id;
    assert!(configs.delete(id, of(EventType::ProviderConfigDeleted)).await.expect("delete"));
    let expected =
        ["PROVIDER_CONFIG_CREATED", "PROVIDER_CONFIG_DISABLED", "PROVIDER_CONFIG_DELETED"];
    assert_eq!(news(&subject, &mut n_known).await, expected);

    for n in [2, 3] {
        configs.create(sample::config(n), sample::event()).await.expect("create");
    }
    n_known = news(&subject, &mut 0).await.len();
    let namesake = ProviderConfig { name: sample::config(2).name, ..sample::config(4) };
    let renamed = ProviderConfig { name: sample::config(2).name, revision: 2, ..sample::config(3) };
    let stale = ProviderConfig { revision: 7, ..sample::config(3) };
    configs.create(namesake, sample::event()).await.expect("create");
    configs.update(renamed, sample::event()).await.expect("update");
    configs.update(stale, sample::event()).await.expect("update");
    assert!(!configs.delete(id, sample::event()).await.expect("delete"), "it is gone");
    assert_eq!(news(&subject, &mut n_known).await, [""; 0]);
}

/// A change that minds the users of a provider configuration writes its event like any other, and none
/// if there are users, or nothing to change.
pub async fn changes_of_unused_provider_configurations_are_written(subject: Subject) {
    let (configs, workflows) = (&subject.stores.configs, &subject.stores.workflows);
    for n in [1, 2] {
        configs.create(sample::config(n), sample::event()).await.expect("create");
    }
    let draft = done(workflows.create(sample::workflow(1), sample::event()).await.expect("create"));
    let using = Activation { configs: vec![sample::config_id(2)], ..activation(&draft, 1) };
    done(workflows.activate(using, sample::event()).await.expect("activate"));
    let mut n_known = news(&subject, &mut 0).await.len();
    let status = ConfigStatus::Disabled;
    let disabled = |n| ProviderConfig { status, revision: 2, ..sample::config(n) };
    let disable = async |config| {
        let event = of(EventType::ProviderConfigDisabled);
        configs.update_unused(config, event).await.expect("update_unused")
    };
    let delete = async |n| {
        let event = of(EventType::ProviderConfigDeleted);
        configs.delete_unused(sample::config_id(n), event).await.expect("delete_unused")
    };
    assert_eq!(disable(disabled(1)).await, UnusedWritten::Done);
    assert_eq!(delete(1).await, UnusedWritten::Done);
    let expected = ["PROVIDER_CONFIG_DISABLED", "PROVIDER_CONFIG_DELETED"];
    assert_eq!(news(&subject, &mut n_known).await, expected);

    assert!(matches!(disable(disabled(2)).await, UnusedWritten::InUse(_)));
    assert!(matches!(delete(2).await, UnusedWritten::InUse(_)));
    assert_eq!(disable(disabled(1)).await, UnusedWritten::Stale);
    assert_eq!(delete(1).await, UnusedWritten::Stale);
    assert_eq!(news(&subject, &mut n_known).await, [""; 0]);
}

/// A change of an API key writes its event, and a refused one does not.
pub async fn changes_of_api_keys_are_written(subject: Subject) {
    let (keys, mut n_known) = (&subject.stores.api_keys, 0);
    let created = keys.create(sample::api_key(1), of(EventType::ApiKeyCreated));
    assert_eq!(created.await.expect("create"), ApiKeyWritten::Done);
    for (revision, kind) in [(2, EventType::ApiKeyRotated), (3, EventType::ApiKeyRevoked)] {
        let updated = keys.update(ApiKey { revision, ..sample::api_key(1) }, of(kind));
        assert_eq!(updated.await.expect("update"), ApiKeyWritten::Done);
    }
    let expected = ["API_KEY_CREATED", "API_KEY_ROTATED", "API_KEY_REVOKED"];
    assert_eq!(news(&subject, &mut n_known).await, expected);

    let namesake = ApiKey { name: sample::api_key(1).name, ..sample::api_key(2) };
    let taken = keys.create(namesake, sample::event()).await;
    assert_eq!(taken.expect("create"), ApiKeyWritten::NameTaken);
    for stale in [ApiKey { revision: 9, ..sample::api_key(1) }, sample::api_key(3)] {
        let stale = keys.update(stale, sample::event()).await;
        assert_eq!(stale.expect("update"), ApiKeyWritten::Stale);
    }
    assert_eq!(news(&subject, &mut n_known).await, [""; 0]);
}

fn owned(n: u64) -> NewExecution {
    NewExecution {
        claim: Some(sample::claim(&format!("key {n}"), "a")),
        owner: Some(replica(1)),
        ..sample::new_execution(n)
    }
}

async fn accept(subject: &Subject, new: NewExecution) -> Acceptance {
    subject.stores.executions.accept(new).await.expect("accept")
}

fn end(n: u64, outcome: Outcome) -> Append {
    let entries = vec![sample::entry(Fence::FIRST, sample::completed("a", json!(1)))];
    let end = Some((outcome, sample::moment(50)));
    Append { id: sample::execution_id(n), fence: Fence::FIRST, position: 0, entries, end }
}

/// An execution begins once and ends once, whatever is asked for again, and by whom.
pub async fn executions_are_written_from_their_start_to_their_end(subject: Subject) {
    let (executions, mut n_known) = (&subject.stores.executions, 0);
    executions.keep_alive(replica(1)).await.expect("keep_alive");
    for n in 1..=3 {
        assert_eq!(accept(&subject, owned(n)).await, Acceptance::Accepted);
    }
    assert_eq!(news(&subject, &mut n_known).await, ["EXECUTION_STARTED"; 3]);
    let failure = Outcome::Failed(Failure::new(FailureCode::StepFailed, "why\0"));
    executions.append(end(1, failure)).await.expect("append");
    let completed = Outcome::Completed { output: sample::object("{}") };
    executions.append(end(2, completed)).await.expect("append");
    let third = sample::execution_id(3);
    executions.cancel(third, sample::moment(60), &sample::actor()).await.expect("cancel");
    let expected = ["EXECUTION_FAILED", "EXECUTION_COMPLETED", "EXECUTION_CANCELLED"];
    assert_eq!(news(&subject, &mut n_known).await, expected);

    let workflow = sample::workflow_id(1).to_string();
    let log = log(&subject).await;
    for (n, (started, ended)) in (1..).zip(log[..3].iter().zip(&log[3..])) {
        let (started, ended) = (&started.event, &ended.event);
        let id = sample::execution_id(n).to_string();
        assert_eq!((&started.resource_id, &ended.resource_id), (&id, &id));
        assert_eq!(started.actor, sample::actor());
        let ended_by = if n == 3 { sample::actor() } else { Actor::system() };
        assert_eq!(ended.actor, ended_by);
        assert_eq!(Value::Object(started.metadata.clone()), json!({ "workflow.id": workflow }));
        assert_eq!(ended.metadata["workflow.id"], Value::from(&*workflow));
    }
    assert_eq!(log[3].event.metadata["error"], Value::from("why\0"));
}

/// What is answered without being carried out writes nothing, and what is asked for again nothing more.
pub async fn repetitions_write_nothing(subject: Subject) {
    let (executions, mut n_known) = (&subject.stores.executions, 0);
    executions.keep_alive(replica(1)).await.expect("keep_alive");
    accept(&subject, owned(1)).await;
    assert_eq!(news(&subject, &mut n_known).await, ["EXECUTION_STARTED"]);
    // Asked for again, since its answer was lost; a replay; another request; a version that is not.
    assert_eq!(accept(&subject, owned(1)).await, Acceptance::Accepted);
    let replay = NewExecution { claim: owned(1).claim, ..owned(2) };
    assert!(matches!(accept(&subject, replay).await, Acceptance::Replayed(_)));
    let reused = NewExecution { claim: Some(sample::claim("key 1", "b")), ..owned(2) };
    assert_eq!(accept(&subject, reused).await, Acceptance::KeyReused);
    let precondition = flowker_core::ports::Precondition::VersionActive;
    let gone = NewExecution { precondition, ..owned(2) };
    assert_eq!(accept(&subject, gone).await, Acceptance::RouteGone);
    // Entries without an end, and again; with an old fence; at another place.
    let cancelled = || end(1, Outcome::Cancelled);
    let step = Append { end: None, ..cancelled() };
    for _ in 0..2 {
        executions.append(step.clone()).await.expect("append");
    }
    let fenced = Append { fence: Fence(7), ..cancelled() };
    executions.append(fenced).await.expect_err("superseded");
    executions.append(Append { position: 5, ..cancelled() }).await.expect_err("misplaced");
    executions.append(cancelled()).await.expect_err("its entries were written without an end");
    assert_eq!(news(&subject, &mut n_known).await, [""; 0]);

    let last = Append { position: 1, ..cancelled() };
    executions.append(last.clone()).await.expect("append");
    assert_eq!(news(&subject, &mut n_known).await, ["EXECUTION_CANCELLED"]);
    executions.append(last).await.expect_err("superseded");
    let (id, at, actor) = (sample::execution_id(1), sample::moment(60), sample::actor());
    executions.cancel(id, at, &actor).await.expect("cancel");
    executions.cancel(sample::execution_id(9), at, &actor).await.expect("cancel");
    assert_eq!(accept(&subject, owned(1)).await, Acceptance::Accepted);
    assert_eq!(news(&subject, &mut n_known).await, [""; 0]);
}

/// Writers of the audit test, and how many changes each of them makes.
const N_WRITERS: u64 = 8;
const N_CHANGES: u64 = 500;

/// Starts and ends executions, as many as make up the changes, with a configuration now and then.
/// Answers how many changes that were.
async fn write(stores: Stores, writer: u64) -> u64 {
    let mut n_changes = 0;
    for n in (writer * N_CHANGES)..(writer + 1) * N_CHANGES {
        if n % 10 == 0 {
            stores.configs.create(sample::config(n), sample::event()).await.expect("create");
            n_changes += 1;
        } else {
            stores.executions.accept(owned(n)).await.expect("accept");
            stores.executions.append(end(n, Outcome::Cancelled)).await.expect("append");
            n_changes += 2;
        }
        if N_CHANGES <= n_changes {
            break;
        }
    }
    n_changes
}

/// Eight writers make 500 changes each, while several seal: the chain is whole, and holds each change
/// once, the start of an execution before its end.
pub async fn eight_writers_leave_a_whole_chain(subject: Subject) {
    subject.stores.executions.keep_alive(replica(1)).await.expect("keep_alive");
    let (mut writers, mut sealers) = (JoinSet::new(), JoinSet::new());
    let is_over = Arc::new(AtomicBool::new(false));
    for writer in 0..N_WRITERS {
        writers.spawn(write(subject.stores.clone(), writer));
    }
    for _ in 0..3 {
        let (audit, is_over) = (Arc::clone(&subject.stores.audit), Arc::clone(&is_over));
        sealers.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                audit.seal(200).await.expect("seal");
                yield_now().await;
            }
        });
    }
    let n_changes: u64 = writers.join_all().await.into_iter().sum();
    is_over.store(true, Ordering::Relaxed);
    sealers.join_all().await;
    seal_all(&subject).await;
    let verdict = verify(&subject).await;
    let log = log(&subject).await;
    let ids: BTreeSet<_> = log.iter().map(|it| it.event.id).collect();
    let mut open = BTreeSet::new();
    for it in &log {
        let id = &it.event.resource_id;
        match it.event.kind {
            EventType::ExecutionStarted => assert!(open.insert(id), "it begins once"),
            EventType::ExecutionCancelled => assert!(open.remove(id), "it began before it ended"),
            _ => {}
        }
    }
    let n_events = log.len() as u64;
    assert_eq!((open.len(), ids.len()), (0, log.len()), "whole, and no event twice");
    assert!(N_WRITERS * N_CHANGES <= n_changes, "{n_changes} changes");
    assert_eq!(n_events, n_changes, "each change once");
    assert_eq!(verdict, Verdict { first_invalid: None, n_checked: n_events });
}
