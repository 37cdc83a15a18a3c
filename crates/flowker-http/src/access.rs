//! Who is let in, and to what: by key, by a signed token, or by the access manager's word.

mod manager;

use std::net::IpAddr;
use std::sync::Arc;

use flowker_core::access::{ANONYMOUS, ApiKeyTable, Scope, Scopes};
use flowker_core::actor::{Actor, ActorKind};
use flowker_core::code::Code;
use flowker_core::ports::{Authorizer, TokenError, TokenVerifier};
use flowker_core::refusal::Refusal;
use flowker_core::time::Timestamp;
use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::error::Failure;
use crate::extract;
use crate::route::Endpoint;

use manager::ManagedToken;
pub(crate) use manager::{Denial, PLAIN};

const CHALLENGE_KEY: &str = "ApiKey header=\"X-API-Key\"";
const CHALLENGE_TOKEN: &str = "Bearer";
const CHALLENGE_EITHER: &str = "Bearer, ApiKey header=\"X-API-Key\"";

/// When a caller may come back that could not be checked.
const RETRY_SOON: std::time::Duration = std::time::Duration::from_secs(5);

/// What the door asks of its callers. Without anything every route is open.
///
/// | keys | manager or tokens | management asks for | webhooks ask for |
/// | --- | --- | --- | --- |
/// | no | no | nothing | nothing |
/// | yes | no | a key | a key |
/// | no | manager | the manager's word | the manager's word |
/// | yes | manager | the manager's word | a key |
/// | no | tokens | a token | a token |
/// | yes | tokens | a token or a key | a key |
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Keys that callers may present.
    pub keys: Option<Arc<ApiKeyTable>>,
    /// Checks tokens that an identity provider signed. Plays no part beside a manager.
    pub tokens: Option<Arc<dyn TokenVerifier>>,
    /// Decides about each request.
    pub manager: Option<Arc<dyn Authorizer>>,
}

/// Who calls.
#[derive(Debug)]
pub(crate) struct Caller {
    /// For the record.
    pub actor: Actor,
    rights: Rights,
}

#[derive(Debug)]
enum Rights {
    /// Known.
    Scoped(Scopes),
    /// To be asked for.
    Managed(ManagedToken),
}

impl Caller {
    fn new(kind: ActorKind, id: impl Into<String>, ip: IpAddr, rights: Rights) -> Self {
        Self { actor: Actor { kind, id: id.into(), ip }, rights }
    }

    /// Somebody of whom nothing is asked.
    pub(crate) fn anonymous(ip: IpAddr) -> Self {
        Self::new(ActorKind::ApiKey, ANONYMOUS, ip, Rights::Scoped(Scopes::ALL))
    }
}

/// What is known of a request before its route is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    pub headers: &'a HeaderMap,
    pub is_webhook: bool,
    pub ip: IpAddr,
    pub now: Timestamp,
}

impl Access {
    /// Finds out who calls. What is wrong with the credentials is nobody's business: one answer
    /// for all.
    pub(crate) async fn identify(&self, presented: Presented<'_>) -> Result<Caller, Failure> {
        let Presented { headers, is_webhook, ip, .. } = presented;
        match (&self.keys, &self.manager, &self.tokens) {
            (Some(keys), _, _) if is_webhook => by_key(keys, presented, CHALLENGE_KEY),
            (_, Some(_), _) => {
                let token = ManagedToken::read(headers)?;
                let subject = token.subject().to_owned();
                Ok(Caller::new(ActorKind::User, subject, ip, Rights::Managed(token)))
            }
            (Some(keys), None, Some(_)) if headers.contains_key(extract::API_KEY) => {
                by_key(keys, presented, CHALLENGE_EITHER)
            }
            (keys, None, Some(tokens)) => {
                let challenge = if keys.is_some() { CHALLENGE_EITHER } else { CHALLENGE_TOKEN };
                by_token(tokens.as_ref(), presented, challenge).await
            }
            (Some(keys), None, None) => by_key(keys, presented, CHALLENGE_KEY),
            (None, None, None) => Ok(Caller::anonymous(ip)),
        }
    }

    /// Finds out whether a caller may do what a route does.
    pub(crate) async fn permit(
        &self,
        caller: &Caller,
        method: &Method,
        endpoint: Endpoint,
    ) -> Result<(), Failure> {
        match (&caller.rights, &self.manager) {
            (Rights::Scoped(scopes), _) => {
                let needed = needed_scope(method, endpoint);
                if scopes.allow(needed) {
                    return Ok(());
                }
                let message = format!("This needs the scope {}.", needed.as_str());
                Err(Refusal::new(Code::Forbidden, message).into())
            }
            (Rights::Managed(token), Some(manager)) => {
                Ok(token.ask(manager.as_ref(), endpoint).await?)
            }
            // Nobody to ask: nobody is let in.
            (Rights::Managed(_), None) => Err(Denial::Denied.into()),
        }
    }
}

fn needed_scope(method: &Method, endpoint: Endpoint) -> Scope {
    match (endpoint, method) {
        (Endpoint::Webhook, _) => Scope::Trigger,
        (_, &Method::GET | &Method::HEAD) => Scope::Read,
        _ => Scope::Manage,
    }
}

fn by_key(
    keys: &ApiKeyTable,
    presented: Presented<'_>,
    challenge: &'static str,
) -> Result<Caller, Failure> {
    let holder = only(presented.headers.get_all(extract::API_KEY).iter())
        .and_then(|key| keys.find(key.as_bytes(), presented.now))
        .ok_or_else(|| stranger(challenge))?;
    let rights = Rights::Scoped(holder.scopes);
    Ok(Caller::new(ActorKind::ApiKey, &holder.name, presented.ip, rights))
}

async fn by_token(
    tokens: &dyn TokenVerifier,
    presented: Presented<'_>,
    challenge: &'static str,
) -> Result<Caller, Failure> {
    let token = only(presented.headers.get_all(AUTHORIZATION).iter())
        .and_then(|value| value.to_str().ok())
        .and_then(without_scheme)
        .ok_or_else(|| stranger(challenge))?;
    match tokens.verify(token).await {
        Ok(bearer) => {
            let rights = Rights::Scoped(bearer.scopes);
            Ok(Caller::new(ActorKind::User, bearer.subject, presented.ip, rights))
        }
        Err(error @ TokenError::Invalid { .. }) => {
            let refusal = Refusal::plain(Code::Unauthorized).caused_by(error);
            Err(Failure::challenged(refusal, challenge))
        }
        Err(error @ TokenError::Unavailable { .. }) => {
            let refusal = Refusal::plain(Code::IssuerUnavailable).retry_after(RETRY_SOON);
            Err(refusal.caused_by(error).into())
        }
    }
}

/// One answer for all: which of them it was is nobody's business.
fn stranger(challenge: &'static str) -> Failure {
    Failure::challenged(Refusal::plain(Code::Unauthorized), challenge)
}

/// The only one. Of several nobody knows which counts.
fn only<'a>(mut values: impl Iterator<Item = &'a HeaderValue>) -> Option<&'a HeaderValue> {
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// What stands behind `Bearer`, in any case of letters.
fn without_scheme(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
