//! Small values that are made once, such as the key that cursors are signed with.

use async_trait::async_trait;
use flowker_core::ports::{SharedValues, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::SqliteStore;
use crate::error::Of;

#[async_trait]
impl SharedValues for SqliteStore {
    async fn keep(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let name = name.to_owned();
        self.transact(move |db, _| {
            if let Some(kept) = get(db, &name)? {
                return Ok(kept);
            }
            insert(db, &name, &value)?;
            Ok(value.clone())
        })
        .await
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.to_owned();
        self.query(move |db| get(db, &name)).await
    }
}

const GET: &str = "SELECT value FROM shared_values WHERE name = ?1";

pub(crate) fn get(db: &Connection, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    db.prepare_cached(GET)
        .and_then(|mut it| it.query_row([name], |row| row.get("value")).optional())
        .of("shared_values", name)
}

const INSERT: &str = "INSERT INTO shared_values (name, value) VALUES (?1, ?2)";

pub(crate) fn insert(db: &Connection, name: &str, value: &[u8]) -> Result<(), StoreError> {
    db.prepare_cached(INSERT)
        .and_then(|mut statement| statement.execute(params![name, value]))
        .of("shared_values", name)
        .map(drop)
}
