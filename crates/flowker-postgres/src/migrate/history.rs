//! What refinery needs of a session: which migrations were applied, and to apply more.

use std::num::ParseIntError;

use refinery::Migration;
use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

/// A session inside the transaction that migrates.
///
/// refinery's own adapter prepares statements by name and begins transactions of its own: the one
/// fails behind a pooler, the other gives up the lock.
pub(super) struct InTransaction<'a>(pub(super) &'a Client);

/// Why what was applied cannot be read, or no more be applied.
#[derive(Debug, thiserror::Error)]
pub(super) enum HistoryError {
    #[error("the database refuses a migration")]
    Refused(#[from] tokio_postgres::Error),
    #[error("the history of migrations lacks a value")]
    Null,
    #[error("the history of migrations holds what is no number")]
    NotANumber(#[from] ParseIntError),
    #[error("the history of migrations holds what is no moment")]
    NotAMoment(#[from] time::error::Parse),
}

impl AsyncTransaction for InTransaction<'_> {
    type Error = HistoryError;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        statements: T,
    ) -> Result<usize, HistoryError> {
        let mut n_done = 0;
        for statement in statements {
            self.0.batch_execute(statement).await?;
            n_done += 1;
        }
        Ok(n_done)
    }
}

impl AsyncQuery<Vec<Migration>> for InTransaction<'_> {
    async fn query<'a>(&'a mut self, statement: &'a str) -> Result<Vec<Migration>, HistoryError> {
        let mut applied = Vec::new();
        for message in self.0.simple_query(statement).await? {
            if let SimpleQueryMessage::Row(row) = message {
                applied.push(migration(&row)?);
            }
        }
        Ok(applied)
    }
}

impl AsyncMigrate for InTransaction<'_> {}

fn migration(row: &SimpleQueryRow) -> Result<Migration, HistoryError> {
    let text = |column| row.try_get(column)?.ok_or(HistoryError::Null);
    let applied_on = OffsetDateTime::parse(text("applied_on")?, &Rfc3339)?;
    let (version, checksum) = (text("version")?.parse()?, text("checksum")?.parse()?);
    Ok(Migration::applied(version, text("name")?.to_owned(), applied_on, checksum))
}
