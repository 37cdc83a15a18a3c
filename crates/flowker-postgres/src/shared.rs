//! Small values that are made once, such as the key that cursors are signed with.

use async_trait::async_trait;
use flowker_core::ports::{SharedValues, StoreError};
use tokio_postgres::types::Type;

use crate::PostgresStore;
use crate::row::{Columns, Values, escaped, one, refs};
use crate::statement::Statement;

#[async_trait]
impl SharedValues for PostgresStore {
    async fn keep(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let values = values(name, value);
        let rows = self.inner.db.write(&KEEP, &refs(&values)).await?;
        one("shared_values", &rows)?.get("value")
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.inner.db.read(&GET, &[&escaped(name)]).await?;
        rows.first().map(|row| Columns { table: "shared_values", row }.get("value")).transpose()
    }
}

/// What [`KEEP`] is given.
pub(crate) fn values(name: &str, value: Vec<u8>) -> Values {
    vec![Box::new(escaped(name).into_owned()), Box::new(value)]
}

/// A value that is there stays, and is written over itself only to be answered. Of racers the later
/// waits for the earlier and finds its row.
pub(crate) static KEEP: Statement = Statement {
    text: "\
        INSERT INTO shared_values AS kept (name, value)
        VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = kept.value
        RETURNING value",
    types: &[Type::TEXT, Type::BYTEA],
};

pub(crate) static GET: Statement =
    Statement { text: "SELECT value FROM shared_values WHERE name = $1", types: &[Type::TEXT] };
