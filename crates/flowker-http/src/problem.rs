//! The one place where error bodies are made.

use flowker_core::code::Code;
use flowker_core::json;
use flowker_core::refusal::Fault;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::{Map, Value};

use crate::error::{Failure, Transport, default_title};

const PROBLEM_JSON: &str = "application/problem+json";

/// The title of failures that have no code (contract).
const TRANSPORT_TITLE: &str = "request_failed";

/// Whether the caller asked for RFC 9457.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let is_refused = parts.any(|parameter| {
            let weight = parameter.to_ascii_lowercase();
            weight.strip_prefix("q=").is_some_and(|it| it.parse() == Ok(0.0_f32))
        });
        media_type.eq_ignore_ascii_case(PROBLEM_JSON) && !is_refused
    })
}

/// The answer to a request that failed.
pub(crate) fn response(
    failure: &Failure,
    request_id: &HeaderValue,
    as_problem: bool,
) -> Response<Full<Bytes>> {
    let status = failure.status();
    let body = Value::Object(body(failure, status, request_id, as_problem));
    let mut response = Response::new(Full::new(json::to_bytes(&body).into()));
    *response.status_mut() = status;
    let media_type = if as_problem { PROBLEM_JSON } else { "application/json" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in headers_of(failure) {
        headers.insert(name, value);
    }
    response
}

fn body(
    failure: &Failure,
    status: StatusCode,
    request_id: &HeaderValue,
    as_problem: bool,
) -> Map<String, Value> {
    let (code, title, message, faults): (Value, _, _, &[Fault]) = match failure {
        Failure::Refused { refusal, title } => (
            refusal.code.as_str().into(),
            title.unwrap_or_else(|| default_title(status)),
            refusal.message.clone(),
            &refusal.faults,
        ),
        Failure::Transport(transport) => {
            (status.as_u16().into(), TRANSPORT_TITLE, transport.to_string(), &[])
        }
    };
    let request_id = request_id.to_str().unwrap_or_default();
    let mut body = Map::new();
    body.insert("code".to_owned(), code);
    body.insert("title".to_owned(), title.into());
    body.insert("requestId".to_owned(), request_id.into());
    if as_problem {
        body.insert("type".to_owned(), "about:blank".into());
        body.insert("status".to_owned(), status.as_u16().into());
        body.insert("detail".to_owned(), message.into());
    } else {
        body.insert("message".to_owned(), message.into());
    }
    if !faults.is_empty() {
        body.insert("fields".to_owned(), fields(faults));
    }
    body
}

/// What is wrong by member. Of several faults of one member the first is told; the whole document
/// is called `body`.
fn fields(faults: &[Fault]) -> Value {
    let mut fields = Map::new();
    for fault in faults {
        let path = if fault.path.is_empty() { "body" } else { &fault.path };
        fields.entry(path).or_insert_with(|| fault.message.clone().into());
    }
    Value::Object(fields)
}

fn headers_of(failure: &Failure) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    match failure {
        Failure::Refused { refusal, .. } => {
            if let Some(delay) = refusal.retry_after {
                // Rounded up: who comes back earlier is refused again.
                let seconds = delay.as_secs() + u64::from(0 < delay.subsec_nanos());
                headers.push((header::RETRY_AFTER, seconds.max(1).into()));
            }
            if let Some(challenge) = challenge(refusal.code) {
                headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
            }
        }
        Failure::Transport(Transport::MethodNotAllowed { allow }) => {
            if let Ok(allow) = HeaderValue::from_str(allow) {
                headers.push((header::ALLOW, allow));
            }
        }
        Failure::Transport(_) => {}
    }
    headers
}

/// Which credentials a 401 asks for (RFC 9110 §11.6.1 wants it said).
const fn challenge(code: Code) -> Option<&'static str> {
    match code {
        Code::Unauthorized => Some("ApiKey header=\"X-API-Key\""),
        Code::WebhookTokenWrong => Some("WebhookToken header=\"X-Webhook-Token\""),
        Code::SignatureWrong => Some("WebhookSignature"),
        _ => None,
    }
}
