//! The access manager's word, in the contract's terms: which question is asked for a route, and
//! what callers are told.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flowker_core::json;
use flowker_core::ports::{AccessError, Authorizer, Question, Verdict};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Map, Value};

use super::{only, without_scheme};
use crate::route::{self, Endpoint};

/// The `type` of tokens that people have.
const NORMAL_USER: &str = "normal-user";

/// Who asks when no person does.
const SERVICE: &str = "admin/flowker-editor-role";

/// The media type of denials.
pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";

/// A token that the manager will be asked about. Its signature is the manager's to check.
#[derive(Debug)]
pub(super) struct ManagedToken {
    token: Secret,
    subject: String,
}

/// Not to be logged.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Why the access manager's word keeps a caller out. Callers read the contract's plain text, or
/// the manager's own words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denial {
    #[error("the Authorization header is missing, repeated or empty")]
    Missing,
    #[error("the token cannot be read, or does not say whose it is")]
    Unreadable,
    #[error("the access manager says no")]
    Denied,
    #[error("the access manager answers with the error {status}")]
    Refused { status: StatusCode, error: Value },
    #[error("the access manager was asked in vain")]
    NoAnswer(#[source] AccessError),
}

impl Denial {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Unreadable => StatusCode::UNAUTHORIZED,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::Refused { status, .. } => *status,
            Self::NoAnswer(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The body, and its media type.
    pub(crate) fn body(&self) -> (Vec<u8>, &'static str) {
        let text = match self {
            Self::Refused { error, .. } => return (json::to_bytes(error), "application/json"),
            Self::Missing => "Missing Token",
            Self::Unreadable | Self::Denied | Self::NoAnswer(_) => {
                self.status().canonical_reason().unwrap_or_default()
            }
        };
        (text.as_bytes().to_vec(), PLAIN)
    }
}

impl ManagedToken {
    /// Reads the token of a request, with or without its scheme, and whose it claims to be.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Denial> {
        let value = only(headers.get_all(AUTHORIZATION).iter());
        let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
        let token = without_scheme(value).unwrap_or(value);
        if token.is_empty() || token.contains(' ') || token.eq_ignore_ascii_case("bearer") {
            return Err(Denial::Missing);
        }
        let claims = claims(token).ok_or(Denial::Unreadable)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = if text("type") == Some(NORMAL_USER) {
            let owner = text("owner").filter(|owner| !owner.is_empty());
            let owner = owner.ok_or(Denial::Unreadable)?;
            format!("{owner}/{}", text("sub").unwrap_or_default())
        } else {
            SERVICE.to_owned()
        };
        Ok(Self { token: Secret(token.to_owned()), subject })
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// Asks whether the bearer may do what a route does.
    pub(super) async fn ask(
        &self,
        manager: &dyn Authorizer,
        endpoint: Endpoint,
    ) -> Result<(), Denial> {
        let (resource, action) = subject_matter(endpoint);
        let (token, subject) = (self.token.0.clone(), self.subject.clone());
        match manager.authorize(Question { token, subject, resource, action }).await {
            Ok(Verdict::Allowed) => Ok(()),
            Ok(Verdict::Denied) => Err(Denial::Denied),
            Ok(Verdict::Refused { status, error }) => match StatusCode::from_u16(status) {
                Ok(status) => Err(Denial::Refused { status, error }),
                Err(error) => Err(Denial::NoAnswer(AccessError(error.into()))),
            },
            Err(error) => Err(Denial::NoAnswer(error)),
        }
    }
}

/// What a token says, if it is a JWT.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    match json::parse(&bytes) {
        Ok(Value::Object(claims)) if parts.next().is_none() => Some(claims),
        _ => None,
    }
}

/// The resource and the action of a route's family: only its own, whatever others stand before it.
fn subject_matter(endpoint: Endpoint) -> (&'static str, &'static str) {
    match route::family(endpoint) {
        "webhooks" => ("webhooks", "execute"),
        "executors" => ("executor-configurations", "manage"),
        family @ ("catalog" | "dashboards" | "audit-events" | "metrics") => (family, "read"),
        family => (family, "manage"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().expect("a value"));
        }
        match ManagedToken::read(&headers) {
            Ok(token) => token.subject,
            Err(denial) => {
                let (body, _) = denial.body();
                format!("{} {}", denial.status().as_u16(), String::from_utf8_lossy(&body))
            }
        }
    }

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_says_whose_it_is() {
        let user = token(r#"{"type":"normal-user","owner":"acme","sub":"u-1"}"#);
        let check =
            |values: &[&str], expected: &str| assert_eq!(read(values), expected, "{values:?}");
        check(&[&format!("Bearer {user}")], "acme/u-1");
        check(&[&format!("bEARER   {user}")], "acme/u-1");
        check(&[&user], "acme/u-1");
        check(&[&token(r#"{"type":"application","sub":"x"}"#)], SERVICE);
        check(&[&token("{}")], SERVICE);
        check(&[], "401 Missing Token");
        check(&[""], "401 Missing Token");
        check(&["Bearer"], "401 Missing Token");
        check(&["Bearer "], "401 Missing Token");
        check(&["Basic dTpw"], "401 Missing Token");
        check(&[&user, &user], "401 Missing Token");
        check(&["nonsense"], "401 Unauthorized");
        check(&["Bearer a.b.c"], "401 Unauthorized");
        check(&[&token("[]")], "401 Unauthorized");
        check(&[&format!("{user}.x")], "401 Unauthorized");
        check(&[&token(r#"{"type":"normal-user","sub":"u-1"}"#)], "401 Unauthorized");
        check(&[&token(r#"{"type":"normal-user","owner":"","sub":"u-1"}"#)], "401 Unauthorized");
    }

    #[test]
    fn each_family_has_its_own_pair() {
        let check = |endpoint, expected| assert_eq!(subject_matter(endpoint), expected);
        check(Endpoint::Webhook, ("webhooks", "execute"));
        check(Endpoint::ShowWorkflow, ("workflows", "manage"));
        check(Endpoint::Execute, ("executions", "manage"));
        check(Endpoint::RetryExecution, ("executions", "manage"));
        check(Endpoint::ListExecutorsOfProvider, ("catalog", "read"));
        check(Endpoint::PatchProviderConfig, ("provider-configurations", "manage"));
        check(Endpoint::ListApiKeys, ("api-keys", "manage"));
        check(Endpoint::Timeseries, ("dashboards", "read"));
        check(Endpoint::ExportAuditEvents, ("audit-events", "read"));
        check(Endpoint::Metrics, ("metrics", "read"));
    }
}
