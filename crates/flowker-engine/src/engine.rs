//! The engine as others see it: made, started, handed work, drained.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowker_core::catalog::Catalog;
use flowker_core::execution::{Owned, Summary};
use flowker_core::id::{ExecutionId, ReplicaId};
use flowker_core::plans::Plans;
use flowker_core::ports::{
    Clock, Dispatcher, ExecutionStore, ProviderConfigStore, StoreError, Tracer,
};
use tokio::time::{self, Instant};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::limits::Limits;
use crate::metrics::Levels;
use crate::parking::Parked;
use crate::shared::Shared;
use crate::stats::Stats;
use crate::{adoption, parking, waiters};

/// What an engine works with.
#[derive(Debug)]
pub struct Deps {
    /// Executions and their journals.
    pub executions: Arc<dyn ExecutionStore>,
    /// The versions of workflows that they run.
    pub plans: Arc<Plans>,
    /// The settings with which providers are called.
    pub configs: Arc<dyn ProviderConfigStore>,
    /// The providers.
    pub catalog: Arc<Catalog>,
    /// Of moments in journals.
    pub clock: Arc<dyn Clock>,
    /// Who this is. The same that accepts executions for this engine.
    pub replica: ReplicaId,
    /// What puts executions and calls into traces.
    pub tracer: Arc<dyn Tracer>,
    /// Of the length of pauses. Seeded in tests.
    pub rng: fastrand::Rng,
}

/// Drives executions to their end.
///
/// [`start`](Self::start) sets it to work, [`drain`](Self::drain) lets it hand everything over.
/// Dropped without a drain it stops at once and writes nothing more, as after a crash: what it
/// owned is adopted by others when it has lapsed.
pub struct Engine {
    shared: Arc<Shared>,
    levels: Levels,
    /// What lasts as long as the engine, apart from the tasks that a drain waits for.
    heartbeat: TaskTracker,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("replica", &self.shared.replica).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that does nothing yet but drive what is dispatched to it.
    pub fn new(deps: Deps, limits: Limits) -> Self {
        let shared = Arc::new(Shared::new(deps, limits));
        Self { shared, levels: Levels::new(), heartbeat: TaskTracker::new() }
    }

    /// Says that the replica is alive, and begins to adopt what nobody drives, to wake what waits,
    /// and to say again and again that it is alive. To be called once, and before anything is
    /// accepted for this replica: what it owned before its first sign of life could lapse at once.
    ///
    /// # Errors
    ///
    /// The store's, if it did not take the first sign of life. Then nothing was begun.
    pub async fn start(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        shared.executions.keep_alive(shared.replica).await?;
        shared.spawn(adoption::adopt(Arc::clone(shared)));
        shared.spawn(adoption::reconcile(Arc::clone(shared)));
        shared.spawn(parking::wake_parked(Arc::clone(shared)));
        let (gone, beats) = (shared.stages.gone.clone(), Arc::clone(shared));
        self.heartbeat.spawn(async move {
            gone.run_until_cancelled(adoption::keep_alive(beats)).await;
        });
        Ok(())
    }

    /// Hands everything over, and returns when no task is left.
    ///
    /// From now on no step is begun. Steps in flight may finish until `deadline`, then they are
    /// cut. Executions that have not ended are released, so that others adopt them at once. If the
    /// store does not take that within [`Limits::release_time_max`] after the deadline, they are
    /// left to lapse. May be called again with an earlier deadline.
    pub async fn drain(&self, deadline: Instant) {
        let Shared { stages, tasks, limits, .. } = &*self.shared;
        stages.draining.cancel();
        self.shared.release_parked();
        tasks.close();
        if time::timeout_at(deadline, tasks.wait()).await.is_err() {
            warn!(n_left = tasks.len(), "drain deadline: cutting what is in flight");
            stages.cut.cancel();
            if time::timeout(limits.release_time_max, tasks.wait()).await.is_err() {
                warn!(n_left = tasks.len(), "the store does not answer: leaving the rest to lapse");
            }
        }
        stages.gone.cancel();
        self.heartbeat.close();
        tasks.wait().await;
        self.heartbeat.wait().await;
    }

    /// What is at hand and what was done.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Tells the recorder of metrics what is at hand. To be called before metrics are shown: what
    /// is known at any time need not be told with each change.
    pub fn tell_levels(&self) {
        self.levels.tell(&self.shared.stats());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.stages.gone.cancel();
    }
}

#[async_trait]
impl Dispatcher for Engine {
    fn has_room(&self) -> bool {
        !self.shared.stages.draining.is_cancelled() && self.shared.has_slot()
    }

    /// Drives the execution at once; without a free slot it is parked and has its turn later. Does
    /// nothing if it is driven or parked already: it was found before it was dispatched.
    fn dispatch(&self, owned: Owned) {
        let shared = &self.shared;
        let (id, fence) = (owned.execution.id, owned.fence);
        if shared.held.has_under(id, fence) {
            debug!(execution.id = %id, "dispatched, and driven already");
        } else if shared.stages.draining.is_cancelled() {
            shared.spawn_release(id, fence, None);
        } else if let Some(slot) = shared.try_slot() {
            shared.drive(owned, slot);
        } else {
            shared.park(Parked { id, fence, wake: Instant::now(), deadline: None });
        }
    }

    fn abandon(&self, id: ExecutionId) {
        self.shared.abandon(id);
    }

    async fn wait_for_end(&self, id: ExecutionId, wait: Duration) -> Option<Summary> {
        waiters::wait_for_end(&self.shared, id, wait).await
    }
}
