//! API keys.

use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::access::{KeyDigest, Scopes};
use flowker_core::archive::Record;
use flowker_core::audit::AuditEvent;
use flowker_core::id::ApiKeyId;
use flowker_core::ports::{
    ApiKey, ApiKeyPage, ApiKeyQuery, ApiKeyStore, ApiKeyWritten, PreviousKey, StoreError,
};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::PostgresStore;
use crate::archive::Listing;
use crate::audit::Note;
use crate::db::Undo;
use crate::named::{Pages, pages};
use crate::row::{self, Columns, Moment, Values, escaped, one, refs};
use crate::statement::Statement;

#[async_trait]
impl ApiKeyStore for PostgresStore {
    async fn create(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError> {
        let (db, change) = (&self.inner.db, Arc::new((values(&key), Note::of(&event))));
        db.transact(|session| {
            let change = Arc::clone(&change);
            Box::pin(async move {
                let (values, note) = &*change;
                if session.query(&INSERT, &refs(values)).await?.is_empty() {
                    return Err(Undo::Answer(ApiKeyWritten::NameTaken));
                }
                note.write(session).await?;
                Ok(ApiKeyWritten::Done)
            })
        })
        .await
    }

    async fn get(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let rows = self.inner.db.read(&GET, &[id.as_uuid()]).await?;
        rows.first().map(read).transpose()
    }

    async fn list(&self, query: ApiKeyQuery) -> Result<ApiKeyPage, StoreError> {
        let ApiKeyQuery { sort, after, limit } = query;
        let (rows, has_more) = PAGES.read(&self.inner.db, sort, after.as_ref(), limit, &[]).await?;
        Ok(ApiKeyPage { items: rows.iter().map(read).collect::<Result<_, _>>()?, has_more })
    }

    async fn update(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError> {
        let Some(before) = key.revision.checked_sub(1) else { return Ok(ApiKeyWritten::Stale) };
        let db = &self.inner.db;
        let change = Arc::new((replacement(&key, before), Note::of(&event)));
        db.transact(|session| {
            let change = Arc::clone(&change);
            Box::pin(async move {
                let (values, note) = &*change;
                if session.query(&REPLACE, &refs(values)).await?.is_empty() {
                    return Err(Undo::Answer(ApiKeyWritten::Stale));
                }
                note.write(session).await?;
                Ok(ApiKeyWritten::Done)
            })
        })
        .await
    }

    async fn unrevoked(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.inner.db.read(&UNREVOKED, &[]).await?.iter().map(read).collect()
    }

    async fn keys_revision(&self) -> Result<u64, StoreError> {
        let rows = self.inner.db.read(&REVISION, &[]).await?;
        one("api_keys_revision", &rows)?.natural("revision")
    }
}

/// Lists all keys.
static PAGES: Pages = pages!(
    "SELECT id, name, scopes, digest, previous_digest, previous_until, revision, created_at,
            updated_at, rotated_at, expires_at, revoked_at
       FROM api_keys
      WHERE TRUE",
);

static UNREVOKED: Statement = Statement {
    text: "\
        SELECT id, name, scopes, digest, previous_digest, previous_until, revision, created_at,
               updated_at, rotated_at, expires_at, revoked_at
          FROM api_keys
         WHERE revoked_at IS NULL",
    types: &[],
};

static REVISION: Statement =
    Statement { text: "SELECT revision FROM api_keys_revision WHERE one = 1", types: &[] };

/// Nothing happens when another key has the name. The revision is the last lock of every statement
/// that writes keys, so that no two wait for each other.
static INSERT: Statement = Statement {
    text: "\
        WITH made AS (
            INSERT INTO api_keys (id, name, scopes, digest, previous_digest, previous_until,
                                  revision, created_at, updated_at, rotated_at, expires_at,
                                  revoked_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (name) DO NOTHING
            RETURNING id
        )
        UPDATE api_keys_revision SET revision = revision + 1
         WHERE one = 1 AND EXISTS (SELECT 1 FROM made)
        RETURNING revision",
    types: &[
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::BYTEA,
        Type::BYTEA,
        Type::TIMESTAMPTZ,
        Type::INT8,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
    ],
};

/// What [`INSERT`] is given.
fn values(key: &ApiKey) -> Values {
    let (digest, until) = previous(key);
    vec![
        Box::new(*key.id.as_uuid()),
        Box::new(escaped(&key.name).into_owned()),
        Box::new(key.scopes.to_string()),
        Box::new(key.digest.as_bytes().to_vec()),
        Box::new(digest),
        Box::new(until),
        Box::new(row::integer(key.revision)),
        Box::new(Moment(key.created_at)),
        Box::new(Moment(key.updated_at)),
        Box::new(key.rotated_at.map(Moment)),
        Box::new(key.expires_at.map(Moment)),
        Box::new(key.revoked_at.map(Moment)),
    ]
}

fn previous(key: &ApiKey) -> (Option<Vec<u8>>, Option<Moment>) {
    let previous = key.previous;
    (previous.map(|it| it.digest.as_bytes().to_vec()), previous.map(|it| Moment(it.until)))
}

/// What writes a key that was read from another store. No row: its name is taken.
pub(crate) fn insertion(key: &ApiKey) -> (&'static Statement, Values) {
    (&INSERT, values(key))
}

pub(crate) const LISTING: Listing = Listing {
    statement: &Statement {
        text: "\
            SELECT id, name, scopes, digest, previous_digest, previous_until, revision, created_at,
                   updated_at, rotated_at, expires_at, revoked_at
              FROM api_keys
             WHERE $1 < id
             ORDER BY id
             LIMIT $2",
        types: &[Type::UUID, Type::INT8],
    },
    read: |row| read(row).map(Record::ApiKey),
};

pub(crate) static GET: Statement = Statement {
    text: "\
        SELECT id, name, scopes, digest, previous_digest, previous_until, revision, created_at,
               updated_at, rotated_at, expires_at, revoked_at
          FROM api_keys
         WHERE id = $1",
    types: &[Type::UUID],
};

/// A digest that has another length than ours.
#[derive(Debug, thiserror::Error)]
#[error("it is {0} bytes long, and not 32")]
struct NotADigest(usize);

fn read(row: &Row) -> Result<ApiKey, StoreError> {
    let row = Columns { table: "api_keys", row };
    let digest = |column: &str, bytes: Vec<u8>| {
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|bytes| NotADigest(bytes.len()));
        bytes.map(KeyDigest::from_bytes).map_err(|error| row.invalid(column, error))
    };
    let previous = match row.get::<Option<Vec<u8>>>("previous_digest")? {
        None => None,
        Some(bytes) => Some(PreviousKey {
            digest: digest("previous_digest", bytes)?,
            until: row.moment("previous_until")?,
        }),
    };
    Ok(ApiKey {
        id: ApiKeyId::from_uuid(row.get("id")?),
        name: row.text("name")?,
        scopes: row.word("scopes", Scopes::parse)?,
        digest: digest("digest", row.get("digest")?)?,
        previous,
        revision: row.natural("revision")?,
        created_at: row.moment("created_at")?,
        updated_at: row.moment("updated_at")?,
        rotated_at: row.optional_moment("rotated_at")?,
        expires_at: row.optional_moment("expires_at")?,
        revoked_at: row.optional_moment("revoked_at")?,
    })
}

/// Name, scopes and the moment of creation never change. No row: it is at another revision, or
/// there is no such key.
static REPLACE: Statement = Statement {
    text: "\
        WITH changed AS (
            UPDATE api_keys
               SET digest = $3, previous_digest = $4, previous_until = $5, revision = revision + 1,
                   updated_at = $6, rotated_at = $7, expires_at = $8, revoked_at = $9
             WHERE id = $1 AND revision = $2
            RETURNING id
        )
        UPDATE api_keys_revision SET revision = revision + 1
         WHERE one = 1 AND EXISTS (SELECT 1 FROM changed)
        RETURNING revision",
    types: &[
        Type::UUID,
        Type::INT8,
        Type::BYTEA,
        Type::BYTEA,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
    ],
};

/// What [`REPLACE`] is given.
fn replacement(key: &ApiKey, before: u64) -> Values {
    let (digest, until) = previous(key);
    vec![
        Box::new(*key.id.as_uuid()),
        Box::new(row::integer(before)),
        Box::new(key.digest.as_bytes().to_vec()),
        Box::new(digest),
        Box::new(until),
        Box::new(Moment(key.updated_at)),
        Box::new(key.rotated_at.map(Moment)),
        Box::new(key.expires_at.map(Moment)),
        Box::new(key.revoked_at.map(Moment)),
    ]
}
