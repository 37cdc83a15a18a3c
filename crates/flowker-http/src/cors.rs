//! What browsers are told about pages of other origins (CORS).

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

use crate::handle::Reply;

const METHODS: HeaderValue = HeaderValue::from_static("GET,POST,PUT,PATCH,DELETE,OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Origin,Content-Type,Accept,Authorization,X-Request-ID,X-API-Key,Idempotency-Key,X-Webhook-Token",
);
/// How long a browser may remember the answer to a preflight, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// From which origins browsers may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    /// From none.
    #[default]
    Nowhere,
    /// From any.
    Anywhere,
    /// From these, each as a browser writes it: scheme, host and perhaps a port, in lower case.
    From(Vec<HeaderValue>),
}

impl Cors {
    /// Reads a list with commas, in which `*` stands for all. `None` if an entry is no origin.
    pub fn parse(text: &str) -> Option<Self> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut origins = Vec::new();
        let mut is_anywhere = false;
        for entry in entries {
            if entry == "*" {
                is_anywhere = true;
            } else {
                let url = url::Url::parse(entry).ok()?;
                let origin = url.origin();
                let is_origin = origin.is_tuple() && url.path() == "/" && !entry.ends_with('/');
                let is_bare = url.query().is_none() && url.username().is_empty();
                // A pattern would be taken for a name, and match nothing.
                if !is_origin || !is_bare || url.fragment().is_some() || entry.contains('*') {
                    return None;
                }
                origins.push(HeaderValue::from_str(&origin.ascii_serialization()).ok()?);
            }
        }
        Some(match (is_anywhere, origins.is_empty()) {
            (true, _) => Self::Anywhere,
            (false, true) => Self::Nowhere,
            (false, false) => Self::From(origins),
        })
    }

    /// Says in an answer whether the page that asks may read it.
    pub(crate) fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        match self {
            Self::Nowhere => {}
            Self::Anywhere => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Self::From(origins) => {
                // For caches: to a page of another origin the answer looks different.
                headers.append(header::VARY, HeaderValue::from_static("Origin"));
                if let Some(origin) = origin.filter(|origin| origins.contains(origin)) {
                    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                }
            }
        }
    }

    /// The answer to a browser that asks whether a page may send what it wants to send. It carries
    /// no credentials, and so is asked for none.
    pub(crate) fn preflight(&self, parts: &Parts) -> Option<Reply> {
        let has = |name: HeaderName| parts.headers.contains_key(name);
        let is_preflight = parts.method == Method::OPTIONS
            && has(header::ORIGIN)
            && has(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight {
            return None;
        }
        let mut reply = Reply::no_content();
        if *self != Self::Nowhere {
            reply.headers.extend([
                (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
                (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
            ]);
        }
        Some(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let cors = Cors::parse(text);
            let origins = cors.as_ref().map(|cors| match cors {
                Cors::Nowhere => Vec::new(),
                Cors::Anywhere => vec!["*"],
                Cors::From(origins) => origins.iter().map(|it| it.to_str().unwrap()).collect(),
            });
            assert_eq!(origins.as_deref(), expected, "{text}");
        };
        check("", Some(&[]));
        check(" , ", Some(&[]));
        check("*", Some(&["*"]));
        check("https://a.test, *", Some(&["*"]));
        check("https://A.test:443,http://b:8080", Some(&["https://a.test", "http://b:8080"]));
        for wrong in [
            "a.test",
            "https://a.test/",
            "https://a.test/x",
            "https://u@a.test",
            "https://a.test?",
            "data:x",
            "null",
            "https://*.a.test/",
        ] {
            check(wrong, None);
        }
    }
}
