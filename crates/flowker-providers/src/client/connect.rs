//! Dialling: resolve once, check every address, and connect to one of those.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flowker_core::net::{OutboundPolicy, Refusal};
use flowker_core::refusal::BoxError;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use metrics::Gauge;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::counted::Counted;
use super::resolve::Resolve;
use crate::metrics::Metrics;

/// Why there is no connection. Nothing of a request was sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The policy does not let anyone go there.
    #[error("egress denied")]
    Denied(#[source] Refusal),
    /// The name server has no answer, or did not give it.
    #[error("the host {host} cannot be resolved")]
    Unresolved {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// None of the host's addresses takes the connection.
    #[error("there is no connection to {host}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why, from the address that was tried last.
        #[source]
        source: Arc<io::Error>,
    },
    /// It took too long.
    #[error("there is no connection to {host} within {} ms", .limit.as_millis())]
    TimedOut {
        /// The host.
        host: String,
        /// How long it was given.
        limit: Duration,
    },
    /// The host shows a certificate that is not valid for it, not valid now, or of nobody we trust.
    #[error("the certificate of {host} is refused")]
    Certificate {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The TLS handshake failed for another reason.
    #[error("the TLS handshake with {host} failed")]
    Handshake {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, ConnectError>> + Send>>;

/// Gives hyper a connection to the host of a URL, with TLS if its scheme asks for it.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Dialer>,
    timeout: Duration,
    metrics: Metrics,
}

impl Connector {
    pub(super) fn new(dialer: Dialer, roots: RootCertStore, timeout: Duration) -> Self {
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .expect("ring speaks the versions of TLS that are the default")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(dialer);
        Self { https, timeout, metrics: Metrics::new() }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<Counted>>;
    type Error = ConnectError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let host = target.host().unwrap_or_default().to_owned();
        let limit = self.timeout;
        let connecting = timeout(limit, self.https.call(target));
        let metrics = self.metrics.clone();
        Box::pin(async move {
            let connected = match connecting.await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(ConnectError::of_https(host, error)),
                Err(_) => Err(ConnectError::TimedOut { host, limit }),
            };
            match &connected {
                Ok(_) => metrics.connected.increment(1),
                Err(ConnectError::Denied(_)) => metrics.denied.increment(1),
                Err(_) => metrics.failed.increment(1),
            }
            connected
        })
    }
}

impl ConnectError {
    fn of_https(host: String, error: BoxError) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return *own,
            Err(other) => other,
        };
        match rustls_error(error.as_ref()) {
            Some(source @ rustls::Error::InvalidCertificate(_)) => {
                Self::Certificate { host, source: source.clone() }
            }
            _ => Self::Handshake { host, source: Arc::from(error) },
        }
    }
}

/// What rustls said. An I/O error's `source` passes over the error it wraps, hence `get_ref`.
fn rustls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let wrapped = error.downcast_ref::<io::Error>()?.get_ref()?;
    rustls_error(wrapped)
}

/// Gives a TCP connection to one of a host's addresses, if the policy allows all of them.
#[derive(Clone)]
pub(super) struct Dialer {
    policy: Arc<OutboundPolicy>,
    resolver: Arc<dyn Resolve>,
    /// Counts connections that are open.
    open: Gauge,
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Counted>;
    type Error = ConnectError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move {
            let host = target.host().unwrap_or_default();
            let port_of_scheme = if target.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
            let port = target.port_u16().unwrap_or(port_of_scheme);
            let addresses = dialer.addresses(host).await?;
            let connected = dial(&addresses, port).await;
            let counted = connected.map(|stream| TokioIo::new(Counted::new(stream, dialer.open)));
            counted.map_err(|error| ConnectError::Unreachable {
                host: host.to_owned(),
                source: Arc::new(error),
            })
        })
    }
}

impl Dialer {
    pub(super) fn new(policy: Arc<OutboundPolicy>, resolver: Arc<dyn Resolve>) -> Self {
        Self { policy, resolver, open: Metrics::new().connections }
    }

    /// The host's addresses, all of which may be dialled. Its name was checked with the URL.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ConnectError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = match bare.parse() {
            Ok(address) => vec![address],
            Err(_) => self.resolver.resolve(host).await.map_err(|error| {
                ConnectError::Unresolved { host: host.to_owned(), source: Arc::new(error) }
            })?,
        };
        self.policy.check_addresses(bare, &addresses).map_err(ConnectError::Denied)?;
        Ok(addresses)
    }
}

/// How much later the next address is tried while the one before it is silent: what RFC 8305
/// (Happy Eyeballs) recommends, so that a host with a dead IPv6 route is reached through IPv4.
const NEXT_ADDRESS_DELAY: Duration = Duration::from_millis(250);

/// Connects to whichever address answers first, trying them in their order.
async fn dial(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().map(|address| SocketAddr::new(*address, port));
    let mut attempts = FuturesUnordered::new();
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let next = waiting.next().map(|address| attempts.push(TcpStream::connect(address)));
        let attempt = match next {
            Some(()) => match timeout(NEXT_ADDRESS_DELAY, attempts.next()).await {
                Ok(attempt) => attempt,
                Err(_) => continue,
            },
            None => attempts.next().await,
        };
        match attempt {
            Some(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Some(Err(error)) => last_error = error,
            None => return Err(last_error),
        }
    }
}
