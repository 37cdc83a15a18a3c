//! Writes: one thread, one connection, and as many jobs in a commit as waited for it.

use std::error::Error;
use std::fs::File;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use flowker_core::ports::{Clock, StoreError};
use flowker_core::time::Timestamp;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task;
use tokio::time::Instant;

use crate::checkpoint::{self, Checkpointer};
use crate::error::certainly_not_committed;
use crate::metrics::Metrics;

/// How many jobs go into one transaction at the most. It bounds how long the first one waits for
/// the others, and how much is undone when one of them fails.
const BATCH_MAX: usize = 512;

/// After how many jobs a checkpoint is made, if the queue is short then. A job writes 2 to 8 pages,
/// so this stays below the size at which the writer would have to stop for it.
const JOBS_PER_CHECKPOINT: usize = 2_000;

/// How many jobs may wait for a queue to be called short.
const SHORT_QUEUE: usize = 16;

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
const SAVE: &str = "SAVEPOINT job";
const UNDO: &str = "ROLLBACK TO job";
const KEEP: &str = "RELEASE job";

/// Why a job was not carried out, or not certainly.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("the store is closed")]
    Closed,
    #[error("a commit had an unknown end, so the store takes no more writes")]
    Failed,
    #[error("the writer ended before it answered")]
    Gone,
    #[error("the transaction cannot begin")]
    Begin(#[source] rusqlite::Error),
    #[error("the transaction cannot be rolled back")]
    RollBack(#[source] rusqlite::Error),
    #[error("the transaction was rolled back by a failure in it")]
    RolledBack,
    #[error("the commit failed")]
    Commit(#[source] rusqlite::Error),
}

/// What became of jobs whose transaction was not committed. The cause is shared by all of them.
#[derive(Clone, Debug)]
enum Lost {
    /// They had no effect.
    NotApplied(Arc<WriteError>),
    /// They may have had one.
    Unknown(Arc<WriteError>),
}

impl Lost {
    fn not_applied(error: WriteError) -> Self {
        Self::NotApplied(Arc::new(error))
    }

    fn unknown(error: WriteError) -> Self {
        Self::Unknown(Arc::new(error))
    }

    fn to_store_error(&self) -> StoreError {
        match self {
            Self::NotApplied(error) => StoreError::unavailable(Arc::clone(error)),
            Self::Unknown(error) => StoreError::unknown(Arc::clone(error)),
        }
    }
}

/// Something that is to be written, and somebody who waits for it.
trait Job: Send {
    /// Runs inside the open transaction; whether it went well. If not, what it wrote is undone, and
    /// it may be run again.
    fn run(&mut self, db: &Connection, now: Timestamp) -> bool;

    /// Tells its waiter how the last run went, or what became of the transaction.
    fn answer(self: Box<Self>, lost: Option<&Lost>);
}

struct Task<T, W> {
    work: W,
    result: Option<Result<T, StoreError>>,
    waiter: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: FnMut(&Connection, Timestamp) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, db: &Connection, now: Timestamp) -> bool {
        self.result.insert((self.work)(db, now)).is_ok()
    }

    fn answer(self: Box<Self>, lost: Option<&Lost>) {
        let result = match (lost, self.result) {
            // What it failed of says more than that its transaction was rolled back.
            (Some(Lost::NotApplied(_)), Some(Err(error))) => Err(error),
            (Some(lost), _) => Err(lost.to_store_error()),
            (None, Some(result)) => result,
            (None, None) => Err(StoreError::unknown(WriteError::Gone)),
        };
        // A waiter that is gone does not make it undone.
        let _ = self.waiter.send(result);
    }
}

/// The handle of the thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    /// `None` once the store is closed.
    queue: RwLock<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failed: watch::Receiver<bool>,
    commits: Arc<AtomicU64>,
}

/// What the thread that writes owns.
pub(crate) struct Parts {
    pub(crate) db: Connection,
    /// Given up when everything else is.
    pub(crate) lock: File,
    pub(crate) checkpointer: Checkpointer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) commit: Commit,
}

/// Always [`commit`], except in tests of what follows when it fails.
pub(crate) type Commit = fn(&Connection) -> rusqlite::Result<()>;

impl Writer {
    pub(crate) fn start(parts: Parts, queue_max: usize) -> io::Result<Self> {
        // A full queue sheds: see `write`.
        let (sender, queue) = mpsc::channel(queue_max);
        let (failing, failed) = watch::channel(false);
        let commits = Arc::new(AtomicU64::new(0));
        let mut run = Run {
            parts,
            queue,
            failing,
            commits: Arc::clone(&commits),
            metrics: Metrics::new(),
            n_unmoved: 0,
        };
        let thread = thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || {
            // A panic is a bug in a job, and leaves its transaction in a state that nobody knows.
            if panic::catch_unwind(AssertUnwindSafe(|| run.until_closed())).is_err() {
                run.failing.send_replace(true);
            }
            run.end();
        })?;
        let (queue, thread) = (RwLock::new(Some(sender)), Mutex::new(Some(thread)));
        Ok(Self { queue, thread, failed, commits })
    }

    /// Runs `work` in a transaction, and answers once that is committed.
    ///
    /// `work` may be run twice: if a neighbour in the same transaction fails, that is rolled back.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (waiter, answer) = oneshot::channel();
        self.enqueue(Box::new(Task { work, result: None, waiter }))?;
        answer.await.map_err(|_| StoreError::unknown(WriteError::Gone))?
    }

    fn enqueue(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        if *self.failed.borrow() {
            return Err(StoreError::unavailable(WriteError::Failed));
        }
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        match queue.as_ref().map(|queue| queue.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(mpsc::error::TrySendError::Full(_))) => Err(StoreError::Full),
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => {
                Err(StoreError::unavailable(WriteError::Closed))
            }
        }
    }

    pub(crate) async fn close(&self) {
        if let Some(thread) = self.take_thread() {
            // It ends by itself: the queue's only sender is gone. A panic was noticed by `Run`.
            let _ = task::spawn_blocking(move || thread.join()).await;
        }
    }

    pub(crate) fn failed(&self) -> watch::Receiver<bool> {
        self.failed.clone()
    }

    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn queued(&self) -> usize {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    /// Closes the queue, and answers the thread that empties it.
    fn take_thread(&self) -> Option<JoinHandle<()>> {
        self.queue.write().unwrap_or_else(PoisonError::into_inner).take();
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(thread) = self.take_thread() {
            let _ = thread.join();
        }
    }
}

/// The thread that writes.
struct Run {
    parts: Parts,
    queue: mpsc::Receiver<Box<dyn Job>>,
    failing: watch::Sender<bool>,
    commits: Arc<AtomicU64>,
    metrics: Metrics,
    /// Jobs since the last wish for a checkpoint.
    n_unmoved: usize,
}

impl Run {
    fn until_closed(&mut self) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while 0 < self.queue.blocking_recv_many(&mut batch, BATCH_MAX) {
            let (n_jobs, began) = (batch.len(), Instant::now());
            let lost = self.transact(&mut batch).err();
            if lost.is_none() {
                self.metrics.committed(n_jobs, began.elapsed());
            }
            if let Some(Lost::Unknown(error)) = &lost {
                let error: &dyn Error = error;
                tracing::error!(error, "the store failed and takes no more writes");
                // Before the waiters hear of it, so that none of them can be let in again.
                self.failing.send_replace(true);
            }
            for job in batch.drain(..) {
                job.answer(lost.as_ref());
            }
            if lost.is_none() {
                self.wish_checkpoint(n_jobs);
            }
        }
    }

    /// Runs all jobs and commits. A job's own failure is its own: it is told to its waiter only.
    fn transact(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), Lost> {
        if *self.failing.borrow() {
            return Err(Lost::not_applied(WriteError::Failed));
        }
        let now = self.parts.clock.now();
        self.begin()?;
        if !jobs.iter_mut().all(|job| job.run(&self.parts.db, now)) {
            // Savepoints would cost every transaction more than this rare repetition.
            self.roll_back()?;
            self.begin()?;
            for job in jobs {
                self.run_apart(job.as_mut(), now)?;
            }
        }
        self.commit()
    }

    /// Runs a job so that it leaves nothing behind if it fails.
    fn run_apart(&self, job: &mut dyn Job, now: Timestamp) -> Result<(), Lost> {
        let db = &self.parts.db;
        let undone = execute(db, SAVE).and_then(|()| {
            if !job.run(db, now) {
                execute(db, UNDO)?;
            }
            execute(db, KEEP)
        });
        undone.or_else(|_| {
            // A full disk, for one, ends the whole transaction and not only the statement.
            self.roll_back()?;
            Err(Lost::not_applied(WriteError::RolledBack))
        })
    }

    fn begin(&self) -> Result<(), Lost> {
        execute(&self.parts.db, BEGIN).map_err(|error| Lost::not_applied(WriteError::Begin(error)))
    }

    fn roll_back(&self) -> Result<(), Lost> {
        if self.parts.db.is_autocommit() {
            return Ok(());
        }
        execute(&self.parts.db, ROLLBACK)
            .map_err(|error| Lost::unknown(WriteError::RollBack(error)))
    }

    fn commit(&self) -> Result<(), Lost> {
        let Err(error) = (self.parts.commit)(&self.parts.db) else {
            self.commits.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        if !certainly_not_committed(&error) {
            return Err(Lost::unknown(WriteError::Commit(error)));
        }
        self.roll_back()?;
        Err(Lost::not_applied(WriteError::Commit(error)))
    }

    fn wish_checkpoint(&mut self, n_jobs: usize) {
        self.n_unmoved += n_jobs;
        if JOBS_PER_CHECKPOINT <= self.n_unmoved && self.queue.len() <= SHORT_QUEUE {
            self.n_unmoved = 0;
            self.parts.checkpointer.wish();
        }
    }

    fn end(self) {
        let Parts { db, lock, checkpointer, .. } = self.parts;
        checkpointer.stop();
        // After a failure the log is left as it is, for the next start to read.
        if !*self.failing.borrow()
            && let Err(error) = checkpoint::empty_log(&db)
        {
            tracing::warn!(error = %error, "the log stays beside the database until the next start");
        }
        drop(db);
        drop(lock);
    }
}

fn execute(db: &Connection, statement: &'static str) -> rusqlite::Result<()> {
    db.prepare_cached(statement)?.execute([]).map(drop)
}

pub(crate) fn commit(db: &Connection) -> rusqlite::Result<()> {
    execute(db, COMMIT)
}
