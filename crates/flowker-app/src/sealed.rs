//! Provider configurations, encrypted at rest.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use flowker_core::audit::AuditEvent;
use flowker_core::id::ProviderConfigId;
use flowker_core::json;
use flowker_core::ports::{
    ConfigWritten, ProviderConfig, ProviderConfigPage, ProviderConfigQuery, ProviderConfigStore,
    StoreError, UnusedWritten,
};
use serde_json::{Map, Value};

/// The one member of a sealed configuration: base64 of nonce and ciphertext.
const SEALED: &str = "$sealed";

/// Length of an `XChaCha20` nonce, in bytes. Long enough to be drawn at random for every write.
const NONCE_BYTES: usize = 24;

/// Encrypts what another store keeps of each configuration, with XChaCha20-Poly1305. The
/// configuration's id is authenticated, so that one cannot be put in the place of another.
///
/// A configuration that was stored in the clear is read as it is, and encrypted when it is next
/// written. Without a key everything is stored in the clear, and what was sealed cannot be read.
pub struct SealedConfigs {
    inner: Arc<dyn ProviderConfigStore>,
    cipher: Option<XChaCha20Poly1305>,
}

/// A configuration that cannot be opened.
#[derive(Debug)]
struct Unopened(&'static str);

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unopened {}

impl fmt::Debug for SealedConfigs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedConfigs").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl SealedConfigs {
    /// Seals with `key` what `inner` keeps.
    pub fn new(inner: Arc<dyn ProviderConfigStore>, key: Option<[u8; 32]>) -> Self {
        Self { inner, cipher: key.map(|key| XChaCha20Poly1305::new(&Key::from(key))) }
    }

    fn seal(&self, mut config: ProviderConfig) -> Result<ProviderConfig, StoreError> {
        let Some(cipher) = &self.cipher else { return Ok(config) };
        let clear = json::to_bytes(&Value::Object(config.config));
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(StoreError::unavailable)?;
        let nonce = XNonce::from(nonce);
        let payload = Payload { msg: &clear, aad: config.id.as_uuid().as_bytes() };
        let sealed = cipher.encrypt(&nonce, payload);
        let sealed =
            sealed.map_err(|_| StoreError::unavailable("the configuration is too large"))?;
        let text = STANDARD.encode([nonce.as_slice(), &sealed].concat());
        config.config = Map::from_iter([(SEALED.to_owned(), Value::String(text))]);
        Ok(config)
    }

    fn open(&self, mut config: ProviderConfig) -> Result<ProviderConfig, StoreError> {
        if let Some(Value::String(text)) = config.config.get(SEALED) {
            let clear = self.open_text(text, config.id).map_err(|error| {
                StoreError::corrupt(format!("provider configuration {}", config.id), error)
            })?;
            config.config = clear;
        }
        Ok(config)
    }

    fn open_text(&self, text: &str, id: ProviderConfigId) -> Result<Map<String, Value>, Unopened> {
        let cipher =
            self.cipher.as_ref().ok_or(Unopened("it is sealed, and SECRETS_KEY is not set"))?;
        let bytes = STANDARD.decode(text).map_err(|_| Unopened("it is not base64"))?;
        let (nonce, sealed) =
            bytes.split_at_checked(NONCE_BYTES).ok_or(Unopened("it is too short"))?;
        let nonce = XNonce::try_from(nonce).map_err(|_| Unopened("it is too short"))?;
        let payload = Payload { msg: sealed, aad: id.as_uuid().as_bytes() };
        let clear = cipher.decrypt(&nonce, payload);
        let clear = clear.map_err(|_| Unopened("SECRETS_KEY is not the key it was sealed with"))?;
        match json::parse_within(&clear, json::Limits::STORED) {
            Ok(Value::Object(members)) => Ok(members),
            _ => Err(Unopened("it holds no object")),
        }
    }
}

#[async_trait]
impl ProviderConfigStore for SealedConfigs {
    async fn create(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        self.inner.create(self.seal(config)?, event).await
    }

    async fn get(&self, id: ProviderConfigId) -> Result<Option<ProviderConfig>, StoreError> {
        self.inner.get(id).await?.map(|config| self.open(config)).transpose()
    }

    async fn list(&self, query: ProviderConfigQuery) -> Result<ProviderConfigPage, StoreError> {
        let ProviderConfigPage { items, has_more } = self.inner.list(query).await?;
        let items = items.into_iter().map(|config| self.open(config)).collect::<Result<_, _>>()?;
        Ok(ProviderConfigPage { items, has_more })
    }

    async fn update(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        self.inner.update(self.seal(config)?, event).await
    }

    async fn update_unused(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        self.inner.update_unused(self.seal(config)?, event).await
    }

    async fn delete_unused(
        &self,
        id: ProviderConfigId,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        self.inner.delete_unused(id, event).await
    }

    async fn delete(&self, id: ProviderConfigId, event: AuditEvent) -> Result<bool, StoreError> {
        self.inner.delete(id, event).await
    }
}

#[cfg(test)]
mod tests {
    use flowker_testkit::{MemoryStore, sample};

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn sealed(inner: &Arc<dyn ProviderConfigStore>, key: Option<[u8; 32]>) -> SealedConfigs {
        SealedConfigs::new(Arc::clone(inner), key)
    }

    #[tokio::test]
    async fn what_is_stored_is_sealed_and_opens_with_its_key_only() {
        let inner = MemoryStore::subject().stores.configs;
        let config = sample::config(1);
        sealed(&inner, Some(KEY)).create(config.clone(), sample::event()).await.expect("stored");
        let stored = inner.get(config.id).await.expect("read").expect("there");
        assert_eq!(stored.config.keys().collect::<Vec<_>>(), [SEALED]);
        let opened = sealed(&inner, Some(KEY)).get(config.id).await.expect("opened");
        assert_eq!(opened.expect("there").config, config.config);
        for key in [None, Some([8; 32])] {
            let refused = sealed(&inner, key).get(config.id).await;
            assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn one_configuration_cannot_stand_in_for_another() {
        let inner = MemoryStore::subject().stores.configs;
        let (first, second) = (sample::config(1), sample::config(2));
        sealed(&inner, Some(KEY)).create(first.clone(), sample::event()).await.expect("stored");
        let stolen = inner.get(first.id).await.expect("read").expect("there").config;
        inner
            .create(ProviderConfig { config: stolen, ..second.clone() }, sample::event())
            .await
            .expect("stored");
        assert!(sealed(&inner, Some(KEY)).get(second.id).await.is_err());
    }

    #[tokio::test]
    async fn what_was_stored_in_the_clear_is_read_and_sealed_when_it_is_written() {
        let inner = MemoryStore::subject().stores.configs;
        let config = sample::config(1);
        sealed(&inner, None).create(config.clone(), sample::event()).await.expect("stored");
        let store = sealed(&inner, Some(KEY));
        let mut read = store.get(config.id).await.expect("read").expect("there");
        assert_eq!(read.config, config.config);
        read.revision += 1;
        store.update(read, sample::event()).await.expect("stored");
        let stored = inner.get(config.id).await.expect("read").expect("there");
        assert!(stored.config.contains_key(SEALED));
    }
}
