//! The store that the configuration names, behind the ports.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use flowker_core::ports::{
    ApiKeyStore, Archive, AuditLog, Clock, DashboardStore, ExecutionStore, IdempotencyStore,
    ProviderConfigStore, SharedValues, StoreError, WorkflowStore,
};
use flowker_postgres::{ConnectionUrl, PostgresStore};
use flowker_sqlite::SqliteStore;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::config::{Config, Database};
use crate::system::SystemClock;

/// How long a server that does not answer yet is waited for at the start, and how often it is asked.
const START_MAX: Duration = Duration::from_secs(30);
const START_PAUSE: Duration = Duration::from_secs(1);

/// How many executions are deleted in one write, where they are deleted one by one.
const RETIRE_BATCH: usize = 200;

/// An open store. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file, one process.
    Sqlite(SqliteStore),
    /// One server, many processes.
    Postgres(PostgresStore),
}

/// A store as the domain sees it.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Executions and journals.
    pub executions: Arc<dyn ExecutionStore>,
    /// Idempotency keys.
    pub keys: Arc<dyn IdempotencyStore>,
    /// Workflows, versions, routes.
    pub workflows: Arc<dyn WorkflowStore>,
    /// Provider configurations.
    pub configs: Arc<dyn ProviderConfigStore>,
    /// API keys.
    pub api_keys: Arc<dyn ApiKeyStore>,
    /// What processes share.
    pub shared: Arc<dyn SharedValues>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Figures.
    pub dashboards: Arc<dyn DashboardStore>,
}

impl Ports {
    fn of<S>(store: &S) -> Self
    where
        S: ExecutionStore
            + IdempotencyStore
            + WorkflowStore
            + ProviderConfigStore
            + ApiKeyStore
            + SharedValues
            + AuditLog
            + DashboardStore
            + Clone
            + 'static,
    {
        let store = Arc::new(store.clone());
        Self {
            executions: store.clone(),
            keys: store.clone(),
            workflows: store.clone(),
            configs: store.clone(),
            api_keys: store.clone(),
            shared: store.clone(),
            audit: store.clone(),
            dashboards: store,
        }
    }
}

impl Store {
    /// Opens the store, and brings its schema up to date.
    pub async fn open(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        match &config.database {
            Database::Sqlite(path) => {
                let options = flowker_sqlite::Options {
                    queue_max: config.store_queue,
                    ..flowker_sqlite::Options::new(Arc::clone(clock))
                };
                let store = SqliteStore::open(path, options);
                store.map(Self::Sqlite).with_context(|| format!("cannot open {}", path.display()))
            }
            Database::Postgres(url) => {
                let options = flowker_postgres::Options {
                    pooled: config.database_pooled,
                    queue_max: config.store_queue,
                    ..flowker_postgres::Options::default()
                };
                open_postgres(url, &options).await.map(Self::Postgres)
            }
        }
    }

    /// The same store as the domain sees it.
    pub fn ports(&self) -> Ports {
        match self {
            Self::Sqlite(store) => Ports::of(store),
            Self::Postgres(store) => Ports::of(store),
        }
    }

    /// The same store as a whole that can be moved.
    pub fn archive(&self) -> Arc<dyn Archive> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// How many other processes use the store now.
    pub async fn others(&self) -> anyhow::Result<u64> {
        match self {
            // The lock keeps them out.
            Self::Sqlite(_) => Ok(0),
            Self::Postgres(store) => {
                let contents = store.inspect(&SystemClock).await?.contents;
                Ok(contents.map_or(0, |contents| contents.replicas_alive))
            }
        }
    }

    /// As `/readyz` names it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// How many writes wait.
    pub fn queued(&self) -> usize {
        match self {
            Self::Sqlite(store) => store.queued(),
            Self::Postgres(store) => store.queued(),
        }
    }

    /// Whether writing has failed for good.
    pub fn has_failed(&self) -> bool {
        match self {
            Self::Sqlite(store) => *store.failed().borrow(),
            // Another session may succeed.
            Self::Postgres(_) => false,
        }
    }

    /// Waits until writing has failed for good.
    pub async fn failed(&self) {
        match self {
            Self::Sqlite(store) => {
                // Fails only when the store is dropped, which nobody then waits for.
                let _ = store.failed().wait_for(|failed| *failed).await;
            }
            Self::Postgres(_) => std::future::pending().await,
        }
    }

    /// Changes when another process may have changed routes. A hint: changes may be missed.
    pub fn route_changes(&self) -> watch::Receiver<u64> {
        match self {
            // No other process has the file open.
            Self::Sqlite(_) => watch::channel(0).1,
            Self::Postgres(store) => store.route_changes(),
        }
    }

    /// Prepares for what is to come, and removes executions that ended and are older than
    /// `retention`, as far as that goes at once. Answers whether there is more to do now.
    pub async fn keep_house(&self, retention: Option<Duration>) -> Result<bool, StoreError> {
        match (self, retention) {
            (Self::Sqlite(_), None) => Ok(false),
            (Self::Sqlite(store), Some(retention)) => {
                Ok(store.purge_executions(retention, RETIRE_BATCH).await? == RETIRE_BATCH)
            }
            (Self::Postgres(store), retention) => {
                store.keep_house(retention).await?;
                Ok(false)
            }
        }
    }

    /// Writes what waits, and closes.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// Waits for a server that is starting: after a reboot nobody knows who is up first.
async fn open_postgres(
    url: &ConnectionUrl,
    options: &flowker_postgres::Options,
) -> anyhow::Result<PostgresStore> {
    let deadline = Instant::now() + START_MAX;
    loop {
        match PostgresStore::open(url, options).await {
            Ok(store) => return Ok(store),
            Err(error) if error.is_retryable() && Instant::now() < deadline => {
                let error = format!("{:#}", anyhow::Error::from(error));
                warn!(error, "the database cannot be used yet, and is asked again");
                sleep(START_PAUSE).await;
            }
            Err(error) => return Err(error).context("cannot use the database"),
        }
    }
}
