//! What follows a failed attempt.

use std::time::Duration;

use flowker_core::execution::FailureCode;
use flowker_core::ports::{CallFailure, FailureKind};
use flowker_core::workflow::{Executor, OnUncertain};

/// The longest wait that a receiver can ask for with `Retry-After`. A longer one is cut to it.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// How long to wait before the next attempt, or why there is none.
///
/// `random_up_to` gives a duration from nothing to the given one.
pub(super) fn judge(
    executor: &Executor,
    attempt: u32,
    failure: &CallFailure,
    random_up_to: impl FnOnce(Duration) -> Duration,
) -> Result<Duration, FailureCode> {
    match (failure.kind, executor.on_uncertain) {
        (FailureKind::Permanent, _) => return Err(FailureCode::StepFailed),
        (FailureKind::Unknown, OnUncertain::Fail) => return Err(FailureCode::Uncertain),
        (FailureKind::Transient, _) | (FailureKind::Unknown, OnUncertain::Retry) => {}
    }
    if executor.retry.max_attempts <= attempt {
        return Err(FailureCode::StepFailed);
    }
    Ok(match failure.retry_after {
        Some(asked) => asked.min(RETRY_AFTER_MAX),
        None => random_up_to(executor.retry.delay_max(attempt)),
    })
}

/// What a client reads when the last attempt has failed.
pub(super) fn exhausted(attempt: u32, failure: &CallFailure) -> String {
    let plural = if attempt == 1 { "" } else { "s" };
    format!("executor call failed after {attempt} attempt{plural}: {failure}")
}
