//! Sealed entries, as they are stored and read.

use flowker_core::actor::{Actor, ActorKind};
use flowker_core::audit::{AuditEntry, AuditEvent, EventType, Link};
use flowker_core::digest::Digest;
use flowker_core::id::AuditEventId;
use flowker_core::ports::StoreError;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::Of;
use crate::row;

/// The columns of an entry.
macro_rules! columns {
    () => {
        "sequence, id, at, event_type, resource_id, actor_type, actor_id, actor_ip, previous_hash, \
         hash, context, metadata"
    };
}

pub(super) use columns;

pub(super) const GET: &str = concat!("SELECT ", columns!(), " FROM audit_entries WHERE id = ?1");

pub(super) fn get(db: &Connection, id: AuditEventId) -> Result<Option<AuditEntry>, StoreError> {
    db.prepare_cached(GET)
        .and_then(|mut it| it.query_row([id.as_uuid().as_bytes()], read).optional())
        .of("audit_entries", id)
}

pub(super) const GET_BY_SEQUENCE: &str =
    concat!("SELECT ", columns!(), " FROM audit_entries WHERE sequence = ?1");

pub(super) fn get_by_sequence(
    db: &Connection,
    sequence: u64,
) -> Result<Option<AuditEntry>, StoreError> {
    db.prepare_cached(GET_BY_SEQUENCE)
        .and_then(|mut it| it.query_row([row::integer(sequence)], read).optional())
        .of("audit_entries", sequence)
}

pub(super) const SEQUENCE: &str = "SELECT sequence FROM audit_entries WHERE id = ?1";

pub(super) fn sequence(db: &Connection, id: AuditEventId) -> Result<Option<u64>, StoreError> {
    let read = |row: &Row<'_>| row::natural(row, "sequence");
    db.prepare_cached(SEQUENCE)
        .and_then(|mut it| it.query_row([id.as_uuid().as_bytes()], read).optional())
        .of("audit_entries", id)
}

pub(super) const CHAIN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM audit_entries WHERE ?1 <= sequence ORDER BY sequence LIMIT ?2"
);

pub(super) fn links(db: &Connection, from: u64, limit: usize) -> Result<Vec<Link>, StoreError> {
    let link = |row: &Row<'_>| {
        let sequence = row::natural(row, "sequence")?;
        // Whatever stands there: whoever checks the chain wants to know where it is broken.
        Ok(read(row).map_or(Link::Unreadable { sequence }, |entry| Link::Entry(Box::new(entry))))
    };
    let mut statement = db.prepare_cached(CHAIN).of("audit_entries", "chain")?;
    let links = statement.query_map(params![row::integer(from), row::limit(limit)], link);
    links.and_then(Iterator::collect).of("audit_entries", "chain")
}

/// A text that is no address.
#[derive(Debug, thiserror::Error)]
#[error("it is not an IP address")]
struct NotAnAddress;

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let ip: String = row.get("actor_ip")?;
    let ip = ip.parse().map_err(|_| row::invalid("actor_ip", Type::Text, NotAnAddress))?;
    let actor = Actor {
        kind: row::word(row, "actor_type", ActorKind::parse)?,
        id: row.get("actor_id")?,
        ip,
    };
    let event = AuditEvent {
        id: AuditEventId::from_uuid(row::uuid(row, "id")?),
        kind: row::word(row, "event_type", EventType::parse)?,
        resource_id: row.get("resource_id")?,
        actor,
        context: row::object(row, "context")?,
        metadata: row::object(row, "metadata")?,
    };
    Ok(AuditEntry {
        sequence: row::natural(row, "sequence")?,
        at: row::moment(row, "at")?,
        event,
        previous: row.get::<_, Option<[u8; 32]>>("previous_hash")?.map(Digest::from_bytes),
        hash: Digest::from_bytes(row.get("hash")?),
    })
}
