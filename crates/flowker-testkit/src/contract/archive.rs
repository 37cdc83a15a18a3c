//! What every [`Archive`] promises.
//!
//! Each promise is shown by a move from one store into another, through their other ports.

mod import;
mod moved;

pub use import::*;
pub use moved::*;

use flowker_core::archive::{Digest, ImportBegun, Record};
use flowker_core::execution::{Entry, Event, Failure, FailureCode, Fence, Outcome};
use flowker_core::id::ExecutionId;
use flowker_core::ports::{
    Acceptance, ApiKey, ApiKeyWritten, Append, Archive, ConfigWritten, NewExecution, Precondition,
    PreviousKey, ProviderConfig,
};
use flowker_core::time::Timestamp;
use flowker_core::workflow::{Lifecycle, Workflow};

use super::{active_workflow, deactivate, done, draft};
use crate::sample::{self, replica};
use crate::subject::{ArchiveSubject, Subject};

/// How many records a test reads and writes at a time: fewer than there are of some kinds.
const PAGE: usize = 3;

/// Any archive.
const DIGEST: Digest = Digest::from_bytes([7; 32]);

/// Executions of [`fill`], by what became of them.
const COMPLETED: u64 = 1;
const FAILED: u64 = 2;
const CANCELLED: u64 = 3;
const DRIVEN: u64 = 4;
const PENDING: u64 = 5;
const WAITING: u64 = 6;

/// When the execution [`WAITING`] may be adopted again.
fn due() -> Timestamp {
    sample::moment(60_000)
}

/// Fills a store with one of everything that a store can hold.
async fn fill(from: &ArchiveSubject) {
    let subject = &from.subject;
    fill_workflows(subject).await;
    let config = ProviderConfig {
        description: Some(String::new()),
        config: sample::object(sample::HARD_JSON),
        metadata: sample::object(sample::HARD_JSON),
        ..sample::config(1)
    };
    for config in [config, sample::config(2)] {
        let answer = subject.stores.configs.create(config, sample::event()).await.expect("create");
        assert_eq!(answer, ConfigWritten::Done);
    }
    fill_api_keys(subject).await;
    for (name, value) in [("b", vec![0xFF, 0, 0xC0]), ("a", Vec::new())] {
        subject.stores.shared.keep(name, value).await.expect("keep");
    }
    fill_executions(subject).await;
    super::audit::seal_all(subject).await;
}

/// An active workflow that was active before, a draft, an inactive one, and versions of a workflow
/// that was deleted.
async fn fill_workflows(subject: &Subject) {
    let workflows = &subject.stores.workflows;
    let first = active_workflow(subject, 1).await;
    let inactive = deactivate(subject, &first).await;
    let to_draft = super::transition(&inactive, Lifecycle::Draft);
    let drafted = done(workflows.transition(to_draft, sample::event()).await.expect("transition"));
    let edited = Workflow {
        description: Some("before\0after".to_owned()),
        metadata: sample::object(sample::HARD_JSON),
        revision: drafted.revision + 1,
        ..drafted
    };
    let edited = done(workflows.update(edited, sample::event()).await.expect("update"));
    done(
        workflows.activate(super::activation(&edited, 1), sample::event()).await.expect("activate"),
    );
    draft(subject, 2).await;
    let third = active_workflow(subject, 3).await;
    deactivate(subject, &third).await;
    let fourth = active_workflow(subject, 4).await;
    let fourth = deactivate(subject, &fourth).await;
    assert!(workflows.delete(fourth.id, fourth.revision, sample::event()).await.expect("delete"));
}

/// A plain key, and one that was rotated and revoked.
async fn fill_api_keys(subject: &Subject) {
    let rotated = ApiKey {
        previous: Some(PreviousKey {
            digest: sample::api_key(1).digest,
            until: sample::moment(70_000),
        }),
        rotated_at: Some(sample::moment(3)),
        expires_at: Some(sample::moment(80_000)),
        revoked_at: Some(sample::moment(4)),
        ..sample::api_key(2)
    };
    for key in [sample::api_key(1), rotated] {
        let answer = subject.stores.api_keys.create(key, sample::event()).await.expect("create");
        assert_eq!(answer, ApiKeyWritten::Done);
    }
}

async fn fill_executions(subject: &Subject) {
    let executions = &subject.stores.executions;
    for owner in 1..=2 {
        executions.keep_alive(replica(owner)).await.expect("keep_alive");
    }
    for n in [COMPLETED, FAILED, CANCELLED, DRIVEN, WAITING] {
        accept(subject, NewExecution { owner: Some(replica(1)), ..claimed(n) }).await;
    }
    accept(subject, claimed(PENDING)).await;
    // One without a key, which repeats another.
    let mut repeats = sample::execution(7);
    repeats.retry_of = Some(sample::execution_id(COMPLETED));
    accept(subject, NewExecution { execution: repeats.into(), ..sample::new_execution(7) }).await;

    append(subject, COMPLETED, events(), None).await;
    let output = sample::object(sample::HARD_JSON);
    end(subject, COMPLETED, Outcome::Completed { output }).await;
    let failure = Failure::new(FailureCode::StepFailed, "before\0after");
    append(subject, FAILED, vec![sample::failed("call", "why\0")], None).await;
    end(subject, FAILED, Outcome::Failed(failure)).await;
    append(subject, DRIVEN, events(), None).await;
    executions
        .cancel(sample::execution_id(CANCELLED), sample::moment(9), &sample::actor())
        .await
        .expect("cancel");
    let waiting = sample::execution_id(WAITING);
    executions.release(waiting, Fence::FIRST, Some(due())).await.expect("release");
}

/// The `n`-th execution, of the version of the first workflow that is active, with the key `key {n}`.
fn claimed(n: u64) -> NewExecution {
    let mut execution = sample::execution(n);
    execution.version = 2;
    NewExecution {
        execution: execution.into(),
        precondition: Precondition::VersionActive,
        claim: Some(sample::claim(&format!("key {n}"), "a")),
        owner: None,
        actor: sample::actor(),
    }
}

/// Every kind of event but the end of a run.
fn events() -> Vec<Event> {
    let node = || "call".to_owned();
    let (attempt, message) = (1, "why\0".to_owned());
    vec![
        Event::Started { node: node(), attempt },
        Event::RetryAt { node: node(), attempt, due: sample::moment(40), message },
        Event::Interrupted { node: node() },
        sample::completed("call", sample::value(sample::HARD_JSON)),
    ]
}

async fn accept(subject: &Subject, new: NewExecution) {
    let answer = subject.stores.executions.accept(new).await.expect("accept");
    assert_eq!(answer, Acceptance::Accepted);
}

async fn append(subject: &Subject, n: u64, events: Vec<Event>, end: Option<(Outcome, Timestamp)>) {
    let id = sample::execution_id(n);
    let position = subject.stores.executions.journal(id).await.expect("journal").len();
    let fence = Fence::FIRST;
    let entries = events.into_iter().map(|event| sample::entry(fence, event)).collect();
    let append = Append { id, fence, position, entries, end };
    subject.stores.executions.append(append).await.expect("append");
}

async fn end(subject: &Subject, n: u64, outcome: Outcome) {
    append(subject, n, Vec::new(), Some((outcome, sample::moment(50 + n)))).await;
}

/// Everything that a store holds, read a page at a time.
async fn read_all(archive: &dyn Archive, limit: usize) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let after = records.last().map(Record::place);
        let page = archive.read(after, limit).await.expect("read");
        assert!(page.len() <= limit, "{} of {limit}", page.len());
        if page.is_empty() {
            return records;
        }
        records.extend(page);
    }
}

async fn begin(to: &ArchiveSubject) {
    assert_eq!(to.archive.begin_import(DIGEST).await.expect("begin"), ImportBegun::Now);
}

async fn write(to: &ArchiveSubject, records: &[Record]) {
    for batch in records.chunks(PAGE) {
        assert!(to.archive.write(batch.to_vec()).await.expect("write"), "it is under way");
    }
}

/// Fills `from`, and moves everything into `to`, which is whole afterwards.
async fn fill_and_move(from: &ArchiveSubject, to: &ArchiveSubject) -> Vec<Record> {
    fill(from).await;
    let records = read_all(from.archive.as_ref(), PAGE).await;
    begin(to).await;
    write(to, &records).await;
    to.archive.finish_import().await.expect("finish");
    records
}

/// What the owner of an execution may be told apart by.
fn written_by(fence: Fence, events: Vec<Event>) -> Vec<Entry> {
    events.into_iter().map(|event| sample::entry(fence, event)).collect()
}

fn ids(numbers: &[u64]) -> Vec<ExecutionId> {
    numbers.iter().map(|n| sample::execution_id(*n)).collect()
}
