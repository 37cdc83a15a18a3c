//! Live routes, and the number that tells whether they changed.

use std::collections::HashSet;

use flowker_core::id::WorkflowId;
use flowker_core::ports::StoreError;
use flowker_core::workflow::{NewRoute, Route, WebhookPath};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::Of;
use crate::row;

const ALL: &str = "SELECT method, path, node_id, workflow_id, version FROM routes";

pub(super) fn all(db: &Connection) -> Result<Vec<Route>, StoreError> {
    let mut statement = db.prepare_cached(ALL).of("routes", "all")?;
    let routes = statement.query_map([], read).of("routes", "all")?;
    routes.collect::<rusqlite::Result<_>>().of("routes", "all")
}

const GET: &str = "\
    SELECT method, path, node_id, workflow_id, version FROM routes WHERE method = ?1 AND path = ?2";

pub(crate) fn get(
    db: &Connection,
    method: &str,
    path: &WebhookPath,
) -> Result<Option<Route>, StoreError> {
    db.prepare_cached(GET)
        .and_then(|mut it| it.query_row([method, path.as_str()], read).optional())
        .of("routes", format_args!("{method} {}", path.as_str()))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Route> {
    Ok(Route {
        key: NewRoute {
            method: row.get("method")?,
            path: path(row)?,
            node_id: row.get("node_id")?,
        },
        workflow_id: WorkflowId::from_uuid(row::uuid(row, "workflow_id")?),
        version: row.get("version")?,
    })
}

/// Stored without the leading slash, of which reading takes one away.
pub(super) fn path(row: &Row<'_>) -> rusqlite::Result<WebhookPath> {
    Ok(WebhookPath::registered(&format!("/{}", row.get_ref("path")?.as_str()?)))
}

/// The first route that cannot be registered for `id`, and who has it.
pub(super) fn taken(
    db: &Connection,
    id: WorkflowId,
    routes: &[NewRoute],
) -> Result<Option<(NewRoute, WorkflowId)>, StoreError> {
    let mut seen = HashSet::new();
    for route in routes {
        if let Some(held) = get(db, &route.method, &route.path)? {
            return Ok(Some((route.clone(), held.workflow_id)));
        }
        if !seen.insert((&route.method, &route.path)) {
            return Ok(Some((route.clone(), id)));
        }
    }
    Ok(None)
}

/// Of the version that was frozen last.
const INSERT: &str = "\
    INSERT INTO routes (method, path, node_id, workflow_id, version)
    SELECT ?2, ?3, ?4, id, version FROM workflows WHERE id = ?1";

pub(super) fn add(db: &Connection, id: WorkflowId, routes: &[NewRoute]) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(INSERT).of("routes", id)?;
    for NewRoute { method, path, node_id } in routes {
        let params = params![id.as_uuid().as_bytes(), method, path.as_str(), node_id];
        statement.execute(params).of("routes", id)?;
    }
    count_up(db)
}

const DELETE: &str = "DELETE FROM routes WHERE workflow_id = ?1";

/// Removes all routes of a workflow.
pub(super) fn remove(db: &Connection, id: WorkflowId) -> Result<(), StoreError> {
    db.prepare_cached(DELETE)
        .and_then(|mut statement| statement.execute([id.as_uuid().as_bytes()]))
        .of("routes", id)?;
    count_up(db)
}

const REVISION: &str = "SELECT revision FROM routes_revision";

pub(super) fn revision(db: &Connection) -> Result<u64, StoreError> {
    db.prepare_cached(REVISION)
        .and_then(|mut it| it.query_row([], |row| row::natural(row, "revision")))
        .of("routes_revision", 1)
}

const COUNT_UP: &str = "UPDATE routes_revision SET revision = revision + 1";

pub(super) fn count_up(db: &Connection) -> Result<(), StoreError> {
    db.prepare_cached(COUNT_UP)
        .and_then(|mut statement| statement.execute([]))
        .of("routes_revision", 1)
        .map(drop)
}
