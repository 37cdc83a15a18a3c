//! Taking over what nobody drives, and saying that this replica is alive.

use std::sync::Arc;

use tokio::time;
use tracing::{debug, warn};

use crate::shared::{Shared, Work};
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
                    shared.drive(Work::Owned(owned), slot);
                }
            }
            Err(error) => {
                has_more = false;
                warn!(error = %Chain(&error), "cannot adopt executions");
            }
        }
    }
}

/// Keeps what this replica owns from lapsing, for as long as it runs.
pub(crate) async fn keep_alive(shared: Arc<Shared>) {
    let mut beats = time::interval(shared.limits.heartbeat.max(time::Duration::from_millis(1)));
    beats.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        if let Err(error) = shared.executions.keep_alive(shared.replica).await {
            warn!(error = %Chain(&error), "cannot say that this replica is alive");
        }
    }
}
