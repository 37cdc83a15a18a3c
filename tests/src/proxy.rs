//! A network between replicas and Postgres that loses the answer to a COMMIT on command.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::wait::until;

/// What a server answers to COMMIT: a type, a length, a tag.
const COMMITTED: &[u8] = b"C\0\0\0\x0bCOMMIT\0";

/// How long a server may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Passes on what replicas and a server say. It knows no TLS, so they may not use it.
///
/// It stops when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What happens after an answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// Its connection breaks; others go on, and new ones get through.
    GoOn,
    /// All connections break, and nothing gets through until [`Proxy::mend`].
    BreakAll,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whose COMMIT is to lose its answer: its connection has sent this text before.
    victim: Option<(String, Afterwards)>,
    n_lost: usize,
    is_broken: bool,
    is_stopped: bool,
    /// Both ends of every connection.
    ends: Vec<TcpStream>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn break_all(&mut self) {
        for end in self.ends.drain(..) {
            // One that is closed already is what we want.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Proxy {
    /// Starts one on a free port.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port can be bound");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared { server, state: Mutex::default() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// Where replicas find it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loses the answer to the next COMMIT of whoever sends `text`, which the server carries out.
    pub fn lose_commit_of(&self, text: &str, afterwards: Afterwards) {
        self.shared.state().victim = Some((text.to_owned(), afterwards));
    }

    /// Waits until so many answers were lost.
    #[track_caller]
    pub fn wait_for_losses(&self, n_lost: usize) {
        until(&format!("{n_lost} answers are lost"), || {
            (n_lost <= self.shared.state().n_lost).then_some(())
        });
    }

    /// Lets everything through again.
    pub fn mend(&self) {
        self.shared.state().is_broken = false;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_stopped = true;
        state.break_all();
        drop(state);
        // Wakes the thread that accepts, which then sees that it is over.
        let _ = TcpStream::connect_timeout(&self.address, CONNECT_MAX);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.state().is_stopped {
            return;
        }
        // A server that cannot be reached is an end of the connection, as without a proxy.
        let _ = client.and_then(|client| connect(client, shared));
    }
}

fn connect(client: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect_timeout(&shared.server, CONNECT_MAX)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut state = shared.state();
    if state.is_broken || state.is_stopped {
        return Ok(());
    }
    state.ends.extend([client.try_clone()?, server.try_clone()?]);
    drop(state);
    let is_victim = Arc::new(AtomicBool::new(false));
    let requests = Requests {
        from: client.try_clone()?,
        to: server.try_clone()?,
        is_victim: Arc::clone(&is_victim),
        shared: Arc::clone(shared),
    };
    let answers = Answers { from: server, to: client, is_victim, shared: Arc::clone(shared) };
    thread::spawn(move || requests.pass_on());
    thread::spawn(move || answers.pass_on());
    Ok(())
}

/// From a replica to the server, as it comes.
struct Requests {
    from: TcpStream,
    to: TcpStream,
    is_victim: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl Requests {
    fn pass_on(mut self) {
        let mut recent = Vec::new();
        let mut chunk = [0; 16 * 1024];
        while let Ok(n_read @ 1..) = self.from.read(&mut chunk) {
            recent.extend_from_slice(&chunk[..n_read]);
            let text = self.shared.state().victim.clone().map_or_else(String::new, |it| it.0);
            if !text.is_empty() && recent.windows(text.len()).any(|it| it == text.as_bytes()) {
                self.is_victim.store(true, Ordering::SeqCst);
            }
            // The text may be cut in two between chunks.
            recent.drain(..recent.len().saturating_sub(text.len()));
            if self.to.write_all(&chunk[..n_read]).is_err() {
                break;
            }
        }
        let _ = self.to.shutdown(Shutdown::Both);
    }
}

/// From the server to a replica, message by message.
struct Answers {
    from: TcpStream,
    to: TcpStream,
    is_victim: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl Answers {
    fn pass_on(mut self) {
        let mut bytes = Vec::new();
        let mut chunk = [0; 16 * 1024];
        'connected: while let Ok(n_read @ 1..) = self.from.read(&mut chunk) {
            bytes.extend_from_slice(&chunk[..n_read]);
            while let Some(len) = message_len(&bytes) {
                if bytes[..len] == *COMMITTED && self.loses() {
                    break 'connected;
                }
                if self.to.write_all(&bytes[..len]).is_err() {
                    break 'connected;
                }
                bytes.drain(..len);
            }
        }
        let _ = self.to.shutdown(Shutdown::Both);
        let _ = self.from.shutdown(Shutdown::Both);
    }

    /// Whether this answer to COMMIT is to be lost. It is only once.
    fn loses(&self) -> bool {
        if !self.is_victim.load(Ordering::SeqCst) {
            return false;
        }
        let mut state = self.shared.state();
        let Some((_, afterwards)) = state.victim.take() else { return false };
        state.n_lost += 1;
        if afterwards == Afterwards::BreakAll {
            state.is_broken = true;
            state.break_all();
        }
        true
    }
}

/// The length of the first message, once it is whole: a type, and a length that counts itself.
fn message_len(bytes: &[u8]) -> Option<usize> {
    let len = bytes.get(1..5)?.try_into().expect("these are four bytes");
    let len = 1 + usize::try_from(u32::from_be_bytes(len)).expect("a message fits into memory");
    (len <= bytes.len()).then_some(len)
}
