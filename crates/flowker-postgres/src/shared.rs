//! Small values that are made once, such as the key that cursors are signed with.

use async_trait::async_trait;
use flowker_core::ports::{SharedValues, StoreError};
use tokio_postgres::types::Type;

use crate::PostgresStore;
use crate::row::{Columns, escaped, one};
use crate::statement::Statement;

#[async_trait]
impl SharedValues for PostgresStore {
    async fn keep(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let rows = self.inner.db.write(&KEEP, &[&escaped(name), &value]).await?;
        one("shared_values", &rows)?.get("value")
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.inner.db.read(&GET, &[&escaped(name)]).await?;
        rows.first().map(|row| Columns { table: "shared_values", row }.get("value")).transpose()
    }
}

/// A value that is there stays, and is written over itself only to be answered. Of racers the later
/// waits for the earlier and finds its row.
static KEEP: Statement = Statement {
    text: "\
        INSERT INTO shared_values AS kept (name, value)
        VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = kept.value
        RETURNING value",
    types: &[Type::TEXT, Type::BYTEA],
};

static GET: Statement =
    Statement { text: "SELECT value FROM shared_values WHERE name = $1", types: &[Type::TEXT] };
