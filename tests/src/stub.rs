//! The services that workflows call: a server on loopback that writes down every call, and answers
//! as the test says.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{self, Request};
use crate::wait::{now, until};

/// The most headers of a call.
const HEADERS_MAX: usize = 128;

/// A path that is answered and not written down: who gets an answer knows that every earlier
/// connection has been accepted.
const BARRIER: &str = "/barrier-of-the-stub";

/// One call, as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    /// Such as POST.
    pub method: String,
    /// With its query.
    pub target: String,
    /// In the order of arrival.
    pub headers: Vec<(String, String)>,
    /// As it was sent.
    pub body: Vec<u8>,
    /// When it had arrived.
    pub at: Instant,
    /// The life of the server in which it arrived, counted from 0 with [`Stub::next_life`].
    pub life: u32,
    /// Different for each call, and a member of the answer: tells which answer was kept.
    pub nonce: String,
}

impl Call {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The key that tells a receiver which calls are one step.
    #[track_caller]
    pub fn key(&self) -> &str {
        self.header("Idempotency-Key").unwrap_or_else(|| panic!("a call has no key: {self:?}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What a call is answered with.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Reply {
    /// An answer with this status. Its body is `{"nonce": …}`.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same answer with another JSON text as its body.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }
}

/// A recording server. It stops when it is dropped.
#[derive(Debug)]
pub struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Told whenever a path is released.
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    /// What the next calls of a path get; then 200.
    replies: BTreeMap<String, VecDeque<Reply>>,
    /// Paths whose answers wait: those to calls from this one on, counted over all paths.
    held: BTreeMap<String, usize>,
    /// How long every answer takes.
    work: Duration,
    life: u32,
    n_connections: usize,
    is_stopped: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stub {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port can be bound");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the next calls of `path` get, in this order; after them every call gets 200.
    pub fn replies(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.state().replies.entry(path.to_owned()).or_default().extend(replies);
    }

    /// Lets the answers of `path` wait until it is released.
    pub fn hold(&self, path: &str) {
        let mut state = self.shared.state();
        let next = state.calls.len();
        state.held.entry(path.to_owned()).or_insert(next);
    }

    /// Lets the answers of `path` go that wait now, while later ones still wait.
    pub fn release_so_far(&self, path: &str) {
        let mut state = self.shared.state();
        let next = state.calls.len();
        state.held.insert(path.to_owned(), next);
        drop(state);
        self.shared.released.notify_all();
    }

    /// Lets the answers of `path` go.
    pub fn release(&self, path: &str) {
        self.shared.state().held.remove(path);
        self.shared.released.notify_all();
    }

    /// Lets every answer take a while, as real work does.
    pub fn take_time(&self, work: Duration) {
        self.shared.state().work = work;
    }

    /// All calls so far, in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// How many calls there were so far.
    pub fn n_calls(&self) -> usize {
        self.shared.state().calls.len()
    }

    /// Waits until there were so many calls, and returns them.
    #[track_caller]
    pub fn wait_for_calls(&self, n_calls: usize) -> Vec<Call> {
        until(&format!("the stub got {n_calls} calls"), || {
            let calls = self.calls();
            (n_calls <= calls.len()).then_some(calls)
        })
    }

    /// Begins the next life of a server that was killed.
    ///
    /// Waits until every call of the dead server has been written down: what it sent may still be
    /// in a socket, and would otherwise seem to come from the next life.
    pub fn next_life(&self) {
        let barrier = Request::get(BARRIER).to_bytes(self.address);
        let _ = http::exchange(self.address, &barrier).expect("the stub answers").expect(200);
        until("the connections of the dead server are closed", || {
            (self.shared.state().n_connections == 0).then_some(())
        });
        self.shared.state().life += 1;
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.state().is_stopped = true;
        self.shared.released.notify_all();
        // Wakes the thread that accepts, which then sees that it is over.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        let mut state = shared.state();
        if state.is_stopped {
            return;
        }
        state.n_connections += 1;
        drop(state);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A caller that goes away is part of what is tested.
            let _ = socket.and_then(|socket| serve(socket, &shared));
            shared.state().n_connections -= 1;
        });
    }
}

/// Answers the calls of one connection until its end.
fn serve(mut socket: TcpStream, shared: &Shared) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some((call, call_len)) = parse_call(&bytes)? {
            bytes.drain(..call_len);
            answer(&mut socket, call, shared)?;
            continue;
        }
        match socket.read(&mut chunk)? {
            0 => return Ok(()),
            n_read => bytes.extend_from_slice(&chunk[..n_read]),
        }
    }
}

/// The first call in `bytes` and its length, once it is whole.
fn parse_call(bytes: &[u8]) -> io::Result<Option<(Call, usize)>> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head_len) = head.parse(bytes).map_err(invalid)? else {
        return Ok(None);
    };
    let headers = head.headers.iter();
    let headers = headers
        .map(|it| (it.name.to_owned(), String::from_utf8_lossy(it.value).into_owned()))
        .collect();
    let mut call = Call {
        method: head.method.unwrap_or_default().to_owned(),
        target: head.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
        at: now(),
        life: 0,
        nonce: String::new(),
    };
    let body_len = call.header("Content-Length").and_then(|text| text.parse().ok());
    let call_len = head_len + body_len.unwrap_or(0);
    let Some(body) = bytes.get(head_len..call_len) else { return Ok(None) };
    body.clone_into(&mut call.body);
    Ok(Some((call, call_len)))
}

fn answer(socket: &mut TcpStream, mut call: Call, shared: &Shared) -> io::Result<()> {
    if call.target == BARRIER {
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        socket.write_all(answer)?;
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let path = call.target.split('?').next().unwrap_or_default().to_owned();
    let mut state = shared.state();
    let call_idx = state.calls.len();
    let nonce = format!("nonce-{call_idx}");
    call.nonce.clone_from(&nonce);
    call.life = state.life;
    state.calls.push(call);
    let reply = state.replies.get_mut(&path).and_then(VecDeque::pop_front);
    let reply = reply.unwrap_or_else(|| Reply::status(200));
    let is_held = |state: &mut State| {
        let first_held = state.held.get(&path).copied();
        first_held.is_some_and(|first| first <= call_idx) && !state.is_stopped
    };
    let state = shared.released.wait_while(state, is_held);
    let work = state.unwrap_or_else(PoisonError::into_inner).work;
    thread::sleep(work);
    let body = reply.body.unwrap_or_else(|| format!("{{\"nonce\":\"{nonce}\"}}"));
    let mut answer = format!(
        "HTTP/1.1 {} Scripted\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        reply.status,
        body.len()
    );
    for (name, value) in &reply.headers {
        let _ = write!(answer, "{name}: {value}\r\n");
    }
    answer.push_str("\r\n");
    answer.push_str(&body);
    socket.write_all(answer.as_bytes())
}
