//! Asking others who a caller is and what it may do: an access manager, and the keys of an
//! identity provider.

mod jwk;
mod jwt;
mod manager;
mod tokens;

use std::time::Duration;

use bytes::Bytes;
use flowker_core::json;
use flowker_core::net::{AllowEntry, OutboundPolicy};
use flowker_core::ports::SuccessCodes;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method};
use rustls::RootCertStore;
use serde_json::Value;
use url::Url;

pub use self::jwk::SigningAlgorithm;
pub use self::manager::AccessManager;
pub use self::tokens::{IssuerTokens, TokenSettings};

use crate::client::{ClientLimits, Deadline, HttpClient, Outgoing, SendError};

/// How long an answer is waited for: callers wait with us.
const PATIENCE: Duration = Duration::from_secs(5);

/// How large an answer may be. Decisions are tiny, and so are a few dozen keys.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A client for the services that an operator names, which may be near us. Of names that are
/// private only those of `hosts` are called.
pub fn access_client(hosts: &[&Url], roots: RootCertStore) -> HttpClient {
    let allow = hosts.iter().filter_map(|url| url.host_str());
    let allow = allow.map(|host| AllowEntry::Host(host.to_ascii_lowercase())).collect();
    let policy = OutboundPolicy { allow_private: true, allow };
    let limits = ClientLimits {
        connect_timeout: Duration::from_secs(3),
        response_bytes_max: ANSWER_BYTES_MAX,
        redirects_max: 2,
        ..ClientLimits::default()
    };
    HttpClient::new(policy, limits, roots)
}

fn request(method: Method, url: Url, body: Option<&Value>, success: SuccessCodes) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Outgoing {
        method,
        url,
        headers,
        body: body.map(|body| Bytes::from(json::to_bytes(body))),
        follows_redirects: body.is_none(),
        success,
        deadline: Deadline::after(PATIENCE),
    }
}

/// Why a service that was asked has not said what was asked for.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("the request to {host} failed")]
    Send {
        host: String,
        #[source]
        source: SendError,
    },
    #[error("the answer of {host} cannot be used: {reason}")]
    Answer { host: String, reason: &'static str },
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
