//! What processes share, and how often they may be called.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::workflow::{NewRoute, Rate};

/// Keeps small values that are made once and shared by all processes on the store, such as the key
/// that cursors are signed with. Proved by `flowker_testkit::shared_values_contract!`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait SharedValues: fmt::Debug + Send + Sync {
    /// Keeps `value` under `name` unless there is one already, and answers the one that is kept.
    ///
    /// - MUST keep one value a name, however many callers race, and answer it to all of them.
    async fn keep(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// The value under `name`, if one is kept.
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;
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
