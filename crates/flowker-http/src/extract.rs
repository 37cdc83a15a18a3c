//! What handlers read from a request's head. Absent and malformed differ everywhere.

use std::time::Duration;

use flowker_core::code::Code;
use flowker_core::id::IdError;
use flowker_core::idempotency::IdempotencyKey;
use flowker_core::refusal::Refusal;
use flowker_core::trace::{TRACEPARENT, TRACESTATE, TraceContext};
use flowker_core::trigger::preferred_wait;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use url::form_urlencoded;
use uuid::Uuid;

pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The longest request id that we take over from a caller, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The caller's request id if it can stand in a log, else a fresh one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let mut values = headers.get_all(REQUEST_ID).iter();
    if let (Some(value), None) = (values.next(), values.next()) {
        let bytes = value.as_bytes();
        let is_sane = (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len());
        if is_sane && bytes.iter().all(u8::is_ascii_graphic) {
            return value.clone();
        }
    }
    HeaderValue::from_str(&Uuid::new_v4().to_string()).expect("a UUID is visible ASCII")
}

/// The trace that the request belongs to. One that cannot be read is none.
pub(crate) fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    TraceContext::of_request(values(TRACEPARENT), values(TRACESTATE))
}

/// The caller's idempotency key. A malformed one is an error, never "no key".
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Refusal> {
    let values = headers.get_all(IDEMPOTENCY_KEY).iter().map(HeaderValue::as_bytes);
    IdempotencyKey::from_header(values)
        .map_err(|error| Refusal::new(Code::IdempotencyKeyMalformed, error.to_string()))
}

/// How long the caller prefers to wait for the end (RFC 7240).
pub(crate) fn prefer_wait(headers: &HeaderMap) -> Option<Duration> {
    preferred_wait(headers.get_all(PREFER).iter().map(HeaderValue::as_bytes))
}

/// Reads an id, from the path or a query parameter.
pub(crate) fn id<T>(text: &str, parse: fn(&str) -> Result<T, IdError>) -> Result<T, Refusal> {
    parse(text).map_err(|_| {
        Refusal::new(Code::IdMalformed, "The id is not a UUID such as those that we hand out.")
    })
}

/// The parameters of a query.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// A parameter; of repeated ones the last. An empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().rev().find(|(it, _)| it == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// How many seconds the caller waits at the most: `?wait=10`.
    pub(crate) fn wait(&self) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.get("wait") else { return Ok(None) };
        let seconds = text.parse().map(Duration::from_secs);
        seconds.map(Some).map_err(|_| {
            Refusal::of_member(Code::QueryInvalid, "wait", "must be a whole number of seconds")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        let check = |values: &[&str], kept: bool| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(REQUEST_ID, HeaderValue::from_str(value).expect("a value"));
            }
            let id = request_id(&headers);
            assert_eq!(values.first().is_some_and(|first| id == *first), kept, "{values:?}");
            assert!(kept || Uuid::try_parse_ascii(id.as_bytes()).is_ok(), "{id:?}");
        };
        let longest = "i".repeat(128);
        check(&["order-42/1"], true);
        check(&[&longest], true);
        check(&[&format!("{longest}i")], false);
        check(&["a b"], false);
        check(&["\u{e9}"], false);
        check(&[""], false);
        check(&["a", "a"], false);
        check(&[], false);
    }

    #[test]
    fn query_parameters_are_decoded_and_the_last_one_counts() {
        let query = Query::of(Some("a=1&b=x+y%21&a=2&c=&d"));
        assert_eq!(query.get("a"), Some("2"));
        assert_eq!(query.get("b"), Some("x y!"));
        assert_eq!((query.get("c"), query.get("d"), query.get("e")), (None, None, None));
        let wait = |text| Query::of(Some(text)).wait().map_err(|refusal| refusal.code);
        assert_eq!(wait("wait=7"), Ok(Some(Duration::from_secs(7))));
        assert_eq!(wait(""), Ok(None));
        assert_eq!(wait("wait=-1"), Err(Code::QueryInvalid));
        assert_eq!(wait("wait=1.5"), Err(Code::QueryInvalid));
    }
}
