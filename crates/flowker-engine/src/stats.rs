//! What the engine has at hand and what it has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use flowker_core::execution::Status;

/// A snapshot of an engine, for metrics.
///
/// The first members are what is there now; the others count up from the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Executions in memory.
    pub executions: usize,
    /// Executions that wait for a moment, in few bytes.
    pub parked: usize,
    /// Provider calls in flight.
    pub calls: usize,
    /// Callers that wait for an end.
    pub waiters: usize,
    /// Provider configurations whose breaker is not closed.
    pub breakers_open: usize,
    /// Of these, provider configurations of which one call tries whether the receiver is well again.
    pub breakers_on_trial: usize,
    /// Provider configurations that are in use, or were not long ago, and whose breaker is closed.
    pub breakers_closed: usize,
    /// Executions that this engine brought to a completed end.
    pub completed: u64,
    /// Executions that this engine brought to a failed end, quarantined ones included.
    pub failed: u64,
    /// Executions that ended as quarantined.
    pub quarantined: u64,
    /// Executions that were taken over from another owner, or from none.
    pub adopted: u64,
    /// Executions that were found to have a newer owner, or to have been ended by someone else.
    pub superseded: u64,
    /// Executions given back to the store unfinished.
    pub released: u64,
    /// Attempts that were made.
    pub attempts: u64,
    /// Attempts that failed.
    pub attempts_failed: u64,
    /// Store operations that had to be repeated.
    pub store_retries: u64,
}

/// The counting part of [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub completed: Counter,
    pub failed: Counter,
    pub quarantined: Counter,
    pub adopted: Counter,
    pub superseded: Counter,
    pub released: Counter,
    pub attempts: Counter,
    pub attempts_failed: Counter,
    pub store_retries: Counter,
}

impl Counters {
    /// Counts an end.
    pub fn ended(&self, status: Status) {
        match status {
            Status::Completed => self.completed.add(1),
            Status::Failed => self.failed.add(1),
            // Not an end that the engine writes.
            Status::Pending | Status::Running | Status::Cancelled => {}
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
