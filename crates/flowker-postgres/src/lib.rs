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

mod db;
mod error;
mod migrate;
mod named;
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

use std::sync::Arc;
use std::time::Duration;

pub use migrate::{MigrateError, migrate};
pub use tls::TlsError;
pub use url::{ConnectionUrl, UrlError};

use db::Db;
use statement::Preparation;

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
    lapse: Duration,
}

impl PostgresStore {
    /// Uses a database whose schema is up to date: see [`migrate`].
    ///
    /// Connects to nothing yet.
    pub fn new(url: &ConnectionUrl, options: &Options) -> Self {
        let preparation = if options.pooled { Preparation::Unnamed } else { Preparation::Named };
        let db = Db::new(url, preparation, options.sessions);
        Self { inner: Arc::new(Inner { db, lapse: options.lapse }) }
    }

    /// The same, with a clock that a test owns in the place of the server's.
    #[cfg(test)]
    fn with_clock(self, clock: &Arc<dyn flowker_core::ports::Clock>) -> Self {
        let Inner { db, lapse } = &*self.inner;
        let db = db.clone().with_clock(Arc::clone(clock));
        Self { inner: Arc::new(Inner { db, lapse: *lapse }) }
    }
}
