//! Patience with the store: what is not applied, or perhaps not, is asked for again.

use std::future::Future;
use std::time::Duration;

use flowker_core::ports::{Append, StoreError};
use tracing::{debug, info, warn};

use crate::shared::Shared;

/// The first pause between two tries, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Why a write came to nothing for good.
#[derive(Debug)]
pub(crate) enum Lost {
    /// Someone else owns the execution now, or has ended it.
    Superseded,
    /// What is stored of it cannot be read.
    Corrupt(StoreError),
}

/// Repeats an operation that may be repeated, until the store answers.
///
/// # Errors
///
/// [`Lost`], never for an outage: that is waited out. Whoever must not wait drops the future.
pub(crate) async fn insist<T, F>(
    shared: &Shared,
    what: &'static str,
    operation: impl Fn() -> F,
) -> Result<T, Lost>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut tries = Tries::of(what);
    loop {
        match operation().await {
            Ok(answer) => {
                tries.succeeded();
                return Ok(answer);
            }
            Err(StoreError::Superseded) => return Err(Lost::Superseded),
            Err(error @ StoreError::Corrupt { .. }) => return Err(Lost::Corrupt(error)),
            Err(
                error @ (StoreError::Full
                | StoreError::Unavailable { .. }
                | StoreError::Unknown { .. }),
            ) => tries.failed(&error, shared).await,
        }
    }
}

/// Writes entries exactly once, whatever the store's answers are: the same append a second time
/// changes nothing.
///
/// # Errors
///
/// [`Lost::Superseded`] also if it was our own end that was stored, and only its answer was lost.
/// Either way there is nothing left to do here.
pub(crate) async fn append(shared: &Shared, append: &Append) -> Result<(), Lost> {
    insist(shared, "append", || shared.executions.append(append.clone())).await
}

/// Counts tries of one operation, pauses between them, and logs the first failure and the recovery.
struct Tries {
    what: &'static str,
    n_failed: u32,
}

impl Tries {
    const fn of(what: &'static str) -> Self {
        Self { what, n_failed: 0 }
    }

    async fn failed(&mut self, error: &StoreError, shared: &Shared) {
        self.n_failed = self.n_failed.saturating_add(1);
        shared.counters.store_retries.add(1);
        self.log(error);
        let doubled = 1_u32.checked_shl(self.n_failed - 1).unwrap_or(u32::MAX);
        let most = PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX);
        // At least half of it, so that an outage is not answered with a storm.
        tokio::time::sleep(most / 2 + shared.random_up_to(most / 2)).await;
    }

    fn log(&self, error: &StoreError) {
        let (operation, n_failed, error) = (self.what, self.n_failed, Chain(error));
        if n_failed == 1 {
            warn!(operation, %error, "store operation failed, trying again");
        } else {
            debug!(operation, %error, n_failed, "store operation failed again");
        }
    }

    fn succeeded(&mut self) {
        if 0 < self.n_failed {
            info!(operation = self.what, n_failed = self.n_failed, "store operation succeeded");
        }
    }
}

/// An error with all its causes, for a log line.
pub(crate) struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
