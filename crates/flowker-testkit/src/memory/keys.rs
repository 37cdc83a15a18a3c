//! Idempotency keys in memory.

use async_trait::async_trait;
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::idempotency::{Fingerprint, IdempotencyKey};
use flowker_core::ports::{IdempotencyStore, KnownKey, StoreError};
use flowker_core::time::Timestamp;

use super::{MemoryStore, State};

#[derive(Debug)]
pub(super) struct Row {
    pub fingerprint: Fingerprint,
    pub execution: ExecutionId,
    pub expires_at: Timestamp,
}

impl State {
    pub(super) fn known_key(
        &self,
        workflow_id: WorkflowId,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Option<KnownKey> {
        let row = self.keys.get(&(workflow_id, key.clone()))?;
        let execution = self.executions.get(&row.execution)?;
        let is_known = now < row.expires_at || execution.is_open();
        is_known.then(|| KnownKey { fingerprint: row.fingerprint, execution: execution.summary() })
    }
}

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn find(
        &self,
        workflow_id: WorkflowId,
        key: &IdempotencyKey,
    ) -> Result<Option<KnownKey>, StoreError> {
        let now = self.clock.now();
        Ok(self.lock().known_key(workflow_id, key, now))
    }

    async fn purge_expired(&self, limit: usize) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let ids = state.keys.keys().cloned();
        let expired = ids.filter(|(workflow, key)| state.known_key(*workflow, key, now).is_none());
        let expired: Vec<_> = expired.take(limit).collect();
        for id in &expired {
            state.keys.remove(id);
        }
        Ok(expired.len())
    }
}
