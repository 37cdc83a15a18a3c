//! Executions: acceptance, journal, ownership, queries.

pub(crate) mod accept;
pub(crate) mod append;
pub(crate) mod archived;
mod end;
mod journal;
pub(crate) mod list;
mod ownership;
pub(crate) mod summary;

pub(crate) use ownership::forget_replicas;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use flowker_core::actor::Actor;
use flowker_core::execution::{Entry, Execution, Fence, Owned, Summary};
use flowker_core::id::{ExecutionId, ReplicaId, WorkflowId};
use flowker_core::ports::{
    Acceptance, Append, Backlog, CancelAnswer, ExecutionPage, ExecutionQuery, ExecutionStore,
    NewExecution, StoreError,
};
use flowker_core::time::Timestamp;
use flowker_core::trace::TraceContext;
use futures_util::future::try_join;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::PostgresStore;
use crate::db::{Session, TRIES};
use crate::idempotency::Claimed;
use crate::row::Columns;
use crate::statement::Statement;

use accept::{Known, NewRow, Written};
use append::{Appended, NewAppend};
use ownership::Adoption;

#[async_trait]
impl ExecutionStore for PostgresStore {
    async fn accept(&self, new: NewExecution) -> Result<Acceptance, StoreError> {
        let new = Arc::new(NewRow::of(new));
        for _ in 0..TRIES {
            let written = self.inner.writer.accept(Arc::clone(&new)).await?;
            if written == Written::Done {
                return Ok(Acceptance::Accepted);
            }
            match accept::known(&self.inner.db, &new).await? {
                Known::Itself => return Ok(Acceptance::Accepted),
                Known::Key(claimed) => return self.replay(&new, &claimed).await,
                Known::Nothing if written == Written::NotActive => {
                    return Ok(Acceptance::RouteGone);
                }
                Known::Nothing => {}
            }
            // Whoever was ahead came to nothing, or its key was forgotten since.
        }
        Err(StoreError::unavailable(LostRaces))
    }

    async fn append(&self, append: Append) -> Result<(), StoreError> {
        match self.inner.writer.append(Arc::new(NewAppend::of(&append))).await? {
            Appended::Done => Ok(()),
            Appended::Misplaced => {
                Err(StoreError::corrupt(format!("journal {}", append.id), Misplaced))
            }
            Appended::Superseded => Err(StoreError::Superseded),
        }
    }

    async fn adopt(
        &self,
        owner: ReplicaId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Owned>, StoreError> {
        let adoption = Adoption { owner, limit, now, lapse: self.inner.lapse };
        ownership::adopt(&self.inner.db, &adoption).await
    }

    async fn release(
        &self,
        id: ExecutionId,
        fence: Fence,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let is_released = ownership::release(&self.inner.db, id, fence, due).await?;
        is_released.then_some(()).ok_or(StoreError::Superseded)
    }

    async fn keep_alive(&self, owner: ReplicaId) -> Result<(), StoreError> {
        self.inner.db.write(&ownership::KEEP_ALIVE, &[owner.as_uuid()]).await.map(drop)
    }

    async fn owned(&self, owner: ReplicaId) -> Result<Vec<(ExecutionId, Fence)>, StoreError> {
        ownership::owned(&self.inner.db, owner).await
    }

    async fn backlog(&self, count_max: usize) -> Result<Backlog, StoreError> {
        ownership::backlog(&self.inner.db, count_max).await
    }

    async fn load(&self, id: ExecutionId, fence: Fence) -> Result<Option<Owned>, StoreError> {
        ownership::load(&self.inner.db, id, fence).await
    }

    async fn cancel(
        &self,
        id: ExecutionId,
        at: Timestamp,
        actor: &Actor,
    ) -> Result<CancelAnswer, StoreError> {
        end::cancel(&self.inner.db, id, at, actor).await
    }

    async fn get(&self, id: ExecutionId) -> Result<Option<Summary>, StoreError> {
        summary::get(&self.inner.db, id).await
    }

    async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let uuid = id.as_uuid();
        let rows = self.inner.db.read(&READ, &[&[*uuid].as_slice(), uuid, uuid]).await?;
        rows.first().map(|row| read(row).map_err(|error| of(id, error))).transpose()
    }

    async fn journal(&self, id: ExecutionId) -> Result<Vec<Entry>, StoreError> {
        let uuid = id.as_uuid();
        let rows = self.inner.db.read(&journal::READ, &[&[*uuid].as_slice(), uuid, uuid]).await?;
        let entries = rows.iter().map(journal::read).collect::<Result<_, _>>();
        entries.map_err(|error| of(id, error))
    }

    async fn list(&self, query: ExecutionQuery) -> Result<ExecutionPage, StoreError> {
        list::list(&self.inner.db, query).await
    }
}

/// A key that somebody else had each time, and no longer when it was looked at.
#[derive(Debug, thiserror::Error)]
#[error("others raced for the same key again and again")]
struct LostRaces;

/// Entries that belong nowhere in the journal as it is.
#[derive(Debug, thiserror::Error)]
#[error("entries were sent for another place than the end of the journal")]
struct Misplaced;

impl PostgresStore {
    /// What an acceptance is answered whose key started another execution.
    async fn replay(&self, new: &NewRow, known: &Claimed) -> Result<Acceptance, StoreError> {
        if new.claim.as_ref().is_none_or(|claim| claim.fingerprint != known.fingerprint) {
            return Ok(Acceptance::KeyReused);
        }
        let summary = summary::expect(&self.inner.db, known.execution_id).await?;
        Ok(Acceptance::Replayed(summary))
    }
}

/// A row of a table that refers to one that is not there.
#[derive(Debug, thiserror::Error)]
#[error("the row is missing")]
struct Missing;

fn missing(table: &str, id: ExecutionId) -> StoreError {
    StoreError::corrupt(format!("{table} {id}"), Missing)
}

/// Names the execution of which something is corrupt.
fn of(id: ExecutionId, error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { what, source } => {
            StoreError::Corrupt { what: format!("{what}, of execution {id}"), source }
        }
        error => error,
    }
}

fn lowest(ids: &[Uuid]) -> Uuid {
    ids.iter().copied().min().unwrap_or_default()
}

fn highest(ids: &[Uuid]) -> Uuid {
    ids.iter().copied().max().unwrap_or_default()
}

/// Rows by the id in a column of theirs, in their order.
fn by_id(column: &str, rows: Vec<Row>) -> Result<HashMap<Uuid, Vec<Row>>, StoreError> {
    let mut found = HashMap::<_, Vec<_>>::with_capacity(rows.len());
    for row in rows {
        let id = Columns { table: "executions", row: &row }.get(column)?;
        found.entry(id).or_default().push(row);
    }
    Ok(found)
}

/// Some executions, in any order. $2 and $3 are the lowest and the highest of their ids: they tell in
/// which partitions to look.
static READ: Statement = Statement {
    text: "\
        SELECT e.*
          FROM unnest($1) AS a (id)
         CROSS JOIN LATERAL
               (SELECT id, workflow_id, version, total_steps, accepted_at, retry_of, start_node,
                       input, trace
                  FROM executions
                 WHERE id = a.id AND id BETWEEN $2 AND $3
                OFFSET 0) AS e",
    types: &[Type::UUID_ARRAY, Type::UUID, Type::UUID],
};

fn read(row: &Row) -> Result<Execution, StoreError> {
    let row = Columns { table: "executions", row };
    Ok(Execution {
        id: ExecutionId::from_uuid(row.get("id")?),
        workflow_id: WorkflowId::from_uuid(row.get("workflow_id")?),
        version: row.natural("version")?,
        start_node: row.text("start_node")?,
        input: Bytes::from(row.get::<String>("input")?),
        total_steps: row.natural("total_steps")?,
        accepted_at: row.moment("accepted_at")?,
        retry_of: row.get::<Option<Uuid>>("retry_of")?.map(ExecutionId::from_uuid),
        trace: row.get::<Option<String>>("trace")?.and_then(|it| TraceContext::from_stored(&it)),
    })
}

/// Everything that is stored of some executions.
struct Stored {
    executions: HashMap<Uuid, Vec<Row>>,
    entries: HashMap<Uuid, Vec<Row>>,
}

impl Stored {
    async fn read(session: &Session, ids: &[Uuid]) -> Result<(Vec<Row>, Vec<Row>), Error> {
        let (lowest, highest) = (lowest(ids), highest(ids));
        let params: [&(dyn ToSql + Sync); 3] = [&ids, &lowest, &highest];
        let executions = session.query(&READ, &params);
        try_join(executions, session.query(&journal::READ, &params)).await
    }

    fn of((executions, entries): (Vec<Row>, Vec<Row>)) -> Result<Self, StoreError> {
        Ok(Self { executions: by_id("id", executions)?, entries: by_id("execution_id", entries)? })
    }

    /// What the owner of one of them needs.
    fn owned(&self, id: ExecutionId, fence: Fence) -> Result<Owned, StoreError> {
        let execution = self.executions.get(id.as_uuid()).and_then(|rows| rows.first());
        let execution = execution.ok_or_else(|| missing("executions", id))?;
        let execution = Arc::new(read(execution).map_err(|error| of(id, error))?);
        let entries = self.entries.get(id.as_uuid()).into_iter().flatten();
        let journal = entries.map(journal::read).collect::<Result<_, _>>();
        Ok(Owned { execution, fence, journal: journal.map_err(|error| of(id, error))? })
    }
}

/// Every statement that runs for a trigger, a step or a poll, for tests of their plans.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&Statement] = &[
    &READ,
    &accept::ACCEPT,
    &accept::KNOWN,
    &append::APPEND,
    &end::CANCEL,
    &journal::READ,
    &ownership::BACKLOG,
    &ownership::FENCE,
    &ownership::JOURNAL,
    &ownership::KEEP_ALIVE,
    &ownership::OWNED,
    &ownership::RELEASE,
    &ownership::TAKE,
    &summary::GET,
];
