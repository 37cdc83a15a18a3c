//! The one place where error bodies are made.

use std::collections::BTreeMap;

use flowker_core::json;
use flowker_core::refusal::Fault;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::Value;

use crate::error::{Failure, Transport, default_title};
use crate::shape::{Shown, shapes};

pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

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
    let (body, media_type) = match failure {
        Failure::Denied(denial) => denial.body(),
        Failure::Refused { refusal, title, .. } => {
            let title = title.unwrap_or_else(|| default_title(status));
            let code = refusal.code.as_str().into();
            let told = Told { code, title, message: &refusal.message, faults: &refusal.faults };
            written(told, status, request_id, as_problem)
        }
        Failure::Transport(transport) => {
            let (code, message) = (status.as_u16().into(), &transport.to_string());
            let told = Told { code, title: TRANSPORT_TITLE, message, faults: &[] };
            written(told, status, request_id, as_problem)
        }
    };
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in headers_of(failure) {
        headers.insert(name, value);
    }
    response
}

/// What a caller is told.
struct Told<'a> {
    code: Value,
    title: &'a str,
    message: &'a str,
    faults: &'a [Fault],
}

shapes! {
    /// Why a request was refused.
    Error {
        /// What to match on. The status as a number where the transport refused.
        code "code": Value,
        /// For people.
        title "title": String,
        /// For people.
        message "message": String,
        /// As in the header `X-Request-Id`.
        request_id "requestId": String,
        /// What is wrong, by member or parameter. A fault of the whole is under `body`.
        fields "fields": Option<BTreeMap<String, String>>,
    }

    /// Why a request was refused (RFC 9457).
    Problem {
        /// Always `about:blank`.
        kind "type": String,
        /// For people.
        title "title": String,
        /// The status.
        status "status": u16,
        /// For people.
        detail "detail": String,
        /// What to match on. The status as a number where the transport refused.
        code "code": Value,
        /// As in the header `X-Request-Id`.
        request_id "requestId": String,
        /// What is wrong, by member or parameter. A fault of the whole is under `body`.
        fields "fields": Option<BTreeMap<String, String>>,
    }
}

/// A body, and its media type.
fn written(
    told: Told<'_>,
    status: StatusCode,
    request_id: &HeaderValue,
    as_problem: bool,
) -> (Vec<u8>, &'static str) {
    let Told { code, title, message, faults } = told;
    let (title, message) = (title.to_owned(), message.to_owned());
    let request_id = request_id.to_str().unwrap_or_default().to_owned();
    let fields = (!faults.is_empty()).then(|| fields(faults));
    let (body, media_type) = if as_problem {
        let (kind, status) = ("about:blank".to_owned(), status.as_u16());
        let problem = Problem { kind, title, status, detail: message, code, request_id, fields };
        (problem.shown(), PROBLEM_JSON)
    } else {
        (Error { code, title, message, request_id, fields }.shown(), "application/json")
    };
    (json::to_bytes(&body), media_type)
}

/// What is wrong by member. Of several faults of one member the first is told; the whole document
/// is called `body`.
fn fields(faults: &[Fault]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for fault in faults {
        let path = if fault.path.is_empty() { "body" } else { &fault.path };
        fields.entry(path.to_owned()).or_insert_with(|| fault.message.clone());
    }
    fields
}

fn headers_of(failure: &Failure) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    match failure {
        Failure::Refused { refusal, challenge, .. } => {
            if let Some(delay) = refusal.retry_after {
                // Rounded up: who comes back earlier is refused again.
                let seconds = delay.as_secs() + u64::from(0 < delay.subsec_nanos());
                headers.push((header::RETRY_AFTER, seconds.max(1).into()));
            }
            if let Some(challenge) = challenge {
                headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
            }
        }
        Failure::Transport(Transport::MethodNotAllowed { allow }) => {
            if let Ok(allow) = HeaderValue::from_str(allow) {
                headers.push((header::ALLOW, allow));
            }
        }
        Failure::Denied(denial) if denial.status() == StatusCode::UNAUTHORIZED => {
            headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        Failure::Denied(_) | Failure::Transport(_) => {}
    }
    headers
}
