//! Executions that are moved from one store to another.

use std::sync::Arc;

use flowker_core::archive::{ArchivedExecution, Stage};
use flowker_core::execution::Fence;
use flowker_core::id::ExecutionId;
use flowker_core::ports::StoreError;
use flowker_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::end::{Ended, NewOutcome};
use super::journal::NewEntry;
use super::{accept, end, journal, missing, ownership, summary};
use crate::error::Of;
use crate::row;

/// How many bytes of input and outputs there are. SQLite knows their lengths without reading them.
pub(crate) const SIZE: &str = "\
    SELECT length(input) + coalesce((SELECT sum(length(output))
                                       FROM journal AS j
                                      WHERE j.execution_id = e.id), 0) AS size
      FROM executions AS e
     WHERE id = ?1";

pub(crate) fn size(db: &Connection, id: ExecutionId) -> Result<u64, StoreError> {
    db.prepare_cached(SIZE)
        .and_then(|mut it| it.query_row([id.as_uuid().as_bytes()], |row| row::natural(row, "size")))
        .of("executions", id)
}

pub(crate) fn get(
    db: &Connection,
    id: ExecutionId,
) -> Result<Option<ArchivedExecution>, StoreError> {
    let Some(execution) = super::get(db, id)? else { return Ok(None) };
    let stage = stage(db, id)?.ok_or_else(|| missing("outcomes", id))?;
    let journal = journal::read(db, id)?;
    Ok(Some(ArchivedExecution { execution: Arc::new(execution), journal, stage }))
}

/// Exactly one of the two has a row for an execution.
const GET_READY: &str = "SELECT fence, due FROM ready WHERE execution_id = ?1";

const GET_OUTCOME: &str = "\
    SELECT status, completed_at, failure_code, message, output
      FROM outcomes
     WHERE execution_id = ?1";

fn stage(db: &Connection, id: ExecutionId) -> Result<Option<Stage>, StoreError> {
    let params = [id.as_uuid().as_bytes()];
    let unfinished = db
        .prepare_cached(GET_READY)
        .and_then(|mut statement| statement.query_row(params, unfinished).optional())
        .of("ready", id)?;
    if unfinished.is_some() {
        return Ok(unfinished);
    }
    db.prepare_cached(GET_OUTCOME)
        .and_then(|mut statement| statement.query_row(params, ended).optional())
        .of("outcomes", id)
}

fn unfinished(row: &Row<'_>) -> rusqlite::Result<Stage> {
    Ok(Stage::Unfinished { fence: ownership::read_fence(row)?, due: row::moment(row, "due")? })
}

fn ended(row: &Row<'_>) -> rusqlite::Result<Stage> {
    let outcome = Arc::new(summary::outcome(row)?);
    Ok(Stage::Ended { outcome, at: row::moment(row, "completed_at")? })
}

/// Writes an execution that was read from another store and is not there yet.
pub(crate) fn restore(db: &Connection, archived: &ArchivedExecution) -> Result<(), StoreError> {
    let ArchivedExecution { execution, journal, stage } = archived;
    let id = execution.id;
    accept::insert(db, execution)?;
    let entries: Vec<_> = journal.iter().map(NewEntry::of).collect();
    journal::append(db, id, &entries)?;
    match stage {
        Stage::Unfinished { fence, due } => insert_ready(db, archived, *fence, *due),
        Stage::Ended { outcome, at } => {
            let ended = Ended {
                workflow_id: *execution.workflow_id.as_uuid().as_bytes(),
                accepted_at: execution.accepted_at.as_micros(),
            };
            end::insert(db, id, &ended, &NewOutcome::of(outcome, *at))
        }
    }
}

fn insert_ready(
    db: &Connection,
    archived: &ArchivedExecution,
    fence: Fence,
    due: Timestamp,
) -> Result<(), StoreError> {
    let execution = &archived.execution;
    let params = params![
        execution.id.as_uuid().as_bytes(),
        execution.workflow_id.as_uuid().as_bytes(),
        execution.accepted_at.as_micros(),
        None::<[u8; 16]>,
        ownership::stored(fence),
        due.as_micros(),
    ];
    db.prepare_cached(accept::INSERT_READY)
        .and_then(|mut statement| statement.execute(params))
        .of("ready", execution.id)
        .map(drop)
}
