//! How much the engine does at once, how long it waits, and when it gives up.

use std::time::Duration;

use tokio::sync::Semaphore;

/// Bounds of one engine. A bound below 1 counts as 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Executions held in memory and driven at once.
    ///
    /// When full: executions that are accepted have no owner and stay in the store, and none is
    /// adopted, until one of these ends or is parked. Default: 1 024.
    pub executions_max: usize,
    /// Executions of this replica that only wait for a moment, held as a few bytes each.
    ///
    /// When full: an execution that has to wait is released to the store with its moment, and
    /// whoever has room then adopts it. Default: 65 536.
    pub parked_max: usize,
    /// Provider calls at once. When full: steps wait for their turn, oldest first. Default: 256.
    pub calls_max: usize,
    /// Provider calls at once with one provider configuration. When full: steps wait for their
    /// turn, oldest first, and hold none of [`calls_max`](Self::calls_max) meanwhile. Default: 64.
    pub calls_per_config_max: usize,
    /// Provider configurations whose failures are remembered.
    ///
    /// When full: those that no step uses at the moment are forgotten, and their breakers with
    /// them. Default: 4 096.
    pub configs_max: usize,
    /// Callers that are told at once when an execution ends.
    ///
    /// When full: further callers ask the store every [`wait_poll`](Self::wait_poll) instead.
    /// Default: 16 384.
    pub waiters_max: usize,
    /// Bytes of JSON that the outputs of all steps of one execution take together.
    ///
    /// A step whose output does not fit any more fails with code `step_failed`. Default: 16 MiB.
    pub journal_bytes_max: usize,
    /// Executions adopted in one go. Default: 64.
    pub adopt_max: usize,
    /// Owners that may be lost one after the other, each with a step in flight and none with any
    /// progress. After that many the execution fails with code `quarantined`. Default: 10.
    pub quarantine_losses: usize,
    /// Consecutive failures that open the breaker of a provider configuration. Default: 5.
    pub breaker_failures: u32,
    /// How long a breaker stays open before one call tries again. Default: 30 s.
    pub breaker_open: Duration,
    /// How long a provider may take for one attempt, whatever bound it keeps itself.
    ///
    /// An attempt that takes longer is cut, and nobody knows whether it had an effect. Default:
    /// 11 minutes, one more than the longest `timeout` of a node.
    pub call_time_max: Duration,
    /// The longest wait for which an execution stays in memory, if there is room for others.
    /// For longer ones it is parked. Default: 1 s.
    pub stay_max: Duration,
    /// How often executions that nobody drives are looked for. Default: 1 s.
    pub poll: Duration,
    /// How often this replica says that it is alive. Well below the store's lapse. Default: 3 s.
    pub heartbeat: Duration,
    /// How often this replica looks whether it owns what it does not drive, because an answer of the
    /// store was lost. What it finds twice in a row it drives. Default: 10 s.
    pub reconcile: Duration,
    /// How often the store is asked for the end of an execution that is driven elsewhere.
    /// Default: 200 ms.
    pub wait_poll: Duration,
    /// How long an execution whose stored data cannot be read is left alone. Default: 60 s.
    pub corrupt_pause: Duration,
    /// How long a drain may take, after its deadline, to write down what was cut and to release
    /// what is left. What is not released by then lapses. Default: 2 s.
    pub release_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            executions_max: 1_024,
            parked_max: 65_536,
            calls_max: 256,
            calls_per_config_max: 64,
            configs_max: 4_096,
            waiters_max: 16_384,
            journal_bytes_max: 16 * 1024 * 1024,
            adopt_max: 64,
            quarantine_losses: 10,
            breaker_failures: 5,
            breaker_open: Duration::from_secs(30),
            call_time_max: Duration::from_mins(11),
            stay_max: Duration::from_secs(1),
            poll: Duration::from_secs(1),
            heartbeat: Duration::from_secs(3),
            reconcile: Duration::from_secs(10),
            wait_poll: Duration::from_millis(200),
            corrupt_pause: Duration::from_mins(1),
            release_time_max: Duration::from_secs(2),
        }
    }
}

/// How many permits a semaphore with this bound has.
pub(crate) fn permits(bound: usize) -> usize {
    bound.clamp(1, Semaphore::MAX_PERMITS)
}
