//! Secrets that a process makes for itself, and shares with others on the same store.

use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flowker_core::access::{ApiKeyTable, KeyDigest};
use flowker_core::ports::{ApiKeyStore, Secrets as _, SharedValues};
use flowker_core::service::KEY_PREFIX;
use secrecy::ExposeSecret as _;

use crate::config::Config;
use crate::system::SystemSecrets;

/// Under which names values are shared.
const FIRST_API_KEY: &str = "first_api_key_sha256";
const CURSOR_KEY: &str = "cursor_key";

/// The keys that callers may send: those of the store, and the configured ones. Without configured
/// ones, a key is made at the first start; its text is printed once and its digest kept.
pub async fn api_keys(
    config: &Config,
    store: Arc<dyn ApiKeyStore>,
    shared: &dyn SharedValues,
) -> anyhow::Result<Option<Arc<ApiKeyTable>>> {
    let Some(configured) = &config.api_keys else { return Ok(None) };
    let digest = |key: &secrecy::SecretString| KeyDigest::of(key.expose_secret().as_bytes());
    let digests = if configured.is_empty() {
        vec![first_key(shared).await?]
    } else {
        configured.iter().map(digest).collect()
    };
    Ok(Some(Arc::new(ApiKeyTable::new(store, digests))))
}

async fn first_key(shared: &dyn SharedValues) -> anyhow::Result<KeyDigest> {
    let kept = match shared.read(FIRST_API_KEY).await? {
        Some(kept) => kept,
        None => make_first_key(shared).await?,
    };
    let bytes = <[u8; 32]>::try_from(kept.as_slice()).context("the stored API key is damaged")?;
    Ok(KeyDigest::from_bytes(bytes))
}

async fn make_first_key(shared: &dyn SharedValues) -> anyhow::Result<Vec<u8>> {
    let key = format!("{KEY_PREFIX}{}", random_text()?);
    let digest = KeyDigest::of(key.as_bytes()).as_bytes().to_vec();
    let kept = shared.keep(FIRST_API_KEY, digest.clone()).await?;
    // Of several processes that start together, only the one whose key was kept shows it.
    if kept == digest {
        println!("flowker made an API key. It is shown this once, and only its digest is kept:");
        println!("{key}");
    }
    Ok(kept)
}

/// What page cursors are signed with: made once, the same after every restart.
pub async fn cursor_key(shared: &dyn SharedValues) -> anyhow::Result<[u8; 32]> {
    let kept = match shared.read(CURSOR_KEY).await? {
        Some(kept) => kept,
        None => shared.keep(CURSOR_KEY, random()?.to_vec()).await?,
    };
    <[u8; 32]>::try_from(kept.as_slice()).context("the stored cursor key is damaged")
}

/// A text that nobody can guess.
pub fn random_text() -> anyhow::Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random()?))
}

fn random() -> anyhow::Result<[u8; 32]> {
    SystemSecrets.next_secret().map_err(|error| anyhow::anyhow!("no randomness: {error}"))
}
