//! The shared store: one Postgres, many replicas, group commit.
//!
//! [`PostgresStore`] implements every store port of `flowker_core::ports`. What it promises beyond
//! them:
//!
//! - **Durable.** A write is answered after the server has acknowledged its COMMIT. A server that
//!   runs with `fsync`, `full_page_writes` or `synchronous_commit` off is refused.
//! - **Grouped.** All acceptances and appends that wait while a commit is in flight go into the next
//!   one, in one message. There is no timer, so an idle store adds no latency.
//! - **Bounded.** A full queue answers [`StoreError::Full`] at once, and no answer is waited for
//!   longer than a few seconds.
//! - **Honest about lost answers.** A connection that breaks while a COMMIT is in flight leaves
//!   [`StoreError::Unknown`]: ask the same again, which is harmless, and learn what became of it.
//! - **One clock.** Ownership, retention and due moments are measured by the server's clock.
//!
//! Nothing has to be started again after a server was: sessions are made anew when they are needed.
//!
//! [`StoreError::Full`]: flowker_core::ports::StoreError::Full
//! [`StoreError::Unknown`]: flowker_core::ports::StoreError::Unknown

mod api_key;
mod archive;
mod audit;
mod connect;
mod dashboard;
mod db;
mod error;
mod execution;
mod idempotency;
mod inspect;
mod listen;
mod metrics;
mod migrate;
mod named;
mod open;
mod partition;
mod provider_config;
mod row;
mod shared;
mod statement;
#[cfg(test)]
mod testing;
mod tls;
mod url;
mod workflow;
mod writer;

use std::sync::Arc;
use std::time::Duration;

pub use inspect::{ClockOffset, Contents, Inspection, Schema, Server, UnfitError};
pub use metrics::METRICS;
pub use migrate::{MigrateError, migrate};
pub use open::OpenError;
pub use tls::TlsError;
pub use url::{ConnectionUrl, UrlError};

use db::Db;
use listen::Listener;
use statement::Preparation;
use writer::Writer;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether a pooler in transaction mode stands before the server (pgbouncer before 1.21). Then
    /// no statement stays prepared, and no notification is listened for.
    pub pooled: bool,
    /// After which silence a replica loses what it owns. Default: 10 s.
    pub lapse: Duration,
    /// How many writes may wait for a group. Beyond it they are answered with `Full`. Default: 4096.
    pub queue_max: usize,
    /// How many groups are written at the same time, each over a session. Default: 2.
    pub writers: usize,
    /// How many sessions serve everything else. Default: 8.
    pub sessions: usize,
}

impl Default for Options {
    fn default() -> Self {
        let lapse = Duration::from_secs(10);
        Self { pooled: false, lapse, queue_max: 4096, writers: 2, sessions: 8 }
    }
}

/// All store ports on one Postgres database. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// For everything but the groups.
    db: Db,
    writer: Writer,
    lapse: Duration,
    listener: Listener,
}

impl PostgresStore {
    /// Uses a database whose schema is up to date: see [`migrate`].
    ///
    /// Connects to nothing yet.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, on which it writes.
    pub fn new(url: &ConnectionUrl, options: &Options) -> Self {
        Self::over(url, options, |db| db)
    }

    /// The same, with a clock that a test owns in the place of the server's.
    #[cfg(test)]
    fn with_clock(
        url: &ConnectionUrl,
        options: &Options,
        clock: &Arc<dyn flowker_core::ports::Clock>,
    ) -> Self {
        Self::over(url, options, |db| db.with_clock(Arc::clone(clock)))
    }

    fn over(url: &ConnectionUrl, options: &Options, made: impl Fn(Db) -> Db) -> Self {
        let preparation = if options.pooled { Preparation::Unnamed } else { Preparation::Named };
        let db = made(Db::new(url, preparation, options.sessions));
        let writers = made(Db::new(url, preparation, options.writers));
        let writer = Writer::start(&writers, options.queue_max, options.writers);
        let listener = Listener::new((!options.pooled).then(|| url.clone()));
        Self { inner: Arc::new(Inner { db, writer, lapse: options.lapse, listener }) }
    }

    /// Writes what waits. Writes that come later are answered with
    /// [`StoreError::Unavailable`](flowker_core::ports::StoreError::Unavailable).
    pub async fn close(&self) {
        self.inner.writer.close().await;
    }

    /// Makes the partitions of the coming weeks, forgets replicas that are long gone, and drops the
    /// partitions that are older than `retention` as far as everything in them has ended. Answers
    /// how many were dropped. To be called every few minutes; safe on many replicas at once.
    pub async fn keep_house(
        &self,
        retention: Option<Duration>,
    ) -> Result<usize, flowker_core::ports::StoreError> {
        partition::make_ahead(&self.inner.db).await?;
        execution::forget_replicas(&self.inner.db).await?;
        match retention {
            Some(retention) => partition::drop_old(&self.inner.db, retention).await,
            None => Ok(0),
        }
    }

    /// How many groups were committed since the store was made.
    pub fn commits(&self) -> u64 {
        self.inner.writer.commits()
    }

    /// How many writes wait for a group.
    pub fn queued(&self) -> usize {
        self.inner.writer.queued()
    }
}

#[cfg(test)]
mod tests;
