//! The schema: brought up to date by one process at a time, and checked to be ours.

mod history;

use std::time::Duration;

use flowker_core::refusal::BoxError;
use refinery::Migration;
use refinery::error::Kind;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::Client;
use tracing::{debug, info};

use crate::connect::{CONNECT_MAX, connect};
use crate::url::ConnectionUrl;
use history::InTransaction;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Everything happens in this transaction, and whoever comes meanwhile waits for its end, at a number
/// that nobody else uses. The lock is of the transaction, not of the session, since poolers hand
/// sessions on; after the wait each statement has to see what happened during it.
const BEGIN: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL lock_timeout = 0;
    SELECT pg_advisory_xact_lock(7380392186413675008)";

/// Brings the schema of a database up to date: all of it, or nothing. Safe for many at once: one
/// works, the others wait and then find nothing to do.
///
/// Works through a pooler in transaction mode too.
///
/// # Errors
///
/// If the server cannot be reached, or the schema is damaged or of a newer release.
pub async fn migrate(url: &ConnectionUrl) -> Result<(), MigrateError> {
    let mut session = JoinSet::new();
    let connecting = timeout(CONNECT_MAX, connect(&url.config, &url.tls));
    let connected = connecting.await.map_err(|_| MigrateError::Silent(CONNECT_MAX))?;
    let (client, connection) = connected.map_err(MigrateError::Connect)?;
    session.spawn(async {
        if let Err(error) = connection.await {
            let error: BoxError = error.into();
            debug!(error, "a session ended");
        }
    });
    apply(&client).await?;
    // A session is taken leave of, or the server complains.
    drop(client);
    session.join_next().await;
    Ok(())
}

async fn apply(client: &Client) -> Result<(), MigrateError> {
    client.batch_execute(BEGIN).await.map_err(MigrateError::Ask)?;
    let runner = embedded::migrations::runner();
    let report = runner.run_async(&mut InTransaction(client)).await;
    let report = report.map_err(|error| match error.kind() {
        Kind::MissingVersion(migration) if version() < migration.version() => {
            MigrateError::Newer { applied: migration.version(), known: version() }
        }
        _ => MigrateError::Schema(Box::new(error)),
    })?;
    client.batch_execute("COMMIT").await.map_err(MigrateError::Ask)?;
    for migration in report.applied_migrations() {
        info!(migration = %migration, "applied a migration");
    }
    Ok(())
}

/// The migrations of this release, in their order.
pub(crate) fn known() -> Vec<Migration> {
    let mut known = embedded::migrations::runner().get_migrations().clone();
    known.sort();
    known
}

/// The version of the schema that this release knows.
pub(crate) fn version() -> i32 {
    known().last().map(Migration::version).unwrap_or_default()
}

/// Why a schema cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// No server answers.
    #[error("cannot connect to the database")]
    Connect(#[source] tokio_postgres::Error),
    /// A server is there and says nothing.
    #[error("the database does not answer within {0:?}")]
    Silent(Duration),
    /// The server refuses what it is asked.
    #[error("the database refuses what is needed for a migration")]
    Ask(#[source] tokio_postgres::Error),
    /// A newer release migrated it.
    #[error(
        "the schema is at version {applied} or above and this release knows {known}; use the \
         release that migrated it, or a newer one"
    )]
    Newer {
        /// A migration that was applied.
        applied: i32,
        /// The last that this release knows.
        known: i32,
    },
    /// The schema is not what a migration expects.
    #[error("cannot bring the schema up to date")]
    Schema(#[source] Box<refinery::Error>),
}
