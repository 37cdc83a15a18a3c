//! What waits to be written, in order, and what may not be written at the same time.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flowker_core::id::WorkflowId;
use flowker_core::ports::StoreError;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::{Lost, WriteError};
use crate::execution::accept::{NewRow, Written};
use crate::execution::append::{Appended, NewAppend};

/// How many jobs go into one transaction at the most. It bounds how long the first one waits for
/// the others, and how much is written again when one of them fails.
const JOBS_MAX: usize = 256;

/// How many bytes go into one transaction, as soon as it has a job.
const BYTES_MAX: usize = 4 << 20;

/// Who waits for an answer.
pub(super) type Waiter<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something that is to be written, and somebody who waits for it.
#[derive(Debug)]
pub(super) enum Job {
    Accept(Arc<NewRow>, Waiter<Written>),
    Append(Arc<NewAppend>, Waiter<Appended>),
}

/// What only one job at a time may write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Target {
    Execution(Uuid),
    Key(WorkflowId, String),
}

impl Job {
    fn target(&self) -> Target {
        match self {
            Self::Accept(new, _) => match &new.claim {
                Some(claim) => {
                    Target::Key(new.execution.workflow_id, claim.key.as_str().to_owned())
                }
                None => Target::Execution(new.id()),
            },
            Self::Append(new, _) => Target::Execution(new.id()),
        }
    }

    fn n_bytes(&self) -> usize {
        match self {
            Self::Accept(new, _) => new.n_bytes(),
            Self::Append(new, _) => new.n_bytes(),
        }
    }

    /// Tells its waiter what became of its transaction. One that is gone does not make it undone.
    pub(super) fn fail(self, lost: &Lost) {
        match self {
            Self::Accept(_, waiter) => drop(waiter.send(Err(lost.to_store_error()))),
            Self::Append(_, waiter) => drop(waiter.send(Err(lost.to_store_error()))),
        }
    }
}

/// A job with the number by which it is withdrawn.
#[derive(Debug)]
struct Waiting {
    number: u64,
    job: Job,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of writing.
    waiting: VecDeque<Waiting>,
    /// What is being written, each with those that wait for it to be over.
    busy: HashMap<Target, Vec<Waiting>>,
    /// How many wait, in either place.
    n_waiting: usize,
    next_number: u64,
    is_closed: bool,
}

/// Shared by those who write and those who wait.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
    n_max: usize,
}

impl Queue {
    pub(super) fn new(n_max: usize) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), n_max }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a job at the end. Answers its number.
    pub(super) fn push(&self, job: Job) -> Result<u64, StoreError> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(StoreError::unavailable(WriteError::Closed));
        }
        // Shed at once: whoever waits behind so many has given up before its turn comes.
        if self.n_max <= state.n_waiting {
            return Err(StoreError::Full);
        }
        let number = state.next_number;
        state.next_number += 1;
        state.n_waiting += 1;
        state.waiting.push_back(Waiting { number, job });
        drop(state);
        self.changed.notify_one();
        Ok(number)
    }

    /// Removes a job that has not been taken; whether it was still there.
    pub(super) fn withdraw(&self, number: u64) -> bool {
        let state = &mut *self.lock();
        let n_before = state.n_waiting;
        let is_other = |it: &Waiting| it.number != number;
        state.waiting.retain(is_other);
        for parked in state.busy.values_mut() {
            parked.retain(is_other);
        }
        let n_parked: usize = state.busy.values().map(Vec::len).sum();
        state.n_waiting = state.waiting.len() + n_parked;
        state.n_waiting < n_before
    }

    /// Waits until there is something to take. `false`: there will not be any more.
    pub(super) async fn wait(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.lock();
                if !state.waiting.is_empty() {
                    return true;
                }
                if state.is_closed {
                    return false;
                }
            }
            changed.await;
        }
    }

    /// Takes the jobs that wait, in order, as many as go into one transaction. Of those with one
    /// target the first is taken, the others wait until it is over.
    pub(super) fn take(self: &Arc<Self>) -> (Vec<Job>, Hold) {
        let state = &mut *self.lock();
        let mut hold = Hold { queue: Arc::clone(self), targets: Vec::new() };
        let (mut jobs, mut n_bytes) = (Vec::new(), 0);
        while jobs.len() < JOBS_MAX && n_bytes < BYTES_MAX {
            let Some(next) = state.waiting.pop_front() else { break };
            match state.busy.entry(next.job.target()) {
                Entry::Occupied(mut busy) => busy.get_mut().push(next),
                Entry::Vacant(free) => {
                    hold.targets.push(free.key().clone());
                    free.insert(Vec::new());
                    n_bytes += next.job.n_bytes();
                    jobs.push(next.job);
                    state.n_waiting -= 1;
                }
            }
        }
        (jobs, hold)
    }

    /// Takes no more jobs. What waits is still written.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_waiters();
    }

    pub(super) fn len(&self) -> usize {
        self.lock().n_waiting
    }

    fn release(&self, targets: &[Target]) {
        let state = &mut *self.lock();
        let parked: Vec<_> =
            targets.iter().filter_map(|it| state.busy.remove(it)).flatten().collect();
        for waiting in parked.into_iter().rev() {
            match waiting.job {
                // It was decided who has the key: reading it is faster than writing once more.
                Job::Accept(_, waiter) => {
                    state.n_waiting -= 1;
                    drop(waiter.send(Ok(Written::Raced)));
                }
                Job::Append(..) => state.waiting.push_front(waiting),
            }
        }
        if !state.waiting.is_empty() {
            self.changed.notify_one();
        }
    }
}

/// The targets of jobs that are written together. Nothing else is written at them as long as it lives.
#[derive(Debug)]
pub(super) struct Hold {
    queue: Arc<Queue>,
    targets: Vec<Target>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.queue.release(&self.targets);
    }
}
