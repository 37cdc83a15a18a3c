//! Lists of executions, merged from those that have ended and those that have not.
//!
//! Each source is read in its own order through an index of its own, so a page costs what it holds,
//! however many executions there are. Those that have not ended are in `ready`; those that have, in
//! `outcomes`, which is one source for each status.

use flowker_core::execution::Status;
use flowker_core::id::ExecutionId;
use flowker_core::ports::{Direction, ExecutionPage, ExecutionQuery, ExecutionSort, StoreError};
use flowker_core::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, ToSql};

use super::summary;
use crate::error::Of;
use crate::named::{Ways, cut, edge, ways};
use crate::row;

/// A source in one order. Its statements answer a moment, if the order is by one, and an id.
///
/// ?1 and ?2 are the moment and the id after which they begin, ?3 is how many they answer, and what
/// filters them comes from ?5 on.
pub(crate) struct Source {
    pub(crate) table: &'static str,
    pub(crate) of_all: Ways,
    /// ?4 is the workflow.
    pub(crate) of_workflow: Ways,
}

/// Those that have not ended, by acceptance; ?5 and ?6 are the lowest and the highest fence.
pub(crate) const UNFINISHED: Source = Source {
    table: "ready",
    of_all: ways!(
        "SELECT accepted_at AS moment, execution_id FROM ready WHERE fence BETWEEN ?5 AND ?6",
        "accepted_at",
        "execution_id"
    ),
    of_workflow: ways!(
        "SELECT accepted_at AS moment, execution_id FROM ready \
         WHERE workflow_id = ?4 AND fence BETWEEN ?5 AND ?6",
        "accepted_at",
        "execution_id"
    ),
};

/// Those that have not ended, by id: where a list by completion has no moment for them.
///
/// For one workflow the rows of all are passed in order, since they are few and narrow; the `+` keeps
/// SQLite from sorting what another index finds instead.
pub(crate) const UNFINISHED_BY_ID: Source = Source {
    table: "ready",
    of_all: ways!(
        "SELECT NULL AS moment, execution_id FROM ready WHERE fence BETWEEN ?5 AND ?6",
        "execution_id"
    ),
    of_workflow: ways!(
        "SELECT NULL AS moment, execution_id FROM ready \
         WHERE +workflow_id = ?4 AND fence BETWEEN ?5 AND ?6",
        "execution_id"
    ),
};

/// Those that have ended, by acceptance; ?5 is how.
pub(crate) const ENDED: Source = Source {
    table: "outcomes",
    of_all: ways!(
        "SELECT accepted_at AS moment, execution_id FROM outcomes WHERE status = ?5",
        "accepted_at",
        "execution_id"
    ),
    of_workflow: ways!(
        "SELECT accepted_at AS moment, execution_id FROM outcomes \
         WHERE workflow_id = ?4 AND status = ?5",
        "accepted_at",
        "execution_id"
    ),
};

/// Those that have ended, by completion; ?5 is how.
pub(crate) const ENDED_BY_COMPLETION: Source = Source {
    table: "outcomes",
    of_all: ways!(
        "SELECT completed_at AS moment, execution_id FROM outcomes WHERE status = ?5",
        "completed_at",
        "execution_id"
    ),
    of_workflow: ways!(
        "SELECT completed_at AS moment, execution_id FROM outcomes \
         WHERE workflow_id = ?4 AND status = ?5",
        "completed_at",
        "execution_id"
    ),
};

/// Reads one page. All of it is one state of the database: see [`Readers`](crate::readers::Readers).
pub(super) fn list(db: &Connection, query: &ExecutionQuery) -> Result<ExecutionPage, StoreError> {
    let reading = Reading { db, query, n_rows: query.limit.saturating_add(1) };
    let items = match query.sort {
        ExecutionSort::StartedAt => reading.by_acceptance()?,
        ExecutionSort::CompletedAt => reading.by_completion()?,
    };
    let (items, has_more) = cut(items, query.limit);
    let items = items.into_iter().map(|item| summary::expect(db, item.id));
    Ok(ExecutionPage { items: items.collect::<Result<_, _>>()?, has_more })
}

/// Something that is listed, with the moment by which it is sorted. Sorts like the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    moment: Option<Timestamp>,
    id: ExecutionId,
}

impl Item {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            moment: row::optional_moment(row, "moment")?,
            id: ExecutionId::from_uuid(row::uuid(row, "execution_id")?),
        })
    }
}

struct Reading<'a> {
    db: &'a Connection,
    query: &'a ExecutionQuery,
    n_rows: usize,
}

impl Reading<'_> {
    fn by_acceptance(&self) -> Result<Vec<Item>, StoreError> {
        let after = self.after();
        let mut items = self.unfinished(&UNFINISHED, after)?;
        items.extend(self.ended(&ENDED, after)?);
        Ok(self.sorted(items))
    }

    /// Those without a moment come last ascending and first descending.
    fn by_completion(&self) -> Result<Vec<Item>, StoreError> {
        let after = self.after();
        let unfinished = |after| self.unfinished(&UNFINISHED_BY_ID, after);
        let ended = |after| self.ended(&ENDED_BY_COMPLETION, after).map(|it| self.sorted(it));
        let is_among_ended = after.map(|item| item.moment.is_some());
        match (self.query.direction, is_among_ended) {
            (Direction::Ascending, Some(false)) => unfinished(after),
            (Direction::Ascending, _) => self.filled(ended(after)?, || unfinished(None)),
            (Direction::Descending, Some(true)) => ended(after),
            (Direction::Descending, _) => self.filled(unfinished(after)?, || ended(None)),
        }
    }

    fn after(&self) -> Option<Item> {
        self.query.after.map(|(moment, id)| Item { moment, id })
    }

    /// Goes on with what comes behind, if the page has room.
    fn filled(
        &self,
        mut items: Vec<Item>,
        behind: impl FnOnce() -> Result<Vec<Item>, StoreError>,
    ) -> Result<Vec<Item>, StoreError> {
        if items.len() < self.n_rows {
            items.extend(behind()?);
        }
        Ok(items)
    }

    fn sorted(&self, mut items: Vec<Item>) -> Vec<Item> {
        match self.query.direction {
            Direction::Ascending => items.sort_unstable(),
            Direction::Descending => items.sort_unstable_by(|left, right| right.cmp(left)),
        }
        items
    }

    fn unfinished(&self, source: &Source, after: Option<Item>) -> Result<Vec<Item>, StoreError> {
        let (lowest, highest) = match self.query.status {
            None => (0, i64::MAX),
            Some(Status::Pending) => (0, 0),
            Some(Status::Running) => (1, i64::MAX),
            Some(Status::Completed | Status::Failed | Status::Cancelled) => return Ok(Vec::new()),
        };
        self.read(source, after, &[&lowest, &highest])
    }

    fn ended(&self, source: &Source, after: Option<Item>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        for status in Status::ALL {
            if status.is_terminal() && self.query.status.is_none_or(|wanted| wanted == status) {
                items.extend(self.read(source, after, &[&status.as_str()])?);
            }
        }
        Ok(items)
    }

    fn read(
        &self,
        source: &Source,
        after: Option<Item>,
        filters: &[&dyn ToSql],
    ) -> Result<Vec<Item>, StoreError> {
        let ways = match self.query.workflow_id {
            None => &source.of_all,
            Some(_) => &source.of_workflow,
        };
        let (moment, id) = self.place(after);
        let n_rows = row::limit(self.n_rows);
        let workflow_id = self.query.workflow_id.map(|id| *id.as_uuid().as_bytes());
        let mut params: Vec<&dyn ToSql> = vec![&moment, &id, &n_rows, &workflow_id];
        params.extend(filters);
        self.db
            .prepare_cached(ways.of(self.query.direction))
            .and_then(|mut it| it.query_map(params.as_slice(), Item::read)?.collect())
            .of(source.table, "list")
    }

    fn place(&self, after: Option<Item>) -> (Value, Value) {
        let (first, id) = edge(self.query.direction);
        let Some(item) = after else { return (first, id) };
        let moment = item.moment.map_or(first, |moment| Value::Integer(moment.as_micros()));
        (moment, Value::Blob(item.id.as_uuid().as_bytes().to_vec()))
    }
}
