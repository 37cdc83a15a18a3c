//! Provider configurations and shared values in memory.

use async_trait::async_trait;
use flowker_core::audit::AuditEvent;
use flowker_core::id::ProviderConfigId;
use flowker_core::ports::{
    CONFIG_USERS_MAX, ConfigStatus, ConfigUser, ConfigWritten, ProviderConfig, ProviderConfigPage,
    ProviderConfigQuery, ProviderConfigStore, SharedValues, StoreError, UnusedWritten,
};

use super::page::{self, Named, NamedKey};
use super::{MemoryStore, State};

impl State {
    fn has_config_named(&self, config: &ProviderConfig) -> bool {
        self.configs.values().any(|it| it.name == config.name && it.id != config.id)
    }

    /// Whether a workflow can be activated with it.
    pub(super) fn is_usable(&self, id: ProviderConfigId) -> bool {
        self.configs.get(&id).is_some_and(|it| it.status == ConfigStatus::Active)
    }

    fn users(&self, id: ProviderConfigId) -> Vec<ConfigUser> {
        let users = self.config_uses.iter().filter(|(config, _)| *config == id);
        let users = users.filter_map(|(_, workflow)| self.workflows.get(workflow));
        let users = users.map(|it| ConfigUser { id: it.id, name: it.name.clone() });
        users.take(CONFIG_USERS_MAX).collect()
    }
}

#[async_trait]
impl ProviderConfigStore for MemoryStore {
    async fn create(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        let mut state = self.lock();
        if state.has_config_named(&config) {
            return Ok(ConfigWritten::NameTaken);
        }
        state.configs.insert(config.id, config);
        state.audit.note(event, self.clock.now());
        Ok(ConfigWritten::Done)
    }

    async fn get(&self, id: ProviderConfigId) -> Result<Option<ProviderConfig>, StoreError> {
        Ok(self.lock().configs.get(&id).cloned())
    }

    async fn list(&self, query: ProviderConfigQuery) -> Result<ProviderConfigPage, StoreError> {
        let key = |it: &ProviderConfig| {
            let (id, name) = (*it.id.as_uuid(), it.name.as_str());
            let (created_at, updated_at) = (it.created_at, it.updated_at);
            NamedKey::of(query.sort, &Named { id, name, created_at, updated_at })
        };
        let after = query.after.as_ref().map(|cursor| NamedKey::read(query.sort, cursor));
        let after = after.transpose()?;
        let state = self.lock();
        let matching = state.configs.values().filter(|it| {
            query.status.is_none_or(|only| only == it.status)
                && query.provider_id.as_ref().is_none_or(|only| *only == it.provider_id)
        });
        let matching = matching.cloned().collect();
        let (items, has_more) =
            page::cut(matching, key, query.sort.direction, after.as_ref(), query.limit);
        Ok(ProviderConfigPage { items, has_more })
    }

    async fn update(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        let mut state = self.lock();
        let stored = state.configs.get(&config.id);
        if stored.is_none_or(|it| it.revision.wrapping_add(1) != config.revision) {
            return Ok(ConfigWritten::Stale);
        }
        if state.has_config_named(&config) {
            return Ok(ConfigWritten::NameTaken);
        }
        state.configs.insert(config.id, config);
        state.audit.note(event, self.clock.now());
        Ok(ConfigWritten::Done)
    }

    async fn update_unused(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        let mut state = self.lock();
        let stored = state.configs.get(&config.id);
        if stored.is_none_or(|it| it.revision.wrapping_add(1) != config.revision) {
            return Ok(UnusedWritten::Stale);
        }
        let users = state.users(config.id);
        if !users.is_empty() {
            return Ok(UnusedWritten::InUse(users));
        }
        state.configs.insert(config.id, config);
        state.audit.note(event, self.clock.now());
        Ok(UnusedWritten::Done)
    }

    async fn delete_unused(
        &self,
        id: ProviderConfigId,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        let mut state = self.lock();
        if !state.configs.contains_key(&id) {
            return Ok(UnusedWritten::Stale);
        }
        let users = state.users(id);
        if !users.is_empty() {
            return Ok(UnusedWritten::InUse(users));
        }
        state.configs.remove(&id);
        state.audit.note(event, self.clock.now());
        Ok(UnusedWritten::Done)
    }

    async fn delete(&self, id: ProviderConfigId, event: AuditEvent) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let is_removed = state.configs.remove(&id).is_some();
        if is_removed {
            state.audit.note(event, self.clock.now());
        }
        Ok(is_removed)
    }
}

#[async_trait]
impl SharedValues for MemoryStore {
    async fn keep(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        Ok(self.lock().shared.entry(name.to_owned()).or_insert(value).clone())
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().shared.get(name).cloned())
    }
}
