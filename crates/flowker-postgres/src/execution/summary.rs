//! Executions as clients see them.

use std::sync::Arc;

use flowker_core::execution::{Fence, Outcome, Status, Summary};
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::ports::StoreError;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{highest, journal, lowest, missing, of, ownership};
use crate::db::{Db, Session};
use crate::row::Columns;
use crate::statement::Statement;

/// The summaries of some executions, in any order. Exactly one of `ready` and `outcomes` has a row
/// for each.
///
/// $2 and $3 are the lowest and the highest of their ids: they tell in which partitions to look.
pub(super) static GET: Statement = Statement {
    text: "\
        SELECT e.id, e.workflow_id, e.total_steps, e.accepted_at, e.retry_of,
               r.fence,
               o.status, o.completed_at, o.failure_code, o.message, o.output,
               (SELECT count(*) FROM journal AS j
                 WHERE j.execution_id = a.id AND j.execution_id BETWEEN $2 AND $3
                   AND j.started_at IS NOT NULL) AS steps
          FROM unnest($1) AS a (id)
         CROSS JOIN LATERAL
               (SELECT id, workflow_id, total_steps, accepted_at, retry_of
                  FROM executions
                 WHERE id = a.id AND id BETWEEN $2 AND $3
                OFFSET 0) AS e
          LEFT JOIN ready AS r ON r.execution_id = a.id
          LEFT JOIN LATERAL
               (SELECT status, completed_at, failure_code, message, output
                  FROM outcomes
                 WHERE execution_id = a.id AND execution_id BETWEEN $2 AND $3
                OFFSET 0) AS o ON true",
    types: &[Type::UUID_ARRAY, Type::UUID, Type::UUID],
};

pub(super) async fn get(db: &Db, id: ExecutionId) -> Result<Option<Summary>, StoreError> {
    let uuid = id.as_uuid();
    let rows = db.read(&GET, &[&[*uuid].as_slice(), uuid, uuid]).await?;
    rows.first().map(|row| read(row).map_err(|error| of(id, error))).transpose()
}

/// Reads an execution that something else refers to.
pub(crate) async fn expect(db: &Db, id: ExecutionId) -> Result<Summary, StoreError> {
    get(db, id).await?.ok_or_else(|| missing("executions", id))
}

/// Reads executions that a list refers to, in its order.
pub(super) async fn expect_all(
    session: &Session,
    ids: &[ExecutionId],
) -> Result<Vec<Summary>, StoreError> {
    let uuids: Vec<_> = ids.iter().map(|id| *id.as_uuid()).collect();
    let params = (&uuids, lowest(&uuids), highest(&uuids));
    let rows = session.query(&GET, &[params.0, &params.1, &params.2]).await;
    let rows = super::by_id("id", rows.map_err(StoreError::unavailable)?)?;
    let read_one = |id: &ExecutionId| match rows.get(id.as_uuid()).and_then(|it| it.first()) {
        Some(row) => read(row).map_err(|error| of(*id, error)),
        None => Err(missing("executions", *id)),
    };
    ids.iter().map(read_one).collect()
}

fn read(row: &Row) -> Result<Summary, StoreError> {
    let row = Columns { table: "executions", row };
    let (status, outcome) = state(&row)?;
    Ok(Summary {
        id: ExecutionId::from_uuid(row.get("id")?),
        workflow_id: WorkflowId::from_uuid(row.get("workflow_id")?),
        status,
        current_step: row.natural("steps")?,
        total_steps: row.natural("total_steps")?,
        started_at: row.moment("accepted_at")?,
        completed_at: row.optional_moment("completed_at")?,
        outcome: outcome.map(Arc::new),
        retry_of: row.get::<Option<Uuid>>("retry_of")?.map(ExecutionId::from_uuid),
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

fn state(row: &Columns<'_>) -> Result<(Status, Option<Outcome>), StoreError> {
    let is_ready = row.get::<Option<i64>>("fence")?.is_some();
    let is_ended = row.get::<Option<String>>("status")?.is_some();
    match (is_ready, is_ended) {
        (true, false) => Ok((running_or_pending(ownership::read_fence(row)?), None)),
        (false, true) => {
            let outcome = outcome(row)?;
            Ok((outcome.status(), Some(outcome)))
        }
        _ => Err(row.invalid("status", NeitherNor)),
    }
}

/// One that was ever owned is running, even while it waits for its next owner.
fn running_or_pending(fence: Fence) -> Status {
    if fence == Fence::NONE { Status::Pending } else { Status::Running }
}

pub(super) fn outcome(row: &Columns<'_>) -> Result<Outcome, StoreError> {
    match row.word("status", Status::parse)? {
        Status::Completed => Ok(Outcome::Completed { output: row.object("output")? }),
        Status::Failed => Ok(Outcome::Failed(journal::failure(row)?)),
        Status::Cancelled => Ok(Outcome::Cancelled),
        status @ (Status::Pending | Status::Running) => {
            Err(row.invalid("status", NotAnEnd(status)))
        }
    }
}
