//! What is sent, and what comes back.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use flowker_core::ports::SuccessCodes;
use http::{HeaderMap, Method, StatusCode};
use tokio::time::Instant;
use url::Url;

/// One request, and what is asked of its answer.
#[derive(Clone)]
pub struct Outgoing {
    /// Anything but `CONNECT`.
    pub method: Method,
    /// With `http` or `https`, and without credentials.
    pub url: Url,
    /// Taken to be secret: after a redirect to another origin only `Accept`, `Content-Type`,
    /// `Idempotency-Key`, `User-Agent` and `X-Attempt` are sent.
    pub headers: HeaderMap,
    /// `None` sends none.
    pub body: Option<Bytes>,
    /// Whether redirects are followed. A status that counts as success never is.
    pub follows_redirects: bool,
    /// Which statuses count as success.
    pub success: SuccessCodes,
    /// When the answer's last byte must be here.
    pub deadline: Deadline,
}

impl fmt::Debug for Outgoing {
    /// Leaves out headers, body and query, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// When something must be done, and how long it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// `limit` from now, or a year from now if that is sooner.
    pub fn after(limit: Duration) -> Self {
        let limit = limit.min(Duration::from_hours(365 * 24));
        Self { at: Instant::now() + limit, limit }
    }

    /// The moment.
    pub const fn at(self) -> Instant {
        self.at
    }

    /// How long there was from the beginning.
    pub const fn limit(self) -> Duration {
        self.limit
    }
}

/// An answer with a status that counts as success.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl fmt::Debug for Answer {
    /// Leaves out headers and body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("n_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
