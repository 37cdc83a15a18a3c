//! Figures over everything that is kept, computed where it is.

use std::collections::BTreeMap;

use async_trait::async_trait;
use flowker_core::dashboard::{Counts, Latency, Point, Series, SeriesQuery, Span};
use flowker_core::execution::Status;
use flowker_core::id::WorkflowId;
use flowker_core::ports::{DashboardStore, StoreError};
use flowker_core::workflow::Lifecycle;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::PostgresStore;
use crate::db::Session;
use crate::row::{self, Columns, Moment};
use crate::statement::Statement;

/// There are few workflows, and each has one row.
static WORKFLOWS: Statement =
    Statement { text: "SELECT status, count(*) AS n FROM workflows GROUP BY status", types: &[] };

const SPAN: &[Type] = &[Type::TIMESTAMPTZ, Type::TIMESTAMPTZ];

/// All executions of a span, $1 to $2, by where they stand.
static COUNT: Statement = Statement {
    text: "\
        SELECT CASE fence WHEN 0 THEN 'pending' ELSE 'running' END AS status, count(*) AS n
          FROM ready WHERE accepted_at BETWEEN $1 AND $2 GROUP BY 1
         UNION ALL
        SELECT 'completed', count(*)
          FROM outcomes WHERE status = 'completed' AND accepted_at BETWEEN $1 AND $2
         UNION ALL
        SELECT 'failed', count(*)
          FROM outcomes WHERE status = 'failed' AND accepted_at BETWEEN $1 AND $2
         UNION ALL
        SELECT 'cancelled', count(*)
          FROM outcomes WHERE status = 'cancelled' AND accepted_at BETWEEN $1 AND $2",
    types: SPAN,
};

/// Whether there are more than $3 that have ended; $4 is the workflow.
const ENDED_TYPES: &[Type] = &[Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::INT8, Type::UUID];

static COUNT_ENDED: Statement = Statement {
    text: "\
        SELECT count(*) AS n FROM (
            SELECT 1 FROM outcomes
             WHERE status IN ('completed', 'failed', 'cancelled') AND accepted_at BETWEEN $1 AND $2
             LIMIT $3) AS found",
    types: &[Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::INT8],
};

static COUNT_ENDED_OF_WORKFLOW: Statement = Statement {
    text: "\
        SELECT count(*) AS n FROM (
            SELECT 1 FROM outcomes
             WHERE workflow_id = $4 AND status IN ('completed', 'failed', 'cancelled')
               AND accepted_at BETWEEN $1 AND $2
             LIMIT $3) AS found",
    types: ENDED_TYPES,
};

/// What the statements of a series are given: the span, when the first part begins, the length of a
/// part in microseconds, how many points are read, and the workflow.
const SERIES_TYPES: &[Type] =
    &[Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::INT8, Type::INT8, Type::UUID];

/// Points of those that have not ended.
macro_rules! unfinished {
    ($filter:literal, $n_types:literal) => {
        Statement {
            text: concat!(
                "SELECT workflow_id,
                        (extract(epoch FROM accepted_at - $3) * 1000000)::bigint / $4 AS bucket,
                        count(*) FILTER (WHERE fence = 0) AS pending,
                        count(*) FILTER (WHERE 0 < fence) AS running
                   FROM ready
                  WHERE ",
                $filter,
                " accepted_at BETWEEN $1 AND $2
                  GROUP BY 1, 2
                  LIMIT $5"
            ),
            types: SERIES_TYPES.split_at($n_types).0,
        }
    };
}

/// Points of those that have ended. A cancellation says nothing about how long a run takes.
macro_rules! ended {
    ($filter:literal, $n_types:literal) => {
        Statement {
            text: concat!(
                "SELECT workflow_id, bucket,
                        count(*) FILTER (WHERE status = 'completed') AS completed,
                        count(*) FILTER (WHERE status = 'failed') AS failed,
                        count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
                        percentile_disc('{0.5,0.95,0.99}'::float8[]) WITHIN GROUP (ORDER BY latency)
                            FILTER (WHERE status <> 'cancelled') AS latencies
                   FROM (SELECT workflow_id, status,
                                (extract(epoch FROM accepted_at - $3) * 1000000)::bigint / $4
                                    AS bucket,
                                greatest(0, extract(epoch FROM completed_at - accepted_at) * 1000000)
                                    ::bigint AS latency
                           FROM outcomes
                          WHERE ",
                $filter,
                " status IN ('completed', 'failed', 'cancelled')
                            AND accepted_at BETWEEN $1 AND $2) AS found
                  GROUP BY 1, 2
                  LIMIT $5"
            ),
            types: SERIES_TYPES.split_at($n_types).0,
        }
    };
}

static UNFINISHED: Statement = unfinished!("", 5);
static UNFINISHED_OF_WORKFLOW: Statement = unfinished!("workflow_id = $6 AND", 6);
static ENDED: Statement = ended!("", 5);
static ENDED_OF_WORKFLOW: Statement = ended!("workflow_id = $6 AND", 6);

/// Those that read executions, of which there may be many.
#[cfg(test)]
pub(crate) static STATEMENTS: [&Statement; 7] = [
    &COUNT,
    &COUNT_ENDED,
    &COUNT_ENDED_OF_WORKFLOW,
    &UNFINISHED,
    &UNFINISHED_OF_WORKFLOW,
    &ENDED,
    &ENDED_OF_WORKFLOW,
];

#[async_trait]
impl DashboardStore for PostgresStore {
    async fn workflows_by_status(&self) -> Result<Vec<(Lifecycle, u64)>, StoreError> {
        let rows = self.inner.db.read(&WORKFLOWS, &[]).await?;
        rows.iter()
            .map(|row| {
                let row = Columns { table: "workflows", row };
                Ok((row.word("status", Lifecycle::parse)?, row.natural("n")?))
            })
            .collect()
    }

    async fn count_executions(&self, span: Span) -> Result<Counts, StoreError> {
        let rows = self.inner.db.read(&COUNT, &[&Moment(span.from), &Moment(span.to)]).await?;
        let mut counts = Counts::default();
        for row in &rows {
            let row = Columns { table: "outcomes", row };
            counts.add(row.word("status", Status::parse)?, row.natural("n")?);
        }
        Ok(counts)
    }

    async fn series(&self, query: SeriesQuery) -> Result<Series, StoreError> {
        self.inner
            .db
            .snapshot(move |session| {
                Box::pin(async move { Reading { session, query: &query }.series().await })
            })
            .await
    }
}

struct Reading<'a> {
    session: &'a Session,
    query: &'a SeriesQuery,
}

impl Reading<'_> {
    async fn series(&self) -> Result<Series, StoreError> {
        let query = self.query;
        let (from, to) = (Moment(query.span.from), Moment(query.span.to));
        let n_rows = row::limit(query.ended_max.saturating_add(1));
        let ended = [&COUNT_ENDED, &COUNT_ENDED_OF_WORKFLOW];
        let rows = self.read(ended, vec![&from, &to, &n_rows]).await?;
        if n_rows <= row::one("outcomes", &rows)?.get::<i64>("n")? {
            return Ok(Series::TooManyExecutions);
        }
        let (origin, bucket) = (Moment(query.origin), query.bucket_micros());
        let n_rows = row::limit(query.points_max.saturating_add(1));
        let params: Vec<&(dyn ToSql + Sync)> = vec![&from, &to, &origin, &bucket, &n_rows];
        let mut points = Points { query, points: BTreeMap::new() };
        for row in &self.read([&UNFINISHED, &UNFINISHED_OF_WORKFLOW], params.clone()).await? {
            points.add_unfinished(row)?;
        }
        for row in &self.read([&ENDED, &ENDED_OF_WORKFLOW], params).await? {
            points.add_ended(row)?;
        }
        Ok(points.finish())
    }

    /// Runs the statement for all, or the one for a workflow, which it is given last.
    async fn read(
        &self,
        [of_all, of_workflow]: [&'static Statement; 2],
        mut params: Vec<&(dyn ToSql + Sync)>,
    ) -> Result<Vec<Row>, StoreError> {
        let workflow_id = self.query.workflow_id.map(|id| *id.as_uuid());
        let rows = match &workflow_id {
            None => self.session.query(of_all, &params).await,
            Some(id) => {
                params.push(id);
                self.session.query(of_workflow, &params).await
            }
        };
        rows.map_err(StoreError::unavailable)
    }
}

struct Points<'a> {
    query: &'a SeriesQuery,
    points: BTreeMap<(i64, WorkflowId), Point>,
}

impl Points<'_> {
    /// The point of a row.
    fn of(&mut self, row: &Columns<'_>) -> Result<&mut Point, StoreError> {
        let workflow_id = WorkflowId::from_uuid(row.get("workflow_id")?);
        let bucket = row.get("bucket")?;
        let start = self.query.start_of(bucket);
        Ok(self.points.entry((bucket, workflow_id)).or_insert(Point {
            start,
            workflow_id,
            counts: Counts::default(),
            latency: None,
        }))
    }

    fn add_unfinished(&mut self, row: &Row) -> Result<(), StoreError> {
        let row = Columns { table: "ready", row };
        let counts = &mut self.of(&row)?.counts;
        counts.add(Status::Pending, row.natural("pending")?);
        counts.add(Status::Running, row.natural("running")?);
        Ok(())
    }

    fn add_ended(&mut self, row: &Row) -> Result<(), StoreError> {
        let row = Columns { table: "outcomes", row };
        let latencies: Option<Vec<i64>> = row.get("latencies")?;
        let point = self.of(&row)?;
        point.counts.add(Status::Completed, row.natural("completed")?);
        point.counts.add(Status::Failed, row.natural("failed")?);
        point.counts.add(Status::Cancelled, row.natural("cancelled")?);
        let latencies = latencies.and_then(|it| <[i64; 3]>::try_from(it).ok());
        point.latency = latencies.map(Latency::from_micros);
        Ok(())
    }

    fn finish(self) -> Series {
        if self.query.points_max < self.points.len() {
            return Series::TooManyPoints;
        }
        Series::Points(self.points.into_values().collect())
    }
}
