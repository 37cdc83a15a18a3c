//! Executions that only wait for a moment: a few bytes each, and no slot.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flowker_core::execution::Fence;
use flowker_core::id::ExecutionId;
use tokio::sync::Notify;
use tokio::time::{self, Instant};

use crate::shared::Shared;

/// An execution of this replica that waits for a moment. Its state is in the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parked {
    pub id: ExecutionId,
    /// What this replica's writes must carry.
    pub fence: Fence,
    /// When it can go on.
    pub wake: Instant,
    /// When its time is up, if it has begun.
    pub deadline: Option<Instant>,
}

/// Where they are kept. Full: the next one is handed back to whoever brought it.
#[derive(Debug)]
pub(crate) struct ParkingLot {
    max: usize,
    inner: Mutex<Inner>,
    /// Told when the earliest moment changes.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<ExecutionId, Parked>,
    by_wake: BTreeSet<(Instant, ExecutionId)>,
}

impl Inner {
    fn remove(&mut self, id: ExecutionId) -> Option<Parked> {
        let parked = self.by_id.remove(&id)?;
        self.by_wake.remove(&(parked.wake, id));
        Some(parked)
    }
}

impl ParkingLot {
    pub fn new(max: usize) -> Self {
        Self { max, inner: Mutex::default(), changed: Notify::new() }
    }

    pub fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    /// The fence of one that is parked.
    pub fn fence(&self, id: ExecutionId) -> Option<Fence> {
        self.lock().by_id.get(&id).map(|parked| parked.fence)
    }

    /// Takes one in that is not there.
    ///
    /// # Errors
    ///
    /// The same one, if all places are taken.
    pub fn park(&self, parked: Parked) -> Result<(), Parked> {
        let mut inner = self.lock();
        if self.max <= inner.by_id.len() {
            return Err(parked);
        }
        inner.by_wake.insert((parked.wake, parked.id));
        inner.by_id.insert(parked.id, parked);
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// Forgets one, if it is there.
    pub fn remove(&self, id: ExecutionId) {
        self.lock().remove(id);
    }

    /// Hands out all of them.
    pub fn take_all(&self) -> Vec<Parked> {
        let mut inner = self.lock();
        inner.by_wake.clear();
        inner.by_id.drain().map(|(_, parked)| parked).collect()
    }

    fn next_wake(&self) -> Option<Instant> {
        self.lock().by_wake.first().map(|(wake, _)| *wake)
    }

    /// Hands out the one that waited longest for its turn, if its moment has come.
    pub fn take_due(&self, now: Instant) -> Option<Parked> {
        let mut inner = self.lock();
        let (wake, id) = *inner.by_wake.first()?;
        if now < wake {
            return None;
        }
        inner.remove(id)
    }

    /// Waits until the earliest moment has come.
    pub async fn wait_for_due(&self) {
        loop {
            // Kept for whoever asks next, so a change between the look and the wait is not lost.
            let changed = self.changed.notified();
            let Some(wake) = self.next_wake() else {
                changed.await;
                continue;
            };
            if wake <= Instant::now() {
                return;
            }
            // A change or the moment: either way the earliest one is looked at again.
            drop(time::timeout_at(wake, changed).await);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes what is parked when its moment has come, until the engine drains.
///
/// The slot comes first and the execution second, so that what cannot go on yet stays small.
pub(crate) async fn wake_parked(shared: Arc<Shared>) {
    let draining = shared.stages.draining.clone();
    let waking = async {
        loop {
            shared.held.wait_for_due().await;
            let slot = shared.slot().await;
            shared.drive_due(slot);
        }
    };
    draining.run_until_cancelled(waking).await;
}
