//! How an execution ends: its `ready` row goes, and its outcome comes.

use flowker_core::actor::Actor;
use flowker_core::audit::AuditEvent;
use flowker_core::execution::Outcome;
use flowker_core::id::ExecutionId;
use flowker_core::json;
use flowker_core::ports::{CancelAnswer, StoreError};
use flowker_core::time::Timestamp;
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

use super::summary;
use crate::audit::Note;
use crate::db::Db;
use crate::row::{Moment, escaped};
use crate::statement::Statement;

/// An outcome as it is stored.
#[derive(Debug)]
pub(super) struct NewOutcome {
    pub(super) status: &'static str,
    pub(super) completed_at: Moment,
    pub(super) failure_code: Option<&'static str>,
    pub(super) message: Option<String>,
    pub(super) output: Option<String>,
}

impl NewOutcome {
    pub(super) fn of(outcome: &Outcome, completed_at: Timestamp) -> Self {
        let (failure_code, message, output) = match outcome {
            Outcome::Completed { output } => {
                (None, None, Some(json::to_text(&Value::Object(output.clone()))))
            }
            Outcome::Failed(failure) => {
                (Some(failure.code.as_str()), Some(escaped(&failure.message).into_owned()), None)
            }
            Outcome::Cancelled => (None, None, None),
        };
        let status = outcome.status().as_str();
        Self { status, completed_at: Moment(completed_at), failure_code, message, output }
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.message.as_ref().map_or(0, String::len) + self.output.as_ref().map_or(0, String::len)
    }
}

/// No row: it had ended, or never was.
pub(super) static CANCEL: Statement = Statement {
    text: "\
        WITH ended AS (
            DELETE FROM ready WHERE execution_id = $1 RETURNING workflow_id, accepted_at
        ), audited AS (
            INSERT INTO audit_pending (id, at, workflow_id, event)
            SELECT $3, flowker_now(), workflow_id, $4 FROM ended
        )
        INSERT INTO outcomes (execution_id, workflow_id, status, accepted_at, completed_at)
        SELECT $1, workflow_id, 'cancelled', accepted_at, $2 FROM ended
        RETURNING execution_id",
    types: &[Type::UUID, Type::TIMESTAMPTZ, Type::UUID, Type::TEXT],
};

pub(super) async fn cancel(
    db: &Db,
    id: ExecutionId,
    at: Timestamp,
    actor: &Actor,
) -> Result<CancelAnswer, StoreError> {
    let note = Note::of(&AuditEvent::execution_ended(id, &Outcome::Cancelled, actor));
    let params: [&(dyn ToSql + Sync); 4] = [id.as_uuid(), &Moment(at), &note.id, &note.event];
    let is_cancelled = !db.write(&CANCEL, &params).await?.is_empty();
    // A statement of its own: the one before does not see an end that it waited for.
    Ok(match summary::get(db, id).await? {
        Some(summary) if is_cancelled => CancelAnswer::Cancelled(summary),
        Some(_) => CancelAnswer::AlreadyTerminal,
        None if is_cancelled => return Err(super::missing("executions", id)),
        None => CancelAnswer::NotFound,
    })
}
