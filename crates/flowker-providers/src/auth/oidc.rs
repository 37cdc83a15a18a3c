//! Signing in with `OpenID` Connect: discovery, and requests for access tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flowker_core::json;
use flowker_core::ports::{CallFailure, FailureKind, SuccessCodes};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::{AuthError, required, secret};
use crate::caller::text;
use crate::client::{Deadline, HttpClient, Outgoing, SendError};

/// Everything that decides which token is got. Holds secrets, and is equal to another only if those
/// are too: a configuration with a wrong secret never finds a token that a right one has got.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct SignIn {
    grant: Grant,
    endpoint: Endpoint,
    client_id: String,
    client_secret: Option<String>,
    secret_place: SecretPlace,
    scopes: Vec<String>,
    audience: Option<String>,
    extra_params: Vec<(String, String)>,
    pub(super) cache: CachePolicy,
}

#[derive(PartialEq, Eq, Hash)]
enum Grant {
    ClientCredentials,
    Password { username: String, password: String },
}

/// Where tokens are got.
#[derive(PartialEq, Eq, Hash)]
enum Endpoint {
    /// Where its discovery document says.
    Issuer(Url),
    Token(Url),
}

/// Where the client's secret goes in a token request.
#[derive(PartialEq, Eq, Hash)]
enum SecretPlace {
    BasicHeader,
    Form,
}

/// What is kept of a sign-in.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct CachePolicy {
    pub(super) is_enabled: bool,
    pub(super) refresh_before_expiry: Duration,
    pub(super) uses_refresh_token: bool,
}

/// What a token request gives.
pub(super) struct Granted {
    /// What goes into `Authorization`.
    pub(super) value: HeaderValue,
    pub(super) expires_in: Option<Duration>,
    pub(super) refresh_token: Option<String>,
}

/// Why there is no token.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum SignInError {
    #[error("signing in at {host} failed")]
    Send {
        host: String,
        #[source]
        source: SendError,
    },
    #[error("signing in at {host} failed: {reason}")]
    Answer { host: String, reason: &'static str },
    #[error("signing in failed: another call's sign-in took too long")]
    Waited,
}

impl SignInError {
    /// Whether it says more about who waited than about the issuer.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::Waited | Self::Send { source: SendError::TimedOut { .. }, .. })
    }

    /// Whether the issuer has looked at the request and does not want it.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Send { source: SendError::Status { status, .. }, .. }
            if status.is_client_error())
    }
}

impl From<SignInError> for CallFailure {
    fn from(error: SignInError) -> Self {
        let message = error.to_string();
        match error {
            SignInError::Send { source, .. } => {
                let failure = Self::from(source);
                let message = format!("{message}: {}", failure.message);
                // The call itself was not sent, so there is nothing to be unsure of.
                let kind = match failure.kind {
                    FailureKind::Permanent => FailureKind::Permanent,
                    FailureKind::Transient | FailureKind::Unknown => FailureKind::Transient,
                };
                Self { kind, message, ..failure }
            }
            SignInError::Answer { .. } => Self::new(FailureKind::Permanent, message),
            SignInError::Waited => Self::new(FailureKind::Transient, message),
        }
    }
}

impl SignIn {
    /// For a service that acts for itself.
    pub(super) fn client_credentials(config: &Map<String, Value>) -> Result<Self, AuthError> {
        let client_secret = Some(required(config, "client_secret")?.to_owned());
        Self::read(config, Grant::ClientCredentials, client_secret, &[])
    }

    /// For a service that acts for a user whose password it has.
    pub(super) fn user(config: &Map<String, Value>) -> Result<Self, AuthError> {
        let username = required(config, "username")?.to_owned();
        let password = required(config, "password")?.to_owned();
        let client_secret = text(config, "client_secret").map(str::to_owned);
        Self::read(config, Grant::Password { username, password }, client_secret, &["openid"])
    }

    fn read(
        config: &Map<String, Value>,
        grant: Grant,
        client_secret: Option<String>,
        default_scopes: &[&str],
    ) -> Result<Self, AuthError> {
        let secret_place = match (&grant, text(config, "token_endpoint_auth_method")) {
            (Grant::Password { .. }, _) | (_, Some("client_secret_post")) => SecretPlace::Form,
            (_, None | Some("client_secret_basic")) => SecretPlace::BasicHeader,
            (_, Some(_)) => {
                return Err(AuthError::Invalid {
                    member: "token_endpoint_auth_method",
                    wanted: "it must be client_secret_basic or client_secret_post",
                });
            }
        };
        Ok(Self {
            endpoint: Endpoint::read(config)?,
            client_id: required(config, "client_id")?.to_owned(),
            client_secret,
            secret_place,
            scopes: scopes(config, default_scopes),
            audience: text(config, "audience").map(str::to_owned),
            extra_params: extra_params(config),
            cache: CachePolicy::read(config, &grant),
            grant,
        })
    }

    /// Where to ask for tokens, from the issuer's discovery document if need be.
    pub(super) async fn token_endpoint(
        &self,
        client: &HttpClient,
        deadline: Deadline,
    ) -> Result<Url, SignInError> {
        let issuer = match &self.endpoint {
            Endpoint::Token(url) => return Ok(url.clone()),
            Endpoint::Issuer(issuer) => issuer,
        };
        let fault = |reason| SignInError::Answer { host: host(issuer), reason };
        let document =
            self.ask(client, request(issuer.clone(), Method::GET, None, deadline)).await?;
        let endpoint = document.get("token_endpoint").and_then(Value::as_str);
        let endpoint = endpoint.and_then(|text| Url::parse(text).ok());
        let endpoint =
            endpoint.ok_or_else(|| fault("its discovery document names no token_endpoint"))?;
        if issuer.scheme() == "https" && endpoint.scheme() != "https" {
            return Err(fault("its token_endpoint is not https"));
        }
        Ok(endpoint)
    }

    /// Gets a token, with the refresh token of an earlier one if that is still good.
    pub(super) async fn get_token(
        &self,
        client: &HttpClient,
        endpoint: &Url,
        refresh_token: Option<&str>,
        deadline: Deadline,
    ) -> Result<Granted, SignInError> {
        if let Some(refresh_token) = refresh_token {
            let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
            match self.request_token(client, endpoint, &grant, deadline).await {
                Err(error) if error.is_refusal() => {}
                Err(error) => return Err(error),
                Ok(mut granted) => {
                    // An issuer that sends no new one means the old one to be used on.
                    granted.refresh_token.get_or_insert_with(|| refresh_token.to_owned());
                    return Ok(granted);
                }
            }
        }
        let grant = match &self.grant {
            Grant::ClientCredentials => vec![("grant_type", "client_credentials")],
            Grant::Password { username, password } => {
                vec![("grant_type", "password"), ("username", username), ("password", password)]
            }
        };
        self.request_token(client, endpoint, &grant, deadline).await
    }

    async fn request_token(
        &self,
        client: &HttpClient,
        endpoint: &Url,
        grant: &[(&str, &str)],
        deadline: Deadline,
    ) -> Result<Granted, SignInError> {
        let body = Bytes::from(self.form(grant));
        let mut request = request(endpoint.clone(), Method::POST, Some(body), deadline);
        if self.secret_place == SecretPlace::BasicHeader {
            request.headers.insert(AUTHORIZATION, self.basic_header());
        }
        let answer = self.ask(client, request).await?;
        granted(&answer).map_err(|reason| SignInError::Answer { host: host(endpoint), reason })
    }

    fn form(&self, grant: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(grant);
        if !self.scopes.is_empty() {
            form.append_pair("scope", &self.scopes.join(" "));
        }
        if let Some(audience) = &self.audience {
            form.append_pair("audience", audience);
        }
        form.extend_pairs(&self.extra_params);
        if self.secret_place == SecretPlace::Form {
            form.append_pair("client_id", &self.client_id);
            form.extend_pairs(self.client_secret.iter().map(|secret| ("client_secret", secret)));
        }
        form.finish()
    }

    /// RFC 6749 wants both parts form-encoded first, which also makes any text fit a header.
    fn basic_header(&self) -> HeaderValue {
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let client_secret = self.client_secret.as_deref().unwrap_or_default();
        let pair = format!("{}:{}", encode(&self.client_id), encode(client_secret));
        let value = format!("Basic {}", STANDARD.encode(pair));
        let mut value = HeaderValue::try_from(value).expect("base64 is ASCII");
        value.set_sensitive(true);
        value
    }

    async fn ask(
        &self,
        client: &HttpClient,
        request: Outgoing,
    ) -> Result<Map<String, Value>, SignInError> {
        let host = host(&request.url);
        match client.send(request).await {
            Ok(answer) => match json::parse(&answer.body) {
                Ok(Value::Object(members)) => Ok(members),
                _ => Err(SignInError::Answer { host, reason: "its answer is no JSON object" }),
            },
            Err(source) => Err(SignInError::Send { host, source }),
        }
    }
}

impl Endpoint {
    fn read(config: &Map<String, Value>) -> Result<Self, AuthError> {
        let url = |member, text: &str| {
            let invalid = AuthError::Invalid { member, wanted: "it must be a URL" };
            Url::parse(text).map_err(|_| invalid)
        };
        if let Some(token_url) = text(config, "token_url") {
            return url("token_url", token_url).map(Self::Token);
        }
        let issuer = required(config, "issuer_url")?.trim_end_matches('/');
        url("issuer_url", &format!("{issuer}/.well-known/openid-configuration")).map(Self::Issuer)
    }
}

impl CachePolicy {
    /// What is kept unless the configuration says otherwise. An empty `cache` turns all of it off.
    fn read(config: &Map<String, Value>, grant: &Grant) -> Self {
        let cache = config.get("cache").and_then(Value::as_object);
        let is_off = cache.is_some_and(Map::is_empty);
        let member = |name: &str| cache.and_then(|cache| cache.get(name));
        let flag = |name: &str| member(name).and_then(Value::as_bool).unwrap_or(!is_off);
        let seconds = member("refresh_before_expiry_seconds").and_then(Value::as_u64);
        Self {
            is_enabled: flag("enabled"),
            refresh_before_expiry: Duration::from_secs(seconds.unwrap_or(60)),
            // A service has its own secret at hand, and needs nothing to stand for it.
            uses_refresh_token: matches!(grant, Grant::Password { .. })
                && flag("use_refresh_token"),
        }
    }
}

/// `scopes` as a list, or as one text with blanks between them.
fn scopes(config: &Map<String, Value>, default: &[&str]) -> Vec<String> {
    match config.get("scopes") {
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        _ => default.iter().map(|&scope| scope.to_owned()).collect(),
    }
}

fn extra_params(config: &Map<String, Value>) -> Vec<(String, String)> {
    let members = config.get("extra_params").and_then(Value::as_object);
    let texts = members.into_iter().flatten();
    texts.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// A request of the sign-in. What it carries in its body is as secret as a header, so a redirect
/// of it is followed only if it carries none.
fn request(url: Url, method: Method, body: Option<Bytes>, deadline: Deadline) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if body.is_some() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
    }
    let follows_redirects = body.is_none();
    let success = SuccessCodes::These([200].into());
    Outgoing { method, url, headers, body, follows_redirects, success, deadline }
}

fn granted(answer: &Map<String, Value>) -> Result<Granted, &'static str> {
    let token = text(answer, "access_token").ok_or("its answer has no access_token")?;
    let token_type = match text(answer, "token_type") {
        None => "Bearer",
        // Resource servers exist that know the word in this spelling only.
        Some(word) if word.eq_ignore_ascii_case("bearer") => "Bearer",
        Some(other) => other,
    };
    let value = secret("access_token", &format!("{token_type} {token}"))
        .map_err(|_| "its access_token does not fit a header")?;
    let expires_in = answer.get("expires_in").and_then(|value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    });
    Ok(Granted {
        value,
        expires_in: expires_in.map(Duration::from_secs),
        refresh_token: text(answer, "refresh_token").map(str::to_owned),
    })
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}
