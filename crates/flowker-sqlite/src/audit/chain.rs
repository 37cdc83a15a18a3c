//! Sealing: events that were written down get their places in the chain.

use flowker_core::audit::{AuditEntry, AuditEvent, Head};
use flowker_core::digest::Digest;
use flowker_core::id::{AuditEventId, WorkflowId};
use flowker_core::json;
use flowker_core::ports::StoreError;
use flowker_core::refusal::Fault;
use flowker_core::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::entry;
use crate::error::Of;
use crate::row;

/// What is to be sealed together.
#[derive(Debug)]
pub(super) struct Batch {
    entries: Vec<NewEntry>,
    head: Head,
    /// Of the last event.
    last_number: i64,
}

/// An entry, and its documents as they are stored.
#[derive(Debug)]
struct NewEntry {
    entry: AuditEntry,
    context: Vec<u8>,
    metadata: Vec<u8>,
}

impl NewEntry {
    fn of(entry: AuditEntry) -> Self {
        let bytes = |members: &serde_json::Map<String, Value>| {
            json::to_bytes(&Value::Object(members.clone()))
        };
        let (context, metadata) = (bytes(&entry.event.context), bytes(&entry.event.metadata));
        Self { entry, context, metadata }
    }
}

/// An event that was written down.
struct Pending {
    number: i64,
    at: Timestamp,
    event: AuditEvent,
}

pub(super) const PENDING: &str = "\
    SELECT number, id, at, workflow_id, event
      FROM audit_pending
     WHERE 0 < number
     ORDER BY number
     LIMIT ?1";

/// The events that were written down first, ready to be sealed. `None` if there are none.
pub(super) fn next_batch(db: &Connection, limit: usize) -> Result<Option<Batch>, StoreError> {
    let mut statement = db.prepare_cached(PENDING).of("audit_pending", "list")?;
    let pending = statement
        .query_map([row::limit(limit)], read_pending)
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .of("audit_pending", "list")?;
    let Some(last_number) = pending.last().map(|it| it.number) else { return Ok(None) };
    let mut head = head(db)?;
    let seal = |it: Pending| NewEntry::of(Head::seal(&mut head, it.event, it.at));
    let entries = pending.into_iter().map(seal).collect();
    Ok(head.map(|head| Batch { entries, head, last_number }))
}

/// An event that has members of the wrong type.
#[derive(Debug, thiserror::Error)]
#[error("the event is wrong at {}", .0.first().map_or("", |fault| &fault.path))]
struct WrongEvent(Vec<Fault>);

fn read_pending(row: &Row<'_>) -> rusqlite::Result<Pending> {
    let id = AuditEventId::from_uuid(row::uuid(row, "id")?);
    let event = AuditEvent::from_document(id, row::document(row, "event")?)
        .map_err(|faults| row::invalid("event", Type::Blob, WrongEvent(faults)))?;
    let event = match row::optional_uuid(row, "workflow_id")? {
        Some(workflow) => event.of_execution_of(WorkflowId::from_uuid(workflow)),
        None => event,
    };
    Ok(Pending { number: row.get("number")?, at: row::moment(row, "at")?, event })
}

pub(super) const HEAD: &str = "SELECT sequence, at, hash FROM audit_head WHERE one = 1";

fn head(db: &Connection) -> Result<Option<Head>, StoreError> {
    let read = |row: &Row<'_>| {
        Ok(Head {
            sequence: row::natural(row, "sequence")?,
            at: row::moment(row, "at")?,
            hash: Digest::from_bytes(row.get("hash")?),
        })
    };
    db.prepare_cached(HEAD)
        .and_then(|mut it| it.query_row([], read).optional())
        .of("audit_head", "the only row")
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Moves the events to the end of the chain.
    pub(super) fn write(&self, db: &Connection) -> Result<(), StoreError> {
        self.entries.iter().try_for_each(|entry| insert(db, entry))?;
        set_head(db, &self.head)?;
        db.prepare_cached(DELETE_PENDING)
            .and_then(|mut statement| statement.execute([self.last_number]))
            .of("audit_pending", "that are sealed")
            .map(drop)
    }
}

pub(super) const INSERT: &str = "\
    INSERT INTO audit_entries (sequence, id, at, event_type, resource_id, actor_type, actor_id,
                               actor_ip, previous_hash, hash, context, metadata)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

fn insert(db: &Connection, new: &NewEntry) -> Result<(), StoreError> {
    let AuditEntry { sequence, at, event, previous, hash } = &new.entry;
    let params = params![
        row::integer(*sequence),
        event.id.as_uuid().as_bytes(),
        at.as_micros(),
        event.kind.as_str(),
        event.resource_id,
        event.actor.kind.as_str(),
        event.actor.id,
        event.actor.ip.to_string(),
        previous.as_ref().map(Digest::as_bytes),
        hash.as_bytes(),
        new.context,
        new.metadata,
    ];
    db.prepare_cached(INSERT)
        .and_then(|mut statement| statement.execute(params))
        .of("audit_entries", sequence)
        .map(drop)
}

pub(super) const SET_HEAD: &str =
    "INSERT OR REPLACE INTO audit_head (one, sequence, at, hash) VALUES (1, ?1, ?2, ?3)";

fn set_head(db: &Connection, head: &Head) -> Result<(), StoreError> {
    let params = params![row::integer(head.sequence), head.at.as_micros(), head.hash.as_bytes()];
    db.prepare_cached(SET_HEAD)
        .and_then(|mut statement| statement.execute(params))
        .of("audit_head", "the only row")
        .map(drop)
}

/// What is written down later has a higher number.
pub(super) const DELETE_PENDING: &str = "DELETE FROM audit_pending WHERE number <= ?1";

/// Reads an entry to move it to another store.
pub(crate) fn archived(db: &Connection, sequence: u64) -> Result<Option<AuditEntry>, StoreError> {
    entry::get_by_sequence(db, sequence)
}

/// Writes an entry that was read from another store, where it followed the last one that was written;
/// whether its id was free.
pub(crate) fn restore(db: &Connection, entry: &AuditEntry) -> Result<bool, StoreError> {
    if entry::sequence(db, entry.event.id)?.is_some() {
        return Ok(false);
    }
    insert(db, &NewEntry::of(entry.clone()))?;
    set_head(db, &Head { sequence: entry.sequence, at: entry.at, hash: entry.hash })?;
    Ok(true)
}
