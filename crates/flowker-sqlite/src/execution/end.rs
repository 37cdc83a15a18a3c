//! How an execution ends: its `ready` row goes, and its outcome comes.

use flowker_core::actor::Actor;
use flowker_core::audit::AuditEvent;
use flowker_core::execution::{Fence, Outcome};
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::json;
use flowker_core::ports::{CancelAnswer, StoreError};
use flowker_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde_json::Value;
use uuid::Uuid;

use super::journal::{self, NewEntries, Placed};
use super::{ownership, summary};
use crate::audit::Note;
use crate::error::Of;

/// An outcome as it is stored. Made before the writer is asked, so that it serializes nothing.
#[derive(Debug)]
pub(super) struct NewOutcome {
    status: &'static str,
    completed_at: Timestamp,
    failure_code: Option<&'static str>,
    message: Option<String>,
    output: Option<Vec<u8>>,
}

impl NewOutcome {
    pub(super) fn of(outcome: &Outcome, completed_at: Timestamp) -> Self {
        let (failure_code, message, output) = match outcome {
            Outcome::Completed { output } => {
                (None, None, Some(json::to_bytes(&Value::Object(output.clone()))))
            }
            Outcome::Failed(failure) => {
                (Some(failure.code.as_str()), Some(failure.message.clone()), None)
            }
            Outcome::Cancelled => (None, None, None),
        };
        let status = outcome.status().as_str();
        Self { status, completed_at, failure_code, message, output }
    }
}

/// An end as it is stored, and as it is audited.
#[derive(Debug)]
pub(super) struct NewEnd {
    id: ExecutionId,
    outcome: NewOutcome,
    note: Note,
}

impl NewEnd {
    pub(super) fn of(id: ExecutionId, outcome: &Outcome, at: Timestamp, actor: &Actor) -> Self {
        let note = Note::of(&AuditEvent::execution_ended(id, outcome, actor));
        Self { id, outcome: NewOutcome::of(outcome, at), note }
    }

    fn write(&self, db: &Connection, now: Timestamp, ended: &Ended) -> Result<(), StoreError> {
        insert(db, self.id, ended, &self.outcome)?;
        let workflow = WorkflowId::from_uuid(Uuid::from_bytes(ended.workflow_id));
        self.note.write_of(db, now, workflow)
    }
}

pub(super) const END: &str = "\
    DELETE FROM ready WHERE execution_id = ?1 AND fence = ?2 RETURNING workflow_id, accepted_at";

/// Appends and ends if the fence is the current one; whether it was.
pub(super) fn append(
    db: &Connection,
    now: Timestamp,
    fence: Fence,
    entries: &NewEntries,
    end: &NewEnd,
) -> Result<bool, StoreError> {
    let id = end.id;
    let params = params![id.as_uuid().as_bytes(), ownership::stored(fence)];
    let Some(ended) = delete_ready(db, id, END, params)? else { return Ok(false) };
    if journal::place(db, id, fence, entries)? == Placed::Before {
        // They were written without an end: with it, this would have ended then.
        return Err(journal::misplaced(id));
    }
    end.write(db, now, &ended)?;
    Ok(true)
}

pub(super) const CANCEL: &str =
    "DELETE FROM ready WHERE execution_id = ?1 RETURNING workflow_id, accepted_at";

pub(super) fn cancel(
    db: &Connection,
    now: Timestamp,
    end: &NewEnd,
) -> Result<CancelAnswer, StoreError> {
    let id = end.id;
    match delete_ready(db, id, CANCEL, [id.as_uuid().as_bytes()])? {
        Some(ended) => {
            end.write(db, now, &ended)?;
            summary::expect(db, id).map(CancelAnswer::Cancelled)
        }
        None if is_ended(db, id)? => Ok(CancelAnswer::AlreadyTerminal),
        None => Ok(CancelAnswer::NotFound),
    }
}

/// What the row of an execution that ends knew, for its outcome's indexes.
pub(super) struct Ended {
    pub(super) workflow_id: [u8; 16],
    pub(super) accepted_at: i64,
}

fn delete_ready(
    db: &Connection,
    id: ExecutionId,
    statement: &'static str,
    params: impl Params,
) -> Result<Option<Ended>, StoreError> {
    let columns = |row: &Row<'_>| {
        Ok(Ended { workflow_id: row.get("workflow_id")?, accepted_at: row.get("accepted_at")? })
    };
    db.prepare_cached(statement)
        .and_then(|mut statement| statement.query_row(params, columns).optional())
        .of("ready", id)
}

pub(super) const INSERT: &str = "\
    INSERT INTO outcomes (execution_id, workflow_id, status, accepted_at, completed_at,
                          failure_code, message, output)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

pub(super) fn insert(
    db: &Connection,
    id: ExecutionId,
    ended: &Ended,
    outcome: &NewOutcome,
) -> Result<(), StoreError> {
    let params = params![
        id.as_uuid().as_bytes(),
        ended.workflow_id,
        outcome.status,
        ended.accepted_at,
        outcome.completed_at.as_micros(),
        outcome.failure_code,
        outcome.message,
        outcome.output,
    ];
    db.prepare_cached(INSERT)
        .and_then(|mut statement| statement.execute(params))
        .of("outcomes", id)
        .map(drop)
}

pub(super) const IS_ENDED: &str = "SELECT 1 FROM outcomes WHERE execution_id = ?1";

fn is_ended(db: &Connection, id: ExecutionId) -> Result<bool, StoreError> {
    db.prepare_cached(IS_ENDED)
        .and_then(|mut statement| statement.exists([id.as_uuid().as_bytes()]))
        .of("outcomes", id)
}
