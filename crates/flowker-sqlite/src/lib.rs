//! The embedded store: one SQLite file, one writer, group commit.
//!
//! [`SqliteStore`] implements every store port of `flowker_core::ports`. What it promises beyond
//! them:
//!
//! - **Durable.** A write is answered after its COMMIT, which syncs the write-ahead log
//!   (`synchronous=FULL`).
//! - **Grouped.** All writes that wait while a commit is in flight go into the next one. There is
//!   no timer, so an idle store adds no latency.
//! - **Bounded.** A full queue answers [`StoreError::Full`] at once, for reads as for writes.
//! - **Fail-stop.** When a commit fails and it is not certain that it was rolled back, its waiters
//!   get [`StoreError::Unknown`], and the store takes no more writes until it is opened again. A
//!   sync that failed is never tried again: the kernel may have dropped what it failed to write
//!   and say that all is well.
//! - **One process.** A lock file beside the database keeps a second process out. That proves the
//!   owners of an earlier process dead, so what they drove can be adopted as soon as the store is
//!   open, and [`keep_alive`](flowker_core::ports::ExecutionStore::keep_alive) has nothing to do.
//!
//! Time for ownership and expiry comes from the clock in [`Options`].
//!
//! [`StoreError::Full`]: flowker_core::ports::StoreError::Full
//! [`StoreError::Unknown`]: flowker_core::ports::StoreError::Unknown

mod api_key;
mod archive;
mod audit;
mod checkpoint;
mod dashboard;
mod error;
mod execution;
mod idempotency;
mod inspect;
mod metrics;
mod named;
mod open;
mod provider_config;
mod readers;
mod row;
mod shared;
mod workflow;
mod writer;

use std::path::Path;
use std::sync::Arc;

use flowker_core::ports::{Clock, StoreError};
use flowker_core::time::Timestamp;
use rusqlite::Connection;
use tokio::sync::{Mutex, Semaphore, watch};

pub use inspect::{Inspection, inspect};
pub use metrics::METRICS;
pub use open::OpenError;

use readers::Readers;
use writer::{Commit, Writer};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides what has expired and what is due.
    pub clock: Arc<dyn Clock>,
    /// How many writes may wait for the writer, and how many reads for a reader. Beyond it they
    /// are answered with [`StoreError::Full`]. At least 1; default: 4096.
    pub queue_max: usize,
    /// How many reads run at the same time. At least 1; default: 4.
    pub readers: usize,
}

impl Options {
    /// The defaults, with a clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, queue_max: 4096, readers: 4 }
    }
}

/// All store ports on one SQLite file. Cheap to clone; clones share everything.
///
/// When the last clone is dropped, what waits is still written, and the thread that drops it waits
/// for that. [`close`](Self::close) does the same without blocking.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: Readers,
    clock: Arc<dyn Clock>,
    /// Held while an adoption looks for executions and then takes them.
    adopting: Mutex<()>,
    /// Held while events are sealed: they are read before they are written.
    sealing: Mutex<()>,
}

impl SqliteStore {
    /// Opens the database at `path`, or creates it, readable by its owner only. Brings its schema
    /// up to date.
    ///
    /// Blocks on the file system: call it before anything is served.
    ///
    /// # Errors
    ///
    /// [`OpenError::Locked`] if another store has it open, in this process or in another; the other
    /// variants if it cannot be opened, is no database of ours, or comes from a newer release.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_with(path, options, writer::commit)
    }

    fn open_with(path: &Path, options: Options, commit: Commit) -> Result<Self, OpenError> {
        let Options { clock, queue_max, readers } = options;
        let queue_max = queue_max.clamp(1, Semaphore::MAX_PERMITS);
        let (writer, readers) = open::open(path, &clock, queue_max, readers.max(1), commit)?;
        let (adopting, sealing) = (Mutex::default(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { writer, readers, clock, adopting, sealing }) })
    }

    /// Writes what waits, moves the log into the database and gives up the lock. Writes that come
    /// later are answered with [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.inner.writer.close().await;
    }

    /// Becomes `true`, for good, when a commit had an unknown end. The process should then exit:
    /// only a new start finds out what is on the disk.
    pub fn failed(&self) -> watch::Receiver<bool> {
        self.inner.writer.failed()
    }

    /// How many transactions were committed since the store was opened.
    pub fn commits(&self) -> u64 {
        self.inner.writer.commits()
    }

    /// How many writes wait for the writer.
    pub fn queued(&self) -> usize {
        self.inner.writer.queued()
    }

    /// Runs `work` in a transaction of the writer; it may be run twice.
    async fn transact<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.writer.write(work).await
    }

    /// Runs `work` on one state of the database.
    async fn query<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.readers.read(work).await
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }
}

#[cfg(test)]
mod tests;
