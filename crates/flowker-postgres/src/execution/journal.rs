//! The journal: typed columns for each event, in the order in which they were written.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{Entry, Event, Failure, FailureCode, Fence, StepRun};
use flowker_core::json;
use flowker_core::ports::StoreError;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::ownership;
use crate::row::{self, Columns, Moment, escaped};
use crate::statement::Statement;

pub(super) const ADOPTED: &str = "adopted";
const STARTED: &str = "started";
const INTERRUPTED: &str = "interrupted";
const RETRY_AT: &str = "retry_at";
const COMPLETED: &str = "completed";
const FAILED: &str = "failed";

/// An entry as it is stored.
#[derive(Debug)]
pub(super) struct NewEntry {
    pub(super) fence: Fence,
    pub(super) at: Moment,
    pub(super) kind: &'static str,
    pub(super) node: Option<String>,
    pub(super) attempt: Option<u32>,
    pub(super) due: Option<Moment>,
    /// Of steps that ended.
    pub(super) started_at: Option<Moment>,
    pub(super) duration_us: Option<i64>,
    pub(super) failure_code: Option<&'static str>,
    pub(super) message: Option<String>,
    pub(super) output: Option<String>,
}

impl NewEntry {
    pub(super) fn of(entry: &Entry) -> Self {
        let blank = |kind| Self {
            fence: entry.fence,
            at: Moment(entry.at),
            kind,
            node: None,
            attempt: None,
            due: None,
            started_at: None,
            duration_us: None,
            failure_code: None,
            message: None,
            output: None,
        };
        let of_node = |kind, node| Self { node: Some(escaped(node).into_owned()), ..blank(kind) };
        let ended = |kind, node, run: &StepRun| Self {
            attempt: Some(run.attempt),
            started_at: Some(Moment(run.started_at)),
            duration_us: Some(row::micros(run.duration)),
            ..of_node(kind, node)
        };
        match &entry.event {
            Event::Adopted => blank(ADOPTED),
            Event::Started { node, attempt } => {
                Self { attempt: Some(*attempt), ..of_node(STARTED, node) }
            }
            Event::Interrupted { node } => of_node(INTERRUPTED, node),
            Event::RetryAt { node, attempt, due, message } => Self {
                attempt: Some(*attempt),
                due: Some(Moment(*due)),
                message: Some(escaped(message).into_owned()),
                ..of_node(RETRY_AT, node)
            },
            Event::Completed { node, run, output } => {
                Self { output: Some(json::to_text(output)), ..ended(COMPLETED, node, run) }
            }
            Event::Failed { node, run, failure } => Self {
                failure_code: Some(failure.code.as_str()),
                message: Some(escaped(&failure.message).into_owned()),
                ..ended(FAILED, node, run)
            },
        }
    }

    pub(super) fn n_bytes(&self) -> usize {
        let texts = [&self.node, &self.message, &self.output];
        texts.into_iter().flatten().map(String::len).sum::<usize>() + 128
    }
}

/// All entries of some executions, oldest first.
///
/// $2 and $3 are the lowest and the highest of their ids. The subquery keeps the planner from reading
/// all that lies between.
pub(super) static READ: Statement = Statement {
    text: "\
        SELECT j.*
          FROM unnest($1) AS a (id)
         CROSS JOIN LATERAL
               (SELECT execution_id, seq, fence, at, kind, node, attempt, due, started_at,
                       duration_us, failure_code, message, output
                  FROM journal
                 WHERE execution_id = a.id AND execution_id BETWEEN $2 AND $3
                OFFSET 0) AS j
         ORDER BY j.execution_id, j.seq",
    types: &[Type::UUID_ARRAY, Type::UUID, Type::UUID],
};

pub(super) fn read(row: &Row) -> Result<Entry, StoreError> {
    let row = Columns { table: "journal", row };
    Ok(Entry { fence: ownership::read_fence(&row)?, at: row.moment("at")?, event: event(&row)? })
}

/// An event whose kind is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a kind of event")]
struct UnknownKind(String);

fn event(row: &Columns<'_>) -> Result<Event, StoreError> {
    let kind: String = row.get("kind")?;
    Ok(match kind.as_str() {
        ADOPTED => Event::Adopted,
        STARTED => Event::Started { node: row.text("node")?, attempt: row.natural("attempt")? },
        INTERRUPTED => Event::Interrupted { node: row.text("node")? },
        RETRY_AT => Event::RetryAt {
            node: row.text("node")?,
            attempt: row.natural("attempt")?,
            due: row.moment("due")?,
            message: row.text("message")?,
        },
        COMPLETED => Event::Completed {
            node: row.text("node")?,
            run: run(row)?,
            output: Arc::new(row.document("output")?),
        },
        FAILED => Event::Failed { node: row.text("node")?, run: run(row)?, failure: failure(row)? },
        _ => return Err(row.invalid("kind", UnknownKind(kind))),
    })
}

fn run(row: &Columns<'_>) -> Result<StepRun, StoreError> {
    Ok(StepRun {
        attempt: row.natural("attempt")?,
        started_at: row.moment("started_at")?,
        duration: Duration::from_micros(row.natural("duration_us")?),
    })
}

/// Why a step or an execution failed.
pub(super) fn failure(row: &Columns<'_>) -> Result<Failure, StoreError> {
    Ok(Failure {
        code: row.word("failure_code", FailureCode::parse)?,
        message: row.text("message")?,
    })
}
