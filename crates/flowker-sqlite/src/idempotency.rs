//! Idempotency keys.

use async_trait::async_trait;
use flowker_core::archive::ArchivedKey;
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::idempotency::{Fingerprint, IdempotencyKey};
use flowker_core::ports::{Claim, IdempotencyStore, KnownKey, StoreError};
use flowker_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::SqliteStore;
use crate::error::Of;
use crate::execution::summary;
use crate::row;

#[async_trait]
impl IdempotencyStore for SqliteStore {
    async fn find(
        &self,
        workflow_id: WorkflowId,
        key: &IdempotencyKey,
    ) -> Result<Option<KnownKey>, StoreError> {
        let (key, now) = (key.clone(), self.now());
        self.query(move |db| {
            let Some(claimed) = claimed(db, workflow_id, &key, now)? else { return Ok(None) };
            let execution = summary::expect(db, claimed.execution_id)?;
            Ok(Some(KnownKey { fingerprint: claimed.fingerprint, execution }))
        })
        .await
    }

    async fn purge_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.transact(move |db, now| purge(db, now, limit)).await
    }
}

/// What a key stands for.
pub(crate) struct Claimed {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) execution_id: ExecutionId,
}

impl Claimed {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            fingerprint: Fingerprint::from_bytes(row.get("fingerprint")?),
            execution_id: ExecutionId::from_uuid(row::uuid(row, "execution_id")?),
        })
    }
}

/// Finds a key. One whose retention is over counts for as long as its execution has not ended.
pub(crate) const FIND: &str = "\
    SELECT fingerprint, execution_id
      FROM idempotency_keys AS k
     WHERE workflow_id = ?1 AND key = ?2
       AND (?3 < expires_at
            OR EXISTS (SELECT 1 FROM ready AS r WHERE r.execution_id = k.execution_id))";

pub(crate) fn claimed(
    db: &Connection,
    workflow_id: WorkflowId,
    key: &IdempotencyKey,
    now: Timestamp,
) -> Result<Option<Claimed>, StoreError> {
    let params = params![workflow_id.as_uuid().as_bytes(), key.as_str(), now.as_micros()];
    db.prepare_cached(FIND)
        .and_then(|mut statement| statement.query_row(params, Claimed::read).optional())
        .of("idempotency_keys", workflow_id)
}

/// Writes a key that [`claimed`] did not find. A row that is there nevertheless has expired.
pub(crate) const WRITE: &str = "\
    INSERT OR REPLACE INTO idempotency_keys
           (workflow_id, key, fingerprint, execution_id, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5)";

pub(crate) fn claim(
    db: &Connection,
    workflow_id: WorkflowId,
    execution_id: ExecutionId,
    claim: &Claim,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = params![
        workflow_id.as_uuid().as_bytes(),
        claim.key.as_str(),
        claim.fingerprint.as_bytes(),
        execution_id.as_uuid().as_bytes(),
        now.plus(claim.retention).as_micros(),
    ];
    db.prepare_cached(WRITE)
        .and_then(|mut statement| statement.execute(params))
        .of("idempotency_keys", workflow_id)
        .map(drop)
}

const GET: &str = "\
    SELECT workflow_id, key, fingerprint, execution_id, expires_at
      FROM idempotency_keys
     WHERE workflow_id = ?1 AND key = ?2";

/// A key as it is stored, expired or not.
pub(crate) fn archived(
    db: &Connection,
    workflow_id: WorkflowId,
    key: &IdempotencyKey,
) -> Result<Option<ArchivedKey>, StoreError> {
    let params = params![workflow_id.as_uuid().as_bytes(), key.as_str()];
    let read = |row: &Row<'_>| {
        let Claimed { fingerprint, execution_id } = Claimed::read(row)?;
        Ok(ArchivedKey {
            workflow_id: WorkflowId::from_uuid(row::uuid(row, "workflow_id")?),
            key: IdempotencyKey::from_stored(row.get("key")?),
            fingerprint,
            execution_id,
            expires_at: row::moment(row, "expires_at")?,
        })
    };
    db.prepare_cached(GET)
        .and_then(|mut statement| statement.query_row(params, read).optional())
        .of("idempotency_keys", workflow_id)
}

/// Writes a key that was read from another store.
pub(crate) fn restore(db: &Connection, key: &ArchivedKey) -> Result<(), StoreError> {
    let params = params![
        key.workflow_id.as_uuid().as_bytes(),
        key.key.as_str(),
        key.fingerprint.as_bytes(),
        key.execution_id.as_uuid().as_bytes(),
        key.expires_at.as_micros(),
    ];
    db.prepare_cached(WRITE)
        .and_then(|mut statement| statement.execute(params))
        .of("idempotency_keys", key.workflow_id)
        .map(drop)
}

/// Forgets the keys that expired first. The index gives them in order, so nothing is sorted.
pub(crate) const PURGE: &str = "\
    DELETE FROM idempotency_keys
     WHERE (workflow_id, key) IN
           (SELECT workflow_id, key
              FROM idempotency_keys AS k
             WHERE expires_at <= ?1
               AND NOT EXISTS (SELECT 1 FROM ready AS r WHERE r.execution_id = k.execution_id)
             ORDER BY expires_at
             LIMIT ?2)";

fn purge(db: &Connection, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let params = params![now.as_micros(), row::limit(limit)];
    db.prepare_cached(PURGE)
        .and_then(|mut statement| statement.execute(params))
        .of("idempotency_keys", "that expired")
}
