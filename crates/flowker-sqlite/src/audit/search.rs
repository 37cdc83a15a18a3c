//! Searching: every filter is a range of the chain, or an index that has the chain's order.

use flowker_core::audit::{AuditEntry, EventType};
use flowker_core::ports::{AuditPage, AuditQuery, Direction, StoreError};
use flowker_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, ToSql};

use super::entry::{self, columns};
use crate::error::Of;
use crate::named::{Ways, cut};
use crate::row;

/// ?1 and ?2 are the range of sequence numbers, ?3 is how many are answered at the most.
macro_rules! ways {
    ($filter:literal) => {
        Ways {
            ascending: concat!(
                "SELECT ",
                columns!(),
                " FROM audit_entries WHERE ",
                $filter,
                " sequence BETWEEN ?1 AND ?2 ORDER BY sequence LIMIT ?3"
            ),
            descending: concat!(
                "SELECT ",
                columns!(),
                " FROM audit_entries WHERE ",
                $filter,
                " sequence BETWEEN ?1 AND ?2 ORDER BY sequence DESC LIMIT ?3"
            ),
        }
    };
}

const ALL: Ways = ways!("");
const OF_TYPE: Ways = ways!("event_type = ?4 AND");
const OF_TYPE_AND_RESOURCE: Ways = ways!("event_type = ?4 AND resource_id = ?5 AND");

/// All of them, for tests of their plans.
#[cfg(test)]
pub(crate) const SEARCHES: [&Ways; 3] = [&ALL, &OF_TYPE, &OF_TYPE_AND_RESOURCE];

pub(super) fn search(db: &Connection, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    let Some(range) = range(db, query)? else {
        return Ok(AuditPage { items: Vec::new(), has_more: false });
    };
    let n_rows = row::limit(query.limit.saturating_add(1));
    let read = |ways: &'static Ways, more: &[&dyn ToSql]| {
        let mut params: Vec<&dyn ToSql> = vec![&range.0, &range.1, &n_rows];
        params.extend(more);
        read(db, ways.of(query.direction), &params)
    };
    let mut items = match (&query.types, &query.resource_id) {
        (None, None) => read(&ALL, &[])?,
        // Each kind by itself, in the order of the chain: there are few.
        (types, resource_id) => {
            let mut items = Vec::new();
            for kind in types.as_deref().unwrap_or(EventType::ALL) {
                items.extend(match resource_id {
                    Some(id) => read(&OF_TYPE_AND_RESOURCE, &[&kind.as_str(), id])?,
                    None => read(&OF_TYPE, &[&kind.as_str()])?,
                });
            }
            items
        }
    };
    match query.direction {
        Direction::Ascending => items.sort_by_key(|it| it.sequence),
        Direction::Descending => items.sort_by_key(|it| std::cmp::Reverse(it.sequence)),
    }
    let (items, has_more) = cut(items, query.limit);
    Ok(AuditPage { items, has_more })
}

fn read(
    db: &Connection,
    statement: &'static str,
    params: &[&dyn ToSql],
) -> Result<Vec<AuditEntry>, StoreError> {
    let mut statement = db.prepare_cached(statement).of("audit_entries", "list")?;
    let entries = statement.query_map(params, entry::read);
    entries.and_then(Iterator::collect).of("audit_entries", "list")
}

/// The sequence numbers between which a page lies, both included. `None`: there are none.
fn range(db: &Connection, query: &AuditQuery) -> Result<Option<(i64, i64)>, StoreError> {
    let (mut low, mut high) = (1, i64::MAX);
    if let Some(from) = query.from {
        let Some(first) = bound(db, FIRST_SINCE, from)? else { return Ok(None) };
        low = first;
    }
    if let Some(to) = query.to {
        let Some(last) = bound(db, LAST_UNTIL, to)? else { return Ok(None) };
        high = last;
    }
    if let Some(after) = query.after {
        let after = row::integer(after);
        match query.direction {
            Direction::Ascending => low = low.max(after.saturating_add(1)),
            Direction::Descending => high = high.min(after.saturating_sub(1)),
        }
    }
    Ok(Some((low, high)))
}

/// Moments never fall along the chain.
pub(super) const FIRST_SINCE: &str =
    "SELECT sequence FROM audit_entries WHERE ?1 <= at ORDER BY at, sequence LIMIT 1";
pub(super) const LAST_UNTIL: &str =
    "SELECT sequence FROM audit_entries WHERE at <= ?1 ORDER BY at DESC, sequence DESC LIMIT 1";

fn bound(
    db: &Connection,
    statement: &'static str,
    moment: Timestamp,
) -> Result<Option<i64>, StoreError> {
    db.prepare_cached(statement)
        .and_then(|mut it| it.query_row([moment.as_micros()], |row| row.get(0)).optional())
        .of("audit_entries", "by moment")
}
