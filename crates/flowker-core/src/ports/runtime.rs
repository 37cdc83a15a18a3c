//! Time, ids, and the engine as the use-cases see it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::execution::{Owned, Summary};
use crate::id::ExecutionId;
use crate::time::Timestamp;

/// Tells the time.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Makes ids.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait IdSource: fmt::Debug + Send + Sync {
    /// A UUID that nobody had before. Of version 7, rising, so that rows are written in order.
    fn next_id(&self) -> Uuid;
}

/// Drives executions that were accepted.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Dispatcher: fmt::Debug + Send + Sync {
    /// Whether an execution that is accepted now would be driven at once. If not, it should be
    /// accepted without an owner, and is adopted when there is room.
    fn has_room(&self) -> bool;

    /// Hands over an execution that this replica accepted and owns.
    fn dispatch(&self, owned: Owned);

    /// Stops driving an execution that was ended by someone else.
    fn abandon(&self, id: ExecutionId);

    /// Waits until an execution has ended, at most for `wait`. `None` when the time is up.
    async fn wait_for_end(&self, id: ExecutionId, wait: Duration) -> Option<Summary>;
}
