//! Acceptance: the path that has to be fast.

use std::sync::Arc;

use flowker_core::audit::AuditEvent;
use flowker_core::execution::Execution;
use flowker_core::ports::{Claim, NewExecution, Precondition, StoreError};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{highest, lowest};
use crate::audit::Note;
use crate::db::{Db, Session};
use crate::idempotency::Claimed;
use crate::row::{self, Bytes, Columns, Moment, escaped};
use crate::statement::Statement;

/// An acceptance as it is stored. Made before the writer is asked, so that it serializes nothing.
#[derive(Debug)]
pub(crate) struct NewRow {
    pub(crate) execution: Arc<Execution>,
    pub(crate) claim: Option<Claim>,
    start_node: String,
    needs_active: bool,
    owner: Option<Uuid>,
    note: Note,
}

impl NewRow {
    pub(super) fn of(new: NewExecution) -> Self {
        let NewExecution { execution, precondition, claim, owner, actor } = new;
        Self {
            start_node: escaped(&execution.start_node).into_owned(),
            needs_active: precondition == Precondition::VersionActive,
            owner: owner.map(|it| *it.as_uuid()),
            note: Note::of(&AuditEvent::execution_started(&execution, &actor)),
            execution,
            claim,
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        *self.execution.id.as_uuid()
    }

    /// About how many bytes are sent for it.
    pub(crate) fn n_bytes(&self) -> usize {
        self.execution.input.len() + self.note.event.len() + 512
    }
}

/// What a transaction did for an acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The execution and its key are there, now or since before.
    Done,
    /// Nothing was written, though the precondition held: another execution has the key, or an
    /// earlier try of this acceptance was still on its way.
    Raced,
    /// Nothing was written, and the precondition did not hold.
    NotActive,
}

/// Accepts all executions that may be, each with its key or not at all.
///
/// - The row of a workflow that is asked for stays locked to the end. Whoever deactivates it waits for
///   that, so nothing is started once a deactivation has returned.
/// - A key that another transaction is about to write is waited for. One that is there is replaced
///   only if its retention is over and its execution has ended. No other transaction can have
///   written its `ready` row so late that this statement does not see it: it would have to be older
///   than a retention.
/// - Keys are locked in their order, so that groups that want the same ones do not wait for each
///   other in a circle.
/// - An execution that is there, of an earlier try, gets no key: that may be another one's now. The
///   lowest and the highest id tell in which partitions to look.
///
/// No join of two large sides: `IN (…)` within `OR` or `IS TRUE` is looked up in a hash table.
pub(crate) static ACCEPT: Statement = Statement {
    text: "\
        WITH live AS (
            SELECT id, version FROM workflows
             WHERE id = ANY ($14) AND status = 'active'
             ORDER BY id FOR SHARE
        ), asked AS (
            SELECT a.*,
                   NOT a.needs_active
                   OR (a.workflow_id, a.version) IN (SELECT id, version FROM live) AS may_start,
                   (SELECT e.id FROM executions AS e
                     WHERE e.id = a.id AND e.id BETWEEN $15 AND $16) IS NOT NULL AS is_old
              FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $17, $18, $19)
                AS a (id, workflow_id, version, total_steps, accepted_at, retry_of, start_node, input,
                      owner, needs_active, key, fingerprint, retention_us, trace, event_id, event)
        ), claimed AS (
            INSERT INTO idempotency_keys AS k (workflow_id, key, fingerprint, execution_id, expires_at)
            SELECT a.workflow_id, a.key, a.fingerprint, a.id,
                   flowker_now() + a.retention_us * interval '1 microsecond'
              FROM asked AS a
             WHERE a.may_start AND NOT a.is_old AND a.key IS NOT NULL
             ORDER BY a.workflow_id, a.key
            ON CONFLICT (workflow_id, key) DO UPDATE
               SET fingerprint = EXCLUDED.fingerprint,
                   execution_id = EXCLUDED.execution_id,
                   expires_at = EXCLUDED.expires_at
             WHERE k.expires_at <= flowker_now()
               AND NOT EXISTS (SELECT 1 FROM ready AS r WHERE r.execution_id = k.execution_id)
            RETURNING execution_id
        ), written AS (
            INSERT INTO executions (id, workflow_id, version, total_steps, accepted_at, retry_of,
                                    start_node, input, trace)
            SELECT id, workflow_id, version, total_steps, accepted_at, retry_of, start_node, input,
                   trace
              FROM asked
             WHERE may_start AND NOT is_old
               AND (key IS NULL OR id IN (SELECT execution_id FROM claimed))
            ON CONFLICT (id) DO NOTHING
            RETURNING id
        ), begun AS (
            INSERT INTO ready (execution_id, workflow_id, accepted_at, owner, fence, due)
            SELECT id, workflow_id, accepted_at, owner, CASE WHEN owner IS NULL THEN 0 ELSE 1 END,
                   -- At once, by the server's clock, whatever the clock of the caller says.
                   least(accepted_at, flowker_now())
              FROM asked
             WHERE (id IN (SELECT id FROM written)) IS TRUE
        ), audited AS (
            INSERT INTO audit_pending (id, at, workflow_id, event)
            SELECT event_id, flowker_now(), workflow_id, event
              FROM asked
             WHERE (id IN (SELECT id FROM written)) IS TRUE
        )
        SELECT id, may_start, is_old OR id IN (SELECT id FROM written) AS is_there FROM asked",
    types: &[
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::UUID_ARRAY,
        Type::BOOL_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
        Type::INT8_ARRAY,
        Type::UUID_ARRAY,
        Type::UUID,
        Type::UUID,
        Type::TEXT_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
    ],
};

/// What [`ACCEPT`] is given, column by column.
#[derive(Debug, Default)]
struct NewRows<'a> {
    ids: Vec<Uuid>,
    workflow_ids: Vec<Uuid>,
    versions: Vec<i64>,
    total_steps: Vec<i64>,
    accepted_at: Vec<Moment>,
    retries_of: Vec<Option<Uuid>>,
    start_nodes: Vec<&'a str>,
    inputs: Vec<Bytes<'a>>,
    owners: Vec<Option<Uuid>>,
    need_active: Vec<bool>,
    keys: Vec<Option<&'a str>>,
    fingerprints: Vec<Option<&'a [u8]>>,
    retentions_us: Vec<Option<i64>>,
    traces: Vec<Option<String>>,
    /// Those that have to be active.
    active: Vec<Uuid>,
    event_ids: Vec<Uuid>,
    events: Vec<&'a str>,
}

impl<'a> NewRows<'a> {
    fn push(&mut self, row: &'a NewRow) {
        let NewRow { execution, claim, start_node, needs_active, owner, note } = row;
        let workflow_id = *execution.workflow_id.as_uuid();
        self.ids.push(row.id());
        self.workflow_ids.push(workflow_id);
        self.versions.push(i64::from(execution.version));
        self.total_steps.push(i64::from(execution.total_steps));
        self.accepted_at.push(Moment(execution.accepted_at));
        self.retries_of.push(execution.retry_of.map(|it| *it.as_uuid()));
        self.start_nodes.push(start_node);
        self.inputs.push(Bytes(&execution.input));
        self.owners.push(*owner);
        self.need_active.push(*needs_active);
        self.keys.push(claim.as_ref().map(|it| it.key.as_str()));
        self.fingerprints.push(claim.as_ref().map(|it| it.fingerprint.as_bytes().as_slice()));
        self.retentions_us.push(claim.as_ref().map(|it| row::micros(it.retention)));
        self.traces.push(execution.trace.as_ref().map(ToString::to_string));
        self.event_ids.push(note.id);
        self.events.push(&note.event);
        if *needs_active && !self.active.contains(&workflow_id) {
            self.active.push(workflow_id);
        }
    }
}

/// Sends the acceptances of a group when it is first polled. Answers what became of each id.
pub(crate) async fn write(
    session: &Session,
    rows: &[&NewRow],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut new = NewRows::default();
    for row in rows {
        new.push(row);
    }
    let params: [&(dyn ToSql + Sync); 19] = [
        &new.ids,
        &new.workflow_ids,
        &new.versions,
        &new.total_steps,
        &new.accepted_at,
        &new.retries_of,
        &new.start_nodes,
        &new.inputs,
        &new.owners,
        &new.need_active,
        &new.keys,
        &new.fingerprints,
        &new.retentions_us,
        &new.active,
        &lowest(&new.ids),
        &highest(&new.ids),
        &new.traces,
        &new.event_ids,
        &new.events,
    ];
    session.query(&ACCEPT, &params).await
}

/// Reads a row that [`write`] answered.
pub(crate) fn read(row: &Row) -> Result<(Uuid, Written), StoreError> {
    let row = Columns { table: "the acceptances", row };
    let written = match (row.get("is_there")?, row.get("may_start")?) {
        (true, _) => Written::Done,
        (false, true) => Written::Raced,
        (false, false) => Written::NotActive,
    };
    Ok((row.get("id")?, written))
}

/// Whether $1 was accepted, and what has the key $3 of the workflow $2.
///
/// As `FIND` of the keys: one whose retention is over counts for as long as its execution has not
/// ended.
pub(super) static KNOWN: Statement = Statement {
    text: "\
        SELECT (SELECT e.id FROM executions AS e WHERE e.id = $1) IS NOT NULL AS is_there,
               k.fingerprint, k.execution_id
          FROM (SELECT $2 AS workflow_id, $3 AS key) AS asked
          LEFT JOIN idempotency_keys AS k
            ON k.workflow_id = asked.workflow_id AND k.key = asked.key
           AND (flowker_now() < k.expires_at
                OR EXISTS (SELECT 1 FROM ready AS r WHERE r.execution_id = k.execution_id))",
    types: &[Type::UUID, Type::UUID, Type::TEXT],
};

/// What is known of an acceptance that wrote nothing.
pub(super) enum Known {
    Nothing,
    /// It was accepted before.
    Itself,
    /// Its key is another one's.
    Key(Claimed),
}

/// Asked after the transaction, by whoever waits: most acceptances are new, and none of them has to
/// pay for this.
pub(super) async fn known(db: &Db, new: &NewRow) -> Result<Known, StoreError> {
    let key = new.claim.as_ref().map(|it| it.key.as_str());
    let params: [&(dyn ToSql + Sync); 3] = [&new.id(), new.execution.workflow_id.as_uuid(), &key];
    let rows = db.read(&KNOWN, &params).await?;
    let Some(row) = rows.first() else { return Ok(Known::Nothing) };
    let row = Columns { table: "idempotency_keys", row };
    Ok(if row.get("is_there")? {
        Known::Itself
    } else if row.get::<Option<Uuid>>("execution_id")?.is_some() {
        Known::Key(Claimed::read(&row)?)
    } else {
        Known::Nothing
    })
}
