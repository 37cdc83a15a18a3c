//! Provider configurations as targets of calls: how many at once, and whether at all.
//!
//! A breaker keeps a failing receiver from being called by everyone: after some failures in a row
//! it opens, later one call tries again, and its success closes it. Nobody waits inside: whoever
//! may not call is told when to ask again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowker_core::id::ProviderConfigId;
use metrics::Counter;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::limits::{Limits, permits};

/// When to ask again while one call tries whether a receiver has recovered.
const TRIAL_RECHECK: Duration = Duration::from_secs(1);

/// All targets that are in use, and those that were not long ago.
#[derive(Debug)]
pub(crate) struct Targets {
    max: usize,
    calls_max: usize,
    policy: Policy,
    by_id: Mutex<HashMap<ProviderConfigId, Arc<Target>>>,
}

/// How many breakers are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Breakers {
    pub closed: usize,
    /// Not closed, those on trial included.
    pub open: usize,
    pub on_trial: usize,
}

#[derive(Clone, Debug)]
struct Policy {
    failures_max: u32,
    open: Duration,
    /// Counts breakers that open.
    opened: Counter,
}

/// One provider configuration.
#[derive(Debug)]
pub(crate) struct Target {
    id: ProviderConfigId,
    policy: Policy,
    /// The right to call it. Full: steps wait for their turn, oldest first.
    pub calls: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    /// Calls are made.
    Closed { n_failures: u32 },
    /// None is made until then.
    Open { until: Instant },
    /// One call tries.
    Trial,
}

/// Not now: the breaker is open, or somebody else tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// When to ask again.
    pub until: Instant,
}

/// The right to make one call, whose end must be [reported](Self::report).
///
/// Dropped without a report, the call says nothing about the receiver.
#[derive(Debug)]
pub(crate) struct Pass {
    target: Arc<Target>,
    is_trial: bool,
    is_reported: bool,
}

impl Targets {
    pub fn new(limits: &Limits, opened: Counter) -> Self {
        let failures_max = limits.breaker_failures.max(1);
        let policy = Policy { failures_max, open: limits.breaker_open, opened };
        Self {
            max: limits.configs_max,
            calls_max: permits(limits.calls_per_config_max),
            policy,
            by_id: Mutex::default(),
        }
    }

    /// The target of a provider configuration.
    pub fn get(&self, id: ProviderConfigId) -> Arc<Target> {
        let mut by_id = self.lock();
        if let Some(target) = by_id.get(&id) {
            return Arc::clone(target);
        }
        if self.max <= by_id.len() {
            by_id.retain(|_, target| 1 < Arc::strong_count(target));
        }
        let target = Arc::new(Target {
            id,
            policy: self.policy.clone(),
            calls: Arc::new(Semaphore::new(self.calls_max)),
            breaker: Mutex::new(Breaker::Closed { n_failures: 0 }),
        });
        by_id.insert(id, Arc::clone(&target));
        target
    }

    /// Whether calls with a configuration are held back at the moment.
    pub fn is_blocked(&self, id: ProviderConfigId) -> bool {
        self.lock().get(&id).is_some_and(|target| target.is_open())
    }

    /// How many breakers are in which state.
    pub fn breakers(&self) -> Breakers {
        let mut breakers = Breakers::default();
        for target in self.lock().values() {
            match *target.lock() {
                Breaker::Closed { .. } => breakers.closed += 1,
                Breaker::Open { .. } => breakers.open += 1,
                Breaker::Trial => {
                    breakers.open += 1;
                    breakers.on_trial += 1;
                }
            }
        }
        breakers
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProviderConfigId, Arc<Target>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// Whether a call could be made now.
    ///
    /// # Errors
    ///
    /// When to ask again.
    pub fn check(&self, now: Instant) -> Result<(), Blocked> {
        self.lock().check(now)
    }

    /// Lets one call pass. Of those that ask an open breaker whose time has come, one.
    ///
    /// # Errors
    ///
    /// When to ask again.
    pub fn enter(self: &Arc<Self>, now: Instant) -> Result<Pass, Blocked> {
        let mut breaker = self.lock();
        breaker.check(now)?;
        let is_trial = matches!(*breaker, Breaker::Open { .. });
        if is_trial {
            *breaker = Breaker::Trial;
        }
        Ok(Pass { target: Arc::clone(self), is_trial, is_reported: false })
    }

    fn is_open(&self) -> bool {
        !matches!(*self.lock(), Breaker::Closed { .. })
    }

    fn report(&self, is_trial: bool, is_success: bool, now: Instant) {
        let mut breaker = self.lock();
        let next = match (*breaker, is_success) {
            (Breaker::Closed { .. }, true) => Breaker::Closed { n_failures: 0 },
            (Breaker::Closed { n_failures }, false) => match n_failures.saturating_add(1) {
                n if n < self.policy.failures_max => Breaker::Closed { n_failures: n },
                n_failures => {
                    self.policy.opened.increment(1);
                    warn!(provider_config.id = %self.id, n_failures, "breaker opened");
                    Breaker::Open { until: now + self.policy.open }
                }
            },
            (Breaker::Trial, true) if is_trial => {
                info!(provider_config.id = %self.id, "breaker closed");
                Breaker::Closed { n_failures: 0 }
            }
            (Breaker::Trial, false) if is_trial => Breaker::Open { until: now + self.policy.open },
            // A call that began before the breaker opened has no say any more.
            (unchanged @ (Breaker::Open { .. } | Breaker::Trial), _) => unchanged,
        };
        *breaker = next;
    }

    fn lock(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breaker {
    fn check(self, now: Instant) -> Result<(), Blocked> {
        match self {
            Self::Closed { .. } => Ok(()),
            Self::Open { until } if until <= now => Ok(()),
            Self::Open { until } => Err(Blocked { until }),
            Self::Trial => Err(Blocked { until: now + TRIAL_RECHECK }),
        }
    }
}

impl Pass {
    /// Says how the call went: whether the receiver is well, as far as one call can tell.
    pub fn report(mut self, is_success: bool) {
        self.is_reported = true;
        self.target.report(self.is_trial, is_success, Instant::now());
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_trial && !self.is_reported {
            // The trial was cut short: let the next one try at once.
            *self.target.lock() = Breaker::Open { until: Instant::now() };
        }
    }
}
