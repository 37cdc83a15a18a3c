//! The archive: all that the database holds, record by record, and back.

use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::archive::{
    Contents, Digest, ImportBegun, ImportMark, Kind, Place, Record, SharedValue,
};
use flowker_core::ports::{Archive, StoreError};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::PostgresStore;
use crate::db::{Session, Undo};
use crate::execution::archived as executions;
use crate::row::{self, Columns, Values, escaped, one, refs};
use crate::statement::Statement;
use crate::workflow::archived as workflows;
use crate::{api_key, audit, idempotency, provider_config, shared};

#[async_trait]
impl Archive for PostgresStore {
    async fn contents(&self) -> Result<Contents, StoreError> {
        let db = &self.inner.db;
        db.snapshot(|session| {
            Box::pin(async move {
                let rows = session.query(&shared::GET, &[&ImportMark::NAME]).await;
                let mark = read_mark(&rows.map_err(StoreError::unavailable)?)?;
                let rows = session.query(&IS_EMPTY, &[&ImportMark::NAME]).await;
                let is_empty = read_is_empty(&rows.map_err(StoreError::unavailable)?)?;
                Ok(ImportMark::contents(mark, is_empty))
            })
        })
        .await
    }

    async fn read(&self, after: Option<Place>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let db = &self.inner.db;
        db.snapshot(|session| Box::pin(read(session, after, limit))).await
    }

    async fn begin_import(&self, digest: Digest) -> Result<ImportBegun, StoreError> {
        let db = &self.inner.db;
        db.transact(|session| {
            Box::pin(async move {
                session.execute(GATE).await?;
                let mark = read_mark(&session.query(&shared::GET, &[&ImportMark::NAME]).await?)?;
                let rows = session.query(&IS_EMPTY, &[&ImportMark::NAME]).await?;
                let begun = ImportMark::begin(mark, read_is_empty(&rows)?, digest);
                if begun == ImportBegun::Now {
                    set_mark(session, ImportMark { digest, is_finished: false }).await?;
                }
                Ok(begun)
            })
        })
        .await
    }

    async fn write(&self, records: Vec<Record>) -> Result<bool, StoreError> {
        let (db, records) = (&self.inner.db, Arc::new(records));
        db.transact(|session| {
            let records = Arc::clone(&records);
            Box::pin(async move { write(session, &records).await })
        })
        .await
    }

    async fn finish_import(&self) -> Result<(), StoreError> {
        let db = &self.inner.db;
        db.transact(|session| {
            Box::pin(async move {
                session.execute(GATE).await?;
                let rows = session.query(&shared::GET, &[&ImportMark::NAME]).await?;
                if let Some(mark) = read_mark(&rows)? {
                    set_mark(session, ImportMark { is_finished: true, ..mark }).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// Imports wait for each other, and for whoever makes a first value in a store that was empty.
const GATE: &str = "LOCK TABLE shared_values IN EXCLUSIVE MODE";

/// A mark that is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("it is not the mark of an import")]
struct NotAMark;

fn read_mark(rows: &[Row]) -> Result<Option<ImportMark>, StoreError> {
    let Some(row) = rows.first() else { return Ok(None) };
    let row = Columns { table: "shared_values", row };
    let mark = ImportMark::from_bytes(&row.get::<Vec<u8>>("value")?);
    mark.ok_or_else(|| row.invalid("value", NotAMark)).map(Some)
}

static SET_MARK: Statement = Statement {
    text: "\
        INSERT INTO shared_values (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value",
    types: &[Type::TEXT, Type::BYTEA],
};

async fn set_mark(session: &Session, mark: ImportMark) -> Result<(), Error> {
    session.query(&SET_MARK, &[&ImportMark::NAME, &mark.to_bytes()]).await.map(drop)
}

/// Routes need a workflow, and everything else of executions an execution.
static IS_EMPTY: Statement = Statement {
    text: "\
        SELECT NOT EXISTS (SELECT 1 FROM workflows)
           AND NOT EXISTS (SELECT 1 FROM workflow_versions)
           AND NOT EXISTS (SELECT 1 FROM provider_configs)
           AND NOT EXISTS (SELECT 1 FROM api_keys)
           AND NOT EXISTS (SELECT 1 FROM shared_values WHERE name <> $1)
           AND NOT EXISTS (SELECT 1 FROM executions)
           AND NOT EXISTS (SELECT 1 FROM idempotency_keys)
           AND NOT EXISTS (SELECT 1 FROM audit_pending)
           AND NOT EXISTS (SELECT 1 FROM audit_entries) AS is_empty",
    types: &[Type::TEXT],
};

fn read_is_empty(rows: &[Row]) -> Result<bool, StoreError> {
    one("the database", rows)?.get("is_empty")
}

async fn read(
    session: &Session,
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<Record>, StoreError> {
    let first = after.as_ref().map_or(Kind::Workflow, Place::kind);
    let mut records = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| first <= *kind) {
        let after = after.as_ref().filter(|after| after.kind() == kind);
        let n_left = limit - records.len();
        if kind == Kind::Execution {
            let after = match after {
                Some(Place::Execution(id)) => *id.as_uuid(),
                _ => Uuid::nil(),
            };
            let (page, is_all) = executions::page(session, after, n_left).await?;
            records.extend(page.into_iter().map(Record::Execution));
            if !is_all {
                break;
            }
        } else {
            let Listing { statement, read } = listing(kind);
            let mut params = after.map_or_else(|| start(kind), bounds);
            params.push(Box::new(row::limit(n_left)));
            let rows = session.query(statement, &refs(&params)).await;
            for row in rows.map_err(StoreError::unavailable)? {
                records.push(read(&row)?);
            }
        }
        if records.len() == limit {
            break;
        }
    }
    Ok(records)
}

/// How the records of one kind are listed: behind a place, of which the last parameter but one is
/// the end, and as many as the last parameter says.
#[derive(Clone, Copy)]
pub(crate) struct Listing {
    pub(crate) statement: &'static Statement,
    pub(crate) read: fn(&Row) -> Result<Record, StoreError>,
}

fn listing(kind: Kind) -> Listing {
    match kind {
        Kind::Workflow => workflows::WORKFLOWS,
        Kind::Version => workflows::VERSIONS,
        Kind::Route => workflows::ROUTES,
        Kind::ProviderConfig => provider_config::LISTING,
        Kind::ApiKey => api_key::LISTING,
        Kind::Key => idempotency::LISTING,
        Kind::AuditEntry => audit::LISTING,
        // Executions are listed apart, with their journals.
        Kind::SharedValue | Kind::Execution => SHARED_VALUES,
    }
}

/// There are few, so that their names need not be sought.
const SHARED_VALUES: Listing = Listing {
    statement: &Statement {
        text: "\
            SELECT name, value
              FROM shared_values
             WHERE ($1 IS NULL OR $1 < name) AND name <> $2
             ORDER BY name
             LIMIT $3",
        types: &[Type::TEXT, Type::TEXT, Type::INT8],
    },
    read: |row| {
        let row = Columns { table: "shared_values", row };
        let (name, value) = (row.text("name")?, row.get("value")?);
        Ok(Record::SharedValue(SharedValue { name, value }))
    },
};

fn bounds(place: &Place) -> Values {
    let text = |text: &str| Box::new(escaped(text).into_owned());
    match place {
        Place::Workflow(id) => vec![Box::new(*id.as_uuid())],
        Place::Version(id, version) => {
            vec![Box::new(*id.as_uuid()), Box::new(i64::from(*version))]
        }
        Place::Route(method, path) => vec![text(method), text(path.as_str())],
        Place::ProviderConfig(id) => vec![Box::new(*id.as_uuid())],
        Place::ApiKey(id) => vec![Box::new(*id.as_uuid())],
        Place::SharedValue(name) => vec![text(name), text(ImportMark::NAME)],
        Place::Execution(id) => vec![Box::new(*id.as_uuid())],
        Place::Key(id, key) => vec![Box::new(*id.as_uuid()), text(key.as_str())],
        Place::AuditEntry(sequence) => vec![Box::new(row::integer(*sequence))],
    }
}

/// Before all places of a kind. No id is nil, and no method is empty.
fn start(kind: Kind) -> Values {
    let empty = || Box::new(String::new());
    match kind {
        Kind::Workflow | Kind::ProviderConfig | Kind::ApiKey | Kind::Execution => {
            vec![Box::new(Uuid::nil())]
        }
        Kind::Version => vec![Box::new(Uuid::nil()), Box::new(0_i64)],
        Kind::Route => vec![empty(), empty()],
        Kind::SharedValue => vec![Box::new(None::<String>), Box::new(ImportMark::NAME)],
        Kind::Key => vec![Box::new(Uuid::nil()), empty()],
        Kind::AuditEntry => vec![Box::new(0_i64)],
    }
}

/// Something else is at the place of a record, or has its name.
#[derive(Debug, thiserror::Error)]
#[error("something else is there")]
struct Taken;

pub(crate) fn taken(place: &Place) -> StoreError {
    StoreError::corrupt(place.to_string(), Taken)
}

async fn write(session: &Session, records: &[Record]) -> Result<bool, Undo<bool>> {
    session.execute(GATE).await?;
    let mark = read_mark(&session.query(&shared::GET, &[&ImportMark::NAME]).await?)?;
    if mark.is_none_or(|mark| mark.is_finished) {
        return Err(Undo::Answer(false));
    }
    let (mut executions, mut keys, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    let mut has_routes = false;
    for record in records {
        match record {
            Record::Execution(it) => executions.push(it),
            Record::Key(it) => keys.push(it),
            Record::AuditEntry(it) => entries.push(it),
            record => has_routes |= restore(session, record).await? && record.kind() == Kind::Route,
        }
    }
    executions::restore(session, &executions).await?;
    idempotency::restore(session, &keys).await?;
    audit::restore(session, &entries).await?;
    if has_routes {
        workflows::announce_routes(session).await?;
    }
    Ok(true)
}

/// Writes a record of which there are few; whether it was not there.
async fn restore(session: &Session, record: &Record) -> Result<bool, Undo<bool>> {
    let place = record.place();
    if let Some(there) = get(session, &place).await? {
        return if there == *record { Ok(false) } else { Err(taken(&place).into()) };
    }
    let (statement, values) = match record {
        Record::Workflow(it) => workflows::insertion(it),
        Record::Version(it) => workflows::insertion_of_version(it),
        Record::Route(it) => workflows::insertion_of_route(it),
        Record::ProviderConfig(it) => provider_config::insertion(it),
        Record::ApiKey(it) => api_key::insertion(it),
        Record::SharedValue(it) => (&shared::KEEP, shared::values(&it.name, it.value.clone())),
        Record::Execution(_) | Record::Key(_) | Record::AuditEntry(_) => return Ok(false),
    };
    match session.query(statement, &refs(&values)).await {
        Ok(rows) if rows.is_empty() => Err(taken(&place).into()),
        Ok(_) => {
            if let Record::Workflow(it) = record
                && let Some((statement, values)) = workflows::insertion_of_uses(it)
            {
                session.query(statement, &refs(&values)).await?;
            }
            Ok(true)
        }
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            Err(taken(&place).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The record of which there are few at this place.
async fn get(session: &Session, place: &Place) -> Result<Option<Record>, Undo<bool>> {
    let statement = match place {
        Place::Workflow(_) => &workflows::GET,
        Place::Version(..) => &workflows::GET_VERSION,
        Place::Route(..) => &workflows::GET_ROUTE,
        Place::ProviderConfig(_) => &provider_config::GET,
        Place::ApiKey(_) => &api_key::GET,
        Place::SharedValue(_) => &GET_SHARED,
        Place::Execution(_) | Place::Key(..) | Place::AuditEntry(_) => return Ok(None),
    };
    let rows = session.query(statement, &refs(&bounds(place))).await?;
    let read = listing(place.kind()).read;
    Ok(rows.first().map(read).transpose()?)
}

/// $2 is the name of the mark, which is no record.
static GET_SHARED: Statement = Statement {
    text: "SELECT name, value FROM shared_values WHERE name = $1 AND name <> $2",
    types: &[Type::TEXT, Type::TEXT],
};

/// Every statement that reads a page, for tests of their plans.
#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static Statement> {
    let listed = Kind::ALL.into_iter();
    let listed = listed.filter(|it| !matches!(it, Kind::SharedValue | Kind::Execution));
    let listed = listed.map(|kind| listing(kind).statement);
    listed.chain(executions::STATEMENTS.iter().copied()).chain([&idempotency::GET_ALL]).collect()
}
