//! API keys.

use async_trait::async_trait;
use flowker_core::access::{KeyDigest, Scopes};
use flowker_core::audit::AuditEvent;
use flowker_core::id::ApiKeyId;
use flowker_core::ports::{
    ApiKey, ApiKeyPage, ApiKeyQuery, ApiKeyStore, ApiKeyWritten, PreviousKey, StoreError,
};
use flowker_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::SqliteStore;
use crate::audit::Note;
use crate::error::Of;
use crate::named::{Pages, pages};
use crate::row;

#[async_trait]
impl ApiKeyStore for SqliteStore {
    async fn create(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError> {
        let note = Note::of(&event);
        self.transact(move |db, now| {
            if !restore(db, &key)? {
                return Ok(ApiKeyWritten::NameTaken);
            }
            note.write(db, now)?;
            Ok(ApiKeyWritten::Done)
        })
        .await
    }

    async fn get(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.query(move |db| get(db, id)).await
    }

    async fn list(&self, query: ApiKeyQuery) -> Result<ApiKeyPage, StoreError> {
        self.query(move |db| {
            let ApiKeyQuery { sort, after, limit } = query;
            let (ids, has_more) = PAGES.read(db, sort, after.as_ref(), limit, &[])?;
            let items =
                ids.into_iter().filter_map(|id| get(db, ApiKeyId::from_uuid(id)).transpose());
            Ok(ApiKeyPage { items: items.collect::<Result<_, _>>()?, has_more })
        })
        .await
    }

    async fn update(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError> {
        let note = Note::of(&event);
        self.transact(move |db, now| {
            let written = update(db, &key)?;
            if written == ApiKeyWritten::Done {
                note.write(db, now)?;
            }
            Ok(written)
        })
        .await
    }

    async fn unrevoked(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.query(|db| {
            let mut statement = db.prepare_cached(UNREVOKED).of("api_keys", "unrevoked")?;
            let keys = statement.query_map([], read).of("api_keys", "unrevoked")?;
            keys.collect::<rusqlite::Result<_>>().of("api_keys", "unrevoked")
        })
        .await
    }

    async fn keys_revision(&self) -> Result<u64, StoreError> {
        self.query(|db| {
            db.prepare_cached(REVISION)
                .and_then(|mut it| it.query_row([], |row| row::natural(row, "revision")))
                .of("api_keys_revision", 1)
        })
        .await
    }
}

/// Lists all keys.
pub(crate) const PAGES: Pages = pages!("api_keys", "TRUE");

const UNREVOKED: &str = "\
    SELECT id, name, scopes, digest, previous_digest, previous_until, revision, created_at,
           updated_at, rotated_at, expires_at, revoked_at
      FROM api_keys INDEXED BY api_keys_unrevoked
     WHERE revoked_at IS NULL";

const REVISION: &str = "SELECT revision FROM api_keys_revision";

const COUNT_UP: &str = "UPDATE api_keys_revision SET revision = revision + 1";

fn count_up(db: &Connection) -> Result<(), StoreError> {
    db.prepare_cached(COUNT_UP)
        .and_then(|mut statement| statement.execute([]))
        .of("api_keys_revision", 1)
        .map(drop)
}

/// Nothing happens when another key has the name.
const INSERT: &str = "\
    INSERT INTO api_keys (id, name, scopes, digest, previous_digest, previous_until, revision,
                          created_at, updated_at, rotated_at, expires_at, revoked_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (name) DO NOTHING";

/// Writes one that is new here; whether its name was free.
pub(crate) fn restore(db: &Connection, key: &ApiKey) -> Result<bool, StoreError> {
    let params = params![
        key.id.as_uuid().as_bytes(),
        key.name,
        key.scopes.to_string(),
        key.digest.as_bytes(),
        key.previous.as_ref().map(|it| it.digest.as_bytes()),
        key.previous.map(|it| it.until.as_micros()),
        row::integer(key.revision),
        key.created_at.as_micros(),
        key.updated_at.as_micros(),
        key.rotated_at.map(Timestamp::as_micros),
        key.expires_at.map(Timestamp::as_micros),
        key.revoked_at.map(Timestamp::as_micros),
    ];
    let n_rows = db
        .prepare_cached(INSERT)
        .and_then(|mut statement| statement.execute(params))
        .of("api_keys", key.id)?;
    if n_rows == 0 {
        return Ok(false);
    }
    count_up(db)?;
    Ok(true)
}

const GET: &str = "\
    SELECT id, name, scopes, digest, previous_digest, previous_until, revision, created_at,
           updated_at, rotated_at, expires_at, revoked_at
      FROM api_keys
     WHERE id = ?1";

pub(crate) fn get(db: &Connection, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    db.prepare_cached(GET)
        .and_then(|mut it| it.query_row([id.as_uuid().as_bytes()], read).optional())
        .of("api_keys", id)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let previous = match row.get::<_, Option<[u8; 32]>>("previous_digest")? {
        None => None,
        Some(digest) => Some(PreviousKey {
            digest: KeyDigest::from_bytes(digest),
            until: row::moment(row, "previous_until")?,
        }),
    };
    Ok(ApiKey {
        id: ApiKeyId::from_uuid(row::uuid(row, "id")?),
        name: row.get("name")?,
        scopes: row::word(row, "scopes", Scopes::parse)?,
        digest: row.get("digest").map(KeyDigest::from_bytes)?,
        previous,
        revision: row::natural(row, "revision")?,
        created_at: row::moment(row, "created_at")?,
        updated_at: row::moment(row, "updated_at")?,
        rotated_at: row::optional_moment(row, "rotated_at")?,
        expires_at: row::optional_moment(row, "expires_at")?,
        revoked_at: row::optional_moment(row, "revoked_at")?,
    })
}

/// Name, scopes and the moment of creation never change.
const REPLACE: &str = "\
    UPDATE api_keys
       SET digest = ?3, previous_digest = ?4, previous_until = ?5, revision = revision + 1,
           updated_at = ?6, rotated_at = ?7, expires_at = ?8, revoked_at = ?9
     WHERE id = ?1 AND revision = ?2";

fn update(db: &Connection, key: &ApiKey) -> Result<ApiKeyWritten, StoreError> {
    let Some(before) = key.revision.checked_sub(1) else { return Ok(ApiKeyWritten::Stale) };
    let params = params![
        key.id.as_uuid().as_bytes(),
        row::integer(before),
        key.digest.as_bytes(),
        key.previous.as_ref().map(|it| it.digest.as_bytes()),
        key.previous.map(|it| it.until.as_micros()),
        key.updated_at.as_micros(),
        key.rotated_at.map(Timestamp::as_micros),
        key.expires_at.map(Timestamp::as_micros),
        key.revoked_at.map(Timestamp::as_micros),
    ];
    let n_rows = db
        .prepare_cached(REPLACE)
        .and_then(|mut statement| statement.execute(params))
        .of("api_keys", key.id)?;
    if n_rows == 0 {
        return Ok(ApiKeyWritten::Stale);
    }
    count_up(db)?;
    Ok(ApiKeyWritten::Done)
}
