//! Opening a store: everything that has to be in order before it is used.

use flowker_core::ports::StoreError;

use crate::error::is_passing;
use crate::inspect::UnfitError;
use crate::migrate::{MigrateError, migrate};
use crate::url::ConnectionUrl;
use crate::{Options, PostgresStore, partition};

impl PostgresStore {
    /// Brings the schema up to date if it is not, makes the partitions of the coming weeks, and
    /// refuses a server that could lose what it acknowledged. Safe for many replicas at once.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached or used. Nothing was changed, or something that the next
    /// call finds done.
    pub async fn open(url: &ConnectionUrl, options: &Options) -> Result<Self, OpenError> {
        let store = Self::new(url, options);
        match store.check().await {
            Ok(()) => {}
            Err(UnfitError::Empty | UnfitError::Older { .. }) => migrate(url).await?,
            Err(error) => return Err(error.into()),
        }
        partition::make_ahead(&store.inner.db).await.map_err(OpenError::Partitions)?;
        Ok(store)
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be used.
    #[error(transparent)]
    Unfit(#[from] UnfitError),
    /// Its schema cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// There is no place for what will be accepted.
    #[error("cannot make the partitions of the coming weeks")]
    Partitions(#[source] StoreError),
}

impl OpenError {
    /// Whether the same may succeed later without anybody changing anything: the server did not
    /// answer, or is busy with itself.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unfit(UnfitError::Standby) => true,
            Self::Unfit(UnfitError::Ask(error)) | Self::Partitions(error) => is_passing(error),
            Self::Migrate(MigrateError::Connect(error) | MigrateError::Ask(error)) => {
                is_passing(error)
            }
            Self::Unfit(_) | Self::Migrate(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
