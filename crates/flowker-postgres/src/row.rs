//! Columns as values of the domain, and back.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use flowker_core::json::{self, Limits};
use flowker_core::ports::StoreError;
use flowker_core::refusal::BoxError;
use flowker_core::time::Timestamp;
use serde_json::{Map, Value};
use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, FromSqlOwned, IsNull, ToSql, Type, accepts, to_sql_checked};

/// 2000-01-01 in microseconds since 1970: where Postgres begins to count.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The moments that a `timestamptz` can hold, as Postgres counts them: 4714 BC to 294276 AD.
const FIRST_MICROS: i64 = -211_813_488_000_000_000;
const LAST_MICROS: i64 = 9_223_371_331_199_999_999;

/// A moment as a `timestamptz`, to the microsecond. One that a `timestamptz` cannot hold becomes the
/// nearest that it can.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl ToSql for Moment {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let micros = self.0.as_micros().saturating_sub(EPOCH_MICROS);
        micros.clamp(FIRST_MICROS, LAST_MICROS).to_sql(ty, out)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Moment {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_sql(ty, raw)?;
        Ok(Self(Timestamp::from_micros(micros.saturating_add(EPOCH_MICROS))))
    }

    accepts!(TIMESTAMPTZ);
}

/// Bytes that are sent as a `text`. The server checks that they are one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl ToSql for Bytes<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    accepts!(TEXT);
    to_sql_checked!();
}

/// The values of one row, in the order of its statement.
pub(crate) type Values = Vec<Box<dyn ToSql + Sync + Send>>;

/// The same, as a statement is given them.
pub(crate) fn refs(values: &Values) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value.as_ref() as _).collect()
}

const ESCAPE: char = '\u{1}';
const ESCAPED_NUL: char = '\u{1}';
const ESCAPED_ESCAPE: char = '\u{2}';

/// A text that a client chose, as Postgres can hold it: see the schema. Keeps the order of texts.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\0' => stored.extend([ESCAPE, ESCAPED_NUL]),
            ESCAPE => stored.extend([ESCAPE, ESCAPED_ESCAPE]),
            _ => stored.push(char),
        }
    }
    Cow::Owned(stored)
}

/// What was [`escaped`].
pub(crate) fn unescaped(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    let mut chars = stored.chars();
    let mut text = String::with_capacity(stored.len());
    while let Some(char) = chars.next() {
        text.push(match char {
            ESCAPE => match chars.next() {
                Some(ESCAPED_NUL) => '\0',
                _ => ESCAPE,
            },
            _ => char,
        });
    }
    text
}

/// A stored word that is none of those that we write.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a known word")]
struct UnknownWord(String);

/// A stored document that is JSON, but no object.
#[derive(Debug, thiserror::Error)]
#[error("the document is not an object")]
struct NotAnObject;

/// A statement that always answers a row answered none.
#[derive(Debug, thiserror::Error)]
#[error("there is no row")]
struct NoRow;

/// The row of a statement that always answers one.
pub(crate) fn one<'a>(table: &'static str, rows: &'a [Row]) -> Result<Columns<'a>, StoreError> {
    let row = rows.first().ok_or_else(|| StoreError::corrupt(table, NoRow))?;
    Ok(Columns { table, row })
}

/// Reads the columns of a row of one table.
pub(crate) struct Columns<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a Row,
}

impl Columns<'_> {
    pub(crate) fn get<T: FromSqlOwned>(&self, column: &str) -> Result<T, StoreError> {
        self.row.try_get(column).map_err(|error| self.invalid(column, error))
    }

    pub(crate) fn moment(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.get::<Moment>(column).map(|it| it.0)
    }

    pub(crate) fn optional_moment(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<Moment>>(column)?.map(|it| it.0))
    }

    /// A text that was [`escaped`].
    pub(crate) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.get(column).map(unescaped)
    }

    /// A text that was [`escaped`].
    pub(crate) fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.get::<Option<String>>(column)?.map(unescaped))
    }

    /// A number that is never negative.
    pub(crate) fn natural<T: TryFrom<i64, Error: Into<BoxError>>>(
        &self,
        column: &str,
    ) -> Result<T, StoreError> {
        let value: i64 = self.get(column)?;
        T::try_from(value).map_err(|error| self.invalid(column, error))
    }

    /// One of a closed set of words.
    pub(crate) fn word<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        parse(&text).ok_or_else(|| self.invalid(column, UnknownWord(text)))
    }

    pub(crate) fn document(&self, column: &str) -> Result<Value, StoreError> {
        let text: String = self.get(column)?;
        json::parse_within(text.as_bytes(), Limits::STORED)
            .map_err(|error| self.invalid(column, error))
    }

    pub(crate) fn object(&self, column: &str) -> Result<Map<String, Value>, StoreError> {
        match self.document(column)? {
            Value::Object(members) => Ok(members),
            _ => Err(self.invalid(column, NotAnObject)),
        }
    }

    /// The failure of a column whose value is none of ours.
    pub(crate) fn invalid(&self, column: &str, source: impl Into<BoxError>) -> StoreError {
        StoreError::corrupt(format!("{}, column {column}", self.table), source)
    }
}

/// A counter as Postgres keeps it. None of ours comes near the end of the range.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A length of time in microseconds. One that would lead beyond the moments that Postgres knows
/// becomes two hundred thousand years.
pub(crate) fn micros(duration: Duration) -> i64 {
    const LONGEST: i64 = 200_000 * 365 * 24 * 60 * 60 * 1_000_000;
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).min(LONGEST)
}

/// A number of rows as Postgres takes it.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_nul_are_stored_without_it_and_come_back() {
        for text in
            ["", "plain ü😀\\0", "\0", "a\0b", "\u{1}", "\u{1}\u{1}", "\0\u{1}\u{2}\0", "\u{2}"]
        {
            let stored = escaped(text);
            assert!(!stored.contains('\0'), "{text:?}");
            assert_eq!(unescaped(stored.into_owned()), text);
        }
    }

    #[test]
    fn stored_texts_keep_their_order() {
        let mut texts = [
            "", "\0", "\0\0", "\0a", "\u{1}", "\u{1}\0", "\u{1}a", "\u{2}", "a", "a\0", "a\u{1}",
            "a\u{2}", "aa",
        ];
        texts.sort_unstable();
        let stored: Vec<_> = texts.iter().map(|text| escaped(text).into_owned()).collect();
        assert!(stored.is_sorted(), "{stored:?}");
    }
}
