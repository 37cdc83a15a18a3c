//! Columns as values of the domain, and back.

use flowker_core::json::{self, Limits};
use flowker_core::refusal::BoxError;
use flowker_core::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};
use serde_json::{Map, Value};
use uuid::Uuid;

/// A stored word that is none of those that we write.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a known word")]
struct UnknownWord(String);

/// A stored document that is JSON, but no object.
#[derive(Debug, thiserror::Error)]
#[error("the document is not an object")]
struct NotAnObject;

/// The failure of a column whose value is none of ours.
pub(crate) fn invalid(column: &str, kind: Type, source: impl Into<BoxError>) -> Error {
    #[derive(Debug, thiserror::Error)]
    #[error("column {column} is invalid")]
    struct Invalid {
        column: String,
        #[source]
        source: BoxError,
    }
    let source = Invalid { column: column.to_owned(), source: source.into() };
    // 0: the column is named by the cause.
    Error::FromSqlConversionFailure(0, kind, Box::new(source))
}

pub(crate) fn uuid(row: &Row<'_>, column: &str) -> Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

pub(crate) fn optional_uuid(row: &Row<'_>, column: &str) -> Result<Option<Uuid>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
}

pub(crate) fn moment(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

pub(crate) fn optional_moment(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

/// A number that is never negative.
pub(crate) fn natural(row: &Row<'_>, column: &str) -> Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|error| invalid(column, Type::Integer, error))
}

/// One of a closed set of words.
pub(crate) fn word<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| invalid(column, Type::Text, UnknownWord(text)))
}

pub(crate) fn document(row: &Row<'_>, column: &str) -> Result<Value> {
    let text = row.get_ref(column)?.as_blob()?;
    json::parse_within(text, Limits::STORED).map_err(|error| invalid(column, Type::Blob, error))
}

pub(crate) fn object(row: &Row<'_>, column: &str) -> Result<Map<String, Value>> {
    match document(row, column)? {
        Value::Object(members) => Ok(members),
        _ => Err(invalid(column, Type::Blob, NotAnObject)),
    }
}

/// A counter as SQLite keeps it. None of ours comes near the end of the range.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number of rows as SQLite takes it.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
