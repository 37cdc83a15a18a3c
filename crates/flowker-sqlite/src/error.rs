//! What an error of SQLite means to the domain.

use std::fmt::Display;

use flowker_core::ports::StoreError;
use rusqlite::{Error, ErrorCode};

/// Names what a statement was about, so that its failure can be understood.
pub(crate) trait Of<T> {
    /// Turns a failure into one that names a table and a key.
    fn of(self, table: &'static str, key: impl Display) -> Result<T, StoreError>;
}

impl<T> Of<T> for rusqlite::Result<T> {
    fn of(self, table: &'static str, key: impl Display) -> Result<T, StoreError> {
        self.map_err(|error| {
            if is_corrupt(&error) {
                StoreError::corrupt(format!("{table} {key}"), error)
            } else {
                // Nothing is applied before COMMIT, whose own failures the writer sorts.
                StoreError::unavailable(error)
            }
        })
    }
}

/// Whether the fault is in what is stored: it cannot be read, or is no value of ours.
fn is_corrupt(error: &Error) -> bool {
    match error {
        Error::SqliteFailure(cause, _) => {
            matches!(cause.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        }
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => true,
        _ => false,
    }
}

/// Whether a COMMIT that failed like this has certainly written nothing that a restart could find.
///
/// - `FULL`: the log had no room, so the frame that makes the transaction valid is not whole.
/// - `BUSY`, `LOCKED`, `CONSTRAINT`: found before anything is written.
///
/// Not `IOERR`: a failed sync says nothing about what will be on the disk.
pub(crate) fn certainly_not_committed(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ConstraintViolation
        )
    )
}
