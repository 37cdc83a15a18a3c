//! The query parameters that lists share: page size, order, cursor.

use flowker_core::audit::AuditEntry;
use flowker_core::code::Code;
use flowker_core::execution::Summary;
use flowker_core::id::ExecutionId;
use flowker_core::ports::{Cursor, Direction, ExecutionSort, NamedSort, NamedSortKey};
use flowker_core::refusal::Refusal;
use flowker_core::time::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::cursor::{self, List, Place};
use crate::error::Failure;
use crate::extract::Query;
use crate::shape::{Schemas, Shown, about, object};

pub(crate) const LIMIT_DEFAULT: usize = 10;
pub(crate) const LIMIT_MAX: usize = 100;

/// A page of workflows or provider configurations that is asked for.
pub(crate) struct NamedPage {
    list: List,
    pub sort: NamedSort,
    pub after: Option<Cursor>,
    pub limit: usize,
}

impl NamedPage {
    /// Reads `limit`, `sortBy`, `sortOrder` and `cursor`. A cursor brings its own order; one that
    /// is also asked for must be the same.
    pub(crate) fn read(query: &Query, list: List, key: &[u8; 32]) -> Result<Self, Refusal> {
        let limit = match query.get("limit").map(str::parse) {
            None => LIMIT_DEFAULT,
            Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => limit,
            Some(_) => return Err(wrong("limit", "must be a whole number from 1 to 100")),
        };
        let sort_key = query.get("sortBy").map(|text| {
            let found = SORT_KEYS.into_iter().find(|(word, _)| *word == text);
            found.ok_or_else(|| wrong("sortBy", "must be one of createdAt, updatedAt and name"))
        });
        let sort_key = sort_key.transpose()?.map(|(_, key)| key);
        let direction = query.get("sortOrder").map(|text| {
            cursor::read_direction(text).ok_or_else(|| wrong("sortOrder", "must be ASC or DESC"))
        });
        let direction = direction.transpose()?;
        let Some(cursor) = query.get("cursor") else {
            let sort = NamedSort {
                key: sort_key.unwrap_or_default(),
                direction: direction.unwrap_or_default(),
            };
            return Ok(Self { list, sort, after: None, limit });
        };
        let (sort, after) = open_named(cursor, list, key).ok_or_else(cursor_refusal)?;
        let is_same = sort_key.is_none_or(|key| key == sort.key)
            && direction.is_none_or(|direction| direction == sort.direction);
        if !is_same {
            return Err(Refusal::new(
                Code::CursorInvalid,
                "The cursor belongs to a list in another order: repeat its sort parameters, or leave them out.",
            ));
        }
        Ok(Self { list, sort, after: Some(after), limit })
    }

    /// The answer: items, and where the next page begins.
    pub(crate) fn envelope<T>(
        &self,
        items: Vec<T>,
        last: Option<&dyn Named>,
        key: &[u8; 32],
    ) -> Page<T> {
        let next = last.map(|item| {
            cursor::seal(
                &Place {
                    list: self.list,
                    sort_by: sort_key_word(self.sort.key).to_owned(),
                    direction: self.sort.direction,
                    value: Some(item.sort_value(self.sort.key)),
                    id: item.id(),
                },
                key,
            )
        });
        envelope(items, next)
    }
}

/// An item of a list of named resources.
pub(crate) trait Named {
    fn id(&self) -> Uuid;
    fn name(&self) -> &str;
    fn created_at(&self) -> Timestamp;
    fn updated_at(&self) -> Timestamp;

    /// What stands in a cursor behind the item.
    fn sort_value(&self, key: NamedSortKey) -> String {
        match key {
            NamedSortKey::CreatedAt => self.created_at().as_micros().to_string(),
            NamedSortKey::UpdatedAt => self.updated_at().as_micros().to_string(),
            NamedSortKey::Name => self.name().to_owned(),
        }
    }
}

const SORT_KEYS: [(&str, NamedSortKey); 3] = [
    ("createdAt", NamedSortKey::CreatedAt),
    ("updatedAt", NamedSortKey::UpdatedAt),
    ("name", NamedSortKey::Name),
];

fn sort_key_word(key: NamedSortKey) -> &'static str {
    let word = SORT_KEYS.into_iter().find(|(_, it)| *it == key);
    word.map_or("createdAt", |(word, _)| word)
}

fn open_named(cursor: &str, list: List, key: &[u8; 32]) -> Option<(NamedSort, Cursor)> {
    let place = cursor::open(cursor, list, key)?;
    let (_, sort_key) = SORT_KEYS.into_iter().find(|(word, _)| *word == place.sort_by)?;
    let sort = NamedSort { key: sort_key, direction: place.direction };
    Some((sort, Cursor { value: place.value?, id: place.id }))
}

/// A page of executions that is asked for.
pub(crate) struct ExecutionsPage {
    pub sort: ExecutionSort,
    pub direction: Direction,
    pub after: Option<(Option<Timestamp>, ExecutionId)>,
    pub limit: usize,
}

impl ExecutionsPage {
    /// Reads `limit`, `sortBy`, `sortOrder` and `cursor`, with the contract's own codes and titles.
    pub(crate) fn read(query: &Query, key: &[u8; 32]) -> Result<Self, Failure> {
        let limit = executions_limit(query.get("limit"))?;
        let (sort_by, sort_order) = (query.get("sortBy"), query.get("sortOrder"));
        if let Some(cursor) = query.get("cursor") {
            if sort_by.is_some() || sort_order.is_some() {
                let message = "must be left out: the cursor brings the order of the list with it";
                let name = if sort_by.is_some() { "sortBy" } else { "sortOrder" };
                return Err(Failure::titled(wrong(name, message), "Invalid Pagination Parameters"));
            }
            let (sort, direction, after) = open_executions(cursor, key)
                // The contract gives this one case no title at all.
                .ok_or_else(|| Failure::titled(cursor_refusal(), ""))?;
            return Ok(Self { sort, direction, after: Some(after), limit });
        }
        let sort = sort_by.map_or(Ok(ExecutionSort::default()), |text| {
            read_execution_sort(text).ok_or_else(|| {
                let refusal = wrong("sortBy", "must be startedAt or completedAt");
                Failure::titled(refusal, "Invalid Sort Field")
            })
        })?;
        let direction = sort_order.map_or(Ok(Direction::default()), |text| {
            cursor::read_direction(text).ok_or_else(|| {
                let message = "must be ASC or DESC";
                let refusal = Refusal::of_member(Code::SortOrderInvalid, "sortOrder", message);
                Failure::titled(refusal, "Invalid Sort Order")
            })
        })?;
        Ok(Self { sort, direction, after: None, limit })
    }

    /// The answer: items, and where the next page begins.
    pub(crate) fn envelope<T>(
        &self,
        items: Vec<T>,
        last: Option<&Summary>,
        key: &[u8; 32],
    ) -> Page<T> {
        let next = last.map(|summary| {
            let moment = match self.sort {
                ExecutionSort::StartedAt => Some(summary.started_at),
                ExecutionSort::CompletedAt => summary.completed_at,
            };
            cursor::seal(
                &Place {
                    list: List::Executions,
                    sort_by: execution_sort_word(self.sort).to_owned(),
                    direction: self.direction,
                    value: moment.map(|moment| moment.as_micros().to_string()),
                    id: *summary.id.as_uuid(),
                },
                key,
            )
        });
        envelope(items, next)
    }
}

fn executions_limit(text: Option<&str>) -> Result<usize, Failure> {
    let message = "must be a whole number from 1 to 100";
    let wrong =
        |title| Failure::titled(Refusal::of_member(Code::PageSizeInvalid, "limit", message), title);
    match text.map(str::parse::<i64>) {
        None => Ok(LIMIT_DEFAULT),
        Some(Ok(limit)) => match usize::try_from(limit) {
            Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
            Ok(1..) => Err(wrong("Pagination Limit Exceeded")),
            Ok(0) | Err(_) => Err(wrong("Invalid Limit")),
        },
        Some(Err(_)) => Err(wrong("Invalid Limit")),
    }
}

const fn execution_sort_word(sort: ExecutionSort) -> &'static str {
    match sort {
        ExecutionSort::StartedAt => "startedAt",
        ExecutionSort::CompletedAt => "completedAt",
    }
}

fn read_execution_sort(text: &str) -> Option<ExecutionSort> {
    let sorts = [ExecutionSort::StartedAt, ExecutionSort::CompletedAt];
    sorts.into_iter().find(|it| execution_sort_word(*it) == text)
}

type ExecutionPlace = (ExecutionSort, Direction, (Option<Timestamp>, ExecutionId));

fn open_executions(cursor: &str, key: &[u8; 32]) -> Option<ExecutionPlace> {
    let place = cursor::open(cursor, List::Executions, key)?;
    let moment = match place.value {
        Some(micros) => Some(Timestamp::from_micros(micros.parse().ok()?)),
        None => None,
    };
    let after = (moment, ExecutionId::from_uuid(place.id));
    Some((read_execution_sort(&place.sort_by)?, place.direction, after))
}

/// A page of the audit log that is asked for.
pub(crate) struct AuditListPage {
    pub direction: Direction,
    /// The sequence number of the last entry that was seen.
    pub after: Option<u64>,
    pub limit: usize,
}

/// What cursors of the audit log say that it is sorted by. There is no other order.
const SEQUENCE: &str = "sequence";
pub(crate) const AUDIT_LIMIT_DEFAULT: usize = 20;

/// Which way the audit log is asked for.
pub(crate) fn audit_direction(query: &Query) -> Result<Option<Direction>, Refusal> {
    let direction = query.get("sortOrder").map(|text| {
        cursor::read_direction(text).ok_or_else(|| wrong("sortOrder", "must be ASC or DESC"))
    });
    direction.transpose()
}

impl AuditListPage {
    /// Reads `limit`, `sortOrder` and `cursor`. A cursor brings its order; one that is also asked for
    /// must be the same.
    pub(crate) fn read(query: &Query, key: &[u8; 32]) -> Result<Self, Refusal> {
        let limit = match query.get("limit").map(str::parse) {
            None => AUDIT_LIMIT_DEFAULT,
            Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => limit,
            Some(_) => return Err(wrong("limit", "must be a whole number from 1 to 100")),
        };
        let asked = audit_direction(query)?;
        let Some(cursor) = query.get("cursor") else {
            return Ok(Self { direction: asked.unwrap_or_default(), after: None, limit });
        };
        let opened = open_audit(cursor, key);
        let opened = opened.filter(|(direction, _)| asked.is_none_or(|asked| asked == *direction));
        let (direction, after) = opened.ok_or_else(|| {
            Refusal::new(
                Code::AuditCursorInvalid,
                "The cursor cannot be used: take it from nextCursor of the page before, unchanged, \
                 and repeat its sortOrder or leave it out.",
            )
        })?;
        Ok(Self { direction, after: Some(after), limit })
    }

    /// The answer: items, and where the next page begins.
    pub(crate) fn envelope<T>(
        &self,
        items: Vec<T>,
        last: Option<&AuditEntry>,
        key: &[u8; 32],
    ) -> Page<T> {
        let next = last.map(|entry| {
            cursor::seal(
                &Place {
                    list: List::AuditEvents,
                    sort_by: SEQUENCE.to_owned(),
                    direction: self.direction,
                    value: Some(entry.sequence.to_string()),
                    id: *entry.event.id.as_uuid(),
                },
                key,
            )
        });
        envelope(items, next)
    }
}

fn open_audit(cursor: &str, key: &[u8; 32]) -> Option<(Direction, u64)> {
    let place = cursor::open(cursor, List::AuditEvents, key)?;
    Some((place.direction, place.value?.parse().ok()?))
}

/// A query parameter that is not valid.
pub(crate) fn wrong(name: &str, message: &str) -> Refusal {
    Refusal::of_member(Code::QueryInvalid, name, message)
}

fn cursor_refusal() -> Refusal {
    Refusal::new(
        Code::CursorInvalid,
        "The cursor cannot be used: take it from nextCursor of the page before, unchanged.",
    )
}

fn envelope<T>(items: Vec<T>, next_cursor: Option<String>) -> Page<T> {
    let has_more = next_cursor.is_some();
    Page { items, next_cursor: next_cursor.unwrap_or_default(), has_more }
}

/// The envelope of every list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    items: Vec<T>,
    /// Empty exactly when there is no more.
    next_cursor: String,
    has_more: bool,
}

impl<T: Shown> Shown for Page<T> {
    fn shown(self) -> Value {
        Value::Object(Map::from_iter([
            ("items".to_owned(), self.items.shown()),
            ("nextCursor".to_owned(), self.next_cursor.into()),
            ("hasMore".to_owned(), self.has_more.into()),
        ]))
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let next = "Asks for the next page; empty exactly when there is none.";
        let members = vec![
            ("items", true, <Vec<T> as Shown>::schema(schemas)),
            ("nextCursor", true, about(<String as Shown>::schema(schemas), next)),
            ("hasMore", true, <bool as Shown>::schema(schemas)),
        ];
        object("One page of a list.", members)
    }
}
