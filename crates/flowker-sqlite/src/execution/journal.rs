//! The journal: typed columns for each event, in the order in which they were written.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{Entry, Event, Failure, FailureCode, Fence, StepRun};
use flowker_core::id::ExecutionId;
use flowker_core::json;
use flowker_core::ports::StoreError;
use flowker_core::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result as SqlResult, Row, params};

use super::ownership;
use crate::error::Of;
use crate::row;

const ADOPTED: &str = "adopted";
const STARTED: &str = "started";
const INTERRUPTED: &str = "interrupted";
const RETRY_AT: &str = "retry_at";
const COMPLETED: &str = "completed";
const FAILED: &str = "failed";

/// An entry as it is stored. Made before the writer is asked, so that it serializes nothing.
#[derive(Debug)]
pub(super) struct NewEntry {
    fence: Fence,
    at: Timestamp,
    kind: &'static str,
    node: Option<String>,
    attempt: Option<u32>,
    due: Option<Timestamp>,
    run: Option<StepRun>,
    failure_code: Option<&'static str>,
    message: Option<String>,
    output: Option<Vec<u8>>,
}

impl NewEntry {
    pub(super) fn of(entry: &Entry) -> Self {
        let blank = |kind| Self {
            fence: entry.fence,
            at: entry.at,
            kind,
            node: None,
            attempt: None,
            due: None,
            run: None,
            failure_code: None,
            message: None,
            output: None,
        };
        match &entry.event {
            Event::Adopted => blank(ADOPTED),
            Event::Started { node, attempt } => {
                Self { node: Some(node.clone()), attempt: Some(*attempt), ..blank(STARTED) }
            }
            Event::Interrupted { node } => Self { node: Some(node.clone()), ..blank(INTERRUPTED) },
            Event::RetryAt { node, attempt, due, message } => Self {
                node: Some(node.clone()),
                attempt: Some(*attempt),
                due: Some(*due),
                message: Some(message.clone()),
                ..blank(RETRY_AT)
            },
            Event::Completed { node, run, output } => Self {
                node: Some(node.clone()),
                attempt: Some(run.attempt),
                run: Some(*run),
                output: Some(json::to_bytes(output)),
                ..blank(COMPLETED)
            },
            Event::Failed { node, run, failure } => Self {
                node: Some(node.clone()),
                attempt: Some(run.attempt),
                run: Some(*run),
                failure_code: Some(failure.code.as_str()),
                message: Some(failure.message.clone()),
                ..blank(FAILED)
            },
        }
    }

    /// Whether a step ends with it.
    fn ends_step(&self) -> bool {
        self.run.is_some()
    }
}

/// Entries as they are stored, and where their owner wants them.
#[derive(Debug)]
pub(super) struct NewEntries {
    /// How many the journal holds before these.
    position: i64,
    entries: Vec<NewEntry>,
}

impl NewEntries {
    pub(super) fn of(position: usize, entries: &[Entry]) -> Self {
        let entries = entries.iter().map(NewEntry::of).collect();
        Self { position: i64::try_from(position).unwrap_or(i64::MAX), entries }
    }
}

/// What became of entries that had a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Now,
    /// They were there before.
    Before,
}

/// Entries that belong nowhere in the journal as it is.
#[derive(Debug, thiserror::Error)]
#[error("entries were sent for another place than the end of the journal")]
struct Misplaced;

pub(super) fn misplaced(id: ExecutionId) -> StoreError {
    StoreError::corrupt(format!("journal {id}"), Misplaced)
}

/// Appends if the fence is the current one; whether it was.
pub(super) fn append_fenced(
    db: &Connection,
    id: ExecutionId,
    fence: Fence,
    entries: &NewEntries,
) -> Result<bool, StoreError> {
    if ownership::fence(db, id)? != Some(fence) {
        return Ok(false);
    }
    place(db, id, fence, entries)?;
    Ok(true)
}

/// Appends what is not there yet.
pub(super) fn place(
    db: &Connection,
    id: ExecutionId,
    fence: Fence,
    new: &NewEntries,
) -> Result<Placed, StoreError> {
    let NewEntries { position, entries } = new;
    if entries.is_empty() {
        return Ok(Placed::Now);
    }
    let last = last(db, id)?;
    if last.seq == *position {
        insert(db, id, last, entries)?;
        return Ok(Placed::Now);
    }
    let n_entries = row::limit(entries.len());
    let n_there = n_of(db, id, fence, *position, position.saturating_add(n_entries))?;
    if n_there == n_entries { Ok(Placed::Before) } else { Err(misplaced(id)) }
}

pub(super) const N_OF: &str = "\
    SELECT count(*)
      FROM journal
     WHERE execution_id = ?1 AND ?2 < seq AND seq <= ?3 AND fence = ?4";

/// How many entries an owner wrote behind the `from`-th, up to the `to`-th.
fn n_of(
    db: &Connection,
    id: ExecutionId,
    fence: Fence,
    from: i64,
    to: i64,
) -> Result<i64, StoreError> {
    let params = params![id.as_uuid().as_bytes(), from, to, ownership::stored(fence)];
    db.prepare_cached(N_OF)
        .and_then(|mut statement| statement.query_row(params, |row| row.get(0)))
        .of("journal", id)
}

/// Appends behind whatever is there.
pub(super) fn append(
    db: &Connection,
    id: ExecutionId,
    entries: &[NewEntry],
) -> Result<(), StoreError> {
    let last = last(db, id)?;
    insert(db, id, last, entries)
}

pub(super) const INSERT: &str = "\
    INSERT INTO journal (execution_id, seq, steps, fence, at, kind, node, attempt, due, started_at,
                         duration_us, failure_code, message, output)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

fn insert(
    db: &Connection,
    id: ExecutionId,
    last: Last,
    entries: &[NewEntry],
) -> Result<(), StoreError> {
    let Last { mut seq, mut steps } = last;
    let mut statement = db.prepare_cached(INSERT).of("journal", id)?;
    for entry in entries {
        seq += 1;
        steps += i64::from(entry.ends_step());
        let params = params![
            id.as_uuid().as_bytes(),
            seq,
            steps,
            ownership::stored(entry.fence),
            entry.at.as_micros(),
            entry.kind,
            entry.node,
            entry.attempt,
            entry.due.map(Timestamp::as_micros),
            entry.run.map(|run| run.started_at.as_micros()),
            entry.run.map(|run| i64::try_from(run.duration.as_micros()).unwrap_or(i64::MAX)),
            entry.failure_code,
            entry.message,
            entry.output,
        ];
        statement.execute(params).of("journal", id)?;
    }
    Ok(())
}

pub(super) const LAST: &str =
    "SELECT seq, steps FROM journal WHERE execution_id = ?1 ORDER BY seq DESC LIMIT 1";

/// The number of the last entry and how many steps had ended with it; 0 before the first.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    seq: i64,
    steps: i64,
}

fn last(db: &Connection, id: ExecutionId) -> Result<Last, StoreError> {
    let last = db.prepare_cached(LAST).and_then(|mut statement| {
        let columns = |row: &Row<'_>| Ok(Last { seq: row.get("seq")?, steps: row.get("steps")? });
        statement.query_row([id.as_uuid().as_bytes()], columns).optional()
    });
    Ok(last.of("journal", id)?.unwrap_or_default())
}

pub(super) const READ: &str = "\
    SELECT fence, at, kind, node, attempt, due, started_at, duration_us, failure_code, message,
           output
      FROM journal
     WHERE execution_id = ?1
     ORDER BY seq";

/// All entries, oldest first.
pub(super) fn read(db: &Connection, id: ExecutionId) -> Result<Vec<Entry>, StoreError> {
    let mut statement = db.prepare_cached(READ).of("journal", id)?;
    let entries = statement.query_map([id.as_uuid().as_bytes()], entry).of("journal", id)?;
    entries.collect::<SqlResult<_>>().of("journal", id)
}

fn entry(row: &Row<'_>) -> SqlResult<Entry> {
    Ok(Entry {
        fence: ownership::read_fence(row)?,
        at: row::moment(row, "at")?,
        event: event(row)?,
    })
}

/// An event whose kind is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a kind of event")]
struct UnknownKind(String);

fn event(row: &Row<'_>) -> SqlResult<Event> {
    let kind: String = row.get("kind")?;
    Ok(match kind.as_str() {
        ADOPTED => Event::Adopted,
        STARTED => Event::Started { node: row.get("node")?, attempt: row.get("attempt")? },
        INTERRUPTED => Event::Interrupted { node: row.get("node")? },
        RETRY_AT => Event::RetryAt {
            node: row.get("node")?,
            attempt: row.get("attempt")?,
            due: row::moment(row, "due")?,
            message: row.get("message")?,
        },
        COMPLETED => Event::Completed {
            node: row.get("node")?,
            run: run(row)?,
            output: Arc::new(row::document(row, "output")?),
        },
        FAILED => Event::Failed { node: row.get("node")?, run: run(row)?, failure: failure(row)? },
        _ => return Err(row::invalid("kind", Type::Text, UnknownKind(kind))),
    })
}

fn run(row: &Row<'_>) -> SqlResult<StepRun> {
    Ok(StepRun {
        attempt: row.get("attempt")?,
        started_at: row::moment(row, "started_at")?,
        duration: Duration::from_micros(row::natural(row, "duration_us")?),
    })
}

/// Why a step or an execution failed.
pub(super) fn failure(row: &Row<'_>) -> SqlResult<Failure> {
    Ok(Failure {
        code: row::word(row, "failure_code", FailureCode::parse)?,
        message: row.get("message")?,
    })
}
