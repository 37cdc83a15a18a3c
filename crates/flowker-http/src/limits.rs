//! How much of everything a caller may use.

use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;

/// How many headers a request may carry.
pub(crate) const HEADERS_MAX: usize = 100;

/// How large all headers of a request may be together, in bytes of names and values.
pub(crate) const HEADER_BYTES_MAX: usize = 16 * 1024;

/// How long a request target may be, in bytes.
pub(crate) const TARGET_BYTES_MAX: usize = 8 * 1024;

/// How large the body of a management request may be, in bytes, before and after decompression.
pub(crate) const MANAGEMENT_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Limits that an operator may set. The defaults suit a process that faces the internet.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections in all. When there are more, the next one waits to be accepted.
    pub connections_max: usize,
    /// Open connections from one address; further ones are closed at once. `None`: no limit.
    pub connections_per_ip_max: Option<NonZeroUsize>,
    /// Requests that are worked on at the same time. Beyond it the answer is 503 `FLK-0900`.
    pub requests_max: usize,
    /// How long a connection may stay silent before a request.
    pub idle_timeout: Duration,
    /// How long the head of a request may take from its first byte.
    pub head_timeout: Duration,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long a caller may refuse to take in what we write.
    pub write_timeout: Duration,
    /// How long connections and requests may go on after [`Shutdown::stop`], before they are cut.
    ///
    /// [`Shutdown::stop`]: crate::Shutdown::stop
    pub stop_timeout: Duration,
    /// From whom `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            connections_per_ip_max: None,
            requests_max: 1_024,
            // 75 s: above the 60 s for which balancers keep idle connections.
            idle_timeout: Duration::from_secs(75),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
        }
    }
}
