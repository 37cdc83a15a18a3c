//! The schema: brought up to date by one process at a time, and checked to be ours.

use flowker_core::refusal::BoxError;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Client, Connection, Socket};
use tracing::{debug, info};

use crate::url::ConnectionUrl;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Under which number processes that migrate wait for each other. Any that nobody else uses.
const LOCK: i64 = 0x666c_6f77_6b65_7201;

/// Brings the schema of a database up to date. Safe for many at once: one works, the others wait and
/// then find nothing to do.
///
/// # Errors
///
/// If the server cannot be reached, or the schema is damaged or of a newer release.
pub async fn migrate(url: &ConnectionUrl) -> Result<(), MigrateError> {
    // The lock belongs to a transaction, not to a session: poolers hand sessions on.
    let mut lock = connect(url).await?;
    let holding = lock.transaction().await.map_err(MigrateError::Ask)?;
    let wait = "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = 0";
    holding.batch_execute(wait).await.map_err(MigrateError::Ask)?;
    let take = "SELECT pg_advisory_xact_lock($1)";
    holding.execute(take, &[&LOCK]).await.map_err(MigrateError::Ask)?;

    let mut client = connect(url).await?;
    let report = embedded::migrations::runner().run_async(&mut client).await;
    let report = report.map_err(|error| MigrateError::Schema(Box::new(error)))?;
    for migration in report.applied_migrations() {
        info!(migration = %migration, "applied a migration");
    }
    holding.rollback().await.map_err(MigrateError::Ask)
}

/// What the migrations of this build are, to tell one build's schema from another's.
#[cfg(test)]
pub(crate) fn checksums() -> Vec<u64> {
    embedded::migrations::runner().get_migrations().iter().map(|it| it.checksum()).collect()
}

/// Why a schema cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// No server answers.
    #[error("cannot connect to the database")]
    Connect(#[source] tokio_postgres::Error),
    /// The server refuses what it is asked.
    #[error("the database refuses what is needed for a migration")]
    Ask(#[source] tokio_postgres::Error),
    /// The schema is not what a migration expects, or comes from a newer release.
    #[error("cannot bring the schema up to date")]
    Schema(#[source] Box<refinery::Error>),
}

/// A session of its own, which ends when the client is dropped.
pub(crate) async fn connect(url: &ConnectionUrl) -> Result<Client, MigrateError> {
    let connected = url.config.connect(url.tls.clone()).await;
    let (client, connection) = connected.map_err(MigrateError::Connect)?;
    tokio::spawn(serve(connection));
    Ok(client)
}

async fn serve<T: TlsStream + Unpin>(connection: Connection<Socket, T>) {
    if let Err(error) = connection.await {
        let error: BoxError = error.into();
        debug!(error, "a session ended");
    }
}
