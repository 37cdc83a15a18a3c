//! Idempotency keys, apart from their claim, which is a part of acceptance.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::execution::Summary;
use crate::id::WorkflowId;
use crate::idempotency::{Fingerprint, IdempotencyKey};

/// A key that is known, and what it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownKey {
    /// What the first request was.
    pub fingerprint: Fingerprint,
    /// What it started, as it stands now.
    pub execution: Summary,
}

/// Keeps the keys that callers make their retries safe with.
///
/// A key is claimed by [`ExecutionStore::accept`](super::ExecutionStore::accept), in the
/// transaction that writes its execution. Proved by
/// `flowker_testkit::idempotency_store_contract!`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait IdempotencyStore: fmt::Debug + Send + Sync {
    /// Looks a key up.
    ///
    /// - MUST not find a key whose retention is over, unless its execution has not ended.
    async fn find(
        &self,
        workflow_id: WorkflowId,
        key: &IdempotencyKey,
    ) -> Result<Option<KnownKey>, StoreError>;

    /// Forgets up to `limit` keys whose retention is over; answers how many.
    ///
    /// - MUST not forget a key whose execution has not ended.
    async fn purge_expired(&self, limit: usize) -> Result<usize, StoreError>;
}
