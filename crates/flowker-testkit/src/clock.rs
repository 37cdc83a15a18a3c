//! Clocks that tests own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use flowker_core::ports::Clock;
use flowker_core::time::Timestamp;
use tokio::time::Instant;

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// Where a new clock stands: a moment with microseconds, so that a store that drops them is
    /// found out.
    pub const START: Timestamp = Timestamp::from_micros(1_767_225_600_123_457);

    /// A clock that shows [`START`](Self::START).
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(Self::START.as_micros())))
    }

    /// Moves the clock to a moment, which may be an earlier one.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }

    /// Moves the clock forward.
    ///
    /// # Panics
    ///
    /// If `by` is more than the microseconds that 63 bits can count.
    pub fn advance(&self, by: Duration) {
        let micros =
            i64::try_from(by.as_micros()).expect("a test advances by less than 292,000 years");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A clock that follows tokio's time, and so stands still and jumps with it when a test has paused
/// it.
#[derive(Debug)]
pub struct TokioClock {
    start: Timestamp,
    origin: Instant,
}

impl TokioClock {
    /// A clock that shows [`TestClock::START`] now. Within a tokio runtime.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: TestClock::START, origin: Instant::now() })
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.start.plus(self.origin.elapsed())
    }
}
