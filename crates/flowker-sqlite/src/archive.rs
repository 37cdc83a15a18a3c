//! The archive: all that the database holds, record by record, and back.
//!
//! Nobody else uses the database meanwhile, so what is written is made ready in the writer's thread.

use async_trait::async_trait;
use flowker_core::archive::{
    Contents, Digest, ImportBegun, ImportMark, Kind, Place, Record, SharedValue,
};
use flowker_core::id::{ApiKeyId, ExecutionId, ProviderConfigId, WorkflowId};
use flowker_core::idempotency::IdempotencyKey;
use flowker_core::ports::{Archive, StoreError};
use rusqlite::types::{Type, Value};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::Of;
use crate::execution::archived as executions;
use crate::workflow::archived as workflows;
use crate::{api_key, audit, idempotency, provider_config, row, shared};

#[async_trait]
impl Archive for SqliteStore {
    async fn contents(&self) -> Result<Contents, StoreError> {
        self.query(|db| Ok(ImportMark::contents(mark(db)?, is_empty(db)?))).await
    }

    async fn read(&self, after: Option<Place>, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.query(move |db| read(db, after.as_ref(), limit)).await
    }

    async fn begin_import(&self, digest: Digest) -> Result<ImportBegun, StoreError> {
        self.transact(move |db, _| {
            let begun = ImportMark::begin(mark(db)?, is_empty(db)?, digest);
            if begun == ImportBegun::Now {
                set_mark(db, ImportMark { digest, is_finished: false })?;
            }
            Ok(begun)
        })
        .await
    }

    async fn write(&self, records: Vec<Record>) -> Result<bool, StoreError> {
        self.transact(move |db, _| {
            if mark(db)?.is_none_or(|mark| mark.is_finished) {
                return Ok(false);
            }
            records.iter().try_for_each(|record| write(db, record))?;
            Ok(true)
        })
        .await
    }

    async fn finish_import(&self) -> Result<(), StoreError> {
        self.transact(|db, _| match mark(db)? {
            Some(mark) => set_mark(db, ImportMark { is_finished: true, ..mark }),
            None => Ok(()),
        })
        .await
    }
}

/// A mark that is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("it is not the mark of an import")]
struct NotAMark;

fn mark(db: &Connection) -> Result<Option<ImportMark>, StoreError> {
    let Some(bytes) = shared::get(db, ImportMark::NAME)? else { return Ok(None) };
    let mark = ImportMark::from_bytes(&bytes);
    let mark = mark.ok_or_else(|| row::invalid("value", Type::Blob, NotAMark));
    mark.of("shared_values", ImportMark::NAME).map(Some)
}

const SET_MARK: &str = "INSERT OR REPLACE INTO shared_values (name, value) VALUES (?1, ?2)";

fn set_mark(db: &Connection, mark: ImportMark) -> Result<(), StoreError> {
    db.prepare_cached(SET_MARK)
        .and_then(|mut statement| statement.execute(params![ImportMark::NAME, mark.to_bytes()]))
        .of("shared_values", ImportMark::NAME)
        .map(drop)
}

/// Routes need a workflow, and everything else of executions an execution.
const IS_EMPTY: &str = "\
    SELECT NOT EXISTS (SELECT 1 FROM workflows)
       AND NOT EXISTS (SELECT 1 FROM workflow_versions)
       AND NOT EXISTS (SELECT 1 FROM provider_configs)
       AND NOT EXISTS (SELECT 1 FROM api_keys)
       AND NOT EXISTS (SELECT 1 FROM shared_values WHERE name <> ?1)
       AND NOT EXISTS (SELECT 1 FROM executions)
       AND NOT EXISTS (SELECT 1 FROM idempotency_keys)
       AND NOT EXISTS (SELECT 1 FROM audit_pending)
       AND NOT EXISTS (SELECT 1 FROM audit_entries)";

fn is_empty(db: &Connection) -> Result<bool, StoreError> {
    db.prepare_cached(IS_EMPTY)
        .and_then(|mut statement| statement.query_row([ImportMark::NAME], |row| row.get(0)))
        .of("database", "whether it is empty")
}

/// How many bytes of executions a page holds, unless a single one holds more. Their inputs and
/// outputs can be large; nothing else is.
const PAGE_BYTES: u64 = 8 * 1024 * 1024;

fn read(db: &Connection, after: Option<&Place>, limit: usize) -> Result<Vec<Record>, StoreError> {
    let first = after.map_or(Kind::Workflow, Place::kind);
    let mut records = Vec::new();
    let mut n_bytes = 0;
    for kind in Kind::ALL.into_iter().filter(|kind| first <= *kind) {
        let after = after.filter(|after| after.kind() == kind);
        for place in places(db, kind, after, limit - records.len())? {
            if let Place::Execution(id) = &place {
                n_bytes += executions::size(db, *id)?;
                if PAGE_BYTES < n_bytes && !records.is_empty() {
                    return Ok(records);
                }
            }
            records.extend(get(db, &place)?);
        }
        if records.len() == limit {
            break;
        }
    }
    Ok(records)
}

/// How the places of one kind are listed. ?1 and ?2 are the place after which the list begins, ?3 is
/// how many it holds.
struct Places {
    table: &'static str,
    statement: &'static str,
    read: fn(&Row<'_>) -> rusqlite::Result<Place>,
}

const fn places_of(kind: Kind) -> Places {
    match kind {
        Kind::Workflow => Places {
            table: "workflows",
            statement: "SELECT id FROM workflows WHERE ?1 < id ORDER BY id LIMIT ?3",
            read: |row| Ok(Place::Workflow(WorkflowId::from_uuid(row::uuid(row, "id")?))),
        },
        Kind::Version => Places {
            table: "workflow_versions",
            statement: "SELECT workflow_id, version FROM workflow_versions \
                        WHERE (?1, ?2) < (workflow_id, version) \
                        ORDER BY workflow_id, version LIMIT ?3",
            read: |row| {
                let id = WorkflowId::from_uuid(row::uuid(row, "workflow_id")?);
                Ok(Place::Version(id, row.get("version")?))
            },
        },
        Kind::Route => Places {
            table: "routes",
            statement: "SELECT method, path FROM routes \
                        WHERE (?1, ?2) < (method, path) ORDER BY method, path LIMIT ?3",
            read: |row| Ok(Place::Route(row.get("method")?, workflows::path(row)?)),
        },
        Kind::ProviderConfig => Places {
            table: "provider_configs",
            statement: "SELECT id FROM provider_configs WHERE ?1 < id ORDER BY id LIMIT ?3",
            read: |row| {
                let id = ProviderConfigId::from_uuid(row::uuid(row, "id")?);
                Ok(Place::ProviderConfig(id))
            },
        },
        Kind::ApiKey => Places {
            table: "api_keys",
            statement: "SELECT id FROM api_keys WHERE ?1 < id ORDER BY id LIMIT ?3",
            read: |row| Ok(Place::ApiKey(ApiKeyId::from_uuid(row::uuid(row, "id")?))),
        },
        // There are few, so that their names need not be sought.
        Kind::SharedValue => Places {
            table: "shared_values",
            statement: "SELECT name FROM shared_values \
                        WHERE (?1 IS NULL OR ?1 < name) AND name <> ?2 ORDER BY name LIMIT ?3",
            read: |row| Ok(Place::SharedValue(row.get("name")?)),
        },
        Kind::Execution => Places {
            table: "executions",
            statement: "SELECT id FROM executions WHERE ?1 < id ORDER BY id LIMIT ?3",
            read: |row| Ok(Place::Execution(ExecutionId::from_uuid(row::uuid(row, "id")?))),
        },
        Kind::Key => Places {
            table: "idempotency_keys",
            statement: "SELECT workflow_id, key FROM idempotency_keys \
                        WHERE (?1, ?2) < (workflow_id, key) ORDER BY workflow_id, key LIMIT ?3",
            read: |row| {
                let id = WorkflowId::from_uuid(row::uuid(row, "workflow_id")?);
                Ok(Place::Key(id, IdempotencyKey::from_stored(row.get("key")?)))
            },
        },
        Kind::AuditEntry => Places {
            table: "audit_entries",
            statement: "SELECT sequence FROM audit_entries \
                        WHERE ?1 < sequence ORDER BY sequence LIMIT ?3",
            read: |row| Ok(Place::AuditEntry(row::natural(row, "sequence")?)),
        },
    }
}

/// The places of one kind behind `after`, which is one of that kind.
fn places(
    db: &Connection,
    kind: Kind,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    let Places { table, statement, read } = places_of(kind);
    let (first, second) = after.map_or_else(|| start(kind), bounds);
    let mut statement = db.prepare_cached(statement).of(table, "list")?;
    let places = statement.query_map(params![first, second, row::limit(limit)], read);
    places.and_then(Iterator::collect).of(table, "list")
}

fn bounds(place: &Place) -> (Value, Value) {
    let id = |id: &Uuid| Value::Blob(id.as_bytes().to_vec());
    let text = |text: &str| Value::Text(text.to_owned());
    match place {
        Place::Workflow(it) => (id(it.as_uuid()), Value::Null),
        Place::Version(it, version) => (id(it.as_uuid()), Value::Integer(i64::from(*version))),
        Place::Route(method, path) => (text(method), text(path.as_str())),
        Place::ProviderConfig(it) => (id(it.as_uuid()), Value::Null),
        Place::ApiKey(it) => (id(it.as_uuid()), Value::Null),
        Place::SharedValue(name) => (text(name), text(ImportMark::NAME)),
        Place::Execution(it) => (id(it.as_uuid()), Value::Null),
        Place::Key(it, key) => (id(it.as_uuid()), text(key.as_str())),
        Place::AuditEntry(sequence) => (Value::Integer(row::integer(*sequence)), Value::Null),
    }
}

/// Before all places of a kind. No id and no method is empty.
fn start(kind: Kind) -> (Value, Value) {
    match kind {
        Kind::SharedValue => (Value::Null, Value::Text(ImportMark::NAME.to_owned())),
        Kind::Route => (Value::Text(String::new()), Value::Text(String::new())),
        Kind::AuditEntry => (Value::Integer(0), Value::Null),
        _ => (Value::Blob(Vec::new()), Value::Integer(0)),
    }
}

fn get(db: &Connection, place: &Place) -> Result<Option<Record>, StoreError> {
    Ok(match place {
        Place::Workflow(id) => crate::workflow::get(db, *id)?.map(Record::Workflow),
        Place::Version(id, version) => workflows::version(db, *id, *version)?.map(Record::Version),
        Place::Route(method, path) => crate::workflow::route(db, method, path)?.map(Record::Route),
        Place::ProviderConfig(id) => provider_config::get(db, *id)?.map(Record::ProviderConfig),
        Place::ApiKey(id) => api_key::get(db, *id)?.map(Record::ApiKey),
        Place::SharedValue(name) => shared::get(db, name)?
            .map(|value| Record::SharedValue(SharedValue { name: name.clone(), value })),
        Place::Execution(id) => executions::get(db, *id)?.map(Record::Execution),
        Place::Key(id, key) => idempotency::archived(db, *id, key)?.map(Record::Key),
        Place::AuditEntry(sequence) => audit::archived(db, *sequence)?.map(Record::AuditEntry),
    })
}

/// Something else is at the place of a record, or has its name.
#[derive(Debug, thiserror::Error)]
#[error("something else is there")]
struct Taken;

fn write(db: &Connection, record: &Record) -> Result<(), StoreError> {
    let place = record.place();
    let is_free = match get(db, &place)? {
        Some(there) if there == *record => return Ok(()),
        Some(_) => false,
        None => match record {
            Record::Workflow(it) => workflows::restore(db, it)?,
            Record::Version(it) => workflows::restore_version(db, it).map(|()| true)?,
            Record::Route(it) => workflows::restore_route(db, it).map(|()| true)?,
            Record::ProviderConfig(it) => provider_config::restore(db, it)?,
            Record::ApiKey(it) => api_key::restore(db, it)?,
            Record::SharedValue(it) => shared::insert(db, &it.name, &it.value).map(|()| true)?,
            Record::Execution(it) => executions::restore(db, it).map(|()| true)?,
            Record::Key(it) => idempotency::restore(db, it).map(|()| true)?,
            Record::AuditEntry(it) => audit::restore(db, it)?,
        },
    };
    if is_free { Ok(()) } else { Err(StoreError::corrupt(place.to_string(), Taken)) }
}

/// Every statement that reads a page, for tests of their plans.
#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let listed = Kind::ALL.into_iter().filter(|kind| *kind != Kind::SharedValue);
    listed.map(|kind| places_of(kind).statement).chain([executions::SIZE]).collect()
}
