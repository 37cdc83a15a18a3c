//! Provider configurations.

use async_trait::async_trait;
use flowker_core::audit::AuditEvent;
use flowker_core::id::ProviderConfigId;
use flowker_core::json;
use flowker_core::ports::{
    ConfigStatus, ConfigWritten, ProviderConfig, ProviderConfigPage, ProviderConfigQuery,
    ProviderConfigStore, StoreError, UnusedWritten,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use crate::SqliteStore;
use crate::audit::Note;
use crate::error::Of;
use crate::named::{Pages, pages};
use crate::{row, workflow};

#[async_trait]
impl ProviderConfigStore for SqliteStore {
    async fn create(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        let (documents, note) = (Documents::of(&config), Note::of(&event));
        self.transact(move |db, now| {
            if !insert(db, &config, &documents)? {
                return Ok(ConfigWritten::NameTaken);
            }
            note.write(db, now)?;
            Ok(ConfigWritten::Done)
        })
        .await
    }

    async fn get(&self, id: ProviderConfigId) -> Result<Option<ProviderConfig>, StoreError> {
        self.query(move |db| get(db, id)).await
    }

    async fn list(&self, query: ProviderConfigQuery) -> Result<ProviderConfigPage, StoreError> {
        self.query(move |db| {
            let status = query.status.map(ConfigStatus::as_str);
            let (ids, has_more) = PAGES.read(
                db,
                query.sort,
                query.after.as_ref(),
                query.limit,
                &[&status, &query.provider_id],
            )?;
            let items = ids
                .into_iter()
                .filter_map(|id| get(db, ProviderConfigId::from_uuid(id)).transpose());
            Ok(ProviderConfigPage { items: items.collect::<Result<_, _>>()?, has_more })
        })
        .await
    }

    async fn update(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        let (documents, note) = (Documents::of(&config), Note::of(&event));
        self.transact(move |db, now| {
            let written = update(db, &config, &documents)?;
            if written == ConfigWritten::Done {
                note.write(db, now)?;
            }
            Ok(written)
        })
        .await
    }

    async fn update_unused(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        let (documents, note) = (Documents::of(&config), Note::of(&event));
        self.transact(move |db, now| {
            let is_at = match config.revision.checked_sub(1) {
                Some(before) => is_at(db, config.id, before)?,
                None => false,
            };
            if !is_at {
                return Ok(UnusedWritten::Stale);
            }
            let users = workflow::users(db, config.id)?;
            if !users.is_empty() {
                return Ok(UnusedWritten::InUse(users));
            }
            replace(db, &config, &documents)?;
            note.write(db, now)?;
            Ok(UnusedWritten::Done)
        })
        .await
    }

    async fn delete_unused(
        &self,
        id: ProviderConfigId,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        let note = Note::of(&event);
        self.transact(move |db, now| {
            if get(db, id)?.is_none() {
                return Ok(UnusedWritten::Stale);
            }
            let users = workflow::users(db, id)?;
            if !users.is_empty() {
                return Ok(UnusedWritten::InUse(users));
            }
            delete(db, id)?;
            note.write(db, now)?;
            Ok(UnusedWritten::Done)
        })
        .await
    }

    async fn delete(&self, id: ProviderConfigId, event: AuditEvent) -> Result<bool, StoreError> {
        let note = Note::of(&event);
        self.transact(move |db, now| {
            let is_removed = delete(db, id)?;
            if is_removed {
                note.write(db, now)?;
            }
            Ok(is_removed)
        })
        .await
    }
}

/// Lists the configurations; ?4 is a status and ?5 a provider.
pub(crate) const PAGES: Pages =
    pages!("provider_configs", "(?4 IS NULL OR status = ?4) AND (?5 IS NULL OR provider_id = ?5)");

const DELETE: &str = "DELETE FROM provider_configs WHERE id = ?1";

/// Whether it was there.
fn delete(db: &Connection, id: ProviderConfigId) -> Result<bool, StoreError> {
    db.prepare_cached(DELETE)
        .and_then(|mut statement| statement.execute([id.as_uuid().as_bytes()]))
        .of("provider_configs", id)
        .map(|n_rows| 0 < n_rows)
}

/// The parts of a configuration that are stored as JSON, written before the writer is asked.
struct Documents {
    metadata: Vec<u8>,
    config: Vec<u8>,
}

impl Documents {
    fn of(config: &ProviderConfig) -> Self {
        Self {
            metadata: json::to_bytes(&Value::Object(config.metadata.clone())),
            config: json::to_bytes(&Value::Object(config.config.clone())),
        }
    }
}

/// Nothing happens when another configuration has the name.
const INSERT: &str = "\
    INSERT INTO provider_configs (id, name, provider_id, status, revision, created_at, updated_at,
                                  description, metadata, config)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (name) DO NOTHING";

/// Whether the name was free.
fn insert(
    db: &Connection,
    config: &ProviderConfig,
    documents: &Documents,
) -> Result<bool, StoreError> {
    let params = params![
        config.id.as_uuid().as_bytes(),
        config.name,
        config.provider_id,
        config.status.as_str(),
        row::integer(config.revision),
        config.created_at.as_micros(),
        config.updated_at.as_micros(),
        config.description,
        documents.metadata,
        documents.config,
    ];
    let n_rows = db
        .prepare_cached(INSERT)
        .and_then(|mut statement| statement.execute(params))
        .of("provider_configs", config.id)?;
    Ok(0 < n_rows)
}

/// Writes one that was read from another store; whether its name was free.
pub(crate) fn restore(db: &Connection, config: &ProviderConfig) -> Result<bool, StoreError> {
    insert(db, config, &Documents::of(config))
}

const GET: &str = "\
    SELECT id, name, provider_id, status, revision, created_at, updated_at,
           description, metadata, config
      FROM provider_configs
     WHERE id = ?1";

pub(crate) fn get(
    db: &Connection,
    id: ProviderConfigId,
) -> Result<Option<ProviderConfig>, StoreError> {
    db.prepare_cached(GET)
        .and_then(|mut it| it.query_row([id.as_uuid().as_bytes()], read).optional())
        .of("provider_configs", id)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ProviderConfig> {
    Ok(ProviderConfig {
        id: ProviderConfigId::from_uuid(row::uuid(row, "id")?),
        name: row.get("name")?,
        description: row.get("description")?,
        provider_id: row.get("provider_id")?,
        config: row::object(row, "config")?,
        status: row::word(row, "status", ConfigStatus::parse)?,
        metadata: row::object(row, "metadata")?,
        revision: row::natural(row, "revision")?,
        created_at: row::moment(row, "created_at")?,
        updated_at: row::moment(row, "updated_at")?,
    })
}

const IS_AT: &str = "SELECT 1 FROM provider_configs WHERE id = ?1 AND revision = ?2";

const IS_TAKEN: &str = "SELECT 1 FROM provider_configs WHERE name = ?1 AND id <> ?2";

/// The provider and the moment of creation never change.
const REPLACE: &str = "\
    UPDATE provider_configs
       SET name = ?2, status = ?3, revision = ?4, updated_at = ?5, description = ?6, metadata = ?7,
           config = ?8
     WHERE id = ?1";

fn update(
    db: &Connection,
    config: &ProviderConfig,
    documents: &Documents,
) -> Result<ConfigWritten, StoreError> {
    let Some(before) = config.revision.checked_sub(1) else { return Ok(ConfigWritten::Stale) };
    if !is_at(db, config.id, before)? {
        return Ok(ConfigWritten::Stale);
    }
    let params = params![config.name, config.id.as_uuid().as_bytes()];
    let is_taken = db
        .prepare_cached(IS_TAKEN)
        .and_then(|mut statement| statement.exists(params))
        .of("provider_configs", config.id)?;
    if is_taken {
        return Ok(ConfigWritten::NameTaken);
    }
    replace(db, config, documents)?;
    Ok(ConfigWritten::Done)
}

/// Whether the configuration is there and was not changed since it was read.
fn is_at(db: &Connection, id: ProviderConfigId, revision: u64) -> Result<bool, StoreError> {
    let params = params![id.as_uuid().as_bytes(), row::integer(revision)];
    db.prepare_cached(IS_AT)
        .and_then(|mut statement| statement.exists(params))
        .of("provider_configs", id)
}

fn replace(
    db: &Connection,
    config: &ProviderConfig,
    documents: &Documents,
) -> Result<(), StoreError> {
    let params = params![
        config.id.as_uuid().as_bytes(),
        config.name,
        config.status.as_str(),
        row::integer(config.revision),
        config.updated_at.as_micros(),
        config.description,
        documents.metadata,
        documents.config,
    ];
    db.prepare_cached(REPLACE)
        .and_then(|mut statement| statement.execute(params))
        .of("provider_configs", config.id)
        .map(drop)
}
