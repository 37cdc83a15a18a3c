//! The `_webhook` member that a run's input gets from the door.

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::Head;

/// Headers that carry credentials, or nothing that a workflow could use. In lower case.
const LEFT_OUT: [&str; 7] = [
    "authorization",
    "content-length",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-gitlab-token",
    "x-webhook-token",
];

/// Whether a header carries credentials, so that it is neither stored nor logged. `name` is in
/// lower case.
pub fn is_sensitive_header(name: &str) -> bool {
    name != "content-length" && LEFT_OUT.contains(&name)
}

/// Method, path, headers, query and sender of a request. Of repeated names the last one counts.
pub(super) fn describe(head: &Head) -> Value {
    let headers = head.headers.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
    let headers: Map<_, _> = headers
        .map(|(name, value)| {
            (canonical(name), Value::String(String::from_utf8_lossy(value).into_owned()))
        })
        .collect();
    let query = head.query.as_deref().unwrap_or_default();
    let query: Map<_, _> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    Value::Object(Map::from_iter([
        ("method".to_owned(), Value::String(head.method.to_ascii_uppercase())),
        ("path".to_owned(), Value::String(head.path.as_str().to_owned())),
        ("headers".to_owned(), Value::Object(headers)),
        ("query".to_owned(), Value::Object(query)),
        ("remote_ip".to_owned(), Value::String(head.remote_ip.to_canonical().to_string())),
    ]))
}

/// `x-request-id` → `X-Request-Id`.
fn canonical(name: &str) -> String {
    let mut canonical = String::with_capacity(name.len());
    let mut starts_word = true;
    for char in name.chars() {
        canonical.push(if starts_word {
            char.to_ascii_uppercase()
        } else {
            char.to_ascii_lowercase()
        });
        starts_word = char == '-';
    }
    canonical
}
