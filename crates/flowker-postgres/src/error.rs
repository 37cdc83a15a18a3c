//! What an error of Postgres means to the domain.

use std::error::Error as StdError;
use std::time::Duration;

use flowker_core::ports::StoreError;
use flowker_core::refusal::BoxError;
use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

/// No answer came in time. The server may still be busy with it.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(crate) struct NoAnswer(pub(crate) Duration);

/// Why a transaction was not committed, or not certainly.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It had no effect, and the same again may succeed at once: it lost a race.
    Again(BoxError),
    /// It had no effect.
    NotApplied(BoxError),
    /// It may have had one.
    Unknown(BoxError),
}

impl Failure {
    /// The meaning of an error before COMMIT was sent: nothing is applied, whatever happened.
    pub(crate) fn before_commit(error: Error) -> Self {
        match error.code() {
            Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => {
                Self::Again(error.into())
            }
            _ => Self::NotApplied(error.into()),
        }
    }

    /// The meaning of an error of COMMIT itself, or of a statement that is its own transaction.
    ///
    /// An error that the session survived was told instead of a commit. One that ended the session
    /// says nothing: the server commits before it answers, and a session that is ended while it
    /// waits for a standby has committed.
    pub(crate) fn of_commit(error: Error) -> Self {
        if is_refusal(&error) { Self::before_commit(error) } else { Self::Unknown(error.into()) }
    }
}

/// Whether the server says that it did not do something, and lives on. A pooler that lost the server
/// speaks in its name, about the connection.
pub(crate) fn is_refusal(error: &Error) -> bool {
    error.as_db_error().is_some_and(|it| {
        it.parsed_severity() == Some(Severity::Error) && !it.code().code().starts_with("08")
    })
}

/// Whether the server refuses the values that it was given: the same again fails again, whatever
/// else is in the transaction.
pub(crate) fn is_poison(error: &Error) -> bool {
    // Data exceptions, violated constraints, and limits of the program.
    error
        .code()
        .is_some_and(|it| ["22", "23", "54"].iter().any(|class| it.code().starts_with(class)))
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Again(source) | Failure::NotApplied(source) => Self::Unavailable { source },
            Failure::Unknown(source) => Self::Unknown { source },
        }
    }
}

/// What the server said, if nothing was applied because it refused.
pub(crate) fn sql_state(error: &StoreError) -> Option<&SqlState> {
    let StoreError::Unavailable { source } = error else { return None };
    source.downcast_ref::<Error>().and_then(Error::code)
}

/// Whether nothing was applied because another row has what must be unique.
pub(crate) fn is_duplicate(error: &StoreError) -> bool {
    sql_state(error) == Some(&SqlState::UNIQUE_VIOLATION)
}

/// Whether an error is one that passes by itself: there is no answer, or one that speaks of the
/// connection, of the server's resources, of an operator at work, or of a transaction that lost.
pub(crate) fn is_passing(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(code) = error.downcast_ref::<Error>().and_then(Error::code) {
            return ["08", "40", "53", "55", "57"].iter().any(|it| code.code().starts_with(it));
        }
        next = error.source();
    }
    true
}
