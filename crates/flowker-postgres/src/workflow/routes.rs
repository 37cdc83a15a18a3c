//! Live routes, and the number that tells whether they changed.

use std::collections::HashSet;

use flowker_core::id::WorkflowId;
use flowker_core::ports::StoreError;
use flowker_core::workflow::{NewRoute, Route, WebhookPath, Workflow};
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use crate::db::{Db, Session, Undo};
use crate::error::Failure;
use crate::row::{Columns, escaped, one};
use crate::statement::Statement;

static ALL: Statement = Statement {
    text: "SELECT method, path, node_id, workflow_id, version FROM routes",
    types: &[],
};

pub(super) async fn all(db: &Db) -> Result<Vec<Route>, StoreError> {
    db.read(&ALL, &[]).await?.iter().map(read).collect()
}

pub(crate) static GET: Statement = Statement {
    text: "\
        SELECT method, path, node_id, workflow_id, version
          FROM routes
         WHERE method = $1 AND path = $2",
    types: &[Type::TEXT, Type::TEXT],
};

pub(super) async fn get(
    db: &Db,
    method: &str,
    path: &WebhookPath,
) -> Result<Option<Route>, StoreError> {
    let rows = db.read(&GET, &[&escaped(method), &escaped(path.as_str())]).await?;
    rows.first().map(read).transpose()
}

pub(super) fn read(row: &Row) -> Result<Route, StoreError> {
    let row = Columns { table: "routes", row };
    Ok(Route {
        key: NewRoute {
            method: row.text("method")?,
            // Stored without the leading slash, of which reading takes one away.
            path: WebhookPath::registered(&format!("/{}", row.text("path")?)),
            node_id: row.text("node_id")?,
        },
        workflow_id: WorkflowId::from_uuid(row.get("workflow_id")?),
        version: row.natural("version")?,
    })
}

/// Answers the routes that were free. One that a racer is about to take or to give up is waited for.
static INSERT: Statement = Statement {
    text: "\
        INSERT INTO routes (method, path, node_id, workflow_id, version)
        SELECT method, path, node_id, $4, $5
          FROM unnest($1, $2, $3) AS new (method, path, node_id)
        ON CONFLICT (method, path) DO NOTHING
        RETURNING method, path, node_id, workflow_id, version",
    types: &[Type::TEXT_ARRAY, Type::TEXT_ARRAY, Type::TEXT_ARRAY, Type::UUID, Type::INT8],
};

/// A route was given up by its holder while it was looked at.
#[derive(Debug, thiserror::Error)]
#[error("a route was given up at this very moment")]
struct GivenUp;

/// Registers routes for the version that was frozen last. Answers the first that cannot be, and who
/// has it: then nothing is to be committed.
pub(super) async fn add<T>(
    session: &Session,
    workflow: &Workflow,
    routes: &[NewRoute],
) -> Result<Option<(NewRoute, WorkflowId)>, Undo<T>> {
    let mut sorted: Vec<_> = routes.iter().collect();
    // Whoever races takes them in this order, so that no two wait for each other.
    sorted.sort_unstable_by_key(|it| (&it.method, &it.path));
    let methods: Vec<_> = sorted.iter().map(|it| escaped(&it.method)).collect();
    let paths: Vec<_> = sorted.iter().map(|it| escaped(it.path.as_str())).collect();
    let node_ids: Vec<_> = sorted.iter().map(|it| escaped(&it.node_id)).collect();
    let version = i64::from(workflow.version);
    let rows = session
        .query(&INSERT, &[&methods, &paths, &node_ids, workflow.id.as_uuid(), &version])
        .await?;
    let added = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut added: HashSet<_> = added.into_iter().map(|it| (it.key.method, it.key.path)).collect();
    for route in routes {
        if !added.remove(&(route.method.clone(), route.path.clone())) {
            let holder = holder(session, route).await?;
            return Ok(Some((route.clone(), holder)));
        }
    }
    count_up(session).await?;
    Ok(None)
}

async fn holder<T>(session: &Session, route: &NewRoute) -> Result<WorkflowId, Undo<T>> {
    let params = (escaped(&route.method), escaped(route.path.as_str()));
    let rows = session.query(&GET, &[&params.0, &params.1]).await?;
    let row = rows.first().ok_or_else(|| Failure::Again(GivenUp.into()))?;
    Ok(read(row)?.workflow_id)
}

static DELETE: Statement =
    Statement { text: "DELETE FROM routes WHERE workflow_id = $1", types: &[Type::UUID] };

/// Removes all routes of a workflow.
pub(super) async fn remove(session: &Session, id: WorkflowId) -> Result<(), Error> {
    session.query(&DELETE, &[id.as_uuid()]).await?;
    count_up(session).await
}

static REVISION: Statement =
    Statement { text: "SELECT revision FROM routes_revision WHERE one = 1", types: &[] };

pub(super) async fn revision(db: &Db) -> Result<u64, StoreError> {
    let rows = db.read(&REVISION, &[]).await?;
    one("routes_revision", &rows)?.natural("revision")
}

/// The last lock of every transaction that changes routes, so that no two wait for each other.
static COUNT_UP: Statement = Statement {
    text: "\
        UPDATE routes_revision SET revision = revision + 1
         WHERE one = 1
        RETURNING pg_notify('flowker_routes', '')",
    types: &[],
};

pub(crate) async fn count_up(session: &Session) -> Result<(), Error> {
    session.query(&COUNT_UP, &[]).await.map(drop)
}
