//! What a node's output says of an answer.

use flowker_core::json;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value, json};
use url::Url;

use crate::client::Answer;

/// The response envelope: an object of `status`, `status_text`, `url`, `headers` and `body`.
///
/// - `url` is what was called first, also after redirects. It is shown as it is given here: leave
///   out what is secret.
/// - `headers` has names like `Content-Type`; values of a repeated one are joined with `, `.
/// - `body` is JSON, if the content type says so and it parses; else text, in which bytes that are
///   no UTF-8 are replaced. It is absent if it is empty and does not claim to be JSON.
pub fn envelope(answer: &Answer, url: &Url) -> Value {
    let status = answer.status.as_u16();
    let status_text = match answer.status.canonical_reason() {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    };
    let mut envelope = Map::new();
    envelope.insert("status".to_owned(), json!(status));
    envelope.insert("status_text".to_owned(), Value::String(status_text));
    envelope.insert("url".to_owned(), Value::String(url.to_string()));
    envelope.insert("headers".to_owned(), Value::Object(headers(&answer.headers)));
    if let Some(body) = body(answer) {
        envelope.insert("body".to_owned(), body);
    }
    Value::Object(envelope)
}

fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let value_of = |name| {
        let values = headers.get_all(name).iter();
        let texts: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        Value::String(texts.join(", "))
    };
    headers.keys().map(|name| (canonical(name), value_of(name))).collect()
}

/// `content-type` → `Content-Type`.
fn canonical(name: &HeaderName) -> String {
    let mut is_start = true;
    let spell = |character: char| {
        let spelled = if is_start { character.to_ascii_uppercase() } else { character };
        is_start = character == '-';
        spelled
    };
    name.as_str().chars().map(spell).collect()
}

fn body(answer: &Answer) -> Option<Value> {
    if is_json(&answer.headers) {
        if let Ok(value) = json::parse_within(&answer.body, json::Limits::RESPONSE) {
            return Some(value);
        }
    } else if answer.body.is_empty() {
        return None;
    }
    Some(Value::String(String::from_utf8_lossy(&answer.body).into_owned()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.to_ascii_lowercase().contains("application/json"))
}

#[cfg(test)]
mod tests;
