//! Executions: acceptance, journal, ownership, queries.

mod accept;
pub(crate) mod archived;
mod end;
mod journal;
pub(crate) mod list;
mod ownership;
pub(crate) mod purge;
pub(crate) mod summary;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use flowker_core::actor::Actor;
use flowker_core::audit::AuditEvent;
use flowker_core::execution::{Entry, Execution, Fence, Outcome, Owned, Summary};
use flowker_core::id::{ExecutionId, ReplicaId, WorkflowId};
use flowker_core::ports::{
    Acceptance, Append, Backlog, CancelAnswer, ExecutionPage, ExecutionQuery, ExecutionStore,
    NewExecution, StoreError,
};
use flowker_core::time::Timestamp;
use flowker_core::trace::TraceContext;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::SqliteStore;
use crate::audit::Note;
use crate::error::Of;
use crate::row;

use accept::Accepted;
use end::NewEnd;
use journal::NewEntries;

#[async_trait]
impl ExecutionStore for SqliteStore {
    async fn accept(&self, new: NewExecution) -> Result<Acceptance, StoreError> {
        let note = Note::of(&AuditEvent::execution_started(&new.execution, &new.actor));
        match self.transact(move |db, now| accept::accept(db, now, &new, &note)).await? {
            Accepted::Own => Ok(Acceptance::Accepted),
            // Read here, so that no outcome is parsed where everybody waits.
            Accepted::Before(id) => {
                self.query(move |db| summary::expect(db, id)).await.map(Acceptance::Replayed)
            }
            Accepted::KeyReused => Ok(Acceptance::KeyReused),
            Accepted::RouteGone => Ok(Acceptance::RouteGone),
        }
    }

    async fn append(&self, append: Append) -> Result<(), StoreError> {
        let Append { id, fence, position, entries, end } = append;
        let entries = NewEntries::of(position, &entries);
        let end = end.map(|(outcome, at)| NewEnd::of(id, &outcome, at, &Actor::system()));
        let written = self.transact(move |db, now| match &end {
            Some(end) => end::append(db, now, fence, &entries, end),
            None => journal::append_fenced(db, id, fence, &entries),
        });
        written.await?.then_some(()).ok_or(StoreError::Superseded)
    }

    async fn adopt(
        &self,
        owner: ReplicaId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Owned>, StoreError> {
        // What is found must still be there to be taken, though no writer is held up by the search.
        let _adopting = self.inner.adopting.lock().await;
        let due_by = self.now();
        let found = self.query(move |db| ownership::find(db, due_by, limit)).await?;
        if found.is_empty() {
            return Ok(found);
        }
        let keys: Vec<_> = found.iter().map(|it| (it.execution.id, it.fence)).collect();
        let taken = self.transact(move |db, _| ownership::take_all(db, owner, &keys, now)).await?;
        let adopted = found.into_iter().zip(taken).filter_map(|(found, is_taken)| {
            // One that was cancelled meanwhile is not there any more.
            is_taken.then(|| ownership::raise(found, now))
        });
        Ok(adopted.collect())
    }

    async fn release(
        &self,
        id: ExecutionId,
        fence: Fence,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let released = self.transact(move |db, now| ownership::release(db, id, fence, due, now));
        released.await?.then_some(()).ok_or(StoreError::Superseded)
    }

    async fn keep_alive(&self, _owner: ReplicaId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn owned(&self, owner: ReplicaId) -> Result<Vec<(ExecutionId, Fence)>, StoreError> {
        self.query(move |db| ownership::owned(db, owner)).await
    }

    async fn backlog(&self, count_max: usize) -> Result<Backlog, StoreError> {
        let now = self.now();
        self.query(move |db| ownership::backlog(db, now, count_max)).await
    }

    async fn load(&self, id: ExecutionId, fence: Fence) -> Result<Option<Owned>, StoreError> {
        self.query(move |db| {
            let is_current = ownership::fence(db, id)? == Some(fence);
            is_current.then(|| owned(db, id, fence)).transpose()
        })
        .await
    }

    async fn cancel(
        &self,
        id: ExecutionId,
        at: Timestamp,
        actor: &Actor,
    ) -> Result<CancelAnswer, StoreError> {
        let end = NewEnd::of(id, &Outcome::Cancelled, at, actor);
        self.transact(move |db, now| end::cancel(db, now, &end)).await
    }

    async fn get(&self, id: ExecutionId) -> Result<Option<Summary>, StoreError> {
        self.query(move |db| summary::get(db, id)).await
    }

    async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        self.query(move |db| get(db, id)).await
    }

    async fn journal(&self, id: ExecutionId) -> Result<Vec<Entry>, StoreError> {
        self.query(move |db| journal::read(db, id)).await
    }

    async fn list(&self, query: ExecutionQuery) -> Result<ExecutionPage, StoreError> {
        self.query(move |db| list::list(db, &query)).await
    }
}

/// A row of a table that refers to one that is not there.
#[derive(Debug, thiserror::Error)]
#[error("the row is missing")]
struct Missing;

fn missing(table: &str, id: ExecutionId) -> StoreError {
    StoreError::corrupt(format!("{table} {id}"), Missing)
}

const GET: &str = "\
    SELECT id, workflow_id, version, total_steps, accepted_at, retry_of, start_node, input, trace
      FROM executions
     WHERE id = ?1";

fn get(db: &Connection, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
    db.prepare_cached(GET)
        .and_then(|mut it| it.query_row([id.as_uuid().as_bytes()], read).optional())
        .of("executions", id)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Execution> {
    Ok(Execution {
        id: ExecutionId::from_uuid(row::uuid(row, "id")?),
        workflow_id: WorkflowId::from_uuid(row::uuid(row, "workflow_id")?),
        version: row.get("version")?,
        start_node: row.get("start_node")?,
        input: Bytes::from(row.get::<_, Vec<u8>>("input")?),
        total_steps: row.get("total_steps")?,
        accepted_at: row::moment(row, "accepted_at")?,
        retry_of: row::optional_uuid(row, "retry_of")?.map(ExecutionId::from_uuid),
        trace: row.get::<_, Option<String>>("trace")?.and_then(|it| TraceContext::from_stored(&it)),
    })
}

/// Everything that an owner needs of an execution that is there.
fn owned(db: &Connection, id: ExecutionId, fence: Fence) -> Result<Owned, StoreError> {
    let execution = get(db, id)?.ok_or_else(|| missing("executions", id))?;
    Ok(Owned { execution: Arc::new(execution), fence, journal: journal::read(db, id)? })
}

/// Every statement that runs for a trigger or a step, for tests of their plans.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    GET,
    accept::IS_ACTIVE,
    accept::INSERT,
    accept::INSERT_READY,
    accept::IS_THERE,
    end::END,
    end::CANCEL,
    end::INSERT,
    end::IS_ENDED,
    journal::INSERT,
    journal::LAST,
    journal::N_OF,
    journal::READ,
    ownership::BACKLOG,
    ownership::FENCE,
    ownership::FIND,
    ownership::TAKE,
    ownership::RELEASE,
    purge::FIND,
    purge::DELETE_JOURNAL,
    purge::DELETE_OUTCOME,
    purge::DELETE,
    summary::GET,
];
