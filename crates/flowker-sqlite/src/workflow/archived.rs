//! Workflows, versions and routes that are moved from one store to another.

use flowker_core::archive::FrozenVersion;
use flowker_core::id::WorkflowId;
use flowker_core::json;
use flowker_core::ports::StoreError;
use flowker_core::workflow::{Lifecycle, Route, WebhookPath, Workflow};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Documents, routes, uses};
use crate::error::Of;
use crate::row;

/// Writes a workflow that was read from another store; whether its name was free.
pub(crate) fn restore(db: &Connection, workflow: &Workflow) -> Result<bool, StoreError> {
    let is_new = super::insert(db, workflow, &Documents::of(workflow))?;
    if is_new && workflow.status == Lifecycle::Active {
        uses::add(db, workflow.id, &workflow.definition.provider_configs())?;
    }
    Ok(is_new)
}

const GET_VERSION: &str = "\
    SELECT workflow_id, version, frozen_at, definition
      FROM workflow_versions
     WHERE workflow_id = ?1 AND version = ?2";

pub(crate) fn version(
    db: &Connection,
    id: WorkflowId,
    version: u32,
) -> Result<Option<FrozenVersion>, StoreError> {
    let params = params![id.as_uuid().as_bytes(), version];
    db.prepare_cached(GET_VERSION)
        .and_then(|mut statement| statement.query_row(params, read_version).optional())
        .of("workflow_versions", format_args!("{id} version {version}"))
}

fn read_version(row: &Row<'_>) -> rusqlite::Result<FrozenVersion> {
    Ok(FrozenVersion {
        workflow_id: WorkflowId::from_uuid(row::uuid(row, "workflow_id")?),
        version: row.get("version")?,
        frozen_at: row::moment(row, "frozen_at")?,
        definition: super::definition(row)?,
    })
}

const INSERT_VERSION: &str = "\
    INSERT INTO workflow_versions (workflow_id, version, frozen_at, definition)
    VALUES (?1, ?2, ?3, ?4)";

/// Writes a version that was read from another store.
pub(crate) fn restore_version(db: &Connection, new: &FrozenVersion) -> Result<(), StoreError> {
    let params = params![
        new.workflow_id.as_uuid().as_bytes(),
        new.version,
        new.frozen_at.as_micros(),
        json::to_bytes(&new.definition.to_document()),
    ];
    db.prepare_cached(INSERT_VERSION)
        .and_then(|mut statement| statement.execute(params))
        .of("workflow_versions", new.workflow_id)
        .map(drop)
}

/// The path of a row of `routes`.
pub(crate) fn path(row: &Row<'_>) -> rusqlite::Result<WebhookPath> {
    routes::path(row)
}

const INSERT_ROUTE: &str = "\
    INSERT INTO routes (method, path, node_id, workflow_id, version) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Writes a route that was read from another store, and lets followers notice it.
pub(crate) fn restore_route(db: &Connection, route: &Route) -> Result<(), StoreError> {
    let params = params![
        route.key.method,
        route.key.path.as_str(),
        route.key.node_id,
        route.workflow_id.as_uuid().as_bytes(),
        route.version,
    ];
    db.prepare_cached(INSERT_ROUTE)
        .and_then(|mut statement| statement.execute(params))
        .of("routes", route.workflow_id)?;
    routes::count_up(db)
}
