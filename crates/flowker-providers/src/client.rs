//! The guarded HTTP client: every request that leaves the process goes through it.

mod connect;
mod counted;
mod error;
mod message;
mod redirect;
mod resolve;
mod roots;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flowker_core::net::OutboundPolicy;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use tokio::time::{timeout, timeout_at};
use url::Url;

pub use self::connect::ConnectError;
use self::connect::{Connector, Dialer};
pub use self::error::SendError;
pub use self::message::{Answer, Deadline, Outgoing};
use self::redirect::Next;
pub use self::resolve::{Resolve, SystemResolver};
pub use self::roots::native_roots;

/// How much of a receiver the client puts up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// For resolving, dialling and the TLS handshake together. Default: 5 s.
    pub connect_timeout: Duration,
    /// Of an answer's body. Default: 5 MiB.
    pub response_bytes_max: usize,
    /// How many headers an answer may have. Default: 100.
    pub headers_max: usize,
    /// Of an answer's status line and headers; at least 8 KiB. Default: 16 KiB.
    pub head_bytes_max: usize,
    /// How many redirects one request follows. Default: 10.
    pub redirects_max: usize,
    /// How long an unused connection is kept. Default: 20 s, since many servers hang up after 30,
    /// and a request that meets the hang-up half-way has an unknown outcome.
    pub idle_timeout: Duration,
    /// How many unused connections are kept for each origin. Default: 32.
    pub idle_connections_max: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            response_bytes_max: 5 * 1024 * 1024,
            headers_max: 100,
            head_bytes_max: 16 * 1024,
            redirects_max: 10,
            idle_timeout: Duration::from_secs(20),
            idle_connections_max: 32,
        }
    }
}

/// hyper asserts that its buffer holds at least this much.
const HEAD_BYTES_LEAST: usize = 8 * 1024;

/// Sends requests where the policy lets them go.
///
/// - Every address is checked before it is dialled, on every redirect too, and only addresses that
///   were checked are dialled. No proxy of the environment is used.
/// - Connections are kept and shared; HTTP/2 is used with whoever offers it in the TLS handshake.
/// - A request is sent once. The one exception is a kept connection that turns out to be closed
///   before a byte of the request was written to it.
pub struct HttpClient {
    policy: Arc<OutboundPolicy>,
    limits: ClientLimits,
    dialer: Dialer,
    client: Client<Connector, Full<Bytes>>,
}

/// How much of an answer's body is wanted.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    /// All of it; one that is larger than the client's limit is a failure.
    Whole,
    /// So many bytes, and whatever comes behind them is left.
    UpTo(usize),
}

impl HttpClient {
    /// A client that resolves names as the system does, and trusts `roots`
    /// (see [`native_roots`]).
    pub fn new(policy: OutboundPolicy, limits: ClientLimits, roots: RootCertStore) -> Self {
        Self::with_resolver(policy, limits, roots, Arc::new(SystemResolver))
    }

    /// A client that resolves names with `resolver`.
    pub fn with_resolver(
        policy: OutboundPolicy,
        limits: ClientLimits,
        roots: RootCertStore,
        resolver: Arc<dyn Resolve>,
    ) -> Self {
        let policy = Arc::new(policy);
        let dialer = Dialer::new(Arc::clone(&policy), resolver);
        let connector = Connector::new(dialer.clone(), roots, limits.connect_timeout);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits.idle_timeout)
            .pool_max_idle_per_host(limits.idle_connections_max)
            .http1_max_headers(limits.headers_max)
            .http1_max_buf_size(limits.head_bytes_max.max(HEAD_BYTES_LEAST))
            .http2_max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
            // A shared connection that died in silence would otherwise fail request after request.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .build(connector);
        Self { policy, limits, dialer, client }
    }

    /// Sends a request, follows redirects, and reads the answer whole.
    ///
    /// # Errors
    ///
    /// [`SendError`] if there is no whole answer with a status that counts as success.
    pub async fn send(&self, request: Outgoing) -> Result<Answer, SendError> {
        self.follow(request, Wanted::Whole).await
    }

    /// Like [`send`](Self::send), but reads no more than `bytes_max` of the answer's body.
    ///
    /// # Errors
    ///
    /// [`SendError`] if there is no answer with a status that counts as success.
    pub async fn peek(&self, request: Outgoing, bytes_max: usize) -> Result<Answer, SendError> {
        self.follow(request, Wanted::UpTo(bytes_max)).await
    }

    /// Checks whether a request to a URL would be let go, as far as that can be said without
    /// connecting. Whoever then sends one is checked again.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if it would not, or if the URL's host cannot be resolved.
    pub async fn check(&self, url: &Url) -> Result<(), ConnectError> {
        self.policy.check_url(url).map_err(ConnectError::Denied)?;
        let host = url.host_str().unwrap_or_default();
        let limit = self.limits.connect_timeout;
        match timeout(limit, self.dialer.addresses(host)).await {
            Ok(addresses) => addresses.map(drop),
            Err(_) => Err(ConnectError::TimedOut { host: host.to_owned(), limit }),
        }
    }

    async fn follow(&self, mut request: Outgoing, wanted: Wanted) -> Result<Answer, SendError> {
        // Whether a redirect that was followed says that the request has been carried out.
        let mut is_carried_out = false;
        let mut n_redirects = 0;
        loop {
            let outcome = self.send_once(&request, wanted).await;
            match outcome.map_err(|error| error.after(is_carried_out))? {
                Outcome::Answered(answer) => return Ok(answer),
                Outcome::Redirected(next) => {
                    n_redirects += 1;
                    if self.limits.redirects_max < n_redirects {
                        return Err(SendError::TooManyRedirects { max: self.limits.redirects_max });
                    }
                    is_carried_out |= next.is_carried_out;
                    request = next.request;
                }
            }
        }
    }

    async fn send_once(&self, request: &Outgoing, wanted: Wanted) -> Result<Outcome, SendError> {
        self.policy.check_url(&request.url).map_err(ConnectError::Denied)?;
        let response = self.exchange(request).await?;
        if self.limits.headers_max < response.headers().len() {
            return Err(SendError::TooManyHeaders { max: self.limits.headers_max });
        }
        if request.success.contains(response.status().as_u16()) {
            let answer = match wanted {
                Wanted::Whole => self.read(request, response).await,
                Wanted::UpTo(bytes_max) => read_up_to(request, response, bytes_max).await,
            };
            return answer.map(Outcome::Answered);
        }
        match redirect::next(request, &response)? {
            Some(next) => Ok(Outcome::Redirected(Box::new(next))),
            None => Err(SendError::status(response.status(), response.headers())),
        }
    }

    /// Sends the request and awaits the answer's head.
    async fn exchange(&self, outgoing: &Outgoing) -> Result<Response<Incoming>, SendError> {
        let mut request = Request::new(Full::new(outgoing.body.clone().unwrap_or_default()));
        *request.uri_mut() = outgoing.url.as_str().parse().map_err(|_| SendError::Url)?;
        *request.method_mut() = outgoing.method.clone();
        *request.headers_mut() = outgoing.headers.clone();
        let connection = capture_connection(&mut request);
        let answer = timeout_at(outgoing.deadline.at(), self.client.request(request)).await;
        // Once it has a connection it may be on its way, if not yet all of it.
        let is_sent = connection.connection_metadata().is_some();
        match answer {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(SendError::of_client(&error, is_sent)),
            Err(_) => Err(SendError::timed_out(outgoing, is_sent)),
        }
    }

    async fn read(
        &self,
        request: &Outgoing,
        response: Response<Incoming>,
    ) -> Result<Answer, SendError> {
        let (head, body) = response.into_parts();
        let too_large = || SendError::TooLarge {
            status: head.status.as_u16(),
            bytes_max: self.limits.response_bytes_max,
        };
        let bytes_max = u64::try_from(self.limits.response_bytes_max).unwrap_or(u64::MAX);
        if bytes_max < body.size_hint().lower() {
            return Err(too_large());
        }
        let reading = Limited::new(body, self.limits.response_bytes_max).collect();
        match timeout_at(request.deadline.at(), reading).await {
            Ok(Ok(body)) => {
                Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
            }
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(error)) => Err(SendError::lost(error.as_ref())),
            Err(_) => Err(SendError::timed_out(request, true)),
        }
    }
}

/// Reads the beginning of a body. What is not read ends the connection.
async fn read_up_to(
    request: &Outgoing,
    response: Response<Incoming>,
    bytes_max: usize,
) -> Result<Answer, SendError> {
    let (head, mut body) = response.into_parts();
    let mut read = BytesMut::new();
    while read.len() < bytes_max {
        match timeout_at(request.deadline.at(), body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                let n_left = bytes_max - read.len();
                read.extend_from_slice(&data[..n_left.min(data.len())]);
            }
            Ok(Some(Err(error))) => return Err(SendError::lost(&error)),
            Err(_) => return Err(SendError::timed_out(request, true)),
        }
    }
    Ok(Answer { status: head.status, headers: head.headers, body: read.freeze() })
}

/// What came of sending a request once.
enum Outcome {
    Answered(Answer),
    Redirected(Box<Next>),
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
