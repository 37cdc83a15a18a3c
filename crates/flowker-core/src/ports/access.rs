//! Who may call, and how often.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::workflow::{NewRoute, Rate};

/// Keeps what replicas share of the API keys that were made by us.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait ApiKeyStore: fmt::Debug + Send + Sync {
    /// Keeps the SHA-256 of a first key unless one is kept already, and answers the one that is
    /// kept now.
    ///
    /// - MUST keep one hash, however many callers race, and answer it to all of them.
    async fn first_key(&self, hash: [u8; 32]) -> Result<[u8; 32], StoreError>;

    /// The SHA-256 of the first key, if one is kept.
    async fn known_key(&self) -> Result<Option<[u8; 32]>, StoreError>;
}

/// Counts the calls of a route.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait RateLimit: fmt::Debug + Send + Sync {
    /// Counts one call of `route`.
    ///
    /// # Errors
    ///
    /// How long to wait, when `rate` is used up. The call is then not counted.
    fn take(&self, route: &NewRoute, rate: Rate) -> Result<(), Duration>;
}
