//! Secrets that a process makes for itself, and shares with others on the same store.

use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flowker_core::ports::SharedValues;
use flowker_http::ApiKeys;
use secrecy::ExposeSecret as _;

use crate::config::Config;

/// Under which names values are shared.
const FIRST_API_KEY: &str = "first_api_key_sha256";
const CURSOR_KEY: &str = "cursor_key";

/// The keys that callers may send. Without configured ones, a key is made at the first start; its
/// text is printed once and its digest kept.
pub async fn api_keys(
    config: &Config,
    shared: &dyn SharedValues,
) -> anyhow::Result<Option<Arc<ApiKeys>>> {
    let Some(configured) = &config.api_keys else { return Ok(None) };
    if !configured.is_empty() {
        let digests = configured.iter().map(|key| ApiKeys::digest(key.expose_secret().as_bytes()));
        return Ok(Some(Arc::new(ApiKeys::new(digests))));
    }
    let digest = match shared.read(FIRST_API_KEY).await? {
        Some(digest) => digest,
        None => make_first_key(shared).await?,
    };
    let digest =
        <[u8; 32]>::try_from(digest.as_slice()).context("the stored API key is damaged")?;
    Ok(Some(Arc::new(ApiKeys::new([digest]))))
}

async fn make_first_key(shared: &dyn SharedValues) -> anyhow::Result<Vec<u8>> {
    let key = format!("flk_{}", URL_SAFE_NO_PAD.encode(random()?));
    let digest = ApiKeys::digest(key.as_bytes()).to_vec();
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
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}
