//! Redirects, by the rules that browsers follow (the Fetch standard).

use http::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, LOCATION,
    USER_AGENT,
};
use http::{HeaderName, Method, Response};

use super::error::SendError;
use super::message::Outgoing;

/// What another origin may see: nothing that could be a credential.
const SENT_ANYWHERE: [HeaderName; 5] = [
    ACCEPT,
    CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    USER_AGENT,
    HeaderName::from_static("x-attempt"),
];

const ABOUT_A_BODY: [HeaderName; 4] =
    [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE];

/// The request that a redirect asks for.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) request: Outgoing,
    /// Whether the redirect turned a request with an effect into one that fetches its answer.
    pub(super) is_carried_out: bool,
}

/// The request that follows from an answer; `None` if that is no redirect, or none to be followed.
pub(super) fn next<B>(
    request: &Outgoing,
    response: &Response<B>,
) -> Result<Option<Next>, SendError> {
    let status = response.status().as_u16();
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    if !request.follows_redirects || !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let target = location.to_str().ok().and_then(|text| request.url.join(text).ok());
    let mut url = target.ok_or(SendError::RedirectTarget { status })?;
    url.set_fragment(None);
    if request.url.scheme() == "https" && url.scheme() == "http" {
        return Err(SendError::RedirectToPlain { status });
    }
    let becomes_get = match status {
        301 | 302 => request.method == Method::POST,
        303 => !matches!(request.method, Method::GET | Method::HEAD),
        _ => false,
    };
    let mut headers = request.headers.clone();
    if request.url.origin() != url.origin() {
        headers = SENT_ANYWHERE
            .into_iter()
            .filter_map(|name| headers.remove(&name).map(|value| (name, value)))
            .collect();
    }
    let mut next = Outgoing { url, headers, ..request.clone() };
    if becomes_get {
        next.method = Method::GET;
        next.body = None;
        for name in ABOUT_A_BODY {
            next.headers.remove(name);
        }
    }
    Ok(Some(Next { request: next, is_carried_out: becomes_get }))
}

#[cfg(test)]
mod tests;
