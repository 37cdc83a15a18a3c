//! Tokens of one issuer, checked with the keys that it publishes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use flowker_core::json;
use flowker_core::ports::{Bearer, Clock, SuccessCodes, TokenError, TokenVerifier};
use http::Method;
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;

use super::jwk::{KeySet, SigningAlgorithm};
use super::jwt::{Expected, Token};
use super::{AskError, host, request};
use crate::client::HttpClient;

/// How long keys are used before they are read again. So long a key that the issuer withdrew may
/// still be believed.
const FRESH: Duration = Duration::from_mins(5);

/// How long keys are used when they cannot be read again.
const STALE_MAX: Duration = Duration::from_hours(24);

/// How long after an attempt to read keys the next one may be made. Whoever makes up names of keys
/// costs the issuer no more than this.
const PAUSE: Duration = Duration::from_secs(10);

/// By how much the issuer's clock may differ from ours.
const SKEW: Duration = Duration::from_mins(1);

/// Which tokens count.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// As it calls itself, byte for byte. Its discovery document is below it.
    pub issuer: String,
    /// Where its keys are; `None`: where its discovery document says.
    pub jwks_url: Option<Url>,
    /// For whom tokens must be: one of these. None means that no token counts.
    pub audiences: Vec<String>,
    /// How they may be signed.
    pub algorithms: Vec<SigningAlgorithm>,
}

/// Checks tokens of one issuer. Keys are read when they are first needed, kept, and read again when
/// they are old or a token names one that is not there.
#[derive(Debug)]
pub struct IssuerTokens {
    client: Arc<HttpClient>,
    settings: TokenSettings,
    clock: Arc<dyn Clock>,
    cache: Mutex<Cache>,
    /// Whoever reads keys; the others wait and use what comes of it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Cache {
    keys: Option<(Arc<KeySet>, Instant)>,
    tried_at: Option<Instant>,
}

/// The keys were asked for in vain a moment ago.
#[derive(Debug, thiserror::Error)]
#[error("they could not be read a moment ago either")]
struct Paused;

impl IssuerTokens {
    /// Tokens as `settings` say. Nothing is read yet.
    pub fn new(client: Arc<HttpClient>, settings: TokenSettings, clock: Arc<dyn Clock>) -> Self {
        let (cache, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { client, settings, clock, cache, turn }
    }

    /// The keys, as fresh as they have to be for this token.
    async fn keys_for(&self, token: &Token<'_>) -> Result<Arc<KeySet>, TokenError> {
        if let Some(keys) = self.good_enough(token) {
            return Ok(keys);
        }
        let _turn = self.turn.lock().await;
        if let Some(keys) = self.good_enough(token) {
            return Ok(keys);
        }
        let cache = self.cache();
        let usable = cache.keys.filter(|(_, read_at)| read_at.elapsed() < STALE_MAX);
        let usable = usable.map(|(keys, _)| keys);
        let read = if cache.tried_at.is_some_and(|at| at.elapsed() < PAUSE) {
            Err(Paused.into())
        } else {
            self.update(|cache| cache.tried_at = Some(Instant::now()));
            self.read_keys().await.map_err(flowker_core::refusal::BoxError::from)
        };
        match (read, usable) {
            (Ok(keys), _) => {
                let keys = Arc::new(keys);
                let kept = Arc::clone(&keys);
                self.update(|cache| cache.keys = Some((kept, Instant::now())));
                Ok(keys)
            }
            (Err(source), Some(keys)) => {
                if !source.is::<Paused>() {
                    let error = source.to_string();
                    tracing::warn!(error, "the issuer's keys cannot be read again, old ones stay");
                }
                Ok(keys)
            }
            (Err(source), None) => Err(TokenError::Unavailable { source }),
        }
    }

    /// The keys that are there, if they are fresh and one of them is meant.
    fn good_enough(&self, token: &Token<'_>) -> Option<Arc<KeySet>> {
        let (keys, read_at) = self.cache().keys?;
        (read_at.elapsed() < FRESH && token.has_candidate(&keys)).then_some(keys)
    }

    fn cache(&self) -> Cache {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut Cache)) {
        change(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn read_keys(&self) -> Result<KeySet, AskError> {
        let url = match &self.settings.jwks_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let document = self.get(&url).await?;
        KeySet::read(&document).map_err(|reason| AskError::Answer { host: host(&url), reason })
    }

    /// Where the discovery document says that the keys are.
    async fn discover(&self) -> Result<Url, AskError> {
        let issuer = &self.settings.issuer;
        let base = issuer.trim_end_matches('/');
        let fault = |reason| AskError::Answer { host: base.to_owned(), reason };
        let url = Url::parse(&format!("{base}/.well-known/openid-configuration"));
        let url = url.map_err(|_| fault("the issuer is no URL"))?;
        let document = self.get(&url).await?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        // Who may speak for one issuer must not be able to speak for another.
        if text("issuer") != Some(issuer) {
            return Err(fault("its discovery document is that of another issuer"));
        }
        let keys = text("jwks_uri").and_then(|text| Url::parse(text).ok());
        let keys = keys.ok_or_else(|| fault("its discovery document names no jwks_uri"))?;
        if url.scheme() == "https" && keys.scheme() != "https" {
            return Err(fault("its jwks_uri is not https"));
        }
        Ok(keys)
    }

    async fn get(&self, url: &Url) -> Result<Map<String, Value>, AskError> {
        let request = request(Method::GET, url.clone(), None, SuccessCodes::These([200].into()));
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|source| AskError::Send { host: host(url), source })?;
        match json::parse(&answer.body) {
            Ok(Value::Object(members)) => Ok(members),
            _ => Err(AskError::Answer { host: host(url), reason: "it is no JSON object" }),
        }
    }
}

#[async_trait]
impl TokenVerifier for IssuerTokens {
    async fn verify(&self, token: &str) -> Result<Bearer, TokenError> {
        let invalid = |reason| TokenError::Invalid { reason };
        let token = Token::read(token, &self.settings.algorithms).map_err(invalid)?;
        let keys = self.keys_for(&token).await?;
        if !token.is_signed(&keys) {
            return Err(invalid("no key of the issuer has signed it"));
        }
        let expected = Expected {
            issuer: &self.settings.issuer,
            audiences: &self.settings.audiences,
            now: self.clock.now(),
            skew: SKEW,
        };
        token.claims().and_then(|claims| claims.bearer(&expected)).map_err(invalid)
    }
}
