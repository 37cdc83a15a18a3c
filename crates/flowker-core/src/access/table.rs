//! The table that presented keys are looked up in.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{KeyDigest, Scopes};
use crate::ports::{ApiKey, ApiKeyStore, StoreError};
use crate::time::Timestamp;

/// The name of whoever presents a configured key, or the one that was made at the first start.
pub const CONFIGURED: &str = "default";

/// The name of whoever calls where nobody has to say who it is.
pub const ANONYMOUS: &str = "anonymous";

/// Whose key it is, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Of the key, for the record.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
}

/// Follows the store's keys, so that no request has to ask the store.
///
/// Keys that are configured may do everything and never expire; they stand beside the stored ones.
#[derive(Debug)]
pub struct ApiKeyTable {
    store: Arc<dyn ApiKeyStore>,
    configured: Vec<KeyDigest>,
    live: RwLock<Arc<Live>>,
}

#[derive(Debug, Default)]
struct Live {
    /// The store's number for this set; `None` before the first read.
    revision: Option<u64>,
    keys: HashMap<KeyDigest, Entry>,
}

#[derive(Debug)]
struct Entry {
    holder: Arc<Holder>,
    /// When it is no longer good; `None`: never.
    until: Option<Timestamp>,
}

impl ApiKeyTable {
    /// A table of the configured keys alone, until it is refreshed.
    pub fn new(
        store: Arc<dyn ApiKeyStore>,
        configured: impl IntoIterator<Item = KeyDigest>,
    ) -> Self {
        let configured: Vec<_> = configured.into_iter().collect();
        let live = Live { revision: None, keys: entries(&configured, Vec::new()) };
        Self { store, configured, live: RwLock::new(Arc::new(live)) }
    }

    /// Reads the keys again if any was made or changed since the last time.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        // Read before the keys: what changes in between is read once more the next time.
        let revision = self.store.keys_revision().await?;
        if self.live().revision == Some(revision) {
            return Ok(());
        }
        let keys = entries(&self.configured, self.store.unrevoked().await?);
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever read later may have been faster, and no revoked key comes back.
        if live.revision < Some(revision) {
            *live = Arc::new(Live { revision: Some(revision), keys });
        }
        Ok(())
    }

    /// Who presents this key. `None` if it is no key of ours, or no longer.
    ///
    /// Takes the same time however many keys there are. What a caller learns from the time at the
    /// most is about the digest of its own guess, not about a key.
    pub fn find(&self, presented: &[u8], now: Timestamp) -> Option<Arc<Holder>> {
        let live = self.live();
        let entry = live.keys.get(&KeyDigest::of(presented))?;
        entry.until.is_none_or(|until| now < until).then(|| Arc::clone(&entry.holder))
    }

    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn entries(configured: &[KeyDigest], stored: Vec<ApiKey>) -> HashMap<KeyDigest, Entry> {
    let mut entries = HashMap::new();
    for key in stored {
        let holder = Arc::new(Holder { name: key.name, scopes: key.scopes });
        if let Some(previous) = key.previous {
            // A rotation gives a text more time, never more than the key itself has.
            let until = key.expires_at.map_or(previous.until, |it| it.min(previous.until));
            let entry = Entry { holder: Arc::clone(&holder), until: Some(until) };
            entries.insert(previous.digest, entry);
        }
        entries.insert(key.digest, Entry { holder, until: key.expires_at });
    }
    let holder = Arc::new(Holder { name: CONFIGURED.to_owned(), scopes: Scopes::ALL });
    for digest in configured {
        entries.insert(*digest, Entry { holder: Arc::clone(&holder), until: None });
    }
    entries
}
