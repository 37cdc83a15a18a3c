//! Provider configurations.

use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::archive::Record;
use flowker_core::audit::AuditEvent;
use flowker_core::id::ProviderConfigId;
use flowker_core::json;
use flowker_core::ports::{
    ConfigStatus, ConfigWritten, ProviderConfig, ProviderConfigPage, ProviderConfigQuery,
    ProviderConfigStore, StoreError, UnusedWritten,
};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::PostgresStore;
use crate::archive::Listing;
use crate::audit::Note;
use crate::db::{Session, Undo};
use crate::error::is_duplicate;
use crate::named::{Pages, pages};
use crate::row::{self, Columns, Moment, Values, escaped, refs};
use crate::statement::Statement;
use crate::workflow;

#[async_trait]
impl ProviderConfigStore for PostgresStore {
    async fn create(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        let (config, note) = (Arc::new(values(&config)), Arc::new(Note::of(&event)));
        let db = &self.inner.db;
        db.transact(|session| {
            let (config, note) = (Arc::clone(&config), Arc::clone(&note));
            Box::pin(async move {
                if session.query(&INSERT, &refs(&config)).await?.is_empty() {
                    return Err(Undo::Answer(ConfigWritten::NameTaken));
                }
                note.write(session).await?;
                Ok(ConfigWritten::Done)
            })
        })
        .await
    }

    async fn get(&self, id: ProviderConfigId) -> Result<Option<ProviderConfig>, StoreError> {
        let rows = self.inner.db.read(&GET, &[id.as_uuid()]).await?;
        rows.first().map(read).transpose()
    }

    async fn list(&self, query: ProviderConfigQuery) -> Result<ProviderConfigPage, StoreError> {
        let status = query.status.map(ConfigStatus::as_str);
        let provider_id = query.provider_id.as_deref().map(escaped);
        let (rows, has_more) = PAGES
            .read(
                &self.inner.db,
                query.sort,
                query.after.as_ref(),
                query.limit,
                &[&status, &provider_id],
            )
            .await?;
        Ok(ProviderConfigPage { items: rows.iter().map(read).collect::<Result<_, _>>()?, has_more })
    }

    async fn update(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        let Some(before) = config.revision.checked_sub(1) else { return Ok(ConfigWritten::Stale) };
        let (db, note) = (&self.inner.db, Arc::new(Note::of(&event)));
        let values = Arc::new(replacement(&config, before));
        let written = db.transact(|session| {
            let (values, note) = (Arc::clone(&values), Arc::clone(&note));
            Box::pin(async move {
                if session.query(&REPLACE, &refs(&values)).await?.is_empty() {
                    return Err(Undo::Answer(ConfigWritten::Stale));
                }
                note.write(session).await?;
                Ok(ConfigWritten::Done)
            })
        });
        match written.await {
            Err(error) if is_duplicate(&error) => Ok(ConfigWritten::NameTaken),
            written => written,
        }
    }

    async fn update_unused(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        let (db, note) = (&self.inner.db, Arc::new(Note::of(&event)));
        db.transact(|session| {
            let (config, note) = (config.clone(), Arc::clone(&note));
            Box::pin(async move {
                let written = update_unused(session, config).await?;
                note.write(session).await?;
                Ok(written)
            })
        })
        .await
    }

    async fn delete_unused(
        &self,
        id: ProviderConfigId,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        let (db, note) = (&self.inner.db, Arc::new(Note::of(&event)));
        db.transact(|session| {
            let note = Arc::clone(&note);
            Box::pin(async move {
                lock_unused(session, id, None).await?;
                session.query(&DELETE, &[id.as_uuid()]).await?;
                note.write(session).await?;
                Ok(UnusedWritten::Done)
            })
        })
        .await
    }

    async fn delete(&self, id: ProviderConfigId, event: AuditEvent) -> Result<bool, StoreError> {
        let (db, note) = (&self.inner.db, Arc::new(Note::of(&event)));
        db.transact(|session| {
            let note = Arc::clone(&note);
            Box::pin(async move {
                if session.query(&DELETE, &[id.as_uuid()]).await?.is_empty() {
                    return Err(Undo::Answer(false));
                }
                note.write(session).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// Lists the configurations; $4 is a status and $5 a provider.
pub(crate) static PAGES: Pages = pages!(
    "SELECT id, name, provider_id, status, revision, created_at, updated_at,
            description, metadata, config
       FROM provider_configs
      WHERE ($4 IS NULL OR status = $4) AND ($5 IS NULL OR provider_id = $5)",
    Type::TEXT,
    Type::TEXT
);

static DELETE: Statement = Statement {
    text: "DELETE FROM provider_configs WHERE id = $1 RETURNING id",
    types: &[Type::UUID],
};

/// No row: it is gone, or at another revision than the one that is asked for, if any is.
static LOCK: Statement = Statement {
    text: "\
        SELECT id FROM provider_configs
         WHERE id = $1 AND ($2 IS NULL OR revision = $2)
           FOR UPDATE",
    types: &[Type::UUID, Type::INT8],
};

/// Locks a configuration that no active workflow uses; any other is not to be written.
///
/// Only the statement behind the lock sees what an activation has written that the lock waited for.
async fn lock_unused(
    session: &Session,
    id: ProviderConfigId,
    revision: Option<u64>,
) -> Result<(), Undo<UnusedWritten>> {
    let rows = session.query(&LOCK, &[id.as_uuid(), &revision.map(row::integer)]).await?;
    if rows.is_empty() {
        return Err(Undo::Answer(UnusedWritten::Stale));
    }
    let users = workflow::users(session, id).await?;
    if users.is_empty() { Ok(()) } else { Err(Undo::Answer(UnusedWritten::InUse(users))) }
}

async fn update_unused(
    session: &Session,
    config: ProviderConfig,
) -> Result<UnusedWritten, Undo<UnusedWritten>> {
    let Some(before) = config.revision.checked_sub(1) else {
        return Err(Undo::Answer(UnusedWritten::Stale));
    };
    lock_unused(session, config.id, Some(before)).await?;
    session.query(&REPLACE, &refs(&replacement(&config, before))).await?;
    Ok(UnusedWritten::Done)
}

/// The parts of a configuration that are stored as JSON.
struct Documents {
    metadata: String,
    config: String,
}

impl Documents {
    fn of(config: &ProviderConfig) -> Self {
        Self {
            metadata: json::to_text(&Value::Object(config.metadata.clone())),
            config: json::to_text(&Value::Object(config.config.clone())),
        }
    }
}

/// Nothing happens when another configuration has the name.
static INSERT: Statement = Statement {
    text: "\
        INSERT INTO provider_configs (id, name, provider_id, status, revision, created_at,
                                      updated_at, description, metadata, config)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (name) DO NOTHING
        RETURNING id",
    types: &[
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
    ],
};

/// What [`INSERT`] is given.
fn values(config: &ProviderConfig) -> Values {
    let Documents { metadata, config: settings } = Documents::of(config);
    let description = config.description.as_deref();
    vec![
        Box::new(*config.id.as_uuid()),
        Box::new(escaped(&config.name).into_owned()),
        Box::new(escaped(&config.provider_id).into_owned()),
        Box::new(config.status.as_str()),
        Box::new(row::integer(config.revision)),
        Box::new(Moment(config.created_at)),
        Box::new(Moment(config.updated_at)),
        Box::new(description.map(|text| escaped(text).into_owned())),
        Box::new(metadata),
        Box::new(settings),
    ]
}

/// What [`REPLACE`] is given.
fn replacement(config: &ProviderConfig, before: u64) -> Values {
    let Documents { metadata, config: settings } = Documents::of(config);
    let description = config.description.as_deref();
    vec![
        Box::new(*config.id.as_uuid()),
        Box::new(row::integer(before)),
        Box::new(escaped(&config.name).into_owned()),
        Box::new(config.status.as_str()),
        Box::new(Moment(config.updated_at)),
        Box::new(description.map(|text| escaped(text).into_owned())),
        Box::new(metadata),
        Box::new(settings),
    ]
}

/// What writes a configuration that was read from another store. No row: its name is taken.
pub(crate) fn insertion(config: &ProviderConfig) -> (&'static Statement, Values) {
    (&INSERT, values(config))
}

pub(crate) const LISTING: Listing = Listing {
    statement: &Statement {
        text: "\
            SELECT id, name, provider_id, status, revision, created_at, updated_at,
                   description, metadata, config
              FROM provider_configs
             WHERE $1 < id
             ORDER BY id
             LIMIT $2",
        types: &[Type::UUID, Type::INT8],
    },
    read: |row| read(row).map(Record::ProviderConfig),
};

pub(crate) static GET: Statement = Statement {
    text: "\
        SELECT id, name, provider_id, status, revision, created_at, updated_at,
               description, metadata, config
          FROM provider_configs
         WHERE id = $1",
    types: &[Type::UUID],
};

fn read(row: &Row) -> Result<ProviderConfig, StoreError> {
    let row = Columns { table: "provider_configs", row };
    Ok(ProviderConfig {
        id: ProviderConfigId::from_uuid(row.get("id")?),
        name: row.text("name")?,
        description: row.optional_text("description")?,
        provider_id: row.text("provider_id")?,
        config: row.object("config")?,
        status: row.word("status", ConfigStatus::parse)?,
        metadata: row.object("metadata")?,
        revision: row.natural("revision")?,
        created_at: row.moment("created_at")?,
        updated_at: row.moment("updated_at")?,
    })
}

/// The provider and the moment of creation never change. No row: it is at another revision, or gone.
/// A name that another has violates its uniqueness.
static REPLACE: Statement = Statement {
    text: "\
        UPDATE provider_configs
           SET name = $3, status = $4, revision = revision + 1, updated_at = $5, description = $6,
               metadata = $7, config = $8
         WHERE id = $1 AND revision = $2
        RETURNING id",
    types: &[
        Type::UUID,
        Type::INT8,
        Type::TEXT,
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
    ],
};
