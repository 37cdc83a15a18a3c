//! Callers that wait for an execution to end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowker_core::execution::Summary;
use flowker_core::id::ExecutionId;
use tokio::sync::Notify;
use tokio::time;
use tracing::debug;

use crate::shared::Shared;
use crate::store::Chain;

/// Who wants to be told when this replica stops driving an execution. Full: nobody else is told,
/// and asks the store instead.
#[derive(Debug)]
pub(crate) struct Waiters {
    max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<ExecutionId, Watched>,
    n_waiters: usize,
}

#[derive(Debug)]
struct Watched {
    told: Arc<Notify>,
    n_waiters: usize,
}

impl Waiters {
    pub fn new(max: usize) -> Self {
        Self { max, inner: Mutex::default() }
    }

    pub fn len(&self) -> usize {
        self.lock().n_waiters
    }

    /// Tells everyone who waits for `id` to look again.
    pub fn tell(&self, id: ExecutionId) {
        if let Some(watched) = self.lock().by_id.get(&id) {
            watched.told.notify_waiters();
        }
    }

    fn subscribe(&self, id: ExecutionId) -> Option<Subscription<'_>> {
        let mut inner = self.lock();
        if self.max <= inner.n_waiters {
            return None;
        }
        inner.n_waiters += 1;
        let fresh = || Watched { told: Arc::default(), n_waiters: 0 };
        let watched = inner.by_id.entry(id).or_insert_with(fresh);
        watched.n_waiters += 1;
        let told = Arc::clone(&watched.told);
        Some(Subscription { waiters: self, id, told })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Subscription<'a> {
    waiters: &'a Waiters,
    id: ExecutionId,
    told: Arc<Notify>,
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        let mut inner = self.waiters.lock();
        inner.n_waiters -= 1;
        if let Entry::Occupied(mut entry) = inner.by_id.entry(self.id) {
            entry.get_mut().n_waiters -= 1;
            if entry.get().n_waiters == 0 {
                entry.remove();
            }
        }
    }
}

/// Waits until an execution has ended, wherever it is driven.
///
/// No wake-up is lost: the wait for the next one begins before the state is looked at, and a run
/// leaves the list of what is driven here before it tells anyone.
pub(crate) async fn wait_for_end(
    shared: &Shared,
    id: ExecutionId,
    wait: Duration,
) -> Option<Summary> {
    time::timeout(wait, until_ended(shared, id)).await.ok().flatten()
}

async fn until_ended(shared: &Shared, id: ExecutionId) -> Option<Summary> {
    let subscription = shared.waiters.subscribe(id);
    loop {
        // It counts from here, not from when it is first awaited.
        let told = subscription.as_ref().map(|it| it.told.notified());
        let is_told = subscription.is_some() && shared.held.has(id);
        if !is_told {
            match shared.executions.get(id).await {
                Ok(Some(summary)) if summary.status.is_terminal() => return Some(summary),
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => debug!(execution.id = %id, error = %Chain(&error), "cannot look"),
            }
        }
        let pause = if is_told { shared.limits.poll } else { shared.limits.wait_poll };
        match told {
            // Told or not, it is looked at again.
            Some(told) => drop(time::timeout(pause, told).await),
            None => time::sleep(pause).await,
        }
    }
}
