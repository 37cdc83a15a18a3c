//! Executions that are moved from one store to another.

use std::collections::HashMap;
use std::sync::Arc;

use flowker_core::archive::{ArchivedExecution, Place, Stage};
use flowker_core::execution::{Fence, Owned};
use flowker_core::id::ExecutionId;
use flowker_core::ports::{Append, StoreError};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::append::{self, NewAppend};
use super::{Stored, highest, lowest, of, ownership, summary};
use crate::archive::taken;
use crate::db::{Session, Undo};
use crate::row::{self, Bytes, Columns, Moment, escaped};
use crate::statement::Statement;

/// How many bytes of executions a page holds, unless a single one holds more. Their inputs and
/// outputs can be large.
const PAGE_BYTES: u64 = 8 * 1024 * 1024;

/// Ids behind one, with how many bytes of input and outputs there are. Postgres knows their lengths
/// without reading them.
static LIST: Statement = Statement {
    text: "\
        SELECT e.id,
               octet_length(e.input)
               + coalesce((SELECT sum(octet_length(j.output)) FROM journal AS j
                            WHERE j.execution_id = e.id), 0)::int8 AS size
          FROM executions AS e
         WHERE $1 < e.id
         ORDER BY e.id
         LIMIT $2",
    types: &[Type::UUID, Type::INT8],
};

/// Up to `limit` executions behind an id, and whether these are all that fit into the limit.
pub(crate) async fn page(
    session: &Session,
    after: Uuid,
    limit: usize,
) -> Result<(Vec<ArchivedExecution>, bool), StoreError> {
    let rows = session.query(&LIST, &[&after, &row::limit(limit)]).await;
    let rows = rows.map_err(StoreError::unavailable)?;
    let (mut ids, mut n_bytes) = (Vec::with_capacity(rows.len()), 0);
    for row in &rows {
        let row = Columns { table: "executions", row };
        n_bytes += row.natural::<u64>("size")?;
        if PAGE_BYTES < n_bytes && !ids.is_empty() {
            break;
        }
        ids.push(row.get("id")?);
    }
    let is_all = ids.len() == rows.len();
    let found = ask(session, &ids).await.map_err(StoreError::unavailable)?;
    let mut found = read_all(found)?;
    // All of it is one state, so none is gone since it was listed.
    Ok((ids.iter().filter_map(|id| found.remove(id)).collect(), is_all))
}

/// How far some executions are. Exactly one of `ready` and `outcomes` has a row for each.
///
/// $2 and $3 are the lowest and the highest of their ids: they tell in which partitions to look.
static STAGES: Statement = Statement {
    text: "\
        SELECT a.id, r.fence, r.due,
               o.status, o.completed_at, o.failure_code, o.message, o.output
          FROM unnest($1) AS a (id)
          LEFT JOIN ready AS r ON r.execution_id = a.id
          LEFT JOIN LATERAL
               (SELECT status, completed_at, failure_code, message, output
                  FROM outcomes
                 WHERE execution_id = a.id AND execution_id BETWEEN $2 AND $3
                OFFSET 0) AS o ON true",
    types: &[Type::UUID_ARRAY, Type::UUID, Type::UUID],
};

/// The rows of some executions.
struct Found {
    stages: Vec<Row>,
    stored: (Vec<Row>, Vec<Row>),
}

async fn ask(session: &Session, ids: &[Uuid]) -> Result<Found, Error> {
    let params: [&(dyn ToSql + Sync); 3] = [&ids, &lowest(ids), &highest(ids)];
    let stages = session.query(&STAGES, &params).await?;
    Ok(Found { stages, stored: Stored::read(session, ids).await? })
}

/// Those that are there.
fn read_all(found: Found) -> Result<HashMap<Uuid, ArchivedExecution>, StoreError> {
    let Found { stages, stored } = found;
    let stored = Stored::of(stored)?;
    let mut archived = HashMap::with_capacity(stages.len());
    for row in &stages {
        let row = Columns { table: "executions", row };
        let uuid: Uuid = row.get("id")?;
        if !stored.executions.contains_key(&uuid) {
            continue;
        }
        let id = ExecutionId::from_uuid(uuid);
        let Owned { execution, journal, .. } = stored.owned(id, Fence::NONE)?;
        let stage = stage(&row).map_err(|error| of(id, error))?;
        archived.insert(uuid, ArchivedExecution { execution, journal, stage });
    }
    Ok(archived)
}

fn stage(row: &Columns<'_>) -> Result<Stage, StoreError> {
    if row.get::<Option<i64>>("fence")?.is_some() {
        return Ok(Stage::Unfinished {
            fence: ownership::read_fence(row)?,
            due: row.moment("due")?,
        });
    }
    Ok(Stage::Ended { outcome: Arc::new(summary::outcome(row)?), at: row.moment("completed_at")? })
}

/// As if they had been accepted by nobody; what became of them is appended.
static INSERT: Statement = Statement {
    text: "\
        WITH moved AS (
            SELECT *
              FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                AS m (id, workflow_id, version, total_steps, accepted_at, retry_of, start_node,
                      input, fence, due, trace)
        ), written AS (
            INSERT INTO executions (id, workflow_id, version, total_steps, accepted_at, retry_of,
                                    start_node, input, trace)
            SELECT id, workflow_id, version, total_steps, accepted_at, retry_of, start_node, input,
                   trace
              FROM moved
        )
        INSERT INTO ready (execution_id, workflow_id, accepted_at, fence, due)
        SELECT id, workflow_id, accepted_at, fence, due FROM moved",
    types: &[
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
        Type::TEXT_ARRAY,
    ],
};

/// What [`INSERT`] is given, column by column, and what is then appended.
#[derive(Default)]
struct Moved<'a> {
    ids: Vec<Uuid>,
    workflow_ids: Vec<Uuid>,
    versions: Vec<i64>,
    total_steps: Vec<i64>,
    accepted_at: Vec<Moment>,
    retries_of: Vec<Option<Uuid>>,
    start_nodes: Vec<String>,
    inputs: Vec<Bytes<'a>>,
    fences: Vec<i64>,
    due: Vec<Moment>,
    traces: Vec<Option<String>>,
    appends: Vec<NewAppend>,
}

impl<'a> Moved<'a> {
    fn push(&mut self, archived: &'a ArchivedExecution) {
        let ArchivedExecution { execution, journal, stage } = archived;
        let (fence, due, end) = match stage {
            Stage::Unfinished { fence, due } => (*fence, *due, None),
            // Its last row of `ready` goes with the end.
            Stage::Ended { outcome, at } => {
                (Fence::FIRST, execution.accepted_at, Some((outcome.as_ref().clone(), *at)))
            }
        };
        self.ids.push(*execution.id.as_uuid());
        self.workflow_ids.push(*execution.workflow_id.as_uuid());
        self.versions.push(i64::from(execution.version));
        self.total_steps.push(i64::from(execution.total_steps));
        self.accepted_at.push(Moment(execution.accepted_at));
        self.retries_of.push(execution.retry_of.map(|id| *id.as_uuid()));
        self.start_nodes.push(escaped(&execution.start_node).into_owned());
        self.inputs.push(Bytes(&execution.input));
        self.fences.push(ownership::stored(fence));
        self.due.push(Moment(due));
        self.traces.push(execution.trace.as_ref().map(ToString::to_string));
        if end.is_some() || !journal.is_empty() {
            let (id, entries) = (execution.id, journal.clone());
            let append = Append { id, fence, position: 0, entries, end };
            self.appends.push(NewAppend::of_the_past(&append));
        }
    }
}

/// Writes executions that were read from another store, but for those that are there.
pub(crate) async fn restore<T>(
    session: &Session,
    archived: &[&ArchivedExecution],
) -> Result<(), Undo<T>> {
    if archived.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = archived.iter().map(|it| *it.execution.id.as_uuid()).collect();
    let there = read_all(ask(session, &ids).await?)?;
    let mut moved = Moved::default();
    for it in archived {
        match there.get(it.execution.id.as_uuid()) {
            None => moved.push(it),
            Some(there) if there == *it => {}
            Some(_) => return Err(taken(&Place::Execution(it.execution.id)).into()),
        }
    }
    let params: [&(dyn ToSql + Sync); 11] = [
        &moved.ids,
        &moved.workflow_ids,
        &moved.versions,
        &moved.total_steps,
        &moved.accepted_at,
        &moved.retries_of,
        &moved.start_nodes,
        &moved.inputs,
        &moved.fences,
        &moved.due,
        &moved.traces,
    ];
    session.query(&INSERT, &params).await?;
    append::write(session, &moved.appends.iter().collect::<Vec<_>>()).await?;
    Ok(())
}

/// Every statement that reads a page, for tests of their plans.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&Statement] = &[&LIST, &STAGES];
