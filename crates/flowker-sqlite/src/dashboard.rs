//! Figures over everything that is kept.
//!
//! SQLite has no percentiles, so the executions of a series are read one by one, through the index
//! that lists read, and put together by the domain.

use std::ops::ControlFlow;

use async_trait::async_trait;
use flowker_core::dashboard::{Counts, Series, SeriesBuilder, SeriesQuery, Span};
use flowker_core::execution::Status;
use flowker_core::id::WorkflowId;
use flowker_core::ports::{DashboardStore, StoreError};
use flowker_core::workflow::Lifecycle;
use rusqlite::{Connection, Row, ToSql};

use crate::SqliteStore;
use crate::error::Of;
use crate::row;

const WORKFLOWS: &str = "SELECT status, count(*) AS n FROM workflows GROUP BY status";

/// Of those that have not ended, in a span; ?1 and ?2 are its ends.
pub(crate) const COUNT_UNFINISHED: &str = "\
    SELECT fence = 0 AS is_pending, count(*) AS n FROM ready
     WHERE accepted_at BETWEEN ?1 AND ?2
     GROUP BY is_pending";

/// Of those that have ended, in a span; ?3 is how.
pub(crate) const COUNT_ENDED: &str = "\
    SELECT count(*) AS n FROM outcomes WHERE status = ?3 AND accepted_at BETWEEN ?1 AND ?2";

/// All that have not ended, in a span.
pub(crate) const UNFINISHED: &str = "\
    SELECT workflow_id, fence, accepted_at FROM ready WHERE accepted_at BETWEEN ?1 AND ?2";

/// Those of one workflow, ?3.
pub(crate) const UNFINISHED_OF_WORKFLOW: &str = "\
    SELECT workflow_id, fence, accepted_at FROM ready
     WHERE workflow_id = ?3 AND accepted_at BETWEEN ?1 AND ?2";

/// All that ended as ?3 says, in a span.
pub(crate) const ENDED: &str = "\
    SELECT workflow_id, accepted_at, completed_at FROM outcomes
     WHERE status = ?3 AND accepted_at BETWEEN ?1 AND ?2";

/// Those of one workflow, ?4.
pub(crate) const ENDED_OF_WORKFLOW: &str = "\
    SELECT workflow_id, accepted_at, completed_at FROM outcomes
     WHERE workflow_id = ?4 AND status = ?3 AND accepted_at BETWEEN ?1 AND ?2";

#[async_trait]
impl DashboardStore for SqliteStore {
    async fn workflows_by_status(&self) -> Result<Vec<(Lifecycle, u64)>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok((row::word(row, "status", Lifecycle::parse)?, row::natural(row, "n")?))
        };
        self.query(move |db| {
            db.prepare_cached(WORKFLOWS)
                .and_then(|mut it| it.query_map([], read)?.collect())
                .of("workflows", "count")
        })
        .await
    }

    async fn count_executions(&self, span: Span) -> Result<Counts, StoreError> {
        self.query(move |db| count(db, span)).await
    }

    async fn series(&self, query: SeriesQuery) -> Result<Series, StoreError> {
        self.query(move |db| series(db, query)).await
    }
}

fn terminal() -> impl Iterator<Item = Status> {
    Status::ALL.into_iter().filter(|status| status.is_terminal())
}

const fn unfinished(is_pending: bool) -> Status {
    if is_pending { Status::Pending } else { Status::Running }
}

fn count(db: &Connection, span: Span) -> Result<Counts, StoreError> {
    let (from, to) = (span.from.as_micros(), span.to.as_micros());
    let mut counts = Counts::default();
    let read = |row: &Row<'_>| Ok((row.get("is_pending")?, row::natural(row, "n")?));
    let found: Vec<(bool, u64)> = db
        .prepare_cached(COUNT_UNFINISHED)
        .and_then(|mut it| it.query_map([from, to], read)?.collect())
        .of("ready", "count")?;
    for (is_pending, n) in found {
        counts.add(unfinished(is_pending), n);
    }
    for status in terminal() {
        let params: [&dyn ToSql; 3] = [&from, &to, &status.as_str()];
        let n = db
            .prepare_cached(COUNT_ENDED)
            .and_then(|mut it| it.query_row(params.as_slice(), |row| row::natural(row, "n")))
            .of("outcomes", "count")?;
        counts.add(status, n);
    }
    Ok(counts)
}

fn series(db: &Connection, query: SeriesQuery) -> Result<Series, StoreError> {
    let (from, to) = (query.span.from.as_micros(), query.span.to.as_micros());
    let workflow_id = query.workflow_id.map(|id| *id.as_uuid().as_bytes());
    let mut builder = SeriesBuilder::new(query);
    let (text, mut params): (_, Vec<&dyn ToSql>) = match &workflow_id {
        None => (UNFINISHED, vec![&from, &to]),
        Some(id) => (UNFINISHED_OF_WORKFLOW, vec![&from, &to, id]),
    };
    // They are few, and all of them are taken.
    let _ = each(db, ("ready", text), &params, |row| {
        let status = unfinished(row::natural(row, "fence")? == 0);
        builder.add(workflow(row)?, status, row::moment(row, "accepted_at")?, None);
        Ok(ControlFlow::Continue(()))
    })?;
    let mut n_left = query.ended_max;
    for status in terminal() {
        let word = status.as_str();
        params = vec![&from, &to, &word];
        let text = match &workflow_id {
            None => ENDED,
            Some(id) => {
                params.push(id);
                ENDED_OF_WORKFLOW
            }
        };
        let flow = each(db, ("outcomes", text), &params, |row| {
            let Some(n) = n_left.checked_sub(1) else { return Ok(ControlFlow::Break(())) };
            n_left = n;
            let ended_at = Some(row::moment(row, "completed_at")?);
            builder.add(workflow(row)?, status, row::moment(row, "accepted_at")?, ended_at);
            Ok(ControlFlow::Continue(()))
        })?;
        if flow.is_break() {
            return Ok(Series::TooManyExecutions);
        }
    }
    Ok(builder.finish())
}

fn workflow(row: &Row<'_>) -> rusqlite::Result<WorkflowId> {
    row::uuid(row, "workflow_id").map(WorkflowId::from_uuid)
}

/// Gives the rows of a statement to `take`, until that has enough.
fn each(
    db: &Connection,
    (table, text): (&'static str, &str),
    params: &[&dyn ToSql],
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>, StoreError> {
    let mut read = || {
        let mut statement = db.prepare_cached(text)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            if take(row)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    };
    read().of(table, "series")
}
