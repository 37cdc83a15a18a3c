//! Workflows, their frozen versions and their routes.

pub(crate) mod archived;
mod routes;
mod uses;

pub(crate) use uses::users;

use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::audit::AuditEvent;
use flowker_core::id::WorkflowId;
use flowker_core::json;
use flowker_core::ports::{
    Activation, StoreError, Transition, WorkflowPage, WorkflowQuery, WorkflowStore, WorkflowWritten,
};
use flowker_core::refusal::Fault;
use flowker_core::workflow::{Definition, Lifecycle, Route, WebhookPath, Workflow};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::PostgresStore;
use crate::audit::Note;
use crate::db::{Session, Undo};
use crate::error::is_duplicate;
use crate::named::{Pages, pages};
use crate::row::{self, Columns, Moment, Values, escaped, refs};
use crate::statement::Statement;

#[async_trait]
impl WorkflowStore for PostgresStore {
    async fn create(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let (db, note) = (&self.inner.db, Arc::new(Note::of(&event)));
        let values = Arc::new(values(&workflow));
        let workflow = Arc::new(workflow);
        db.transact(|session| {
            let (values, note) = (Arc::clone(&values), Arc::clone(&note));
            let workflow = Arc::clone(&workflow);
            Box::pin(async move {
                if session.query(&INSERT, &refs(&values)).await?.is_empty() {
                    return Err(Undo::Answer(WorkflowWritten::NameTaken));
                }
                note.write(session).await?;
                Ok(WorkflowWritten::Done(Workflow::clone(&workflow)))
            })
        })
        .await
    }

    async fn get(&self, id: WorkflowId) -> Result<Option<Workflow>, StoreError> {
        let rows = self.inner.db.read(&GET, &[id.as_uuid()]).await?;
        rows.first().map(read).transpose()
    }

    async fn list(&self, query: WorkflowQuery) -> Result<WorkflowPage, StoreError> {
        let status = query.status.map(Lifecycle::as_str);
        let (rows, has_more) = PAGES
            .read(&self.inner.db, query.sort, query.after.as_ref(), query.limit, &[&status])
            .await?;
        Ok(WorkflowPage { items: rows.iter().map(read).collect::<Result<_, _>>()?, has_more })
    }

    async fn update(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let Some(before) = workflow.revision.checked_sub(1) else {
            return Ok(WorkflowWritten::Stale);
        };
        let (db, note) = (&self.inner.db, Arc::new(Note::of(&event)));
        let values = Arc::new(replacement(&workflow, before));
        let updated = db.transact(|session| {
            let (values, note) = (Arc::clone(&values), Arc::clone(&note));
            Box::pin(async move {
                let Some(workflow) = written(&session.query(&REPLACE, &refs(&values)).await?)?
                else {
                    return Err(Undo::Answer(WorkflowWritten::Stale));
                };
                note.write(session).await?;
                Ok(WorkflowWritten::Done(workflow))
            })
        });
        match updated.await {
            Err(error) if is_duplicate(&error) => Ok(WorkflowWritten::NameTaken),
            updated => updated,
        }
    }

    async fn activate(
        &self,
        activation: Activation,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let (db, note) = (&self.inner.db, Arc::new(Note::of(&event)));
        db.transact(|session| {
            let (activation, note) = (activation.clone(), Arc::clone(&note));
            Box::pin(async move {
                let activated = activate(session, activation).await?;
                note.write(session).await?;
                Ok(activated)
            })
        })
        .await
    }

    async fn transition(
        &self,
        transition: Transition,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let (db, note) = (&self.inner.db, Arc::new(Note::of(&event)));
        db.transact(|session| {
            let note = Arc::clone(&note);
            Box::pin(async move {
                let changed = change_status(session, transition).await?;
                note.write(session).await?;
                Ok(changed)
            })
        })
        .await
    }

    async fn delete(
        &self,
        id: WorkflowId,
        revision: u64,
        event: AuditEvent,
    ) -> Result<bool, StoreError> {
        let (db, note) = (&self.inner.db, Arc::new(Note::of(&event)));
        db.transact(|session| {
            let note = Arc::clone(&note);
            Box::pin(async move {
                let rows = session.query(&DELETE, &[id.as_uuid(), &row::integer(revision)]).await?;
                if rows.is_empty() {
                    return Err(Undo::Answer(false));
                }
                note.write(session).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn version(
        &self,
        id: WorkflowId,
        version: u32,
    ) -> Result<Option<Definition>, StoreError> {
        let rows = self.inner.db.read(&GET_VERSION, &[id.as_uuid(), &i64::from(version)]).await?;
        let read = |row| definition(&Columns { table: "workflow_versions", row });
        rows.first().map(read).transpose()
    }

    async fn routes(&self) -> Result<Vec<Route>, StoreError> {
        routes::all(&self.inner.db).await
    }

    async fn route(&self, method: &str, path: &WebhookPath) -> Result<Option<Route>, StoreError> {
        routes::get(&self.inner.db, method, path).await
    }

    async fn routes_revision(&self) -> Result<u64, StoreError> {
        routes::revision(&self.inner.db).await
    }
}

/// Lists the workflows; $4 is a status.
pub(crate) static PAGES: Pages = pages!(
    "SELECT id, name, status, revision, version, created_at, updated_at,
            description, metadata, definition
       FROM workflows
      WHERE ($4 IS NULL OR status = $4)",
    Type::TEXT
);

static DELETE: Statement = Statement {
    text: "\
        DELETE FROM workflows
         WHERE id = $1 AND revision = $2 AND status <> 'active'
        RETURNING id",
    types: &[Type::UUID, Type::INT8],
};

static GET_VERSION: Statement = Statement {
    text: "SELECT definition FROM workflow_versions WHERE workflow_id = $1 AND version = $2",
    types: &[Type::UUID, Type::INT8],
};

/// The parts of a workflow that are stored as JSON.
struct Documents {
    metadata: String,
    definition: String,
}

impl Documents {
    fn of(workflow: &Workflow) -> Self {
        Self {
            metadata: json::to_text(&Value::Object(workflow.metadata.clone())),
            definition: json::to_text(&workflow.definition.to_document()),
        }
    }
}

/// Nothing happens when another workflow has the name.
static INSERT: Statement = Statement {
    text: "\
        INSERT INTO workflows (id, name, status, revision, version, created_at, updated_at,
                               description, metadata, definition)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (name) DO NOTHING
        RETURNING id",
    types: &[
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
    ],
};

/// What [`INSERT`] is given.
fn values(workflow: &Workflow) -> Values {
    let Documents { metadata, definition } = Documents::of(workflow);
    let description = workflow.description.as_deref();
    vec![
        Box::new(*workflow.id.as_uuid()),
        Box::new(escaped(&workflow.name).into_owned()),
        Box::new(workflow.status.as_str()),
        Box::new(row::integer(workflow.revision)),
        Box::new(i64::from(workflow.version)),
        Box::new(Moment(workflow.created_at)),
        Box::new(Moment(workflow.updated_at)),
        Box::new(description.map(|text| escaped(text).into_owned())),
        Box::new(metadata),
        Box::new(definition),
    ]
}

/// What [`REPLACE`] is given.
fn replacement(workflow: &Workflow, before: u64) -> Values {
    let Documents { metadata, definition } = Documents::of(workflow);
    let description = workflow.description.as_deref();
    vec![
        Box::new(*workflow.id.as_uuid()),
        Box::new(row::integer(before)),
        Box::new(escaped(&workflow.name).into_owned()),
        Box::new(Moment(workflow.updated_at)),
        Box::new(description.map(|text| escaped(text).into_owned())),
        Box::new(metadata),
        Box::new(definition),
    ]
}

pub(crate) static GET: Statement = Statement {
    text: "\
        SELECT id, name, status, revision, version, created_at, updated_at,
               description, metadata, definition
          FROM workflows
         WHERE id = $1",
    types: &[Type::UUID],
};

fn read(row: &Row) -> Result<Workflow, StoreError> {
    let row = Columns { table: "workflows", row };
    Ok(Workflow {
        id: WorkflowId::from_uuid(row.get("id")?),
        name: row.text("name")?,
        description: row.optional_text("description")?,
        status: row.word("status", Lifecycle::parse)?,
        revision: row.natural("revision")?,
        version: row.natural("version")?,
        definition: definition(&row)?,
        metadata: row.object("metadata")?,
        created_at: row.moment("created_at")?,
        updated_at: row.moment("updated_at")?,
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

fn definition(row: &Columns<'_>) -> Result<Definition, StoreError> {
    Definition::from_document(row.document("definition")?)
        .map_err(|faults| row.invalid("definition", WrongDefinition(faults)))
}

/// No row: it is at another revision, or gone. A name that another has violates its uniqueness.
static REPLACE: Statement = Statement {
    text: "\
        UPDATE workflows
           SET name = $3, revision = revision + 1, updated_at = $4, description = $5,
               metadata = $6, definition = $7
         WHERE id = $1 AND revision = $2
        RETURNING id, name, status, revision, version, created_at, updated_at,
                  description, metadata, definition",
    types: &[
        Type::UUID,
        Type::INT8,
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
    ],
};

/// No row: it is at another revision, or gone.
static SET_ACTIVE: Statement = Statement {
    text: "\
        UPDATE workflows
           SET status = 'active', version = version + 1, updated_at = $3, revision = revision + 1
         WHERE id = $1 AND revision = $2
        RETURNING id, name, status, revision, version, created_at, updated_at,
                  description, metadata, definition",
    types: &[Type::UUID, Type::INT8, Type::TIMESTAMPTZ],
};

/// The definition is copied as it is stored, so a version is what was shown before.
static FREEZE: Statement = Statement {
    text: "\
        INSERT INTO workflow_versions (workflow_id, version, frozen_at, definition)
        SELECT id, version, $2, definition FROM workflows WHERE id = $1",
    types: &[Type::UUID, Type::TIMESTAMPTZ],
};

async fn activate(
    session: &Session,
    activation: Activation,
) -> Result<WorkflowWritten, Undo<WorkflowWritten>> {
    let Activation { id, revision, routes, configs, at } = activation;
    let params = (row::integer(revision), Moment(at));
    let rows = session.query(&SET_ACTIVE, &[id.as_uuid(), &params.0, &params.1]).await?;
    let Some(workflow) = written(&rows)? else { return Err(Undo::Answer(WorkflowWritten::Stale)) };
    if let Some(config) = uses::add(session, id, &configs).await? {
        return Err(Undo::Answer(WorkflowWritten::ConfigUnusable(config)));
    }
    session.query(&FREEZE, &[id.as_uuid(), &params.1]).await?;
    if let Some((route, holder)) = routes::add(session, &workflow, &routes).await? {
        return Err(Undo::Answer(WorkflowWritten::RouteTaken { route, holder }));
    }
    Ok(WorkflowWritten::Done(workflow))
}

/// Leaves everything but the lifecycle as it is. No row: it is at another revision, or gone.
///
/// Acceptances lock the row that they checked, so this waits for those in flight, and those that
/// wait for this find the workflow changed.
static SET_STATUS: Statement = Statement {
    text: "\
        UPDATE workflows SET status = $3, updated_at = $4, revision = revision + 1
         WHERE id = $1 AND revision = $2
        RETURNING id, name, status, revision, version, created_at, updated_at,
                  description, metadata, definition",
    types: &[Type::UUID, Type::INT8, Type::TEXT, Type::TIMESTAMPTZ],
};

/// Keeps acceptances away until the transaction ends, and waits for those in flight.
///
/// They share the lock of the workflow's row, and one that comes while others have it need not wait
/// for whoever wants to change the row: if they never pause, that is for ever. (Three replicas that
/// accepted all the time, with commits of 5 ms, kept a deactivation waiting for up to two seconds.)
/// The lock of a table is given in the order of asking. It is not waited for long, since everybody
/// else then waits behind.
const GATE: &str = "\
    SET LOCAL lock_timeout = '2s';
    LOCK TABLE workflows IN EXCLUSIVE MODE;
    SET LOCAL lock_timeout = '5s'";

async fn change_status(
    session: &Session,
    transition: Transition,
) -> Result<WorkflowWritten, Undo<WorkflowWritten>> {
    let Transition { id, revision, to, at } = transition;
    session.execute(GATE).await?;
    let rows = session
        .query(&SET_STATUS, &[id.as_uuid(), &row::integer(revision), &to.as_str(), &Moment(at)])
        .await?;
    let Some(workflow) = written(&rows)? else { return Err(Undo::Answer(WorkflowWritten::Stale)) };
    routes::remove(session, id).await?;
    uses::remove(session, id).await?;
    Ok(WorkflowWritten::Done(workflow))
}

/// The workflow as it is now, if it was written.
fn written(rows: &[Row]) -> Result<Option<Workflow>, StoreError> {
    rows.first().map(read).transpose()
}

#[cfg(test)]
mod tests;
