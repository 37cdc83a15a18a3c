//! Workflows, versions and routes that are moved from one store to another.

use flowker_core::archive::{FrozenVersion, Record};
use flowker_core::id::WorkflowId;
use flowker_core::json;
use flowker_core::ports::StoreError;
use flowker_core::workflow::{Lifecycle, Route, Workflow};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::routes;
use crate::archive::Listing;
use crate::row::{Columns, Moment, Values, escaped};
use crate::statement::Statement;

pub(crate) use super::GET;
pub(crate) use super::routes::{GET as GET_ROUTE, count_up as announce_routes};

/// What writes a workflow. No row: its name is taken.
pub(crate) fn insertion(workflow: &Workflow) -> (&'static Statement, Values) {
    (&super::INSERT, super::values(workflow))
}

/// What writes the uses of a workflow, if it is active and has any.
pub(crate) fn insertion_of_uses(workflow: &Workflow) -> Option<(&'static Statement, Values)> {
    let configs = workflow.definition.provider_configs();
    if workflow.status != Lifecycle::Active || configs.is_empty() {
        return None;
    }
    let configs: Vec<Uuid> = configs.iter().map(|id| *id.as_uuid()).collect();
    let values: Values = vec![Box::new(configs), Box::new(*workflow.id.as_uuid())];
    Some((&super::uses::ADD, values))
}

pub(crate) const WORKFLOWS: Listing = Listing {
    statement: &Statement {
        text: "\
            SELECT id, name, status, revision, version, created_at, updated_at,
                   description, metadata, definition
              FROM workflows
             WHERE $1 < id
             ORDER BY id
             LIMIT $2",
        types: &[Type::UUID, Type::INT8],
    },
    read: |row| super::read(row).map(Record::Workflow),
};

static INSERT_VERSION: Statement = Statement {
    text: "\
        INSERT INTO workflow_versions (workflow_id, version, frozen_at, definition)
        VALUES ($1, $2, $3, $4)
        RETURNING version",
    types: &[Type::UUID, Type::INT8, Type::TIMESTAMPTZ, Type::TEXT],
};

/// What writes a version.
pub(crate) fn insertion_of_version(new: &FrozenVersion) -> (&'static Statement, Values) {
    let values: Values = vec![
        Box::new(*new.workflow_id.as_uuid()),
        Box::new(i64::from(new.version)),
        Box::new(Moment(new.frozen_at)),
        Box::new(json::to_text(&new.definition.to_document())),
    ];
    (&INSERT_VERSION, values)
}

pub(crate) static GET_VERSION: Statement = Statement {
    text: "\
        SELECT workflow_id, version, frozen_at, definition
          FROM workflow_versions
         WHERE workflow_id = $1 AND version = $2",
    types: &[Type::UUID, Type::INT8],
};

pub(crate) const VERSIONS: Listing = Listing {
    statement: &Statement {
        text: "\
            SELECT workflow_id, version, frozen_at, definition
              FROM workflow_versions
             WHERE ($1, $2) < (workflow_id, version)
             ORDER BY workflow_id, version
             LIMIT $3",
        types: &[Type::UUID, Type::INT8, Type::INT8],
    },
    read: |row| read_version(row).map(Record::Version),
};

fn read_version(row: &Row) -> Result<FrozenVersion, StoreError> {
    let row = Columns { table: "workflow_versions", row };
    Ok(FrozenVersion {
        workflow_id: WorkflowId::from_uuid(row.get("workflow_id")?),
        version: row.natural("version")?,
        frozen_at: row.moment("frozen_at")?,
        definition: super::definition(&row)?,
    })
}

static INSERT_ROUTE: Statement = Statement {
    text: "\
        INSERT INTO routes (method, path, node_id, workflow_id, version)
        VALUES ($1, $2, $3, $4, $5)
        RETURNING version",
    types: &[Type::TEXT, Type::TEXT, Type::TEXT, Type::UUID, Type::INT8],
};

/// What writes a route. Followers do not notice it before [`announce_routes`].
pub(crate) fn insertion_of_route(route: &Route) -> (&'static Statement, Values) {
    let text = |text: &str| Box::new(escaped(text).into_owned());
    let values: Values = vec![
        text(&route.key.method),
        text(route.key.path.as_str()),
        text(&route.key.node_id),
        Box::new(*route.workflow_id.as_uuid()),
        Box::new(i64::from(route.version)),
    ];
    (&INSERT_ROUTE, values)
}

pub(crate) const ROUTES: Listing = Listing {
    statement: &Statement {
        text: "\
            SELECT method, path, node_id, workflow_id, version
              FROM routes
             WHERE ($1, $2) < (method, path)
             ORDER BY method, path
             LIMIT $3",
        types: &[Type::TEXT, Type::TEXT, Type::INT8],
    },
    read: |row| routes::read(row).map(Record::Route),
};
