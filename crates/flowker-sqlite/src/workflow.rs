//! Workflows, their frozen versions and their routes.

pub(crate) mod archived;
mod routes;
mod uses;

pub(crate) use routes::get as route;
pub(crate) use uses::users;

use async_trait::async_trait;
use flowker_core::audit::AuditEvent;
use flowker_core::id::WorkflowId;
use flowker_core::json;
use flowker_core::ports::{
    Activation, StoreError, Transition, WorkflowPage, WorkflowQuery, WorkflowStore, WorkflowWritten,
};
use flowker_core::refusal::Fault;
use flowker_core::workflow::{Definition, Lifecycle, Route, WebhookPath, Workflow};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use crate::SqliteStore;
use crate::audit::Note;
use crate::error::Of;
use crate::named::{Pages, pages};
use crate::row;

#[async_trait]
impl WorkflowStore for SqliteStore {
    async fn create(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let (documents, note) = (Documents::of(&workflow), Note::of(&event));
        self.transact(move |db, now| {
            if !insert(db, &workflow, &documents)? {
                return Ok(WorkflowWritten::NameTaken);
            }
            note.write(db, now)?;
            Ok(WorkflowWritten::Done(workflow.clone()))
        })
        .await
    }

    async fn get(&self, id: WorkflowId) -> Result<Option<Workflow>, StoreError> {
        self.query(move |db| get(db, id)).await
    }

    async fn list(&self, query: WorkflowQuery) -> Result<WorkflowPage, StoreError> {
        self.query(move |db| {
            let status = query.status.map(Lifecycle::as_str);
            let (ids, has_more) =
                PAGES.read(db, query.sort, query.after.as_ref(), query.limit, &[&status])?;
            let items =
                ids.into_iter().filter_map(|id| get(db, WorkflowId::from_uuid(id)).transpose());
            Ok(WorkflowPage { items: items.collect::<Result<_, _>>()?, has_more })
        })
        .await
    }

    async fn update(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let (documents, note) = (Documents::of(&workflow), Note::of(&event));
        self.transact(move |db, now| {
            let Some(before) = workflow.revision.checked_sub(1) else {
                return Ok(WorkflowWritten::Stale);
            };
            if !is_at(db, workflow.id, before)? {
                return Ok(WorkflowWritten::Stale);
            }
            if is_taken(db, &workflow.name, workflow.id)? {
                return Ok(WorkflowWritten::NameTaken);
            }
            replace(db, &workflow, &documents)?;
            note.write(db, now)?;
            written(db, workflow.id)
        })
        .await
    }

    async fn activate(
        &self,
        activation: Activation,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let note = Note::of(&event);
        self.transact(move |db, now| {
            let written = activate(db, &activation)?;
            if matches!(written, WorkflowWritten::Done(_)) {
                note.write(db, now)?;
            }
            Ok(written)
        })
        .await
    }

    async fn transition(
        &self,
        transition: Transition,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let Transition { id, revision, to, at } = transition;
        let note = Note::of(&event);
        self.transact(move |db, now| {
            if !is_at(db, id, revision)? {
                return Ok(WorkflowWritten::Stale);
            }
            routes::remove(db, id)?;
            uses::remove(db, id)?;
            let params = params![id.as_uuid().as_bytes(), to.as_str(), at.as_micros()];
            db.prepare_cached(SET_STATUS)
                .and_then(|mut statement| statement.execute(params))
                .of("workflows", id)?;
            note.write(db, now)?;
            written(db, id)
        })
        .await
    }

    async fn delete(
        &self,
        id: WorkflowId,
        revision: u64,
        event: AuditEvent,
    ) -> Result<bool, StoreError> {
        let note = Note::of(&event);
        self.transact(move |db, now| {
            let params = params![id.as_uuid().as_bytes(), row::integer(revision)];
            let n_rows = db
                .prepare_cached(DELETE)
                .and_then(|mut statement| statement.execute(params))
                .of("workflows", id)?;
            if 0 < n_rows {
                note.write(db, now)?;
            }
            Ok(0 < n_rows)
        })
        .await
    }

    async fn version(
        &self,
        id: WorkflowId,
        version: u32,
    ) -> Result<Option<Definition>, StoreError> {
        self.query(move |db| {
            let params = params![id.as_uuid().as_bytes(), version];
            db.prepare_cached(GET_VERSION)
                .and_then(|mut statement| statement.query_row(params, definition).optional())
                .of("workflow_versions", format_args!("{id} version {version}"))
        })
        .await
    }

    async fn routes(&self) -> Result<Vec<Route>, StoreError> {
        self.query(routes::all).await
    }

    async fn route(&self, method: &str, path: &WebhookPath) -> Result<Option<Route>, StoreError> {
        let (method, path) = (method.to_owned(), path.clone());
        self.query(move |db| routes::get(db, &method, &path)).await
    }

    async fn routes_revision(&self) -> Result<u64, StoreError> {
        self.query(routes::revision).await
    }
}

/// Lists the workflows; ?4 is a status.
pub(crate) const PAGES: Pages = pages!("workflows", "(?4 IS NULL OR status = ?4)");

/// Leaves everything but the lifecycle as it is.
const SET_STATUS: &str = "\
    UPDATE workflows SET status = ?2, updated_at = ?3, revision = revision + 1 WHERE id = ?1";

const DELETE: &str = "DELETE FROM workflows WHERE id = ?1 AND revision = ?2 AND status <> 'active'";

const GET_VERSION: &str =
    "SELECT definition FROM workflow_versions WHERE workflow_id = ?1 AND version = ?2";

/// The parts of a workflow that are stored as JSON, written before the writer is asked.
struct Documents {
    metadata: Vec<u8>,
    definition: Vec<u8>,
}

impl Documents {
    fn of(workflow: &Workflow) -> Self {
        Self {
            metadata: json::to_bytes(&Value::Object(workflow.metadata.clone())),
            definition: json::to_bytes(&workflow.definition.to_document()),
        }
    }
}

/// Nothing happens when another workflow has the name.
const INSERT: &str = "\
    INSERT INTO workflows (id, name, status, revision, version, created_at, updated_at,
                           description, metadata, definition)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (name) DO NOTHING";

/// Whether the name was free.
fn insert(db: &Connection, workflow: &Workflow, documents: &Documents) -> Result<bool, StoreError> {
    let params = params![
        workflow.id.as_uuid().as_bytes(),
        workflow.name,
        workflow.status.as_str(),
        row::integer(workflow.revision),
        workflow.version,
        workflow.created_at.as_micros(),
        workflow.updated_at.as_micros(),
        workflow.description,
        documents.metadata,
        documents.definition,
    ];
    let n_rows = db
        .prepare_cached(INSERT)
        .and_then(|mut statement| statement.execute(params))
        .of("workflows", workflow.id)?;
    Ok(0 < n_rows)
}

const GET: &str = "\
    SELECT id, name, status, revision, version, created_at, updated_at,
           description, metadata, definition
      FROM workflows
     WHERE id = ?1";

pub(crate) fn get(db: &Connection, id: WorkflowId) -> Result<Option<Workflow>, StoreError> {
    db.prepare_cached(GET)
        .and_then(|mut it| it.query_row([id.as_uuid().as_bytes()], read).optional())
        .of("workflows", id)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Workflow> {
    Ok(Workflow {
        id: WorkflowId::from_uuid(row::uuid(row, "id")?),
        name: row.get("name")?,
        description: row.get("description")?,
        status: row::word(row, "status", Lifecycle::parse)?,
        revision: row::natural(row, "revision")?,
        version: row.get("version")?,
        definition: definition(row)?,
        metadata: row::object(row, "metadata")?,
        created_at: row::moment(row, "created_at")?,
        updated_at: row::moment(row, "updated_at")?,
    })
}

/// A stored definition that has members of the wrong type.
#[derive(Debug, thiserror::Error)]
#[error("the definition is wrong at {}", paths(.0))]
struct WrongDefinition(Vec<Fault>);

fn paths(faults: &[Fault]) -> String {
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    paths.join(", ")
}

fn definition(row: &Row<'_>) -> rusqlite::Result<Definition> {
    Definition::from_document(row::document(row, "definition")?)
        .map_err(|faults| row::invalid("definition", Type::Blob, WrongDefinition(faults)))
}

const IS_AT: &str = "SELECT 1 FROM workflows WHERE id = ?1 AND revision = ?2";

/// Whether the workflow is there and was not changed since it was read.
fn is_at(db: &Connection, id: WorkflowId, revision: u64) -> Result<bool, StoreError> {
    let params = params![id.as_uuid().as_bytes(), row::integer(revision)];
    db.prepare_cached(IS_AT).and_then(|mut statement| statement.exists(params)).of("workflows", id)
}

const IS_TAKEN: &str = "SELECT 1 FROM workflows WHERE name = ?1 AND id <> ?2";

/// Whether another workflow has the name.
fn is_taken(db: &Connection, name: &str, id: WorkflowId) -> Result<bool, StoreError> {
    db.prepare_cached(IS_TAKEN)
        .and_then(|mut statement| statement.exists(params![name, id.as_uuid().as_bytes()]))
        .of("workflows", id)
}

const REPLACE: &str = "\
    UPDATE workflows
       SET name = ?2, revision = ?3, updated_at = ?4, description = ?5, metadata = ?6,
           definition = ?7
     WHERE id = ?1";

fn replace(db: &Connection, workflow: &Workflow, documents: &Documents) -> Result<(), StoreError> {
    let params = params![
        workflow.id.as_uuid().as_bytes(),
        workflow.name,
        row::integer(workflow.revision),
        workflow.updated_at.as_micros(),
        workflow.description,
        documents.metadata,
        documents.definition,
    ];
    db.prepare_cached(REPLACE)
        .and_then(|mut statement| statement.execute(params))
        .of("workflows", workflow.id)
        .map(drop)
}

/// The definition is copied as it is stored, so a version is what was shown before.
const FREEZE: &str = "\
    INSERT INTO workflow_versions (workflow_id, version, frozen_at, definition)
    SELECT id, version + 1, ?2, definition FROM workflows WHERE id = ?1";

const SET_ACTIVE: &str = "\
    UPDATE workflows
       SET status = 'active', version = version + 1, updated_at = ?2, revision = revision + 1
     WHERE id = ?1";

fn activate(db: &Connection, activation: &Activation) -> Result<WorkflowWritten, StoreError> {
    let Activation { id, revision, routes, configs, at } = activation;
    if !is_at(db, *id, *revision)? {
        return Ok(WorkflowWritten::Stale);
    }
    if let Some(config) = uses::unusable(db, configs)? {
        return Ok(WorkflowWritten::ConfigUnusable(config));
    }
    if let Some((route, holder)) = routes::taken(db, *id, routes)? {
        return Ok(WorkflowWritten::RouteTaken { route, holder });
    }
    let params = params![id.as_uuid().as_bytes(), at.as_micros()];
    db.prepare_cached(FREEZE)
        .and_then(|mut statement| statement.execute(params))
        .of("workflow_versions", id)?;
    db.prepare_cached(SET_ACTIVE)
        .and_then(|mut statement| statement.execute(params))
        .of("workflows", id)?;
    routes::add(db, *id, routes)?;
    uses::add(db, *id, configs)?;
    written(db, *id)
}

fn written(db: &Connection, id: WorkflowId) -> Result<WorkflowWritten, StoreError> {
    Ok(get(db, id)?.map_or(WorkflowWritten::Stale, WorkflowWritten::Done))
}
