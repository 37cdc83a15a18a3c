//! Lists of named resources: workflows and provider configurations.

use flowker_core::ports::{Cursor, Direction, NamedSort, NamedSortKey, StoreError};
use rusqlite::types::Value;
use rusqlite::{Connection, ToSql};
use uuid::Uuid;

use crate::error::Of;
use crate::row;

/// The statements that list a table, one for each order.
///
/// Each answers ids. ?1 and ?2 are the place after which it begins, ?3 is how many it answers; what
/// filters the rows comes from ?4 on.
pub(crate) struct Pages {
    pub(crate) table: &'static str,
    pub(crate) by_creation: Ways,
    pub(crate) by_update: Ways,
    pub(crate) by_name: Ways,
}

/// One order, both ways.
pub(crate) struct Ways {
    pub(crate) ascending: &'static str,
    pub(crate) descending: &'static str,
}

impl Ways {
    pub(crate) const fn of(&self, direction: Direction) -> &'static str {
        match direction {
            Direction::Ascending => self.ascending,
            Direction::Descending => self.descending,
        }
    }
}

/// Completes a statement that ends in a `WHERE` clause: what follows the place, in the order of a
/// column and the id, or of the id alone.
macro_rules! ways {
    ($select:expr, $id:literal) => {
        $crate::named::Ways {
            ascending: concat!($select, " AND ", $id, " > ?2 ORDER BY ", $id, " LIMIT ?3"),
            descending: concat!($select, " AND ", $id, " < ?2 ORDER BY ", $id, " DESC LIMIT ?3"),
        }
    };
    ($select:expr, $first:literal, $id:literal) => {
        $crate::named::Ways {
            ascending: concat!(
                $select,
                " AND (",
                $first,
                ", ",
                $id,
                ") > (?1, ?2)",
                " ORDER BY ",
                $first,
                ", ",
                $id,
                " LIMIT ?3"
            ),
            descending: concat!(
                $select,
                " AND (",
                $first,
                ", ",
                $id,
                ") < (?1, ?2)",
                " ORDER BY ",
                $first,
                " DESC, ",
                $id,
                " DESC LIMIT ?3"
            ),
        }
    };
}

macro_rules! pages {
    ($table:literal, $filter:literal) => {
        $crate::named::Pages {
            table: $table,
            by_creation: $crate::named::ways!(
                concat!("SELECT id FROM ", $table, " WHERE ", $filter),
                "created_at",
                "id"
            ),
            by_update: $crate::named::ways!(
                concat!("SELECT id FROM ", $table, " WHERE ", $filter),
                "updated_at",
                "id"
            ),
            by_name: $crate::named::ways!(
                concat!("SELECT id FROM ", $table, " WHERE ", $filter),
                "name",
                "id"
            ),
        }
    };
}

pub(crate) use {pages, ways};

impl Pages {
    fn statement(&self, sort: NamedSort) -> &'static str {
        let ways = match sort.key {
            NamedSortKey::CreatedAt => &self.by_creation,
            NamedSortKey::UpdatedAt => &self.by_update,
            NamedSortKey::Name => &self.by_name,
        };
        ways.of(sort.direction)
    }

    /// The ids of one page, and whether there are more behind them.
    pub(crate) fn read(
        &self,
        db: &Connection,
        sort: NamedSort,
        after: Option<&Cursor>,
        limit: usize,
        filters: &[&dyn ToSql],
    ) -> Result<(Vec<Uuid>, bool), StoreError> {
        let (value, id) = place(sort, after)?;
        let n_rows = row::limit(limit.saturating_add(1));
        let mut params: Vec<&dyn ToSql> = vec![&value, &id, &n_rows];
        params.extend(filters);
        let mut statement = db.prepare_cached(self.statement(sort)).of(self.table, "list")?;
        let ids = statement
            .query_map(params.as_slice(), |row| row::uuid(row, "id"))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .of(self.table, "list")?;
        Ok(cut(ids, limit))
    }
}

/// Drops what was read beyond the page to see whether there is more.
pub(crate) fn cut<T>(mut items: Vec<T>, limit: usize) -> (Vec<T>, bool) {
    let has_more = limit < items.len();
    items.truncate(limit);
    (items, has_more)
}

/// A cursor whose moment is no number: made by something else than our lists.
#[derive(Debug, thiserror::Error)]
#[error("the place in the list is not a moment")]
struct NotAMoment(#[source] std::num::ParseIntError);

fn place(sort: NamedSort, after: Option<&Cursor>) -> Result<(Value, Value), StoreError> {
    let Some(cursor) = after else {
        return Ok(match sort.key {
            NamedSortKey::Name => edge_of_names(sort.direction),
            NamedSortKey::CreatedAt | NamedSortKey::UpdatedAt => edge(sort.direction),
        });
    };
    let value = match sort.key {
        NamedSortKey::Name => Value::Text(cursor.value.clone()),
        NamedSortKey::CreatedAt | NamedSortKey::UpdatedAt => {
            let micros = cursor.value.parse().map_err(NotAMoment);
            Value::Integer(micros.map_err(|error| StoreError::corrupt("a cursor", error))?)
        }
    };
    Ok((value, Value::Blob(cursor.id.as_bytes().to_vec())))
}

/// A place before all others, for a moment and an id.
pub(crate) fn edge(direction: Direction) -> (Value, Value) {
    match direction {
        Direction::Ascending => (Value::Integer(i64::MIN), Value::Blob(Vec::new())),
        // 17 bytes: an id has 16.
        Direction::Descending => (Value::Integer(i64::MAX), Value::Blob(vec![u8::MAX; 17])),
    }
}

/// A place before all others, for a name and an id. SQLite sorts any blob after any text.
fn edge_of_names(direction: Direction) -> (Value, Value) {
    let (_, id) = edge(direction);
    match direction {
        Direction::Ascending => (Value::Text(String::new()), id),
        Direction::Descending => (Value::Blob(Vec::new()), id),
    }
}
