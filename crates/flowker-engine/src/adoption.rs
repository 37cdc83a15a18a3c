//! Taking over what nobody drives, finding what is owned unknowingly, saying that one is alive.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::{self, Instant};
use tracing::{debug, info, warn};

use crate::parking::Parked;
use crate::shared::Shared;
use crate::store::Chain;

/// Adopts executions whenever there is room, until the engine drains.
///
/// Looks every `poll`, and again at once after a full batch: then more is waiting.
pub(crate) async fn adopt(shared: Arc<Shared>) {
    let draining = shared.stages.draining.clone();
    let mut has_more = true;
    while !draining.is_cancelled() {
        if !has_more
            && draining.run_until_cancelled(time::sleep(shared.limits.poll)).await.is_none()
        {
            return;
        }
        let Some(slot) = draining.run_until_cancelled(shared.slot()).await else { return };
        let mut slots = vec![slot];
        let n_max = shared.limits.adopt_max.max(1);
        while slots.len() < n_max
            && let Some(slot) = shared.try_slot()
        {
            slots.push(slot);
        }
        // Not cut short by a drain: what the store hands over must be taken.
        let now = shared.clock.now();
        match shared.executions.adopt(shared.replica, slots.len(), now).await {
            Ok(adopted) => {
                has_more = adopted.len() == slots.len();
                if !adopted.is_empty() {
                    debug!(n_adopted = adopted.len(), "adopted executions");
                    shared.counters.adopted.add(adopted.len() as u64);
                }
                for (owned, slot) in adopted.into_iter().zip(slots) {
                    shared.drive(owned, slot);
                }
            }
            Err(error) => {
                has_more = false;
                warn!(error = %Chain(&error), "cannot adopt executions");
            }
        }
    }
}

/// Drives what this replica owns and does not know of, until the engine drains.
///
/// The answer to an acceptance or to an adoption can be lost: then the store says that this replica
/// is the owner, and nobody else will ever take the execution from it. So every
/// [`Limits::reconcile`](crate::Limits::reconcile) the store is asked what it owns. What it neither
/// drives nor has parked counts only when it is found in two looks in a row: an acceptance that has
/// just been committed is about to be dispatched, an end is about to be stored.
pub(crate) async fn reconcile(shared: Arc<Shared>) {
    let draining = shared.stages.draining.clone();
    let mut found_before = HashSet::new();
    while draining.run_until_cancelled(time::sleep(shared.limits.reconcile)).await.is_some() {
        let owned = match shared.executions.owned(shared.replica).await {
            Ok(owned) => owned,
            Err(error) => {
                warn!(error = %Chain(&error), "cannot look what this replica owns");
                continue;
            }
        };
        let unknown = owned.into_iter().filter(|(id, fence)| !shared.held.has_under(*id, *fence));
        let (again, first): (HashSet<_>, HashSet<_>) =
            unknown.partition(|key| found_before.contains(key));
        found_before = first;
        if !again.is_empty() {
            info!(n_found = again.len(), "driving what this replica owned without knowing");
        }
        for (id, fence) in again {
            shared.park(Parked { id, fence, wake: Instant::now(), deadline: None });
        }
    }
}

/// Keeps what this replica owns from lapsing, for as long as it runs. The first beat was before.
pub(crate) async fn keep_alive(shared: Arc<Shared>) {
    let period = shared.limits.heartbeat.max(time::Duration::from_millis(1));
    let mut beats = time::interval_at(Instant::now() + period, period);
    beats.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        if let Err(error) = shared.executions.keep_alive(shared.replica).await {
            warn!(error = %Chain(&error), "cannot say that this replica is alive");
        }
    }
}
