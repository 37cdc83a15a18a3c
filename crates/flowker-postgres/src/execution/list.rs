//! Lists of executions, merged from those that have ended and those that have not.
//!
//! Each source is read in its own order through an index of its own, so a page costs what it holds,
//! however many executions there are. Those that have not ended are in `ready`; those that have, in
//! `outcomes`, which is one source for each status.

use flowker_core::execution::Status;
use flowker_core::id::ExecutionId;
use flowker_core::ports::{Direction, ExecutionPage, ExecutionQuery, ExecutionSort, StoreError};
use flowker_core::time::Timestamp;
use futures_util::future::{try_join, try_join_all};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::summary;
use crate::db::{Db, Session};
use crate::named::{Ways, cut, edge, ways};
use crate::row::{self, Columns, Moment};

/// A source in one order. Its statements answer a moment, if the order is by one, and an id.
///
/// $1 and $2 are the moment and the id after which they begin, $3 is how many they answer, and what
/// filters them comes from $5 on.
pub(crate) struct Source {
    pub(crate) of_all: Ways,
    /// $4 is the workflow.
    pub(crate) of_workflow: Ways,
}

/// The types of a source that is filtered by fences.
const BY_FENCE: &[Type] =
    &[Type::TIMESTAMPTZ, Type::UUID, Type::INT8, Type::UUID, Type::INT8, Type::INT8];

/// The types of a source that is filtered by status.
const BY_STATUS: &[Type] = &[Type::TIMESTAMPTZ, Type::UUID, Type::INT8, Type::UUID, Type::TEXT];

/// Those that have not ended, by acceptance; $5 and $6 are the lowest and the highest fence.
///
/// For one workflow the rows of all are passed in order, since they are few and narrow.
pub(crate) static UNFINISHED: Source = Source {
    of_all: ways!(
        "SELECT accepted_at AS moment, execution_id FROM ready WHERE fence BETWEEN $5 AND $6",
        "accepted_at",
        "execution_id",
        types: BY_FENCE
    ),
    of_workflow: ways!(
        "SELECT accepted_at AS moment, execution_id FROM ready \
         WHERE workflow_id = $4 AND fence BETWEEN $5 AND $6",
        "accepted_at",
        "execution_id",
        types: BY_FENCE
    ),
};

/// Those that have not ended, by id: where a list by completion has no moment for them.
pub(crate) static UNFINISHED_BY_ID: Source = Source {
    of_all: ways!(
        "SELECT NULL::timestamptz AS moment, execution_id FROM ready WHERE fence BETWEEN $5 AND $6",
        "execution_id",
        types: BY_FENCE
    ),
    of_workflow: ways!(
        "SELECT NULL::timestamptz AS moment, execution_id FROM ready \
         WHERE workflow_id = $4 AND fence BETWEEN $5 AND $6",
        "execution_id",
        types: BY_FENCE
    ),
};

/// Those that have ended, by acceptance; $5 is how.
pub(crate) static ENDED: Source = Source {
    of_all: ways!(
        "SELECT accepted_at AS moment, execution_id FROM outcomes WHERE status = $5",
        "accepted_at",
        "execution_id",
        types: BY_STATUS
    ),
    of_workflow: ways!(
        "SELECT accepted_at AS moment, execution_id FROM outcomes \
         WHERE workflow_id = $4 AND status = $5",
        "accepted_at",
        "execution_id",
        types: BY_STATUS
    ),
};

/// Those that have ended, by completion; $5 is how.
pub(crate) static ENDED_BY_COMPLETION: Source = Source {
    of_all: ways!(
        "SELECT completed_at AS moment, execution_id FROM outcomes WHERE status = $5",
        "completed_at",
        "execution_id",
        types: BY_STATUS
    ),
    of_workflow: ways!(
        "SELECT completed_at AS moment, execution_id FROM outcomes \
         WHERE workflow_id = $4 AND status = $5",
        "completed_at",
        "execution_id",
        types: BY_STATUS
    ),
};

/// Reads one page. All of it is one state of the database.
pub(super) async fn list(db: &Db, query: ExecutionQuery) -> Result<ExecutionPage, StoreError> {
    db.snapshot(move |session| {
        Box::pin(async move {
            let n_rows = row::limit(query.limit.saturating_add(1));
            let reading = Reading { session, query: &query, n_rows };
            let items = match query.sort {
                ExecutionSort::StartedAt => reading.by_acceptance().await?,
                ExecutionSort::CompletedAt => reading.by_completion().await?,
            };
            let (items, has_more) = cut(items, query.limit);
            let ids: Vec<_> = items.into_iter().map(|item| item.id).collect();
            Ok(ExecutionPage { items: summary::expect_all(session, &ids).await?, has_more })
        })
    })
    .await
}

/// Something that is listed, with the moment by which it is sorted. Sorts like the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    moment: Option<Timestamp>,
    id: ExecutionId,
}

impl Item {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns { table: "executions", row };
        let id = ExecutionId::from_uuid(row.get("execution_id")?);
        Ok(Self { moment: row.optional_moment("moment")?, id })
    }
}

struct Reading<'a> {
    session: &'a Session,
    query: &'a ExecutionQuery,
    n_rows: i64,
}

impl Reading<'_> {
    async fn by_acceptance(&self) -> Result<Vec<Item>, StoreError> {
        let after = self.after();
        let unfinished = self.unfinished(&UNFINISHED, after);
        let (mut items, ended) = try_join(unfinished, self.ended(&ENDED, after)).await?;
        items.extend(ended);
        Ok(self.sorted(items))
    }

    /// Those without a moment come last ascending and first descending.
    async fn by_completion(&self) -> Result<Vec<Item>, StoreError> {
        let after = self.after();
        let unfinished = |after| self.unfinished(&UNFINISHED_BY_ID, after);
        let ended = async |after| Ok(self.sorted(self.ended(&ENDED_BY_COMPLETION, after).await?));
        let is_among_ended = after.map(|item| item.moment.is_some());
        match (self.query.direction, is_among_ended) {
            (Direction::Ascending, Some(false)) => unfinished(after).await,
            (Direction::Ascending, _) => {
                let items = ended(after).await?;
                self.filled(items, unfinished(None)).await
            }
            (Direction::Descending, Some(true)) => ended(after).await,
            (Direction::Descending, _) => {
                let items = unfinished(after).await?;
                self.filled(items, ended(None)).await
            }
        }
    }

    fn after(&self) -> Option<Item> {
        self.query.after.map(|(moment, id)| Item { moment, id })
    }

    /// Goes on with what comes behind, if the page has room.
    async fn filled(
        &self,
        mut items: Vec<Item>,
        behind: impl Future<Output = Result<Vec<Item>, StoreError>>,
    ) -> Result<Vec<Item>, StoreError> {
        if row::limit(items.len()) < self.n_rows {
            items.extend(behind.await?);
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

    async fn unfinished(
        &self,
        source: &'static Source,
        after: Option<Item>,
    ) -> Result<Vec<Item>, StoreError> {
        let (lowest, highest): (i64, i64) = match self.query.status {
            None => (0, i64::MAX),
            Some(Status::Pending) => (0, 0),
            Some(Status::Running) => (1, i64::MAX),
            Some(Status::Completed | Status::Failed | Status::Cancelled) => return Ok(Vec::new()),
        };
        self.read(source, after, &[&lowest, &highest]).await
    }

    async fn ended(
        &self,
        source: &'static Source,
        after: Option<Item>,
    ) -> Result<Vec<Item>, StoreError> {
        let is_asked = |status: &Status| self.query.status.is_none_or(|wanted| wanted == *status);
        let statuses = Status::ALL.into_iter().filter(|it| it.is_terminal()).filter(is_asked);
        let items = try_join_all(
            statuses
                .map(|status| async move { self.read(source, after, &[&status.as_str()]).await }),
        );
        Ok(items.await?.into_iter().flatten().collect())
    }

    async fn read(
        &self,
        source: &'static Source,
        after: Option<Item>,
        filters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Item>, StoreError> {
        let ways = match self.query.workflow_id {
            None => &source.of_all,
            Some(_) => &source.of_workflow,
        };
        let (first, first_id) = edge(self.query.direction);
        let moment = after.and_then(|item| item.moment).map_or(first, Moment);
        let id = after.map_or(first_id, |item| *item.id.as_uuid());
        let workflow_id = self.query.workflow_id.map(|id| *id.as_uuid());
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&moment, &id, &self.n_rows, &workflow_id];
        params.extend(filters);
        let rows = self.session.query(ways.of(self.query.direction), &params).await;
        rows.map_err(StoreError::unavailable)?.iter().map(Item::read).collect()
    }
}
