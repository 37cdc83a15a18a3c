//! Writes: a few tasks, a session each, and as many jobs in a transaction as waited for it.

mod group;
mod queue;

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowker_core::ports::StoreError;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::db::{Db, Session, TRIES};
use crate::error::Failure;
use crate::execution::accept::{NewRow, Written};
use crate::execution::append::{Appended, NewAppend};
use crate::metrics::{self, Metrics};

use group::{Answers, Setback};
use queue::{Hold, Job, Queue, Waiter};

/// How long a job waits for its turn. It is long only while the server is away, and then nobody is
/// helped by waiting.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Why a job was not carried out, or not certainly.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("the store is closed")]
    Closed,
    #[error("it was not its turn within {WAIT_MAX:?}")]
    Waited,
    #[error("the writer ended before it answered")]
    Gone,
    #[error("the transaction has no answer for it")]
    NotAnswered,
}

/// What became of jobs whose transaction was not committed. The cause is shared by all of them.
#[derive(Clone, Debug)]
enum Lost {
    /// They had no effect.
    NotApplied(Arc<dyn Error + Send + Sync>),
    /// They may have had one.
    Unknown(Arc<dyn Error + Send + Sync>),
}

impl Lost {
    fn to_store_error(&self) -> StoreError {
        match self {
            Self::NotApplied(error) => StoreError::unavailable(Arc::clone(error)),
            Self::Unknown(error) => StoreError::unknown(Arc::clone(error)),
        }
    }
}

impl From<Failure> for Lost {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Again(error) | Failure::NotApplied(error) => Self::NotApplied(error.into()),
            Failure::Unknown(error) => Self::Unknown(error.into()),
        }
    }
}

/// The handle of the tasks that write.
///
/// When it is dropped, they write what waits, and end.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Arc<Queue>,
    tasks: Mutex<JoinSet<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts `n_tasks`, which write over sessions of `db`, on the present runtime.
    pub(crate) fn start(db: &Db, queue_max: usize, n_tasks: usize) -> Self {
        let queue = Arc::new(Queue::new(queue_max.max(1)));
        let (commits, metrics) = (Arc::new(AtomicU64::new(0)), Metrics::new());
        let mut tasks = JoinSet::new();
        for _ in 0..n_tasks.max(1) {
            let (queue, commits) = (Arc::clone(&queue), Arc::clone(&commits));
            let metrics = metrics.clone();
            tasks.spawn(Run { db: db.clone(), queue, commits, metrics }.until_closed());
        }
        Self { queue, tasks: Mutex::new(tasks), commits }
    }

    pub(crate) async fn accept(&self, new: Arc<NewRow>) -> Result<Written, StoreError> {
        self.write(|waiter| Job::Accept(new, waiter)).await
    }

    pub(crate) async fn append(&self, new: Arc<NewAppend>) -> Result<Appended, StoreError> {
        self.write(|waiter| Job::Append(new, waiter)).await
    }

    async fn write<T>(&self, job: impl FnOnce(Waiter<T>) -> Job) -> Result<T, StoreError> {
        let (waiter, mut answer) = oneshot::channel();
        let number = self.queue.push(job(waiter))?;
        let answer = match timeout(WAIT_MAX, &mut answer).await {
            Ok(answer) => answer,
            Err(_) if self.queue.withdraw(number) => {
                return Err(StoreError::unavailable(WriteError::Waited));
            }
            // It is being written.
            Err(_) => answer.await,
        };
        answer.map_err(|_| StoreError::unknown(WriteError::Gone))?
    }

    /// Takes no more jobs, and waits until those that are there are answered.
    pub(crate) async fn close(&self) {
        self.queue.close();
        let mut tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        while tasks.join_next().await.is_some() {}
    }

    /// How many transactions were committed.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// How many jobs wait.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner).detach_all();
    }
}

/// A task that writes.
struct Run {
    db: Db,
    queue: Arc<Queue>,
    commits: Arc<AtomicU64>,
    metrics: Metrics,
}

impl Run {
    async fn until_closed(self) {
        while self.queue.wait().await {
            // A panic is a bug in a job. Its waiters hear that the answer is lost.
            if AssertUnwindSafe(self.write()).catch_unwind().await.is_err() {
                tracing::error!("a write ended in a panic");
            }
        }
    }

    async fn write(&self) {
        // The session first: what waits for one may still be withdrawn.
        let session = self.db.session().await;
        let (jobs, hold) = self.queue.take();
        if jobs.is_empty() {
            return; // another task was faster
        }
        match session {
            Ok(session) => self.write_together(session, jobs, hold).await,
            Err(error) => {
                let lost = Lost::NotApplied(Arc::new(error));
                for job in jobs {
                    job.fail(&lost);
                }
            }
        }
    }

    async fn write_together(&self, session: Session, jobs: Vec<Job>, hold: Hold) {
        match self.transact(Some(session), &jobs).await {
            Ok(answers) => {
                // Before anybody asks for the next write at the same target.
                drop(hold);
                for job in jobs {
                    answer(job, &answers);
                }
            }
            Err(Setback::Poison(_)) if 1 < jobs.len() => self.write_apart(jobs).await,
            Err(setback) => {
                let lost = lost(setback);
                for job in jobs {
                    job.fail(&lost);
                }
            }
        }
    }

    /// Writes each job as a transaction of its own, so that only those fail that must.
    async fn write_apart(&self, jobs: Vec<Job>) {
        let mut all_lost = None;
        for job in jobs {
            if let Some(lost) = &all_lost {
                job.fail(lost);
                continue;
            }
            match self.transact(None, std::slice::from_ref(&job)).await {
                Ok(answers) => answer(job, &answers),
                Err(setback @ Setback::Poison(_)) => job.fail(&lost(setback)),
                // Not its own fault: the others would only wait for the same.
                Err(setback) => {
                    let lost = lost(setback);
                    job.fail(&lost);
                    all_lost = Some(match lost {
                        Lost::NotApplied(error) | Lost::Unknown(error) => Lost::NotApplied(error),
                    });
                }
            }
        }
    }

    /// Writes jobs as one transaction, again if it loses a race.
    async fn transact(
        &self,
        mut session: Option<Session>,
        jobs: &[Job],
    ) -> Result<Answers, Setback> {
        let (mut acceptances, mut appends) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Accept(new, _) => acceptances.push(&**new),
                Job::Append(new, _) => appends.push(&**new),
            }
        }
        let (mut tries, began) = (1, Instant::now());
        loop {
            let session = match session.take() {
                Some(session) => session,
                None => {
                    self.db.session().await.map_err(|error| Failure::NotApplied(error.into()))?
                }
            };
            match group::transact(session, &acceptances, &appends).await {
                Err(Setback::Failure(Failure::Again(lost))) if tries < TRIES => {
                    metrics::retried(&lost);
                    tries += 1;
                }
                Err(setback) => return Err(setback),
                Ok(answers) => {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    self.metrics.committed(jobs.len(), began.elapsed());
                    return Ok(answers);
                }
            }
        }
    }
}

fn lost(setback: Setback) -> Lost {
    match setback {
        Setback::Poison(error) => Failure::NotApplied(error).into(),
        Setback::Failure(failure) => failure.into(),
    }
}

fn answer(job: Job, answers: &Answers) {
    match job {
        Job::Accept(new, waiter) => {
            let written = answers.of_acceptance(&new);
            let written = written.ok_or_else(|| StoreError::unknown(WriteError::NotAnswered));
            drop(waiter.send(written));
        }
        Job::Append(new, waiter) => drop(waiter.send(Ok(answers.of_append(&new)))),
    }
}
