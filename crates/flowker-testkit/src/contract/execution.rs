//! What every [`ExecutionStore`](flowker_core::ports::ExecutionStore) promises.

mod accept;
mod cancel;
mod journal;
pub(super) mod list;
mod ownership;

pub use accept::*;
pub use cancel::*;
pub use journal::*;
pub use list::*;
pub use ownership::*;

use flowker_core::execution::{Entry, Fence, Outcome, Owned, Status};
use flowker_core::id::{ExecutionId, ReplicaId};
use flowker_core::ports::{Acceptance, Append, NewExecution, StoreError};
use flowker_core::time::Timestamp;

use crate::sample;
use crate::subject::Subject;

/// Accepts the `n`-th execution as it is, and asserts that it was.
pub(super) async fn accept(subject: &Subject, new: NewExecution) -> ExecutionId {
    let id = new.execution.id;
    let answer = subject.stores.executions.accept(new).await.expect("accept");
    assert_eq!(answer, Acceptance::Accepted);
    id
}

/// Accepts the `n`-th execution for an owner that is alive.
async fn accept_owned(subject: &Subject, n: u64, owner: ReplicaId) -> ExecutionId {
    subject.stores.executions.keep_alive(owner).await.expect("keep_alive");
    accept(subject, NewExecution { owner: Some(owner), ..sample::new_execution(n) }).await
}

/// Adopts for an owner that is alive.
async fn adopt(subject: &Subject, owner: ReplicaId, limit: usize) -> Vec<Owned> {
    let executions = &subject.stores.executions;
    executions.keep_alive(owner).await.expect("keep_alive");
    executions.adopt(owner, limit, sample::moment(9)).await.expect("adopt")
}

fn ids(owned: &[Owned]) -> Vec<ExecutionId> {
    owned.iter().map(|it| it.execution.id).collect()
}

/// An append behind `position` entries that are there.
fn append(id: ExecutionId, fence: Fence, position: usize, entries: Vec<Entry>) -> Append {
    Append { id, fence, position, entries, end: None }
}

pub(super) fn ending(id: ExecutionId, fence: Fence, outcome: Outcome, at: Timestamp) -> Append {
    Append { id, fence, position: 0, entries: Vec::new(), end: Some((outcome, at)) }
}

fn completed(text: &str) -> Outcome {
    Outcome::Completed { output: sample::object(text) }
}

#[track_caller]
fn assert_superseded<T: std::fmt::Debug>(answer: &Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Superseded)), "superseded, not {answer:?}");
}

async fn status(subject: &Subject, id: ExecutionId) -> Status {
    subject.stores.executions.get(id).await.expect("get").expect("the execution is there").status
}

async fn journal(subject: &Subject, id: ExecutionId) -> Vec<Entry> {
    subject.stores.executions.journal(id).await.expect("journal")
}
