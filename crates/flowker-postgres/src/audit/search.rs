//! Searching: every filter is a range of the chain, or an index that has the chain's order.

use flowker_core::audit::EventType;
use flowker_core::ports::{AuditPage, AuditQuery, Direction, StoreError};
use flowker_core::time::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use super::entry::{self, columns};
use crate::db::Session;
use crate::named::Ways;
use crate::row::{self, Columns, Moment, escaped};
use crate::statement::Statement;

/// $1 and $2 are the range of sequence numbers, $3 is how many are answered at the most.
macro_rules! all {
    ($order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM audit_entries WHERE sequence BETWEEN $1 AND $2 ORDER BY sequence",
            $order,
            " LIMIT $3"
        )
    };
}

pub(super) static ALL: Ways = Ways {
    ascending: Statement { text: all!(""), types: &[Type::INT8, Type::INT8, Type::INT8] },
    descending: Statement { text: all!(" DESC"), types: &[Type::INT8, Type::INT8, Type::INT8] },
};

/// A page of each kind in $4, merged: there are few kinds.
macro_rules! merged {
    ($filter:literal, $order:literal) => {
        concat!(
            "SELECT e.* FROM unnest($4) AS t (event_type) CROSS JOIN LATERAL (SELECT ",
            columns!(),
            " FROM audit_entries WHERE ",
            $filter,
            " event_type = t.event_type AND sequence BETWEEN $1 AND $2 ORDER BY sequence",
            $order,
            " LIMIT $3) AS e ORDER BY e.sequence",
            $order,
            " LIMIT $3"
        )
    };
}

pub(super) static OF_TYPES: Ways = Ways {
    ascending: Statement {
        text: merged!("", ""),
        types: &[Type::INT8, Type::INT8, Type::INT8, Type::TEXT_ARRAY],
    },
    descending: Statement {
        text: merged!("", " DESC"),
        types: &[Type::INT8, Type::INT8, Type::INT8, Type::TEXT_ARRAY],
    },
};

/// The same of the resource $5.
pub(super) static OF_RESOURCE: Ways = Ways {
    ascending: Statement {
        text: merged!("resource_id = $5 AND", ""),
        types: &[Type::INT8, Type::INT8, Type::INT8, Type::TEXT_ARRAY, Type::TEXT],
    },
    descending: Statement {
        text: merged!("resource_id = $5 AND", " DESC"),
        types: &[Type::INT8, Type::INT8, Type::INT8, Type::TEXT_ARRAY, Type::TEXT],
    },
};

pub(super) async fn search(session: &Session, query: AuditQuery) -> Result<AuditPage, StoreError> {
    let Some((low, high)) = range(session, &query).await? else {
        return Ok(AuditPage { items: Vec::new(), has_more: false });
    };
    let n_rows = row::limit(query.limit.saturating_add(1));
    let types = query.types.as_deref().unwrap_or(EventType::ALL);
    let types: Vec<_> = types.iter().map(|it| it.as_str()).collect();
    let resource_id = query.resource_id.as_deref().map(escaped);
    let params: [&(dyn ToSql + Sync); 5] = [&low, &high, &n_rows, &types, &resource_id];
    let (ways, n_params) = match (&query.types, &resource_id) {
        (None, None) => (&ALL, 3),
        (Some(_), None) => (&OF_TYPES, 4),
        (_, Some(_)) => (&OF_RESOURCE, 5),
    };
    let ways: &'static Ways = ways;
    let statement = match query.direction {
        Direction::Ascending => &ways.ascending,
        Direction::Descending => &ways.descending,
    };
    let rows = session.query(statement, &params[..n_params]).await;
    let mut rows = rows.map_err(StoreError::unavailable)?;
    let has_more = query.limit < rows.len();
    rows.truncate(query.limit);
    Ok(AuditPage { items: rows.iter().map(entry::read).collect::<Result<_, _>>()?, has_more })
}

/// The sequence numbers between which a page lies, both included. `None`: there are none.
async fn range(session: &Session, query: &AuditQuery) -> Result<Option<(i64, i64)>, StoreError> {
    let (mut low, mut high) = (1, i64::MAX);
    if let Some(from) = query.from {
        let Some(first) = bound(session, &FIRST_SINCE, from).await? else { return Ok(None) };
        low = first;
    }
    if let Some(to) = query.to {
        let Some(last) = bound(session, &LAST_UNTIL, to).await? else { return Ok(None) };
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
pub(super) static FIRST_SINCE: Statement = Statement {
    text: "SELECT sequence FROM audit_entries WHERE $1 <= at ORDER BY at, sequence LIMIT 1",
    types: &[Type::TIMESTAMPTZ],
};
pub(super) static LAST_UNTIL: Statement = Statement {
    text: "\
        SELECT sequence FROM audit_entries WHERE at <= $1 ORDER BY at DESC, sequence DESC LIMIT 1",
    types: &[Type::TIMESTAMPTZ],
};

async fn bound(
    session: &Session,
    statement: &'static Statement,
    moment: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let rows = session.query(statement, &[&Moment(moment)]).await;
    let rows = rows.map_err(StoreError::unavailable)?;
    rows.first().map(|row| Columns { table: "audit_entries", row }.get("sequence")).transpose()
}
