//! Sealing: events that were written down get their places in the chain.

use std::collections::HashMap;

use flowker_core::archive::Place;
use flowker_core::audit::{AuditEntry, AuditEvent, Head};
use flowker_core::digest::Digest;
use flowker_core::id::{AuditEventId, WorkflowId};
use flowker_core::json;
use flowker_core::ports::StoreError;
use flowker_core::refusal::Fault;
use serde_json::{Map, Value};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::entry;
use crate::archive::taken;
use crate::db::{Session, Undo};
use crate::row::{self, Columns, Moment, escaped};
use crate::statement::Statement;

/// The end of the chain, held to the end of the transaction. No row: another sealer holds it.
pub(super) static HEAD: Statement = Statement {
    text: "SELECT sequence, at, hash FROM audit_head WHERE one = 1 FOR UPDATE SKIP LOCKED",
    types: &[],
};

/// What is committed is seen; what commits later is sealed later.
pub(super) static PENDING: Statement = Statement {
    text: "\
        SELECT noted_at, id, at, workflow_id, event
          FROM audit_pending
         ORDER BY noted_at, id
         LIMIT $1",
    types: &[Type::INT8],
};

/// Nobody but a sealer removes them.
pub(super) static DELETE_PENDING: Statement = Statement {
    text: "\
        DELETE FROM audit_pending AS p
         USING unnest($1, $2) AS s (noted_at, id)
         WHERE p.noted_at = s.noted_at AND p.id = s.id",
    types: &[Type::TIMESTAMPTZ_ARRAY, Type::UUID_ARRAY],
};

pub(super) static SET_HEAD: Statement = Statement {
    text: "UPDATE audit_head SET sequence = $1, at = $2, hash = $3 WHERE one = 1",
    types: &[Type::INT8, Type::TIMESTAMPTZ, Type::BYTEA],
};

/// Seals up to `limit` events; how many.
pub(super) async fn seal(session: &Session, limit: usize) -> Result<usize, Undo<usize>> {
    let rows = session.query(&HEAD, &[]).await?;
    let Some(row) = rows.first() else { return Err(Undo::Answer(0)) };
    let mut head = read_head(row)?;
    let rows = session.query(&PENDING, &[&row::limit(limit)]).await?;
    let (mut entries, mut noted_at, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let row = Columns { table: "audit_pending", row };
        noted_at.push(row.get::<Moment>("noted_at")?);
        ids.push(row.get::<Uuid>("id")?);
        entries.push(Head::seal(&mut head, read_event(&row)?, row.moment("at")?));
    }
    let Some(head) = head.filter(|_| !entries.is_empty()) else { return Err(Undo::Answer(0)) };
    insert(session, &entries.iter().collect::<Vec<_>>()).await?;
    session.query(&DELETE_PENDING, &[&noted_at, &ids]).await?;
    set_head(session, &head).await?;
    Ok(entries.len())
}

/// `None` before the first entry.
fn read_head(row: &Row) -> Result<Option<Head>, StoreError> {
    let row = Columns { table: "audit_head", row };
    let (sequence, at) = (row.natural("sequence")?, row.optional_moment("at")?);
    let hash: Option<Vec<u8>> = row.get("hash")?;
    let Some((at, hash)) = at.zip(hash) else { return Ok(None) };
    let hash = <[u8; 32]>::try_from(hash).map_err(|_| row.invalid("hash", NotAHash))?;
    Ok(Some(Head { sequence, at, hash: Digest::from_bytes(hash) }))
}

/// Bytes that are no digest.
#[derive(Debug, thiserror::Error)]
#[error("it is not 32 bytes long")]
struct NotAHash;

/// An event that has members of the wrong type.
#[derive(Debug, thiserror::Error)]
#[error("the event is wrong at {}", .0.first().map_or("", |fault| &fault.path))]
struct WrongEvent(Vec<Fault>);

fn read_event(row: &Columns<'_>) -> Result<AuditEvent, StoreError> {
    let id = AuditEventId::from_uuid(row.get("id")?);
    let event = AuditEvent::from_document(id, row.document("event")?)
        .map_err(|faults| row.invalid("event", WrongEvent(faults)))?;
    Ok(match row.get::<Option<Uuid>>("workflow_id")? {
        Some(workflow) => event.of_execution_of(WorkflowId::from_uuid(workflow)),
        None => event,
    })
}

async fn set_head(session: &Session, head: &Head) -> Result<(), Error> {
    let params = (row::integer(head.sequence), Moment(head.at), head.hash.as_bytes().as_slice());
    session.query(&SET_HEAD, &[&params.0, &params.1, &params.2]).await.map(drop)
}

pub(super) static INSERT: Statement = Statement {
    text: "\
        INSERT INTO audit_entries (sequence, id, at, event_type, resource_id, actor_type, actor_id,
                                   actor_ip, previous_hash, hash, context, metadata)
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    types: &[
        Type::INT8_ARRAY,
        Type::UUID_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
    ],
};

async fn insert(session: &Session, entries: &[&AuditEntry]) -> Result<(), Error> {
    let texts = |text: fn(&AuditEntry) -> String| -> Vec<String> {
        entries.iter().map(|it| text(it)).collect()
    };
    let hash = |hash: &Digest| hash.as_bytes().to_vec();
    let sequences: Vec<_> = entries.iter().map(|it| row::integer(it.sequence)).collect();
    let ids: Vec<_> = entries.iter().map(|it| *it.event.id.as_uuid()).collect();
    let moments: Vec<_> = entries.iter().map(|it| Moment(it.at)).collect();
    let previous: Vec<_> = entries.iter().map(|it| it.previous.as_ref().map(hash)).collect();
    let hashes: Vec<_> = entries.iter().map(|it| hash(&it.hash)).collect();
    let params: [&(dyn ToSql + Sync); 12] = [
        &sequences,
        &ids,
        &moments,
        &texts(|it| it.event.kind.as_str().to_owned()),
        &texts(|it| escaped(&it.event.resource_id).into_owned()),
        &texts(|it| it.event.actor.kind.as_str().to_owned()),
        &texts(|it| escaped(&it.event.actor.id).into_owned()),
        &texts(|it| it.event.actor.ip.to_string()),
        &previous,
        &hashes,
        &texts(|it| text(&it.event.context)),
        &texts(|it| text(&it.event.metadata)),
    ];
    session.query(&INSERT, &params).await.map(drop)
}

fn text(members: &Map<String, Value>) -> String {
    json::to_text(&Value::Object(members.clone()))
}

/// Writes entries that were read from another store, but for those that are there.
pub(crate) async fn restore<T>(session: &Session, entries: &[&AuditEntry]) -> Result<(), Undo<T>> {
    if entries.is_empty() {
        return Ok(());
    }
    let sequences: Vec<_> = entries.iter().map(|it| row::integer(it.sequence)).collect();
    let rows = session.query(&entry::GET_ALL, &[&sequences]).await?;
    let there = rows.iter().map(entry::read).collect::<Result<Vec<_>, _>>()?;
    let there: HashMap<_, _> = there.into_iter().map(|it| (it.sequence, it)).collect();
    let mut new = Vec::with_capacity(entries.len());
    for it in entries {
        match there.get(&it.sequence) {
            None => new.push(*it),
            Some(there) if there == *it => {}
            Some(_) => return Err(taken(&Place::AuditEntry(it.sequence)).into()),
        }
    }
    let Some(last) = new.last() else { return Ok(()) };
    let head = Head { sequence: last.sequence, at: last.at, hash: last.hash };
    match insert(session, &new).await {
        Ok(()) => {}
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            return Err(taken(&Place::AuditEntry(last.sequence)).into());
        }
        Err(error) => return Err(error.into()),
    }
    set_head(session, &head).await?;
    Ok(())
}
