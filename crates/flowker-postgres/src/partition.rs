//! Partitions: a week each of what grows, made ahead, and dropped when they are no longer kept.
//!
//! Ids rise with time, so a week is a range of ids. Two partitions are not a week: `…_before` holds
//! what is older than the first week, `…_beyond` what no week was made for, which happens only if
//! a clock is wrong by weeks.

use std::time::Duration;

use flowker_core::ports::StoreError;
use flowker_core::time::Timestamp;
use tokio_postgres::types::Type;
use tracing::info;
use uuid::Uuid;

use crate::db::{Db, Session, Undo};
use crate::row::Columns;
use crate::statement::Statement;

/// The tables that are partitioned, with the column of ids.
const TABLES: [(&str, &str); 3] =
    [("executions", "id"), ("outcomes", "execution_id"), ("journal", "execution_id")];

/// How many weeks are made ahead of the present one. So many may pass without any process running
/// this, before a week is missing.
const WEEKS_AHEAD: i64 = 4;

/// The most past weeks that are made, after a long time without any process: nothing was accepted in
/// them.
const WEEKS_MAX: i64 = 8;

const WEEK_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;

/// 1970-01-05, the first Monday, in milliseconds since 1970.
const FIRST_MONDAY_MILLIS: i64 = 4 * 24 * 60 * 60 * 1000;

/// Under which number processes that change partitions wait for each other.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7380392186413675010)";

/// How long a drop may hold up whoever writes.
const DROP_LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";

/// A week from Monday to Monday, UTC, counted from the first one of 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Week(i64);

impl Week {
    fn of(moment: Timestamp) -> Self {
        let millis = moment.as_micros().div_euclid(1000);
        Self((millis - FIRST_MONDAY_MILLIS).div_euclid(WEEK_MILLIS))
    }

    /// The week whose first id this is.
    fn from(first_id: Uuid) -> Self {
        let millis = first_id.as_u128() >> 80;
        Self(
            (i64::try_from(millis).unwrap_or(i64::MAX) - FIRST_MONDAY_MILLIS)
                .div_euclid(WEEK_MILLIS),
        )
    }

    fn start(self) -> Timestamp {
        Timestamp::from_micros((FIRST_MONDAY_MILLIS + self.0 * WEEK_MILLIS) * 1000)
    }

    /// The smallest id of version 7 that is made in it, or a smaller one.
    fn first_id(self) -> Uuid {
        let millis = u64::try_from(self.start().as_micros() / 1000).unwrap_or_default();
        Uuid::from_u128(u128::from(millis) << 80)
    }

    fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Its Monday, as partitions are named.
    fn name(self) -> String {
        let date = self.start().to_date_time().date();
        format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
    }
}

static NOW: Statement = Statement { text: "SELECT flowker_now() AS now", types: &[] };

/// The upper bounds of all partitions of `executions` but the default one, lowest first. The text of
/// a bound is `FOR VALUES FROM ('…') TO ('…')`.
static BOUNDS: Statement = Statement {
    text: "SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([0-9a-f-]{36})''\\)'))[1]::uuid
                  AS upper,
                  c.relname = 'executions_before' AS is_first
             FROM pg_inherits AS i
             JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'executions'::regclass
              AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
            ORDER BY 1",
    types: &[],
};

const LOCK_TABLES: &str = "LOCK TABLE executions, outcomes, journal IN ACCESS EXCLUSIVE MODE";

static HAS_UNFINISHED: Statement = Statement {
    text: "SELECT EXISTS (SELECT 1 FROM ready WHERE $1 <= execution_id AND execution_id < $2) AS has",
    types: &[Type::UUID, Type::UUID],
};

/// A partition that is there.
#[derive(Clone, Copy, Debug)]
struct Partition {
    /// `None` for the one before the first week.
    week: Option<Week>,
    /// The first week that is not in it.
    end: Week,
}

impl Partition {
    fn suffix(self) -> String {
        self.week.map_or_else(|| "before".to_owned(), Week::name)
    }

    fn first_id(self) -> Uuid {
        self.week.map_or(Uuid::nil(), Week::first_id)
    }
}

async fn partitions<T>(session: &Session) -> Result<Vec<Partition>, Undo<T>> {
    let rows = session.query(&BOUNDS, &[]).await?;
    let mut partitions = Vec::with_capacity(rows.len());
    for row in &rows {
        let columns = Columns { table: "pg_class", row };
        let end = Week::from(columns.get("upper")?);
        let is_first: bool = columns.get("is_first")?;
        let week = (!is_first).then_some(Week(end.0 - 1));
        partitions.push(Partition { week, end });
    }
    Ok(partitions)
}

async fn now<T>(session: &Session) -> Result<Timestamp, Undo<T>> {
    let rows = session.query(&NOW, &[]).await?;
    let row = rows.first().ok_or_else(|| StoreError::corrupt("the clock", "no answer"))?;
    Ok(Columns { table: "the clock", row }.moment("now")?)
}

/// The end of the last week that was made. `None` before the first.
pub(crate) async fn made_until(db: &Db) -> Result<Option<Timestamp>, StoreError> {
    let rows = db.read(&BOUNDS, &[]).await?;
    let end = |row| Columns { table: "pg_class", row }.get("upper").map(Week::from);
    Ok(rows.last().map(end).transpose()?.map(Week::start))
}

/// Makes the partitions of the present week and of those that follow, as far as they are missing.
/// Safe for many processes at once.
pub(crate) async fn make_ahead(db: &Db) -> Result<(), StoreError> {
    db.transact(|session| {
        Box::pin(async move {
            session.execute(LOCK).await?;
            let present = Week::of(now(session).await?);
            let last = partitions(session).await?.last().map(|it| it.end);
            let mut next = if let Some(end) = last {
                end.max(Week(present.0 - WEEKS_MAX))
            } else {
                for (table, _) in TABLES {
                    make_edges(session, table, present).await?;
                }
                present
            };
            while next <= Week(present.0 + WEEKS_AHEAD) {
                for (table, column) in TABLES {
                    make_week(session, table, column, next).await?;
                }
                info!(week = next.name(), "made partitions");
                next = next.next();
            }
            Ok(())
        })
    })
    .await
}

/// Makes the two partitions that are no week.
async fn make_edges(
    session: &Session,
    table: &str,
    first: Week,
) -> Result<(), tokio_postgres::Error> {
    let upper = first.first_id();
    let text = format!(
        "CREATE TABLE {table}_before PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO ('{upper}');
         CREATE TABLE {table}_beyond PARTITION OF {table} DEFAULT"
    );
    session.execute(&text).await
}

/// Makes the partition of a week, and moves there what lies beyond so far.
///
/// Attached, not created in place: that would lock out everybody who writes.
async fn make_week(
    session: &Session,
    table: &str,
    column: &str,
    week: Week,
) -> Result<(), tokio_postgres::Error> {
    let (name, from, to) = (week.name(), week.first_id(), week.next().first_id());
    let text = format!(
        "CREATE TABLE {table}_{name} (LIKE {table} INCLUDING DEFAULTS);
         LOCK TABLE {table}_beyond IN ACCESS EXCLUSIVE MODE;
         WITH moved AS (
             DELETE FROM {table}_beyond WHERE '{from}' <= {column} AND {column} < '{to}' RETURNING *
         )
         INSERT INTO {table}_{name} SELECT * FROM moved;
         ALTER TABLE {table} ATTACH PARTITION {table}_{name} FOR VALUES FROM ('{from}') TO ('{to}')"
    );
    session.execute(&text).await
}

/// Drops weeks of which everything was accepted longer ago than `retention`, up to the first that
/// holds an execution that has not ended. Answers how many.
///
/// Fails with [`StoreError::Unavailable`] if the tables are in constant use: try again later.
pub(crate) async fn drop_old(db: &Db, retention: Duration) -> Result<usize, StoreError> {
    let mut n_dropped = 0;
    while drop_oldest(db, retention).await? {
        n_dropped += 1;
    }
    Ok(n_dropped)
}

async fn drop_oldest(db: &Db, retention: Duration) -> Result<bool, StoreError> {
    db.transact(move |session| {
        Box::pin(async move {
            session.execute(LOCK).await?;
            session.execute(DROP_LOCK_TIMEOUT).await?;
            let now = now(session).await?;
            let Some(oldest) = partitions(session).await?.first().copied() else {
                return Err(Undo::Answer(false));
            };
            if now < oldest.end.start().plus(retention) {
                return Err(Undo::Answer(false));
            }
            // From here on nobody is writing to it, and nobody begins to.
            session.execute(LOCK_TABLES).await?;
            let range = (oldest.first_id(), oldest.end.first_id());
            let rows = session.query(&HAS_UNFINISHED, &[&range.0, &range.1]).await?;
            for row in &rows {
                if (Columns { table: "ready", row }).get("has")? {
                    return Err(Undo::Answer(false));
                }
            }
            for (table, _) in TABLES {
                let drop = format!("DROP TABLE {table}_{}", oldest.suffix());
                session.execute(&drop).await?;
            }
            info!(week = oldest.suffix(), "dropped partitions");
            Ok(true)
        })
    })
    .await
}

#[cfg(test)]
mod tests;
