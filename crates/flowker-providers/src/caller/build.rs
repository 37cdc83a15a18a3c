//! The parts of a generic call.

use std::time::Duration;

use bytes::Bytes;
use flowker_core::ports::{Call, CallFailure, FailureKind, SuccessCodes};
use flowker_core::trace::{TRACEPARENT, TRACESTATE, TraceContext};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value};
use url::Url;

use crate::client::{Deadline, Outgoing};

/// Why no request can be made of a node's settings and a provider configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BuildError {
    /// There is no `base_url`.
    #[error("the provider configuration has no base_url")]
    NoBaseUrl,
    /// The `base_url` is none.
    #[error("the provider configuration's base_url is no absolute http or https URL")]
    BaseUrl,
    /// The method is none, or not one for calling a service.
    #[error("the method is no HTTP method that can be sent")]
    Method,
    /// A header has a name that no header can have.
    #[error("{name:?} is no header name")]
    HeaderName {
        /// The name.
        name: String,
    },
    /// A header has a value that no header can have.
    #[error(
        "the value of the header {name} holds a line break or another character that headers cannot carry"
    )]
    HeaderValue {
        /// The header's name.
        name: String,
    },
}

impl From<BuildError> for CallFailure {
    fn from(error: BuildError) -> Self {
        Self::new(FailureKind::Permanent, error.to_string())
    }
}

/// How long a call may take if nobody says.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long a call may take at the most, whatever a configuration says: as long as a node may ask.
const TIMEOUT_MAX: Duration = Duration::from_mins(10);

/// How long one request of a connectivity test may take (contract).
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the HTTP connection decides, and nobody else.
const CONNECTION_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

/// Characters that stand for themselves in no path. `%` is left to [`escape_path`].
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// See [`Caller::url`](super::Caller::url).
pub(super) fn url(call: &Call) -> Result<Url, BuildError> {
    let base = text(&call.config.config, "base_url").ok_or(BuildError::NoBaseUrl)?;
    let mut url = base_url(base).ok_or(BuildError::BaseUrl)?;
    if let Some(path) = call.path.as_deref().filter(|path| !path.is_empty()) {
        let joined = format!("{}/{}", url.path(), escape_path(path));
        url.set_path(&without_empty_segments(&joined));
    }
    Ok(url)
}

/// An absolute http or https URL, without its fragment. `None` for anything else.
pub(crate) fn base_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    url.set_fragment(None);
    (url.has_host() && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// Encodes what cannot stand in a path, and leaves what is encoded already.
fn escape_path(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for (idx, piece) in path.split('%').enumerate() {
        if 0 < idx {
            let is_escape =
                piece.len() >= 2 && piece.bytes().take(2).all(|it| it.is_ascii_hexdigit());
            escaped.push_str(if is_escape { "%" } else { "%25" });
        }
        escaped.extend(utf8_percent_encode(piece, NOT_IN_PATHS));
    }
    escaped
}

fn without_empty_segments(path: &str) -> String {
    let mut kept = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !kept.ends_with('/') {
            kept.push(character);
        }
    }
    kept
}

/// The request, without credentials.
pub(super) fn request(
    call: &Call,
    mut url: Url,
    body: Option<Bytes>,
) -> Result<Outgoing, BuildError> {
    if !call.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&call.query);
    }
    Ok(Outgoing {
        method: method(call)?,
        url,
        headers: headers(call, body.is_some())?,
        body,
        follows_redirects: true,
        success: call.success.clone(),
        deadline: Deadline::after(timeout(call)),
    })
}

fn method(call: &Call) -> Result<Method, BuildError> {
    let name = call.method.as_deref().unwrap_or("POST").to_ascii_uppercase();
    match Method::from_bytes(name.as_bytes()) {
        // A tunnel and an echo of credentials: neither is a call of a service.
        Ok(Method::CONNECT | Method::TRACE) | Err(_) => Err(BuildError::Method),
        Ok(method) => Ok(method),
    }
}

/// The configuration's headers, the node's in their place, and ours in place of both.
fn headers(call: &Call, has_body: bool) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let own = call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let attempt = call.attempt.to_string();
    let ours = [("Idempotency-Key", call.idempotency_key.as_str()), ("X-Attempt", &attempt)];
    add_headers(&mut headers, configured_headers(&call.config.config).chain(own).chain(ours))?;
    if let Some(trace) = &call.trace {
        add_trace(&mut headers, trace)?;
    }
    Ok(headers)
}

/// The headers that a configuration adds to every request.
pub(super) fn configured_headers(
    config: &Map<String, Value>,
) -> impl Iterator<Item = (&str, &str)> {
    let headers = config.get("headers").and_then(Value::as_object).into_iter().flatten();
    headers.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

/// Adds headers in place of those of the same name, but for those that are the connection's.
fn add_headers<'a>(
    headers: &mut HeaderMap,
    added: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), BuildError> {
    for (name, value) in added {
        let (name, value) = header(name, value)?;
        if !CONNECTION_HEADERS.contains(&name.as_str()) {
            headers.insert(name, value);
        }
    }
    Ok(())
}

/// A request of a connectivity test, with these of the configuration's headers and without
/// credentials. Every status is an answer to it, but for a redirect that can be followed.
pub(super) fn probe<'a>(
    url: Url,
    configured: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Outgoing, BuildError> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    add_headers(&mut headers, configured)?;
    Ok(Outgoing {
        method: Method::GET,
        url,
        headers,
        body: None,
        follows_redirects: true,
        success: any_status(),
        deadline: Deadline::after(PROBE_TIMEOUT),
    })
}

/// Every status but those of redirects, which are followed if they can be.
pub(super) fn any_status() -> SuccessCodes {
    let is_redirect = |status: &u16| matches!(status, 301 | 302 | 303 | 307 | 308);
    SuccessCodes::These((100..600).filter(|status| !is_redirect(status)).collect())
}

/// Both headers, or none: who sets one of them means a trace of its own.
fn add_trace(headers: &mut HeaderMap, trace: &TraceContext) -> Result<(), BuildError> {
    if headers.contains_key(TRACEPARENT) || headers.contains_key(TRACESTATE) {
        return Ok(());
    }
    headers.insert(TRACEPARENT, header_value(TRACEPARENT, &trace.traceparent())?);
    if let Some(state) = trace.tracestate() {
        headers.insert(TRACESTATE, header_value(TRACESTATE, state)?);
    }
    Ok(())
}

const AGENT: &str = concat!("flowker/", env!("CARGO_PKG_VERSION"));

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), BuildError> {
    let parsed = name.parse().map_err(|_| BuildError::HeaderName { name: name.to_owned() })?;
    Ok((parsed, header_value(name, value)?))
}

/// A header's value, of ASCII: what other bytes mean in a header, nobody agrees on.
pub(crate) fn header_value(name: &str, value: &str) -> Result<HeaderValue, BuildError> {
    let parsed = HeaderValue::try_from(value).ok().filter(|_| value.is_ascii());
    parsed.ok_or_else(|| BuildError::HeaderValue { name: name.to_owned() })
}

/// The node's own time, else the configuration's, else the default.
fn timeout(call: &Call) -> Duration {
    let member = |name: &str, seconds_each: f64| {
        let number = call.config.config.get(name)?.as_f64()?;
        let seconds = Duration::try_from_secs_f64(number * seconds_each).ok()?;
        (!seconds.is_zero()).then_some(seconds)
    };
    let configured = || member("timeout_seconds", 1.0).or_else(|| member("timeout_ms", 0.001));
    call.timeout.or_else(configured).unwrap_or(TIMEOUT_DEFAULT).min(TIMEOUT_MAX)
}

/// A member that is a string with something in it.
pub(crate) fn text<'a>(config: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}
