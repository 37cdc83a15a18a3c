//! Access tokens, kept until shortly before they expire.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowker_core::ports::CallFailure;
use http::HeaderValue;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::Credentials;
use super::oidc::{Granted, SignIn, SignInError};
use crate::client::{Deadline, HttpClient};

/// How many sign-ins are kept. The one that was not used for the longest time makes room.
const SIGN_INS_MAX: usize = 256;

/// How long a token endpoint is taken from one discovery document.
const DISCOVERY_KEPT: Duration = Duration::from_hours(1);

/// How long a token may be kept at the most. An issuer that names a longer time means for ever.
const TOKEN_KEPT_MAX: Duration = Duration::from_hours(24);

/// Keeps tokens by everything that decides which token is got.
#[derive(Default)]
pub(crate) struct Tokens {
    kept: Mutex<HashMap<Arc<SignIn>, Kept>>,
}

struct Kept {
    session: Arc<Session>,
    used_at: Instant,
}

/// What is known of one sign-in.
#[derive(Default)]
struct Session {
    /// The token, and until when it is used.
    token: Mutex<Option<(HeaderValue, Instant)>>,
    /// Who signs in holds it; the others wait for it.
    desk: tokio::sync::Mutex<Desk>,
    /// How often someone has signed in, or has been refused.
    n_outcomes: AtomicU64,
}

/// What it takes to sign in again.
#[derive(Default)]
struct Desk {
    endpoint: Option<(Url, Instant)>,
    refresh_token: Option<String>,
    last_outcome: Option<Result<HeaderValue, SignInError>>,
}

impl Tokens {
    /// A token, kept or new. Of all who need a new one at the same time, one signs in.
    pub(super) async fn get(
        &self,
        client: &HttpClient,
        sign_in: Arc<SignIn>,
        deadline: Deadline,
    ) -> Result<Credentials, CallFailure> {
        if !sign_in.cache.is_enabled {
            let granted = Desk::default().sign_in(client, &sign_in, deadline).await?;
            return Ok(Credentials::Token { sign_in, value: granted.value, is_kept: false });
        }
        let session = self.session(&sign_in);
        if let Some(value) = session.token() {
            return Ok(Credentials::Token { sign_in, value, is_kept: true });
        }
        let value = session.new_token(client, &sign_in, deadline).await?;
        Ok(Credentials::Token { sign_in, value, is_kept: false })
    }

    /// Forgets a token that was refused. Whether it was one that had been kept, so that a new one
    /// may fare better.
    pub(crate) fn forget(&self, credentials: &Credentials) -> bool {
        let Credentials::Token { sign_in, value, is_kept } = credentials else { return false };
        if sign_in.cache.is_enabled {
            self.session(sign_in).forget(value);
        }
        *is_kept
    }

    fn session(&self, sign_in: &Arc<SignIn>) -> Arc<Session> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let used_at = Instant::now();
        if let Some(found) = kept.get_mut(sign_in) {
            found.used_at = used_at;
            return Arc::clone(&found.session);
        }
        if SIGN_INS_MAX <= kept.len() {
            let oldest = kept.iter().min_by_key(|(_, it)| it.used_at);
            if let Some(oldest) = oldest.map(|(sign_in, _)| Arc::clone(sign_in)) {
                kept.remove(&oldest);
            }
        }
        let session = Arc::new(Session::default());
        kept.insert(Arc::clone(sign_in), Kept { session: Arc::clone(&session), used_at });
        session
    }
}

impl Session {
    fn token(&self) -> Option<HeaderValue> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, until) = token.as_ref()?;
        (Instant::now() < *until).then(|| value.clone())
    }

    fn forget(&self, refused: &HeaderValue) {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.take_if(|(value, _)| value == refused);
    }

    /// Signs in, or waits for who is signing in already and takes their outcome.
    async fn new_token(
        &self,
        client: &HttpClient,
        sign_in: &SignIn,
        deadline: Deadline,
    ) -> Result<HeaderValue, SignInError> {
        let n_outcomes_before = self.n_outcomes.load(Ordering::Acquire);
        let desk = timeout_at(deadline.at(), self.desk.lock()).await;
        let mut desk = desk.map_err(|_| SignInError::Waited)?;
        if n_outcomes_before != self.n_outcomes.load(Ordering::Acquire)
            && let Some(outcome) = &desk.last_outcome
        {
            return outcome.clone();
        }
        let outcome = match desk.sign_in(client, sign_in, deadline).await {
            Ok(granted) => Ok(self.keep(&mut desk, sign_in, granted)),
            // Whoever waits has time of their own, and may be luckier.
            Err(error) if error.is_timeout() => return Err(error),
            Err(error) => Err(error),
        };
        desk.last_outcome = Some(outcome.clone());
        self.n_outcomes.fetch_add(1, Ordering::Release);
        outcome
    }

    /// Keeps what was granted for as long as the sign-in allows.
    fn keep(&self, desk: &mut Desk, sign_in: &SignIn, granted: Granted) -> HeaderValue {
        let margin = sign_in.cache.refresh_before_expiry;
        let token = granted.expires_in.map(|expires_in| {
            let kept = expires_in.saturating_sub(margin).min(TOKEN_KEPT_MAX);
            (granted.value.clone(), Instant::now() + kept)
        });
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        desk.refresh_token = granted.refresh_token.filter(|_| sign_in.cache.uses_refresh_token);
        granted.value
    }
}

impl Desk {
    async fn sign_in(
        &mut self,
        client: &HttpClient,
        sign_in: &SignIn,
        deadline: Deadline,
    ) -> Result<Granted, SignInError> {
        let endpoint = match &self.endpoint {
            Some((endpoint, until)) if Instant::now() < *until => endpoint.clone(),
            _ => {
                let endpoint = sign_in.token_endpoint(client, deadline).await?;
                self.endpoint = Some((endpoint.clone(), Instant::now() + DISCOVERY_KEPT));
                endpoint
            }
        };
        let refresh_token = self.refresh_token.as_deref();
        sign_in.get_token(client, &endpoint, refresh_token, deadline).await
    }
}

impl fmt::Debug for Tokens {
    /// Counts, and shows nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Tokens").field("n_kept", &n_kept).finish()
    }
}
