//! API keys in memory.

use async_trait::async_trait;
use flowker_core::audit::AuditEvent;
use flowker_core::id::ApiKeyId;
use flowker_core::ports::{
    ApiKey, ApiKeyPage, ApiKeyQuery, ApiKeyStore, ApiKeyWritten, StoreError,
};

use super::page::{self, Named, NamedKey};
use super::{MemoryStore, State};

impl State {
    pub(super) fn put_api_key(&mut self, key: ApiKey) {
        self.api_keys_revision += 1;
        self.api_keys.insert(key.id, key);
    }
}

#[async_trait]
impl ApiKeyStore for MemoryStore {
    async fn create(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError> {
        let mut state = self.lock();
        if state.api_keys.values().any(|it| it.name == key.name) {
            return Ok(ApiKeyWritten::NameTaken);
        }
        state.put_api_key(key);
        state.audit.note(event, self.clock.now());
        Ok(ApiKeyWritten::Done)
    }

    async fn get(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.lock().api_keys.get(&id).cloned())
    }

    async fn list(&self, query: ApiKeyQuery) -> Result<ApiKeyPage, StoreError> {
        let key = |it: &ApiKey| {
            let (id, name) = (*it.id.as_uuid(), it.name.as_str());
            let (created_at, updated_at) = (it.created_at, it.updated_at);
            NamedKey::of(query.sort, &Named { id, name, created_at, updated_at })
        };
        let after = query.after.as_ref().map(|cursor| NamedKey::read(query.sort, cursor));
        let after = after.transpose()?;
        let keys = self.lock().api_keys.values().cloned().collect();
        let (items, has_more) =
            page::cut(keys, key, query.sort.direction, after.as_ref(), query.limit);
        Ok(ApiKeyPage { items, has_more })
    }

    async fn update(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError> {
        let mut state = self.lock();
        let Some(stored) = state.api_keys.get(&key.id) else { return Ok(ApiKeyWritten::Stale) };
        if stored.revision.wrapping_add(1) != key.revision {
            return Ok(ApiKeyWritten::Stale);
        }
        let (name, scopes, created_at) = (stored.name.clone(), stored.scopes, stored.created_at);
        state.put_api_key(ApiKey { name, scopes, created_at, ..key });
        state.audit.note(event, self.clock.now());
        Ok(ApiKeyWritten::Done)
    }

    async fn unrevoked(&self) -> Result<Vec<ApiKey>, StoreError> {
        let state = self.lock();
        let keys = state.api_keys.values().filter(|key| key.revoked_at.is_none());
        Ok(keys.cloned().collect())
    }

    async fn keys_revision(&self) -> Result<u64, StoreError> {
        Ok(self.lock().api_keys_revision)
    }
}
