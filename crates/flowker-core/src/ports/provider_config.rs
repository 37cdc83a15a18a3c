//! Provider configurations: how a provider is reached, and with which credentials.

use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::StoreError;
use super::workflow::{Cursor, NamedSort};
use crate::audit::AuditEvent;
use crate::id::{ProviderConfigId, WorkflowId};
use crate::time::Timestamp;

/// Settings with which a provider is called.
#[derive(Clone, PartialEq)]
pub struct ProviderConfig {
    /// Never changes.
    pub id: ProviderConfigId,
    /// Unique over all provider configurations; 1 to 100 bytes.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Of the catalog. Never changes.
    pub provider_id: String,
    /// Secrets included: mask before showing.
    pub config: Map<String, Value>,
    /// Whether steps may use it.
    pub status: ConfigStatus,
    /// Whatever the owner keeps with it.
    pub metadata: Map<String, Value>,
    /// Grows by one with every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl fmt::Debug for ProviderConfig {
    /// Leaves out `config`, which holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("provider_id", &self.provider_id)
            .field("status", &self.status)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// Whether steps may use a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigStatus {
    /// They may.
    Active,
    /// They fail.
    Disabled,
}

impl ConfigStatus {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Active, Self::Disabled];

    /// The word that travels and is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// Reads the word. `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigWritten {
    /// It is stored.
    Done,
    /// Another configuration has the name. Nothing was written.
    NameTaken,
    /// The stored revision is another, or the configuration is gone. Nothing was written.
    Stale,
}

/// What became of a write that active workflows may forbid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnusedWritten {
    /// It is stored.
    Done,
    /// The stored revision is another, or the configuration is gone. Nothing was written.
    Stale,
    /// Active workflows use the configuration: these, by id, up to [`CONFIG_USERS_MAX`] of them.
    /// Nothing was written.
    InUse(Vec<ConfigUser>),
}

/// How many users of a configuration are told.
pub const CONFIG_USERS_MAX: usize = 20;

/// An active workflow that uses a provider configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigUser {
    /// Which workflow.
    pub id: WorkflowId,
    /// Its name.
    pub name: String,
}

/// Which configurations a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderConfigQuery {
    /// In one status only.
    pub status: Option<ConfigStatus>,
    /// Of one provider only.
    pub provider_id: Option<String>,
    /// In which order.
    pub sort: NamedSort,
    /// Strictly after this place.
    pub after: Option<Cursor>,
    /// How many at the most.
    pub limit: usize,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderConfigPage {
    /// In the order that was asked for.
    pub items: Vec<ProviderConfig>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

/// Keeps provider configurations. Every write MUST write its event for the audit log together with
/// the change, or neither. Proved by `flowker_testkit::provider_config_store_contract!`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait ProviderConfigStore: fmt::Debug + Send + Sync {
    /// Stores a new one. Never answers [`ConfigWritten::Stale`].
    ///
    /// - MUST let one of several racers with the same name win.
    async fn create(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError>;

    /// Reads one.
    async fn get(&self, id: ProviderConfigId) -> Result<Option<ProviderConfig>, StoreError>;

    /// Reads one page of a list.
    async fn list(&self, query: ProviderConfigQuery) -> Result<ProviderConfigPage, StoreError>;

    /// Replaces one. `config.revision` is the new revision, one above the one that was read.
    ///
    /// - MUST answer [`ConfigWritten::Stale`] unless the stored revision is one below it.
    async fn update(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError>;

    /// Like [`update`](Self::update), unless an active workflow uses it. Leaves the name as it is.
    ///
    /// - MUST answer [`UnusedWritten::Stale`] unless the stored revision is one below the new one.
    /// - MUST answer [`UnusedWritten::InUse`] if an active workflow was activated with it, whoever
    ///   races: of an activation and this, one comes first, and the other is refused.
    async fn update_unused(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError>;

    /// Like [`delete`](Self::delete), unless an active workflow uses it.
    ///
    /// - MUST answer [`UnusedWritten::Stale`] if it is not there.
    /// - MUST answer [`UnusedWritten::InUse`] as [`update_unused`](Self::update_unused) does.
    async fn delete_unused(
        &self,
        id: ProviderConfigId,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError>;

    /// Removes one, used or not; whether it was there.
    async fn delete(&self, id: ProviderConfigId, event: AuditEvent) -> Result<bool, StoreError>;
}
