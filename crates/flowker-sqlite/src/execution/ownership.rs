//! Who drives an execution, and which nobody drives.

use flowker_core::execution::{Entry, Event, Fence, Owned};
use flowker_core::id::{ExecutionId, ReplicaId};
use flowker_core::ports::{Backlog, StoreError};
use flowker_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::journal::{self, NewEntry};
use crate::error::Of;
use crate::row;

/// A fence as SQLite keeps it.
pub(super) fn stored(fence: Fence) -> i64 {
    row::integer(fence.0)
}

pub(super) fn read_fence(row: &Row<'_>) -> rusqlite::Result<Fence> {
    row::natural(row, "fence").map(Fence)
}

pub(super) const FENCE: &str = "SELECT fence FROM ready WHERE execution_id = ?1";

/// The current fence. `None` when the execution has ended or never was.
pub(super) fn fence(db: &Connection, id: ExecutionId) -> Result<Option<Fence>, StoreError> {
    db.prepare_cached(FENCE)
        .and_then(|mut it| it.query_row([id.as_uuid().as_bytes()], read_fence).optional())
        .of("ready", id)
}

/// What nobody drives, longest due first. Owners of an earlier process were removed when the store
/// was opened, and those of this one are alive.
pub(super) const FIND: &str = "\
    SELECT execution_id, fence
      FROM ready
     WHERE owner IS NULL AND due <= ?1
     ORDER BY due, execution_id";

/// Reads up to `limit` executions that can be taken, with the fences of their last owners.
///
/// One that cannot be read is passed over: it must not keep the others from being driven.
pub(super) fn find(
    db: &Connection,
    due_by: Timestamp,
    limit: usize,
) -> Result<Vec<Owned>, StoreError> {
    let mut statement = db.prepare_cached(FIND).of("ready", "that are due")?;
    let keys = statement.query_map([due_by.as_micros()], key).of("ready", "that are due")?;
    let mut found = Vec::new();
    for key in keys {
        if found.len() == limit {
            break;
        }
        let (id, fence) = key.of("ready", "that are due")?;
        match super::owned(db, id, fence) {
            Ok(owned) => found.push(owned),
            Err(StoreError::Corrupt { what, source }) => {
                let error: &dyn std::error::Error = source.as_ref();
                tracing::error!(execution.id = %id, what, error, "an execution cannot be read");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Takes what [`find`] found; whether each was still free.
pub(super) fn take_all(
    db: &Connection,
    owner: ReplicaId,
    keys: &[(ExecutionId, Fence)],
    now: Timestamp,
) -> Result<Vec<bool>, StoreError> {
    keys.iter().map(|(id, fence)| take(db, owner, *id, *fence, now)).collect()
}

/// Nothing was journaled since it was read: that takes an owner, and an owner takes a new fence.
pub(super) const TAKE: &str = "\
    UPDATE ready
       SET owner = ?3, fence = ?4
     WHERE execution_id = ?1 AND fence = ?2 AND owner IS NULL";

fn take(
    db: &Connection,
    owner: ReplicaId,
    id: ExecutionId,
    before: Fence,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = params![
        id.as_uuid().as_bytes(),
        stored(before),
        owner.as_uuid().as_bytes(),
        stored(before.next()),
    ];
    let n_rows = db
        .prepare_cached(TAKE)
        .and_then(|mut statement| statement.execute(params))
        .of("ready", id)?;
    if n_rows == 0 {
        return Ok(false);
    }
    if let Some(entry) = adoption(before, now) {
        journal::append(db, id, &[NewEntry::of(&entry)])?;
    }
    Ok(true)
}

/// Reads all that has not ended: that is little, and nobody asks often.
const OWNED: &str = "SELECT execution_id, fence FROM ready WHERE owner = ?1";

/// What `owner` owns.
pub(super) fn owned(
    db: &Connection,
    owner: ReplicaId,
) -> Result<Vec<(ExecutionId, Fence)>, StoreError> {
    let mut statement = db.prepare_cached(OWNED).of("ready", "of an owner")?;
    let rows = statement.query_map([owner.as_uuid().as_bytes()], key).of("ready", "of an owner")?;
    rows.collect::<rusqlite::Result<_>>().of("ready", "of an owner")
}

/// No further than asked for: there may be very many.
pub(super) const BACKLOG: &str = "\
    SELECT due FROM ready WHERE owner IS NULL AND due <= ?1 ORDER BY due, execution_id LIMIT ?2";

/// What nobody drives and somebody could, counted no further than `count_max`.
pub(super) fn backlog(
    db: &Connection,
    now: Timestamp,
    count_max: usize,
) -> Result<Backlog, StoreError> {
    let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(BACKLOG).of("ready", "that are due")?;
    let rows = statement.query_map([now.as_micros(), count_max], |row| row::moment(row, "due"));
    let mut backlog = Backlog::default();
    for due in rows.of("ready", "that are due")? {
        let age = now.since(due.of("ready", "that are due")?);
        backlog.waiting += 1;
        backlog.oldest.get_or_insert(age);
    }
    Ok(backlog)
}

fn key(row: &Row<'_>) -> rusqlite::Result<(ExecutionId, Fence)> {
    Ok((ExecutionId::from_uuid(row::uuid(row, "execution_id")?), read_fence(row)?))
}

/// What an execution looks like once it is taken.
pub(super) fn raise(found: Owned, now: Timestamp) -> Owned {
    let Owned { execution, fence: before, mut journal } = found;
    journal.extend(adoption(before, now));
    Owned { execution, fence: before.next(), journal }
}

/// What is journaled when an execution gets another owner. The first one is none of the journal's.
fn adoption(before: Fence, at: Timestamp) -> Option<Entry> {
    (before != Fence::NONE).then(|| Entry { fence: before.next(), at, event: Event::Adopted })
}

/// Without a moment it is due at once, in the order of acceptance and by the store's clock.
pub(super) const RELEASE: &str = "\
    UPDATE ready
       SET owner = NULL, due = coalesce(?3, min(accepted_at, ?4))
     WHERE execution_id = ?1 AND fence = ?2";

/// Whether the fence was the current one.
pub(super) fn release(
    db: &Connection,
    id: ExecutionId,
    fence: Fence,
    due: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = params![
        id.as_uuid().as_bytes(),
        stored(fence),
        due.map(Timestamp::as_micros),
        now.as_micros(),
    ];
    let n_rows = db
        .prepare_cached(RELEASE)
        .and_then(|mut statement| statement.execute(params))
        .of("ready", id)?;
    Ok(0 < n_rows)
}
