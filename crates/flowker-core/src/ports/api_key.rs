//! API keys: who may call, and what for.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use super::workflow::{Cursor, NamedSort};
use crate::access::{KeyDigest, Scopes};
use crate::audit::AuditEvent;
use crate::id::ApiKeyId;
use crate::time::Timestamp;

/// A key, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Never changes.
    pub id: ApiKeyId,
    /// Unique over all keys, revoked ones included; 1 to 100 bytes. Never changes.
    pub name: String,
    /// What it may be used for. Never changes.
    pub scopes: Scopes,
    /// Of its text.
    pub digest: KeyDigest,
    /// The text that it had before its last rotation.
    pub previous: Option<PreviousKey>,
    /// Grows by one with every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it last got another text.
    pub rotated_at: Option<Timestamp>,
    /// From when on it is not good any more; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, for good.
    pub revoked_at: Option<Timestamp>,
}

/// A text that was replaced, and stays good for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousKey {
    /// Of the text.
    pub digest: KeyDigest,
    /// When it ends.
    pub until: Timestamp,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKeyWritten {
    /// It is stored.
    Done,
    /// Another key has or had the name. Nothing was written.
    NameTaken,
    /// The stored revision is another, or there is no such key. Nothing was written.
    Stale,
}

/// Which keys a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyQuery {
    /// In which order.
    pub sort: NamedSort,
    /// Strictly after this place.
    pub after: Option<Cursor>,
    /// How many at the most.
    pub limit: usize,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyPage {
    /// In the order that was asked for.
    pub items: Vec<ApiKey>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

/// Keeps API keys. Every write MUST write its event for the audit log together with the change, or
/// neither. Proved by `flowker_testkit::api_key_store_contract!`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait ApiKeyStore: fmt::Debug + Send + Sync {
    /// Stores a new one. Never answers [`ApiKeyWritten::Stale`].
    ///
    /// - MUST let one of several racers with the same name win.
    async fn create(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError>;

    /// Reads one.
    async fn get(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Reads one page of a list, revoked and expired keys included.
    async fn list(&self, query: ApiKeyQuery) -> Result<ApiKeyPage, StoreError>;

    /// Replaces one, but for what never changes. `key.revision` is the new revision, one above the
    /// one that was read. Never answers [`ApiKeyWritten::NameTaken`].
    ///
    /// - MUST answer [`ApiKeyWritten::Stale`] unless the stored revision is one below it.
    async fn update(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError>;

    /// All keys that are not revoked, in no order.
    async fn unrevoked(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// A number that tells whether [`unrevoked`](Self::unrevoked) may have changed.
    ///
    /// - MUST grow with every write that was done, in the same transaction.
    async fn keys_revision(&self) -> Result<u64, StoreError>;
}
