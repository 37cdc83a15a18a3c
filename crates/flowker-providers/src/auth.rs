//! Credentials: which ones a provider configuration asks for, and where they go.

mod oidc;
mod tokens;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowker_core::ports::{CallFailure, FailureKind};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use self::oidc::SignIn;
pub(crate) use self::tokens::Tokens;
use crate::caller::{header_value, text};
use crate::client::{Deadline, HttpClient, Outgoing};

/// How a provider wants to be shown who calls. Never printed.
pub(crate) enum Auth {
    /// With what is known already, if with anything.
    Known(Credentials),
    /// With an access token that has to be got first.
    SignIn(Arc<SignIn>),
}

/// What is added to a request to show who calls. Never printed.
pub(crate) enum Credentials {
    None,
    Header {
        name: HeaderName,
        value: HeaderValue,
    },
    Query {
        name: String,
        value: String,
    },
    /// A URL that is signed, in place of the one that is not.
    Url(Url),
    /// An access token, and whether it had been kept from an earlier call.
    Token {
        sign_in: Arc<SignIn>,
        value: HeaderValue,
        is_kept: bool,
    },
}

/// Why a provider configuration gives no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthError {
    #[error(
        "the provider configuration's auth_type is none of none, api_key, bearer, basic, oidc_client_credentials and oidc_user"
    )]
    Type,
    #[error("the provider configuration has no {member}, which its auth_type needs")]
    Missing { member: &'static str },
    #[error("the provider configuration's {member} is not valid: {wanted}")]
    Invalid { member: &'static str, wanted: &'static str },
}

impl From<AuthError> for CallFailure {
    fn from(error: AuthError) -> Self {
        Self::new(FailureKind::Permanent, error.to_string())
    }
}

impl Auth {
    /// Reads what the configuration's `auth_type` asks for, from the members beside it.
    pub(crate) fn read(config: &Map<String, Value>) -> Result<Self, AuthError> {
        let auth_type = match config.get("auth_type") {
            None | Some(Value::Null) => "none",
            Some(Value::String(text)) => text,
            Some(_) => return Err(AuthError::Type),
        };
        Ok(match auth_type {
            "" | "none" => Self::Known(Credentials::None),
            "api_key" => Self::Known(api_key(config)?),
            "bearer" => {
                let token = required(config, "bearer_token")?;
                Self::Known(authorization("bearer_token", &format!("Bearer {token}"))?)
            }
            "basic" => {
                let username = required(config, "username")?;
                let password = required(config, "password")?;
                let encoded = STANDARD.encode(format!("{username}:{password}"));
                Self::Known(authorization("username", &format!("Basic {encoded}"))?)
            }
            "oidc_client_credentials" => {
                Self::SignIn(Arc::new(SignIn::client_credentials(config)?))
            }
            "oidc_user" => Self::SignIn(Arc::new(SignIn::user(config)?)),
            _ => return Err(AuthError::Type),
        })
    }

    /// The credentials, signing in for them if need be.
    pub(crate) async fn credentials(
        self,
        client: &HttpClient,
        tokens: &Tokens,
        deadline: Deadline,
    ) -> Result<Credentials, CallFailure> {
        match self {
            Self::Known(credentials) => Ok(credentials),
            Self::SignIn(sign_in) => tokens.get(client, sign_in, deadline).await,
        }
    }
}

impl Credentials {
    /// Puts them in, in place of what may be there.
    pub(crate) fn add_to(&self, request: &mut Outgoing) {
        match self {
            Self::None => {}
            Self::Header { name, value } => {
                request.headers.insert(name, value.clone());
            }
            Self::Query { name, value } => {
                request.url.query_pairs_mut().append_pair(name, value);
            }
            Self::Url(signed) => request.url = signed.clone(),
            Self::Token { value, .. } => {
                request.headers.insert(AUTHORIZATION, value.clone());
            }
        }
    }
}

fn api_key(config: &Map<String, Value>) -> Result<Credentials, AuthError> {
    let key = required(config, "api_key")?;
    let prefix = text(config, "prefix").unwrap_or_default();
    let value = format!("{prefix}{key}");
    match text(config, "location").unwrap_or("header") {
        "header" => {
            let name = text(config, "header_name").unwrap_or("X-API-Key");
            let name = name.parse().map_err(|_| AuthError::Invalid {
                member: "header_name",
                wanted: "it must be the name of a header",
            })?;
            Ok(Credentials::Header { name, value: secret("api_key", &value)? })
        }
        "query" => {
            let name = text(config, "query_param_name").unwrap_or("api_key").to_owned();
            Ok(Credentials::Query { name, value })
        }
        _ => Err(AuthError::Invalid { member: "location", wanted: "it must be header or query" }),
    }
}

fn authorization(member: &'static str, value: &str) -> Result<Credentials, AuthError> {
    Ok(Credentials::Header { name: AUTHORIZATION, value: secret(member, value)? })
}

/// A header value that is neither printed nor kept in HTTP/2's table of headers.
fn secret(member: &'static str, value: &str) -> Result<HeaderValue, AuthError> {
    let wanted = "it must hold nothing but printable ASCII characters";
    let mut value =
        header_value(member, value).map_err(|_| AuthError::Invalid { member, wanted })?;
    value.set_sensitive(true);
    Ok(value)
}

fn required<'a>(
    config: &'a Map<String, Value>,
    member: &'static str,
) -> Result<&'a str, AuthError> {
    text(config, member).ok_or(AuthError::Missing { member })
}

#[cfg(test)]
mod tests;
