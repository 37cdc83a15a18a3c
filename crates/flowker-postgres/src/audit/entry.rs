//! Sealed entries, as they are read.

use flowker_core::actor::{Actor, ActorKind};
use flowker_core::archive::Record;
use flowker_core::audit::{AuditEntry, AuditEvent, EventType, Link};
use flowker_core::digest::Digest;
use flowker_core::id::AuditEventId;
use flowker_core::ports::StoreError;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::archive::Listing;
use crate::db::Db;
use crate::row::{self, Columns};
use crate::statement::Statement;

/// The columns of an entry.
macro_rules! columns {
    () => {
        "sequence, id, at, event_type, resource_id, actor_type, actor_id, actor_ip, previous_hash, \
         hash, context, metadata"
    };
}

pub(super) use columns;

pub(super) static GET: Statement = Statement {
    text: concat!("SELECT ", columns!(), " FROM audit_entries WHERE id = $1"),
    types: &[Type::UUID],
};

/// Some entries by their places, in any order.
pub(super) static GET_ALL: Statement = Statement {
    text: concat!("SELECT ", columns!(), " FROM audit_entries WHERE sequence = ANY ($1)"),
    types: &[Type::INT8_ARRAY],
};

pub(super) static SEQUENCE: Statement =
    Statement { text: "SELECT sequence FROM audit_entries WHERE id = $1", types: &[Type::UUID] };

pub(super) static CHAIN: Statement = Statement {
    text: concat!(
        "SELECT ",
        columns!(),
        " FROM audit_entries WHERE $1 <= sequence ORDER BY sequence LIMIT $2"
    ),
    types: &[Type::INT8, Type::INT8],
};

pub(super) async fn links(db: &Db, from: u64, limit: usize) -> Result<Vec<Link>, StoreError> {
    let rows = db.read(&CHAIN, &[&row::integer(from), &row::limit(limit)]).await?;
    let link = |row: &Row| {
        let sequence = Columns { table: "audit_entries", row }.natural("sequence")?;
        // Whatever stands there: whoever checks the chain wants to know where it is broken.
        Ok(read(row).map_or(Link::Unreadable { sequence }, |entry| Link::Entry(Box::new(entry))))
    };
    rows.iter().map(link).collect()
}

/// For archives: $1 is the place behind which it begins.
pub(crate) const LISTING: Listing = Listing {
    statement: &Statement {
        text: concat!(
            "SELECT ",
            columns!(),
            " FROM audit_entries WHERE $1 < sequence ORDER BY sequence LIMIT $2"
        ),
        types: &[Type::INT8, Type::INT8],
    },
    read: |row| read(row).map(Record::AuditEntry),
};

/// A text that is no address, or bytes that are no digest.
#[derive(Debug, thiserror::Error)]
#[error("it is not what was written")]
struct Foreign;

pub(super) fn read(row: &Row) -> Result<AuditEntry, StoreError> {
    let row = Columns { table: "audit_entries", row };
    let ip: String = row.get("actor_ip")?;
    let actor = Actor {
        kind: row.word("actor_type", ActorKind::parse)?,
        id: row.text("actor_id")?,
        ip: ip.parse().map_err(|_| row.invalid("actor_ip", Foreign))?,
    };
    let event = AuditEvent {
        id: AuditEventId::from_uuid(row.get("id")?),
        kind: row.word("event_type", EventType::parse)?,
        resource_id: row.text("resource_id")?,
        actor,
        context: row.object("context")?,
        metadata: row.object("metadata")?,
    };
    let digest = |column, bytes: Vec<u8>| {
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| row.invalid(column, Foreign));
        bytes.map(Digest::from_bytes)
    };
    let previous: Option<Vec<u8>> = row.get("previous_hash")?;
    Ok(AuditEntry {
        sequence: row.natural("sequence")?,
        at: row.moment("at")?,
        event,
        previous: previous.map(|bytes| digest("previous_hash", bytes)).transpose()?,
        hash: digest("hash", row.get("hash")?)?,
    })
}
