//! Lists of named resources: workflows and provider configurations.

use flowker_core::ports::{Cursor, Direction, NamedSort, NamedSortKey, StoreError};
use flowker_core::time::Timestamp;
use flowker_core::workflow::NAME_BYTES_MAX;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::db::Db;
use crate::row::{self, Moment, escaped};
use crate::statement::Statement;

/// The statements that list a table, one for each order.
///
/// $1 and $2 are the place after which it begins, $3 is how many rows it answers; what filters them
/// comes from $4 on.
pub(crate) struct Pages {
    pub(crate) creation: Ways,
    pub(crate) update: Ways,
    pub(crate) name: Ways,
}

/// One order, both ways.
pub(crate) struct Ways {
    pub(crate) ascending: Statement,
    pub(crate) descending: Statement,
}

impl Ways {
    pub(crate) const fn of(&self, direction: Direction) -> &Statement {
        match direction {
            Direction::Ascending => &self.ascending,
            Direction::Descending => &self.descending,
        }
    }
}

/// Completes a statement that ends in a `WHERE` clause: what follows the place, in the order of a
/// column and the id, or of the id alone. `types` are those of all parameters.
macro_rules! ways {
    ($select:expr, $id:literal, types: $types:expr) => {
        $crate::named::Ways {
            ascending: $crate::statement::Statement {
                text: concat!($select, " AND ", $id, " > $2 ORDER BY ", $id, " LIMIT $3"),
                types: $types,
            },
            descending: $crate::statement::Statement {
                text: concat!($select, " AND ", $id, " < $2 ORDER BY ", $id, " DESC LIMIT $3"),
                types: $types,
            },
        }
    };
    ($select:expr, $first:literal, $id:literal, types: $types:expr) => {
        $crate::named::Ways {
            ascending: $crate::statement::Statement {
                text: concat!(
                    $select,
                    " AND (",
                    $first,
                    ", ",
                    $id,
                    ") > ($1, $2)",
                    " ORDER BY ",
                    $first,
                    ", ",
                    $id,
                    " LIMIT $3"
                ),
                types: $types,
            },
            descending: $crate::statement::Statement {
                text: concat!(
                    $select,
                    " AND (",
                    $first,
                    ", ",
                    $id,
                    ") < ($1, $2)",
                    " ORDER BY ",
                    $first,
                    " DESC, ",
                    $id,
                    " DESC LIMIT $3"
                ),
                types: $types,
            },
        }
    };
}

/// `$select` ends in a `WHERE` clause that filters by parameters of the types `$filter`.
macro_rules! pages {
    ($select:expr, $($filter:expr),*) => {
        $crate::named::Pages {
            creation: $crate::named::ways!(
                $select,
                "created_at",
                "id",
                types: &[Type::TIMESTAMPTZ, Type::UUID, Type::INT8, $($filter),*]
            ),
            update: $crate::named::ways!(
                $select,
                "updated_at",
                "id",
                types: &[Type::TIMESTAMPTZ, Type::UUID, Type::INT8, $($filter),*]
            ),
            name: $crate::named::ways!(
                $select,
                "name",
                "id",
                types: &[Type::TEXT, Type::UUID, Type::INT8, $($filter),*]
            ),
        }
    };
}

pub(crate) use {pages, ways};

impl Pages {
    const fn statement(&self, sort: NamedSort) -> &Statement {
        let ways = match sort.key {
            NamedSortKey::CreatedAt => &self.creation,
            NamedSortKey::UpdatedAt => &self.update,
            NamedSortKey::Name => &self.name,
        };
        ways.of(sort.direction)
    }

    /// The rows of one page, and whether there are more behind them.
    pub(crate) async fn read(
        &'static self,
        db: &Db,
        sort: NamedSort,
        after: Option<&Cursor>,
        limit: usize,
        filters: &[&(dyn ToSql + Sync)],
    ) -> Result<(Vec<Row>, bool), StoreError> {
        let (value, id) = place(sort, after)?;
        let n_rows = row::limit(limit.saturating_add(1));
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&*value, &id, &n_rows];
        params.extend(filters);
        let rows = db.read(self.statement(sort), &params).await?;
        Ok(cut(rows, limit))
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

/// The value of a place: a moment or a name.
type Place = (Box<dyn ToSql + Send + Sync>, Uuid);

fn place(sort: NamedSort, after: Option<&Cursor>) -> Result<Place, StoreError> {
    let Some(cursor) = after else {
        let (moment, id) = edge(sort.direction);
        return Ok(match sort.key {
            NamedSortKey::Name => (Box::new(edge_of_names(sort.direction)), id),
            NamedSortKey::CreatedAt | NamedSortKey::UpdatedAt => (Box::new(moment), id),
        });
    };
    Ok(match sort.key {
        NamedSortKey::Name => (Box::new(escaped(&cursor.value).into_owned()), cursor.id),
        NamedSortKey::CreatedAt | NamedSortKey::UpdatedAt => {
            let micros = cursor.value.parse().map_err(NotAMoment);
            let micros = micros.map_err(|error| StoreError::corrupt("a cursor", error))?;
            (Box::new(Moment(Timestamp::from_micros(micros))), cursor.id)
        }
    })
}

/// A place before all others, for a moment and an id. No id has all bits alike.
pub(crate) const fn edge(direction: Direction) -> (Moment, Uuid) {
    match direction {
        Direction::Ascending => (Moment(Timestamp::from_micros(i64::MIN)), Uuid::nil()),
        Direction::Descending => (Moment(Timestamp::from_micros(i64::MAX)), Uuid::max()),
    }
}

/// A name before all others. The highest character is four bytes long, so this many of them follow
/// whatever is as long as a name can be.
fn edge_of_names(direction: Direction) -> String {
    match direction {
        Direction::Ascending => String::new(),
        Direction::Descending => char::MAX.to_string().repeat(NAME_BYTES_MAX),
    }
}
