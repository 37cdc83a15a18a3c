//! The description of the API, and a page that shows it to people.

use http::header::{self, HeaderName, HeaderValue};
use hyper::body::Bytes;

use super::{Content, Reply};
use crate::openapi::openapi;

pub(crate) const HTML: &str = "text/html; charset=utf-8";
pub(crate) const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
pub(crate) const CSS: &str = "text/css; charset=utf-8";

/// The page holds what a caller types, an API key among it: nothing from elsewhere runs in it, and
/// it sends nothing elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

pub(super) fn document() -> Reply {
    text("application/json", openapi())
}

pub(super) fn page() -> Reply {
    let mut reply = text(HTML, include_str!("../explorer/index.html"));
    reply.headers.push((header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)));
    reply.headers.push((HeaderName::from_static("referrer-policy"), NO_REFERRER));
    reply
}

pub(super) fn script() -> Reply {
    text(JAVASCRIPT, include_str!("../explorer/explorer.js"))
}

pub(super) fn style() -> Reply {
    text(CSS, include_str!("../explorer/explorer.css"))
}

fn text(media_type: &'static str, text: &'static str) -> Reply {
    let mut reply =
        Reply::with(Content::Text { media_type, text: Bytes::from_static(text.as_bytes()) });
    // They change with the program, not with time.
    reply.headers.push((header::CACHE_CONTROL, ASK_AGAIN));
    reply.headers.push((header::X_CONTENT_TYPE_OPTIONS, NO_SNIFFING));
    reply
}
