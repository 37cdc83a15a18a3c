//! Cutting one page out of a list.

use flowker_core::ports::{Cursor, Direction, NamedSort, NamedSortKey, StoreError};
use flowker_core::time::Timestamp;
use uuid::Uuid;

/// What items are sorted by, its parts in order: the last one makes every key different.
pub(super) fn cut<T, K: Ord>(
    mut items: Vec<T>,
    key: impl Fn(&T) -> K,
    direction: Direction,
    after: Option<&K>,
    limit: usize,
) -> (Vec<T>, bool) {
    items.sort_by_key(&key);
    match direction {
        Direction::Ascending => items.retain(|it| after.is_none_or(|after| *after < key(it))),
        Direction::Descending => {
            items.reverse();
            items.retain(|it| after.is_none_or(|after| key(it) < *after));
        }
    }
    let has_more = limit < items.len();
    items.truncate(limit);
    (items, has_more)
}

/// What a named resource is sorted by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NamedKey {
    Moment(Timestamp, Uuid),
    Name(String, Uuid),
}

/// What a list of named resources shows to its order.
pub(super) struct Named<'a> {
    pub id: Uuid,
    pub name: &'a str,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl NamedKey {
    pub(super) fn of(sort: NamedSort, it: &Named<'_>) -> Self {
        match sort.key {
            NamedSortKey::CreatedAt => Self::Moment(it.created_at, it.id),
            NamedSortKey::UpdatedAt => Self::Moment(it.updated_at, it.id),
            NamedSortKey::Name => Self::Name(it.name.to_owned(), it.id),
        }
    }

    pub(super) fn read(sort: NamedSort, cursor: &Cursor) -> Result<Self, StoreError> {
        Ok(match sort.key {
            NamedSortKey::CreatedAt | NamedSortKey::UpdatedAt => {
                let micros = cursor.value.parse();
                let micros = micros.map_err(|error| StoreError::corrupt("a cursor", error))?;
                Self::Moment(Timestamp::from_micros(micros), cursor.id)
            }
            NamedSortKey::Name => Self::Name(cursor.value.clone(), cursor.id),
        })
    }
}
