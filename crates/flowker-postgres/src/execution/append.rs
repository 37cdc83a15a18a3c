//! Appends: entries of the journal, and perhaps the end.

use flowker_core::actor::Actor;
use flowker_core::audit::AuditEvent;
use flowker_core::execution::{Fence, Outcome};
use flowker_core::ports::{Append, StoreError};
use flowker_core::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::end::NewOutcome;
use super::journal::NewEntry;
use super::ownership::stored;
use super::{highest, lowest};
use crate::audit::Note;
use crate::db::Session;
use crate::row::{Columns, Moment, limit};
use crate::statement::Statement;

/// An append as it is stored. Made before the writer is asked, so that it serializes nothing.
#[derive(Debug)]
pub(crate) struct NewAppend {
    id: Uuid,
    fence: Fence,
    /// How many entries the journal holds before these.
    position: i64,
    entries: Vec<NewEntry>,
    outcome: Option<NewOutcome>,
    /// Of the end.
    note: Option<Note>,
}

impl NewAppend {
    pub(super) fn of(append: &Append) -> Self {
        let ended = |(outcome, _): &(Outcome, Timestamp)| {
            Note::of(&AuditEvent::execution_ended(append.id, outcome, &Actor::system()))
        };
        Self { note: append.end.as_ref().map(ended), ..Self::of_the_past(append) }
    }

    /// The same for what happened in another store, where it is audited.
    pub(super) fn of_the_past(append: &Append) -> Self {
        Self {
            id: *append.id.as_uuid(),
            fence: append.fence,
            // Far from the end of the range, where there is no journal either.
            position: limit(append.position).min(i64::MAX / 2),
            entries: append.entries.iter().map(NewEntry::of).collect(),
            outcome: append.end.as_ref().map(|(outcome, at)| NewOutcome::of(outcome, *at)),
            note: None,
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// About how many bytes are sent for it.
    pub(crate) fn n_bytes(&self) -> usize {
        let entries: usize = self.entries.iter().map(NewEntry::n_bytes).sum();
        let note = self.note.as_ref().map_or(0, |note| note.event.len());
        entries + self.outcome.as_ref().map_or(0, NewOutcome::n_bytes) + note + 128
    }
}

/// What a transaction did for an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is there, now or since before.
    Done,
    /// Its entries belong nowhere in the journal as it is. Nothing was written.
    Misplaced,
    /// Its fence is not the current one. Nothing was written.
    Superseded,
}

/// Appends to, and ends, all executions whose fence is the current one.
///
/// Their rows are locked in the order of ids, those of executions that end too, before anything is
/// written. What the lock waited for cannot have written to the journal without raising the fence,
/// but for an earlier try of the same append: then its entries are there, and stay as they are.
///
/// The lowest and the highest id tell in which partitions to look.
pub(crate) static APPEND: Statement = Statement {
    text: "\
        WITH held AS (
            SELECT r.execution_id, r.workflow_id, r.accepted_at, r.fence, a.position, a.n_entries,
                   a.status, a.completed_at, a.failure_code, a.message, a.output, a.event_id, a.event,
                   a.n_entries = 0
                   OR coalesce((SELECT j.seq FROM journal AS j
                                 WHERE j.execution_id = a.id AND j.execution_id BETWEEN $23 AND $24
                                 ORDER BY j.seq DESC LIMIT 1), 0) = a.position AS is_next
              FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $25, $26)
                AS a (id, fence, position, n_entries, status, completed_at, failure_code, message,
                      output, event_id, event)
              JOIN ready AS r ON r.execution_id = a.id AND r.fence = a.fence
             ORDER BY r.execution_id FOR NO KEY UPDATE OF r
        ), journaled AS (
            INSERT INTO journal (execution_id, fence, seq, at, kind, node, attempt, due, started_at,
                                 duration_us, failure_code, message, output)
            SELECT e.*
              FROM unnest($10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
                AS e (execution_id, fence, seq, at, kind, node, attempt, due, started_at, duration_us,
                      failure_code, message, output)
             WHERE (e.execution_id IN (SELECT execution_id FROM held WHERE is_next)) IS TRUE
            ON CONFLICT (execution_id, seq) DO NOTHING
        ), ended AS (
            DELETE FROM ready
             WHERE execution_id IN
                   (SELECT execution_id FROM held WHERE is_next AND status IS NOT NULL)
        ), written AS (
            INSERT INTO outcomes (execution_id, workflow_id, status, accepted_at, completed_at,
                                  failure_code, message, output)
            SELECT execution_id, workflow_id, status, accepted_at, completed_at, failure_code,
                   message, output
              FROM held
             WHERE is_next AND status IS NOT NULL
        ), audited AS (
            INSERT INTO audit_pending (id, at, workflow_id, event)
            SELECT event_id, flowker_now(), workflow_id, event
              FROM held
             WHERE is_next AND event IS NOT NULL
        )
        SELECT h.execution_id,
               h.is_next
               -- With an end, the entries would have ended the execution when they were written.
               OR h.status IS NULL
                  AND (SELECT count(*) FROM journal AS j
                        WHERE j.execution_id = h.execution_id AND j.execution_id BETWEEN $23 AND $24
                          AND h.position < j.seq AND j.seq <= h.position + h.n_entries
                          AND j.fence = h.fence) = h.n_entries AS is_there
          FROM held AS h",
    types: &[
        Type::UUID_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::UUID_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::UUID,
        Type::UUID,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
    ],
};

/// What [`APPEND`] is given of the executions, column by column.
#[derive(Debug, Default)]
struct Ends<'a> {
    ids: Vec<Uuid>,
    fences: Vec<i64>,
    positions: Vec<i64>,
    n_entries: Vec<i64>,
    statuses: Vec<Option<&'static str>>,
    completed_at: Vec<Option<Moment>>,
    failure_codes: Vec<Option<&'static str>>,
    messages: Vec<Option<&'a str>>,
    outputs: Vec<Option<&'a str>>,
    event_ids: Vec<Option<Uuid>>,
    events: Vec<Option<&'a str>>,
}

impl<'a> Ends<'a> {
    fn push(&mut self, append: &'a NewAppend) {
        let outcome = append.outcome.as_ref();
        self.ids.push(append.id);
        self.fences.push(stored(append.fence));
        self.positions.push(append.position);
        self.n_entries.push(limit(append.entries.len()));
        self.statuses.push(outcome.map(|it| it.status));
        self.completed_at.push(outcome.map(|it| it.completed_at));
        self.failure_codes.push(outcome.and_then(|it| it.failure_code));
        self.messages.push(outcome.and_then(|it| it.message.as_deref()));
        self.outputs.push(outcome.and_then(|it| it.output.as_deref()));
        self.event_ids.push(append.note.as_ref().map(|it| it.id));
        self.events.push(append.note.as_ref().map(|it| it.event.as_str()));
    }
}

/// What [`APPEND`] is given of the entries, column by column.
#[derive(Debug, Default)]
struct Entries<'a> {
    ids: Vec<Uuid>,
    fences: Vec<i64>,
    seqs: Vec<i64>,
    at: Vec<Moment>,
    kinds: Vec<&'static str>,
    nodes: Vec<Option<&'a str>>,
    attempts: Vec<Option<i64>>,
    due: Vec<Option<Moment>>,
    started_at: Vec<Option<Moment>>,
    durations_us: Vec<Option<i64>>,
    failure_codes: Vec<Option<&'static str>>,
    messages: Vec<Option<&'a str>>,
    outputs: Vec<Option<&'a str>>,
}

impl<'a> Entries<'a> {
    fn push(&mut self, id: Uuid, seq: i64, entry: &'a NewEntry) {
        self.ids.push(id);
        self.fences.push(stored(entry.fence));
        self.seqs.push(seq);
        self.at.push(entry.at);
        self.kinds.push(entry.kind);
        self.nodes.push(entry.node.as_deref());
        self.attempts.push(entry.attempt.map(i64::from));
        self.due.push(entry.due);
        self.started_at.push(entry.started_at);
        self.durations_us.push(entry.duration_us);
        self.failure_codes.push(entry.failure_code);
        self.messages.push(entry.message.as_deref());
        self.outputs.push(entry.output.as_deref());
    }
}

/// Sends the appends of a group when it is first polled. Answers what became of each id; none for
/// those whose fence is not the current one.
pub(crate) async fn write(
    session: &Session,
    appends: &[&NewAppend],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    if appends.is_empty() {
        return Ok(Vec::new());
    }
    let (mut ends, mut entries) = (Ends::default(), Entries::default());
    for append in appends {
        ends.push(append);
        for (seq, entry) in (append.position + 1..).zip(&append.entries) {
            entries.push(append.id, seq, entry);
        }
    }
    let params: [&(dyn ToSql + Sync); 26] = [
        &ends.ids,
        &ends.fences,
        &ends.positions,
        &ends.n_entries,
        &ends.statuses,
        &ends.completed_at,
        &ends.failure_codes,
        &ends.messages,
        &ends.outputs,
        &entries.ids,
        &entries.fences,
        &entries.seqs,
        &entries.at,
        &entries.kinds,
        &entries.nodes,
        &entries.attempts,
        &entries.due,
        &entries.started_at,
        &entries.durations_us,
        &entries.failure_codes,
        &entries.messages,
        &entries.outputs,
        &lowest(&ends.ids),
        &highest(&ends.ids),
        &ends.event_ids,
        &ends.events,
    ];
    session.query(&APPEND, &params).await
}

/// Reads a row that [`write`] answered.
pub(crate) fn read(row: &Row) -> Result<(Uuid, Appended), StoreError> {
    let row = Columns { table: "the appends", row };
    let appended = if row.get("is_there")? { Appended::Done } else { Appended::Misplaced };
    Ok((row.get("execution_id")?, appended))
}
