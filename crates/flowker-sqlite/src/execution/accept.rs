//! Acceptance: the path that has to be fast.

use flowker_core::execution::{Execution, Fence};
use flowker_core::id::ExecutionId;
use flowker_core::ports::{NewExecution, Precondition, StoreError};
use flowker_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::audit::Note;
use crate::error::Of;
use crate::idempotency;

/// What became of an acceptance.
pub(super) enum Accepted {
    /// This execution, now or when it was asked for before.
    Own,
    /// The key started this execution before.
    Before(ExecutionId),
    KeyReused,
    RouteGone,
}

pub(super) fn accept(
    db: &Connection,
    now: Timestamp,
    new: &NewExecution,
    note: &Note,
) -> Result<Accepted, StoreError> {
    let execution = new.execution.as_ref();
    // Whether it was accepted before is asked last, so that the first acceptance does not pay for it.
    if let Some(otherwise) = otherwise(db, now, new)? {
        return Ok(if is_there(db, execution.id)? { Accepted::Own } else { otherwise });
    }
    if insert(db, execution)? {
        insert_ready(db, now, new)?;
        if let Some(claim) = &new.claim {
            idempotency::claim(db, execution.workflow_id, execution.id, claim, now)?;
        }
        note.write_of(db, now, execution.workflow_id)?;
    }
    Ok(Accepted::Own)
}

/// Why a new execution is not accepted.
fn otherwise(
    db: &Connection,
    now: Timestamp,
    new: &NewExecution,
) -> Result<Option<Accepted>, StoreError> {
    let execution = new.execution.as_ref();
    if let Some(claim) = &new.claim
        && let Some(known) = idempotency::claimed(db, execution.workflow_id, &claim.key, now)?
    {
        return Ok(Some(if known.fingerprint == claim.fingerprint {
            Accepted::Before(known.execution_id)
        } else {
            Accepted::KeyReused
        }));
    }
    match new.precondition {
        Precondition::VersionActive if !is_active(db, execution)? => Ok(Some(Accepted::RouteGone)),
        Precondition::VersionActive | Precondition::None => Ok(None),
    }
}

pub(super) const IS_THERE: &str = "SELECT 1 FROM executions WHERE id = ?1";

fn is_there(db: &Connection, id: ExecutionId) -> Result<bool, StoreError> {
    db.prepare_cached(IS_THERE)
        .and_then(|mut statement| statement.exists([id.as_uuid().as_bytes()]))
        .of("executions", id)
}

pub(super) const IS_ACTIVE: &str =
    "SELECT 1 FROM workflows WHERE id = ?1 AND version = ?2 AND status = 'active'";

fn is_active(db: &Connection, execution: &Execution) -> Result<bool, StoreError> {
    let params = params![execution.workflow_id.as_uuid().as_bytes(), execution.version];
    db.prepare_cached(IS_ACTIVE)
        .and_then(|mut statement| statement.exists(params))
        .of("workflows", execution.workflow_id)
}

pub(super) const INSERT: &str = "\
    INSERT INTO executions (id, workflow_id, version, total_steps, accepted_at, retry_of,
                            start_node, input, trace)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (id) DO NOTHING";

/// Whether it was not there before.
pub(super) fn insert(db: &Connection, execution: &Execution) -> Result<bool, StoreError> {
    let params = params![
        execution.id.as_uuid().as_bytes(),
        execution.workflow_id.as_uuid().as_bytes(),
        execution.version,
        execution.total_steps,
        execution.accepted_at.as_micros(),
        execution.retry_of.as_ref().map(|id| id.as_uuid().as_bytes()),
        execution.start_node,
        execution.input.as_ref(),
        execution.trace.as_ref().map(ToString::to_string),
    ];
    db.prepare_cached(INSERT)
        .and_then(|mut statement| statement.execute(params))
        .of("executions", execution.id)
        .map(|n_rows| 0 < n_rows)
}

pub(super) const INSERT_READY: &str = "\
    INSERT INTO ready (execution_id, workflow_id, accepted_at, owner, fence, due)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

fn insert_ready(db: &Connection, now: Timestamp, new: &NewExecution) -> Result<(), StoreError> {
    let execution = &new.execution;
    let fence = if new.owner.is_some() { Fence::FIRST } else { Fence::NONE };
    let params = params![
        execution.id.as_uuid().as_bytes(),
        execution.workflow_id.as_uuid().as_bytes(),
        execution.accepted_at.as_micros(),
        new.owner.as_ref().map(|owner| owner.as_uuid().as_bytes()),
        super::ownership::stored(fence),
        // At once, by the store's clock, whatever the clock of the caller says.
        execution.accepted_at.min(now).as_micros(),
    ];
    db.prepare_cached(INSERT_READY)
        .and_then(|mut statement| statement.execute(params))
        .of("ready", execution.id)
        .map(drop)
}
