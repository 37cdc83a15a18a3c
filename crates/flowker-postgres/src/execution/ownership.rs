//! Who drives an execution, and which nobody drives.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{Fence, Owned};
use flowker_core::id::{ExecutionId, ReplicaId};
use flowker_core::ports::{Backlog, StoreError};
use flowker_core::time::Timestamp;
use futures_util::future::try_join;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Stored, highest, lowest};
use crate::db::{Db, Session, Undo};
use crate::row::{self, Columns, Moment};
use crate::statement::Statement;

/// A fence as Postgres keeps it.
pub(super) fn stored(fence: Fence) -> i64 {
    row::integer(fence.0)
}

pub(super) fn read_fence(row: &Columns<'_>) -> Result<Fence, StoreError> {
    row.natural("fence").map(Fence)
}

pub(super) static FENCE: Statement =
    Statement { text: "SELECT fence FROM ready WHERE execution_id = $1", types: &[Type::UUID] };

pub(super) static KEEP_ALIVE: Statement = Statement {
    text: "\
        INSERT INTO replicas (id, seen_at) VALUES ($1, flowker_now())
        ON CONFLICT (id) DO UPDATE SET seen_at = EXCLUDED.seen_at",
    types: &[Type::UUID],
};

/// One that is merely paused is written again with its next beat.
static FORGET: Statement = Statement {
    text: "\
        DELETE FROM replicas AS r
         WHERE r.seen_at < flowker_now() - interval '1 day'
           AND NOT EXISTS (SELECT 1 FROM ready WHERE owner = r.id)",
    types: &[],
};

/// Forgets replicas that were not heard of for a day and own nothing.
pub(crate) async fn forget_replicas(db: &Db) -> Result<(), StoreError> {
    db.write(&FORGET, &[]).await.map(drop)
}

pub(super) static OWNED: Statement = Statement {
    text: "SELECT execution_id, fence FROM ready WHERE owner = $1",
    types: &[Type::UUID],
};

pub(super) async fn owned(
    db: &Db,
    owner: ReplicaId,
) -> Result<Vec<(ExecutionId, Fence)>, StoreError> {
    let rows = db.read(&OWNED, &[owner.as_uuid()]).await?;
    let read = |row| {
        let row = Columns { table: "ready", row };
        Ok((ExecutionId::from_uuid(row.get("execution_id")?), read_fence(&row)?))
    };
    rows.iter().map(read).collect()
}

/// How many nobody owns and are due, counted up to $1, and for how long the first of them is.
pub(super) static BACKLOG: Statement = Statement {
    text: "\
        SELECT count(*) AS waiting,
               (extract(epoch FROM flowker_now() - min(due)) * 1000000)::int8 AS oldest_us
          FROM (SELECT due
                  FROM ready
                 WHERE owner IS NULL AND due <= flowker_now()
                 ORDER BY owner, due, execution_id -- as the index has it
                 LIMIT $1) AS unowned",
    types: &[Type::INT8],
};

pub(super) async fn backlog(db: &Db, count_max: usize) -> Result<Backlog, StoreError> {
    let rows = db.read(&BACKLOG, &[&row::limit(count_max)]).await?;
    let row = row::one("ready", &rows)?;
    let oldest = row.get::<Option<i64>>("oldest_us")?;
    let oldest = oldest.map(|micros| Duration::from_micros(micros.max(0).unsigned_abs()));
    Ok(Backlog { waiting: row.natural("waiting")?, oldest })
}

/// Without a moment it is due at once, in the order of acceptance and by the server's clock.
pub(super) static RELEASE: Statement = Statement {
    text: "\
        UPDATE ready
           SET owner = NULL, due = coalesce($3, least(accepted_at, flowker_now()))
         WHERE execution_id = $1 AND fence = $2
        RETURNING execution_id",
    types: &[Type::UUID, Type::INT8, Type::TIMESTAMPTZ],
};

/// Whether the fence was the current one.
pub(super) async fn release(
    db: &Db,
    id: ExecutionId,
    fence: Fence,
    due: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let rows = db.write(&RELEASE, &[id.as_uuid(), &stored(fence), &due.map(Moment)]).await?;
    Ok(!rows.is_empty())
}

/// Takes up to $2 executions for $1, those that are due longest: unowned ones whose moment has come,
/// and those of owners that were silent for longer than $3 or never heard of. Not those of $4.
///
/// Owners are found by jumping from one to the next through the index, so it does not matter how much
/// each of them owns. Whatever somebody else is about to take or to write is passed over.
pub(super) static TAKE: Statement = Statement {
    text: "\
        WITH RECURSIVE owners AS (
            (SELECT owner FROM ready WHERE owner IS NOT NULL ORDER BY owner LIMIT 1)
            UNION ALL
            SELECT (SELECT r.owner FROM ready AS r WHERE o.owner < r.owner ORDER BY r.owner LIMIT 1)
              FROM owners AS o
             WHERE o.owner IS NOT NULL
        ), lapsed AS (
            SELECT o.owner
              FROM owners AS o
             WHERE o.owner <> $1
               AND (SELECT p.seen_at FROM replicas AS p WHERE p.id = o.owner)
                   >= flowker_now() - $3 * interval '1 microsecond' IS NOT TRUE
        ), free AS (
            SELECT unowned.execution_id, unowned.due
              FROM (SELECT execution_id, due
                      FROM ready
                     WHERE owner IS NULL AND due <= flowker_now() AND execution_id <> ALL ($4)
                     ORDER BY owner, due, execution_id -- as the index has it
                     LIMIT $2
                       FOR NO KEY UPDATE SKIP LOCKED) AS unowned
            UNION ALL
            SELECT orphaned.execution_id, orphaned.due
              FROM lapsed AS l
             CROSS JOIN LATERAL
                   (SELECT r.execution_id, r.due
                      FROM ready AS r
                     WHERE r.owner = l.owner AND r.execution_id <> ALL ($4)
                     ORDER BY r.due, r.execution_id
                     LIMIT $2
                       FOR NO KEY UPDATE SKIP LOCKED) AS orphaned
        ), oldest AS (
            SELECT execution_id FROM free ORDER BY due, execution_id LIMIT $2
        )
        UPDATE ready AS r
           SET owner = $1, fence = r.fence + 1
          FROM oldest
         WHERE r.execution_id = oldest.execution_id
        RETURNING r.execution_id, r.fence, r.due",
    types: &[Type::UUID, Type::INT8, Type::INT8, Type::UUID_ARRAY],
};

/// Journals the adoption of $1 with the fences $2, behind whatever is there.
///
/// The first owner is none of the journal's. $4 and $5 are the lowest and the highest id.
pub(super) static JOURNAL: Statement = Statement {
    text: "\
        INSERT INTO journal (execution_id, seq, fence, at, kind)
        SELECT a.id,
               coalesce((SELECT j.seq FROM journal AS j
                          WHERE j.execution_id = a.id AND j.execution_id BETWEEN $4 AND $5
                          ORDER BY j.seq DESC LIMIT 1), 0) + 1,
               a.fence, $3, 'adopted'
          FROM unnest($1, $2) AS a (id, fence)
         WHERE 1 < a.fence",
    types: &[Type::UUID_ARRAY, Type::INT8_ARRAY, Type::TIMESTAMPTZ, Type::UUID, Type::UUID],
};

/// What is to be adopted.
#[derive(Clone, Debug)]
pub(super) struct Adoption {
    pub(super) owner: ReplicaId,
    pub(super) limit: usize,
    /// When, for the journal.
    pub(super) now: Timestamp,
    /// After which silence an owner has lapsed.
    pub(super) lapse: Duration,
}

/// Executions that cannot be read.
type Unreadable = Vec<Uuid>;

/// Takes what nobody drives, and reads it.
///
/// One that cannot be read is passed over: it must not keep the others from being driven.
pub(super) async fn adopt(db: &Db, adoption: &Adoption) -> Result<Vec<Owned>, StoreError> {
    let mut unreadable = Unreadable::new();
    loop {
        let asked = Arc::new((adoption.clone(), unreadable.clone()));
        let taken = db.transact(|session| Box::pin(take(session, Arc::clone(&asked)))).await?;
        match taken {
            Ok(owned) => return Ok(owned),
            Err(more) => unreadable.extend(more),
        }
    }
}

async fn take(
    session: &Session,
    asked: Arc<(Adoption, Unreadable)>,
) -> Result<Result<Vec<Owned>, Unreadable>, Undo<Result<Vec<Owned>, Unreadable>>> {
    let (adoption, unreadable) = &*asked;
    let (limit, lapse) = (row::limit(adoption.limit), row::micros(adoption.lapse));
    let taken =
        session.query(&TAKE, &[adoption.owner.as_uuid(), &limit, &lapse, unreadable]).await?;
    let mut keys = Vec::with_capacity(taken.len());
    for row in &taken {
        let row = Columns { table: "ready", row };
        keys.push((row.moment("due")?, row.get::<Uuid>("execution_id")?, read_fence(&row)?));
    }
    if keys.is_empty() {
        return Err(Undo::Answer(Ok(Vec::new())));
    }
    keys.sort_unstable();
    let ids: Vec<_> = keys.iter().map(|(_, id, _)| *id).collect();
    let fences: Vec<_> = keys.iter().map(|(.., fence)| stored(*fence)).collect();
    let (lowest, highest) = (lowest(&ids), highest(&ids));
    let now = Moment(adoption.now);
    session.query(&JOURNAL, &[&ids, &fences, &now, &lowest, &highest]).await?;
    let stored = Stored::of(Stored::read(session, &ids).await?)?;

    let (mut owned, mut unreadable) = (Vec::new(), Unreadable::new());
    for (_, id, fence) in keys {
        match stored.owned(ExecutionId::from_uuid(id), fence) {
            Ok(it) => owned.push(it),
            Err(error) => {
                let error: &dyn Error = &error;
                tracing::error!(execution.id = %id, error, "an execution cannot be read");
                unreadable.push(id);
            }
        }
    }
    if unreadable.is_empty() { Ok(Ok(owned)) } else { Err(Undo::Answer(Err(unreadable))) }
}

/// Reads an execution that the caller owns. `None` if it does not.
pub(super) async fn load(
    db: &Db,
    id: ExecutionId,
    fence: Fence,
) -> Result<Option<Owned>, StoreError> {
    db.snapshot(move |session| {
        Box::pin(async move {
            let ids = [*id.as_uuid()];
            let fences = async { session.query(&FENCE, &[&ids[0]]).await };
            let read = try_join(fences, Stored::read(session, &ids)).await;
            let (fences, stored) = read.map_err(StoreError::unavailable)?;
            let current = fences.first().map(|row| read_fence(&Columns { table: "ready", row }));
            let is_current = current.transpose()? == Some(fence);
            is_current.then(|| Stored::of(stored)?.owned(id, fence)).transpose()
        })
    })
    .await
}
