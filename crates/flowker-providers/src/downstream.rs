//! A service to call, for tests: it does what the script says, also what no server should do.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use flowker_core::net::OutboundPolicy;
use rustls::RootCertStore;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::client::{ClientLimits, HttpClient};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    /// The values of a header, of which there should be one at the most.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let named = |(it, _): &&(String, String)| it.eq_ignore_ascii_case(name);
        let values: Vec<_> =
            self.headers.iter().filter(named).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(" AND "))
    }
}

/// What to do after a request has arrived.
pub(crate) enum Reply {
    /// Write this, and wait for the next request.
    Write(Vec<u8>),
    /// Write this and close the connection.
    Close(Vec<u8>),
    /// Write this and reset the connection.
    Reset(Vec<u8>),
    /// Write this, and nothing ever again.
    Hang(Vec<u8>),
    /// Write this, and then a chunk of a body after the other, until nobody reads any more.
    Flood(Vec<u8>),
}

impl Reply {
    /// A whole answer. `head` is a status and header lines: `200` or `302\r\nLocation: /`.
    pub(crate) fn answer(head: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut text =
            format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        text.extend_from_slice(body);
        Self::Write(text)
    }

    /// An answer of 200 with JSON.
    pub(crate) fn json(body: &str) -> Self {
        Self::answer("200 OK\r\nContent-Type: application/json", body)
    }
}

type Script = dyn Fn(&Received) -> Reply + Send + Sync;

/// A running service. It stops when this is dropped.
pub(crate) struct Downstream {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    n_received: watch::Receiver<usize>,
    n_connections: watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

impl Downstream {
    pub(crate) async fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::bind(None, Arc::new(script)).await
    }

    pub(crate) async fn start_tls(
        tls: TlsAcceptor,
        script: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::bind(Some(tls), Arc::new(script)).await
    }

    async fn bind(tls: Option<TlsAcceptor>, script: Arc<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (seen, n_received) = watch::channel(0);
        let (accepted, n_connections) = watch::channel(0);
        let mut tasks = JoinSet::new();
        let peer = Peer { script, received: Arc::clone(&received), seen };
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                accepted.send_modify(|n| *n += 1);
                let (tls, peer) = (tls.clone(), peer.clone());
                connections.spawn(async move {
                    // What the client hangs up on is for the client's side of the test to judge.
                    let _ = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(mut stream) => peer.serve(&mut stream).await.map(drop),
                            Err(error) => Err(error),
                        },
                        None => peer.serve_tcp(stream).await,
                    };
                });
            }
        });
        Self { address, received, n_received, n_connections, _tasks: tasks }
    }

    /// `http://127.0.0.1:port` and a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The only request there was.
    pub(crate) fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }

    pub(crate) fn n_connections(&self) -> usize {
        *self.n_connections.borrow()
    }

    /// Waits until `n` requests have arrived.
    pub(crate) async fn has_received(&self, n: usize) {
        self.n_received.clone().wait_for(|seen| n <= *seen).await.unwrap();
    }
}

#[derive(Clone)]
struct Peer {
    script: Arc<Script>,
    received: Arc<Mutex<Vec<Received>>>,
    seen: watch::Sender<usize>,
}

impl Peer {
    async fn serve_tcp(&self, mut stream: TcpStream) -> io::Result<()> {
        if self.serve(&mut stream).await? {
            stream.set_zero_linger()?;
        }
        Ok(())
    }

    /// Answers requests; whether the connection is to be reset.
    async fn serve(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<bool> {
        while let Some(request) = read_request(stream).await? {
            let reply = (self.script)(&request);
            self.received.lock().unwrap().push(request);
            self.seen.send_modify(|n| *n += 1);
            match reply {
                Reply::Write(bytes) => stream.write_all(&bytes).await?,
                Reply::Close(bytes) => {
                    stream.write_all(&bytes).await?;
                    stream.shutdown().await?;
                    return Ok(false);
                }
                Reply::Reset(bytes) => {
                    stream.write_all(&bytes).await?;
                    return Ok(true);
                }
                Reply::Hang(bytes) => {
                    stream.write_all(&bytes).await?;
                    std::future::pending::<()>().await;
                }
                Reply::Flood(bytes) => {
                    stream.write_all(&bytes).await?;
                    let chunk =
                        [b"10000\r\n".as_slice(), vec![b'x'; 0x10000].as_slice(), b"\r\n"].concat();
                    loop {
                        stream.write_all(&chunk).await?;
                    }
                }
            }
            stream.flush().await?;
        }
        Ok(false)
    }
}

/// The next request; `None` if the client has closed the connection.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Received>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && head.is_empty() => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let (method, target) = (first.next().unwrap(), first.next().unwrap());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut request = Received { method, target, headers, body: String::new() };
    if let Some(length) = request.header("content-length") {
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await?;
        request.body = String::from_utf8(body).unwrap();
    }
    Ok(Some(request))
}

/// A client that may call 127.0.0.1.
pub(crate) fn client() -> HttpClient {
    client_with(ClientLimits::default(), RootCertStore::empty())
}

pub(crate) fn client_with(limits: ClientLimits, roots: RootCertStore) -> HttpClient {
    let policy = OutboundPolicy { allow_private: true, ..OutboundPolicy::default() };
    let resolver = Arc::new(Names(|_: &str| Ok(vec![IpAddr::from([127, 0, 0, 1])])));
    HttpClient::with_resolver(policy, limits, roots, resolver)
}

/// A resolver that answers as the function says.
pub(crate) struct Names<F>(pub(crate) F);

impl<F> std::fmt::Debug for Names<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

#[async_trait::async_trait]
impl<F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync> crate::Resolve for Names<F> {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        (self.0)(host)
    }
}

/// A body.
pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}
