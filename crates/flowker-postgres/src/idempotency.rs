//! Idempotency keys.

use async_trait::async_trait;
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::idempotency::{Fingerprint, IdempotencyKey};
use flowker_core::ports::{IdempotencyStore, KnownKey, StoreError};
use tokio_postgres::types::Type;

use crate::PostgresStore;
use crate::db::Db;
use crate::execution::summary;
use crate::row::{self, Columns};
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
