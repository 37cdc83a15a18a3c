//! What all parts of an engine have in common, and how they set each other to work.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowker_core::catalog::Catalog;
use flowker_core::execution::{Fence, Owned};
use flowker_core::id::{ExecutionId, ReplicaId};
use flowker_core::plans::Plans;
use flowker_core::ports::{Clock, ExecutionStore, ProviderConfigStore, Tracer};
use flowker_core::time::Timestamp;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, field, info, info_span};

use crate::engine::Deps;
use crate::held::Held;
use crate::limits::{Limits, permits};
use crate::metrics::Metrics;
use crate::parking::Parked;
use crate::run;
use crate::stats::{Counters, Stats};
use crate::store::{self, Chain, Lost};
use crate::target::Targets;
use crate::waiters::Waiters;

/// How many executions are released at once when the engine drains.
const RELEASES_MAX: usize = 64;

/// What all parts of an engine have in common.
pub(crate) struct Shared {
    pub executions: Arc<dyn ExecutionStore>,
    pub plans: Arc<Plans>,
    pub configs: Arc<dyn ProviderConfigStore>,
    pub catalog: Arc<Catalog>,
    pub clock: Arc<dyn Clock>,
    pub replica: ReplicaId,
    pub tracer: Arc<dyn Tracer>,
    pub limits: Limits,
    pub stages: Stages,
    pub counters: Counters,
    pub metrics: Metrics,
    pub held: Held,
    pub waiters: Waiters,
    pub targets: Targets,
    /// The right to call a provider. Full: steps wait for their turn, oldest first.
    pub calls: Arc<Semaphore>,
    rng: Mutex<fastrand::Rng>,
    /// The right to hold an execution in memory. Full: accepted executions are parked, and those
    /// that wait for a slot get the next one, oldest wait first.
    slots: Arc<Semaphore>,
    /// Every task that a drain waits for.
    pub tasks: TaskTracker,
}

/// How an engine stops, one stage after the other.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    /// No new work is begun; what is in flight goes on.
    pub draining: CancellationToken,
    /// What is in flight is cut, written down and released.
    pub cut: CancellationToken,
    /// Everything stops where it is.
    pub gone: CancellationToken,
}

/// An execution that is to be driven.
pub(crate) enum Work {
    /// With all that is known of it.
    Owned(Owned),
    /// To be read first.
    Parked(Parked),
}

impl Work {
    pub fn key(&self) -> (ExecutionId, Fence) {
        match self {
            Self::Owned(owned) => (owned.execution.id, owned.fence),
            Self::Parked(parked) => (parked.id, parked.fence),
        }
    }
}

impl Shared {
    pub fn new(deps: Deps, limits: Limits) -> Self {
        let Deps { executions, plans, configs, catalog, clock, replica, tracer, rng } = deps;
        let metrics = Metrics::new(&catalog);
        Self {
            executions,
            plans,
            configs,
            catalog,
            clock,
            replica,
            tracer,
            stages: Stages::default(),
            counters: Counters::default(),
            held: Held::new(limits.parked_max),
            waiters: Waiters::new(limits.waiters_max),
            targets: Targets::new(&limits, metrics.breakers_opened.clone()),
            metrics,
            calls: Arc::new(Semaphore::new(permits(limits.calls_max))),
            rng: Mutex::new(rng),
            slots: Arc::new(Semaphore::new(permits(limits.executions_max))),
            tasks: TaskTracker::new(),
            limits,
        }
    }

    /// Whether there is a slot now.
    pub fn has_slot(&self) -> bool {
        0 < self.slots.available_permits()
    }

    /// A slot, as soon as there is one.
    pub async fn slot(&self) -> OwnedSemaphorePermit {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        slot.expect("the semaphore is never closed")
    }

    /// A slot, if there is one now.
    pub fn try_slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// Whether slots are so short that none is to be held by what only waits.
    pub fn is_crowded(&self) -> bool {
        self.slots.available_permits() < permits(self.limits.executions_max).div_ceil(4)
    }

    /// Stops driving an execution that was ended by someone else.
    pub fn abandon(&self, id: ExecutionId) {
        self.held.abandon(id);
        self.waiters.tell(id);
    }

    /// What is at hand and what was done.
    pub fn stats(&self) -> Stats {
        let counters = &self.counters;
        let breakers = self.targets.breakers();
        Stats {
            executions: self.held.n_driven(),
            parked: self.held.n_parked(),
            calls: permits(self.limits.calls_max) - self.calls.available_permits(),
            waiters: self.waiters.len(),
            breakers_open: breakers.open,
            breakers_on_trial: breakers.on_trial,
            breakers_closed: breakers.closed,
            completed: counters.completed.get(),
            failed: counters.failed.get(),
            quarantined: counters.quarantined.get(),
            adopted: counters.adopted.get(),
            superseded: counters.superseded.get(),
            released: counters.released.get(),
            attempts: counters.attempts.get(),
            attempts_failed: counters.attempts_failed.get(),
            store_retries: counters.store_retries.get(),
        }
    }

    /// Uniform, from nothing to `most`.
    pub fn random_up_to(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(lock(&self.rng).u64(0..=most))
    }

    /// The id of one more part of a trace.
    pub fn new_span_id(&self) -> NonZeroU64 {
        NonZeroU64::new(lock(&self.rng).u64(1..)).unwrap_or(NonZeroU64::MIN)
    }

    /// The moment on tokio's clock at which the engine's clock will show `moment`.
    pub fn instant_of(&self, moment: Timestamp) -> Instant {
        Instant::now() + moment.since(self.clock.now())
    }

    /// Drives an execution to its end or until it waits, unless it is driven or parked already.
    pub fn drive(self: &Arc<Self>, owned: Owned, slot: OwnedSemaphorePermit) {
        if let Some(abandoned) = self.held.drive(owned.execution.id, owned.fence) {
            self.spawn_run(Work::Owned(owned), slot, abandoned);
        }
    }

    /// Drives the next execution that is parked and whose moment has come, if there is one.
    pub fn drive_due(self: &Arc<Self>, slot: OwnedSemaphorePermit) {
        if let Some((parked, abandoned)) = self.held.drive_due(Instant::now()) {
            self.spawn_run(Work::Parked(parked), slot, abandoned);
        }
    }

    fn spawn_run(
        self: &Arc<Self>,
        work: Work,
        slot: OwnedSemaphorePermit,
        abandoned: CancellationToken,
    ) {
        let (id, fence) = work.key();
        let shared = Arc::clone(self);
        let driving = async move {
            // Declared first, dropped last: who is told finds the slot free and the run gone.
            let mut driving = Driving { shared: &shared, id, fence, waits: None };
            let _slot = slot;
            driving.waits = run::drive(&shared, work, &abandoned).await;
        };
        let span = info_span!("execution", execution.id = %id, trace.id = field::Empty, otel.kind = field::Empty, otel.status_code = field::Empty);
        self.spawn(driving.instrument(span));
    }

    /// Parks an execution, unless it is driven or parked already. Without a place it is released.
    pub fn park(self: &Arc<Self>, parked: Parked) {
        self.settle(self.held.park(parked));
    }

    /// Releases what found no place, and during a drain what found one.
    fn settle(self: &Arc<Self>, parked: Result<(), Parked>) {
        if let Err(parked) = parked {
            let due = self.clock.now().plus(parked.wake.saturating_duration_since(Instant::now()));
            self.spawn_release(parked.id, parked.fence, Some(due));
        } else if self.stages.draining.is_cancelled() {
            self.release_parked();
        }
    }

    /// Gives an execution back in a task of its own.
    pub fn spawn_release(self: &Arc<Self>, id: ExecutionId, fence: Fence, due: Option<Timestamp>) {
        let shared = Arc::clone(self);
        let span = info_span!("execution", execution.id = %id);
        self.spawn(async move { shared.release(id, fence, due).await }.instrument(span));
    }

    /// Gives an execution back, to be adopted not before `due`.
    pub async fn release(&self, id: ExecutionId, fence: Fence, due: Option<Timestamp>) {
        match store::insist(self, "release", || self.executions.release(id, fence, due)).await {
            Ok(()) => self.counters.released.add(1),
            Err(Lost::Superseded) => {}
            Err(Lost::Corrupt(error)) => error!(error = %Chain(&error), "cannot release"),
        }
        self.waiters.tell(id);
    }

    /// Gives everything back that only waits.
    pub fn release_parked(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let parked = self.held.take_parked();
        if parked.is_empty() {
            return;
        }
        info!(n_parked = parked.len(), "releasing what waits");
        self.spawn(async move {
            let releases = futures_util::stream::iter(parked);
            let release = |parked: Parked| {
                let due =
                    shared.clock.now().plus(parked.wake.saturating_duration_since(Instant::now()));
                shared.release(parked.id, parked.fence, Some(due))
            };
            releases.for_each_concurrent(RELEASES_MAX, release).await;
        });
    }

    /// Runs a task until it ends or the engine is gone.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let gone = self.stages.gone.clone();
        self.tasks.spawn(async move {
            gone.run_until_cancelled(task).await;
        });
    }
}

/// An execution that is being driven. However its task ends, it is taken off what is driven.
struct Driving<'a> {
    shared: &'a Arc<Shared>,
    id: ExecutionId,
    fence: Fence,
    /// How it is parked.
    waits: Option<Parked>,
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        let Self { shared, id, fence, waits } = self;
        shared.settle(shared.held.leave(*id, *fence, waits.take()));
        shared.waiters.tell(*id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
