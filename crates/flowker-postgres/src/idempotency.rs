//! Idempotency keys.

use std::collections::HashMap;

use async_trait::async_trait;
use flowker_core::archive::{ArchivedKey, Place, Record};
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::idempotency::{Fingerprint, IdempotencyKey};
use flowker_core::ports::{IdempotencyStore, KnownKey, StoreError};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::PostgresStore;
use crate::archive::{Listing, taken};
use crate::db::{Db, Session, Undo};
use crate::execution::summary;
use crate::row::{self, Columns, Moment};
use crate::statement::Statement;

#[async_trait]
impl IdempotencyStore for PostgresStore {
    async fn find(
        &self,
        workflow_id: WorkflowId,
        key: &IdempotencyKey,
    ) -> Result<Option<KnownKey>, StoreError> {
        let db = &self.inner.db;
        let Some(claimed) = claimed(db, workflow_id, key).await? else { return Ok(None) };
        let execution = summary::expect(db, claimed.execution_id).await?;
        Ok(Some(KnownKey { fingerprint: claimed.fingerprint, execution }))
    }

    async fn purge_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.inner.db.write(&PURGE, &[&row::limit(limit)]).await.map(|rows| rows.len())
    }
}

/// What a key stands for.
pub(crate) struct Claimed {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) execution_id: ExecutionId,
}

/// A stored fingerprint that has not 32 bytes.
#[derive(Debug, thiserror::Error)]
#[error("a fingerprint has 32 bytes, not {0}")]
struct WrongLength(usize);

impl Claimed {
    pub(crate) fn read(row: &Columns<'_>) -> Result<Self, StoreError> {
        let bytes: Vec<u8> = row.get("fingerprint")?;
        let bytes = bytes
            .try_into()
            .map_err(|bytes: Vec<u8>| row.invalid("fingerprint", WrongLength(bytes.len())))?;
        Ok(Self {
            fingerprint: Fingerprint::from_bytes(bytes),
            execution_id: ExecutionId::from_uuid(row.get("execution_id")?),
        })
    }
}

/// Finds a key. One whose retention is over counts for as long as its execution has not ended.
pub(crate) static FIND: Statement = Statement {
    text: "\
        SELECT fingerprint, execution_id
          FROM idempotency_keys AS k
         WHERE workflow_id = $1 AND key = $2
           AND (flowker_now() < expires_at
                OR EXISTS (SELECT 1 FROM ready AS r WHERE r.execution_id = k.execution_id))",
    types: &[Type::UUID, Type::TEXT],
};

async fn claimed(
    db: &Db,
    workflow_id: WorkflowId,
    key: &IdempotencyKey,
) -> Result<Option<Claimed>, StoreError> {
    let rows = db.read(&FIND, &[workflow_id.as_uuid(), &key.as_str()]).await?;
    let read = |row| Claimed::read(&Columns { table: "idempotency_keys", row });
    rows.first().map(read).transpose()
}

pub(crate) const LISTING: Listing = Listing {
    statement: &Statement {
        text: "\
            SELECT workflow_id, key, fingerprint, execution_id, expires_at
              FROM idempotency_keys
             WHERE ($1, $2) < (workflow_id, key)
             ORDER BY workflow_id, key
             LIMIT $3",
        types: &[Type::UUID, Type::TEXT, Type::INT8],
    },
    read: |row| archived(row).map(Record::Key),
};

fn archived(row: &Row) -> Result<ArchivedKey, StoreError> {
    let row = Columns { table: "idempotency_keys", row };
    let Claimed { fingerprint, execution_id } = Claimed::read(&row)?;
    Ok(ArchivedKey {
        workflow_id: WorkflowId::from_uuid(row.get("workflow_id")?),
        key: IdempotencyKey::from_stored(row.get("key")?),
        fingerprint,
        execution_id,
        expires_at: row.moment("expires_at")?,
    })
}

/// Some keys as they are stored, expired or not.
pub(crate) static GET_ALL: Statement = Statement {
    text: "\
        SELECT k.workflow_id, k.key, k.fingerprint, k.execution_id, k.expires_at
          FROM unnest($1, $2) AS a (workflow_id, key)
          JOIN idempotency_keys AS k ON k.workflow_id = a.workflow_id AND k.key = a.key",
    types: &[Type::UUID_ARRAY, Type::TEXT_ARRAY],
};

static INSERT: Statement = Statement {
    text: "\
        INSERT INTO idempotency_keys (workflow_id, key, fingerprint, execution_id, expires_at)
        SELECT * FROM unnest($1, $2, $3, $4, $5)",
    types: &[
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
        Type::UUID_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
    ],
};

/// Writes keys that were read from another store, but for those that are there.
pub(crate) async fn restore<T>(session: &Session, keys: &[&ArchivedKey]) -> Result<(), Undo<T>> {
    let workflow_ids: Vec<_> = keys.iter().map(|it| *it.workflow_id.as_uuid()).collect();
    let texts: Vec<_> = keys.iter().map(|it| it.key.as_str()).collect();
    let rows = session.query(&GET_ALL, &[&workflow_ids, &texts]).await?;
    let there = rows.iter().map(archived).collect::<Result<Vec<_>, _>>()?;
    let there: HashMap<_, _> =
        there.into_iter().map(|it| ((it.workflow_id, it.key.clone()), it)).collect();
    let mut new = Vec::with_capacity(keys.len());
    for it in keys {
        match there.get(&(it.workflow_id, it.key.clone())) {
            None => new.push(it),
            Some(there) if there == *it => {}
            Some(_) => return Err(taken(&Place::Key(it.workflow_id, it.key.clone())).into()),
        }
    }
    let workflow_ids: Vec<_> = new.iter().map(|it| *it.workflow_id.as_uuid()).collect();
    let texts: Vec<_> = new.iter().map(|it| it.key.as_str()).collect();
    let fingerprints: Vec<_> = new.iter().map(|it| it.fingerprint.as_bytes().as_slice()).collect();
    let execution_ids: Vec<_> = new.iter().map(|it| *it.execution_id.as_uuid()).collect();
    let expires_at: Vec<_> = new.iter().map(|it| Moment(it.expires_at)).collect();
    let params: [&(dyn ToSql + Sync); 5] =
        [&workflow_ids, &texts, &fingerprints, &execution_ids, &expires_at];
    session.query(&INSERT, &params).await?;
    Ok(())
}

/// Forgets the keys that expired first. The index gives them in order, so nothing is sorted. Those
/// that somebody else is about to forget, or to claim anew, are passed over.
pub(crate) static PURGE: Statement = Statement {
    text: "\
        DELETE FROM idempotency_keys
         WHERE (workflow_id, key) IN
               (SELECT workflow_id, key
                  FROM idempotency_keys AS k
                 WHERE expires_at <= flowker_now()
                   AND (SELECT r.execution_id FROM ready AS r
                         WHERE r.execution_id = k.execution_id) IS NULL
                 ORDER BY expires_at
                 LIMIT $1
                   FOR UPDATE SKIP LOCKED)
        RETURNING 1",
    types: &[Type::INT8],
};
