//! Executions as clients see them.

use std::sync::Arc;

use flowker_core::execution::{Fence, Outcome, Status, Summary};
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::ports::StoreError;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{journal, missing, ownership};
use crate::error::Of;
use crate::row;

/// Exactly one of `ready` and `outcomes` has a row for an execution.
pub(super) const GET: &str = "\
    SELECT e.id, e.workflow_id, e.total_steps, e.accepted_at, e.retry_of,
           r.fence,
           o.status, o.completed_at, o.failure_code, o.message, o.output,
           coalesce((SELECT j.steps FROM journal AS j
                      WHERE j.execution_id = e.id
                      ORDER BY j.seq DESC
                      LIMIT 1), 0) AS steps
      FROM executions AS e
      LEFT JOIN ready AS r ON r.execution_id = e.id
      LEFT JOIN outcomes AS o ON o.execution_id = e.id
     WHERE e.id = ?1";

pub(super) fn get(db: &Connection, id: ExecutionId) -> Result<Option<Summary>, StoreError> {
    db.prepare_cached(GET)
        .and_then(|mut it| it.query_row([id.as_uuid().as_bytes()], read).optional())
        .of("executions", id)
}

/// Reads an execution that something else refers to.
pub(crate) fn expect(db: &Connection, id: ExecutionId) -> Result<Summary, StoreError> {
    get(db, id)?.ok_or_else(|| missing("executions", id))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let (status, outcome) = state(row)?;
    Ok(Summary {
        id: ExecutionId::from_uuid(row::uuid(row, "id")?),
        workflow_id: WorkflowId::from_uuid(row::uuid(row, "workflow_id")?),
        status,
        current_step: row.get("steps")?,
        total_steps: row.get("total_steps")?,
        started_at: row::moment(row, "accepted_at")?,
        completed_at: row::optional_moment(row, "completed_at")?,
        outcome: outcome.map(Arc::new),
        retry_of: row::optional_uuid(row, "retry_of")?.map(ExecutionId::from_uuid),
    })
}

/// A row of `executions` that neither runs nor has ended, or both.
#[derive(Debug, thiserror::Error)]
#[error("the execution must be in exactly one of ready and outcomes")]
struct NeitherNor;

/// An outcome whose status is not one of an end.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not the status of an end")]
struct NotAnEnd(Status);

fn state(row: &Row<'_>) -> rusqlite::Result<(Status, Option<Outcome>)> {
    let is_ready = row.get::<_, Option<i64>>("fence")?.is_some();
    let is_ended = row.get::<_, Option<String>>("status")?.is_some();
    match (is_ready, is_ended) {
        (true, false) => Ok((running_or_pending(ownership::read_fence(row)?), None)),
        (false, true) => {
            let outcome = outcome(row)?;
            Ok((outcome.status(), Some(outcome)))
        }
        _ => Err(row::invalid("status", Type::Null, NeitherNor)),
    }
}

/// One that was ever owned is running, even while it waits for its next owner.
fn running_or_pending(fence: Fence) -> Status {
    if fence == Fence::NONE { Status::Pending } else { Status::Running }
}

pub(super) fn outcome(row: &Row<'_>) -> rusqlite::Result<Outcome> {
    match row::word(row, "status", Status::parse)? {
        Status::Completed => Ok(Outcome::Completed { output: row::object(row, "output")? }),
        Status::Failed => Ok(Outcome::Failed(journal::failure(row)?)),
        Status::Cancelled => Ok(Outcome::Cancelled),
        status @ (Status::Pending | Status::Running) => {
            Err(row::invalid("status", Type::Text, NotAnEnd(status)))
        }
    }
}
