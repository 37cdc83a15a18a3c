//! One connection: which protocol it speaks, and its life.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flowker_core::refusal::BoxError;
use http_body_util::Either;
use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, rt};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::activity::{Activity, Open};
use super::patient::Patient;
use crate::answer::{Body, Door, answer};
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX, Limits, TARGET_BYTES_MAX};
use crate::metrics::Phase;

/// What opens a connection of HTTP/2 (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The largest head of HTTP/1 that hyper takes, in bytes: all that we take, and what it costs to
/// write it. Our own limits are exact, and answer with a body.
const HEAD_BYTES_MAX: usize = HEADER_BYTES_MAX + TARGET_BYTES_MAX + 4 * HEADERS_MAX + 64;

/// Streams that a peer may have open at once.
const STREAMS_MAX: u32 = 128;

/// When a peer of HTTP/2 is asked whether it is there, and how long it has to answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves one connection to its end.
pub(crate) async fn serve<S>(door: &Arc<Door>, mut stream: S, peer: IpAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let opening = match detect(&mut stream, &door.limits, door.shutdown.stopping()).await {
        Ok(opening) => opening,
        Err(Undetected::TimedOut(phase)) => return door.metrics.timed_out(phase),
        Err(Undetected::Gone) => return,
    };
    let activity = Activity::new();
    match opening.protocol {
        Protocol::Http1 => serve_http1(door, stream, peer, opening, activity).await,
        Protocol::Http2 => serve_http2(door, stream, peer, opening, activity).await,
    }
}

enum Protocol {
    Http1,
    Http2,
}

/// How a connection began.
struct Opening {
    protocol: Protocol,
    /// When the first byte came.
    begun: Instant,
    /// What was read to find out.
    read: Bytes,
}

/// Why nobody knows which protocol is spoken.
enum Undetected {
    TimedOut(Phase),
    /// The peer hung up, or we stop.
    Gone,
}

/// Finds out which protocol is spoken.
///
/// Not hyper-util's `auto`: it has no timer while it makes up its mind.
async fn detect<S: AsyncRead + Unpin>(
    stream: &mut S,
    limits: &Limits,
    stopping: &CancellationToken,
) -> Result<Opening, Undetected> {
    let mut buffer = [0; PREFACE.len()];
    let first = timeout(limits.idle_timeout, stream.read(&mut buffer));
    let mut len = match stopping.run_until_cancelled(first).await {
        Some(Ok(Ok(len))) => len,
        Some(Err(_)) => return Err(Undetected::TimedOut(Phase::Idle)),
        Some(Ok(Err(_))) | None => return Err(Undetected::Gone),
    };
    let begun = Instant::now();
    let deadline = begun + limits.head_timeout;
    while PREFACE.starts_with(&buffer[..len]) && len < PREFACE.len() {
        len += match timeout_at(deadline, stream.read(&mut buffer[len..])).await {
            Ok(Ok(0) | Err(_)) => return Err(Undetected::Gone),
            Ok(Ok(n_read)) => n_read,
            Err(_) => return Err(Undetected::TimedOut(Phase::Head)),
        };
    }
    let read = Bytes::copy_from_slice(&buffer[..len]);
    let protocol = if read == PREFACE.as_slice() { Protocol::Http2 } else { Protocol::Http1 };
    Ok(Opening { protocol, begun, read })
}

async fn serve_http1<S>(
    door: &Arc<Door>,
    stream: S,
    peer: IpAddr,
    opening: Opening,
    activity: Arc<Activity>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &door.limits;
    let io = Patient::http1(
        stream,
        opening.read,
        opening.begun,
        Arc::clone(&activity),
        limits,
        Arc::clone(&door.metrics),
    );
    let service = service_fn(|request| respond(door, peer, &activity, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The exact times are kept by `Patient`. This one stands behind it, for what it cannot
        // see: a head whose beginning came together with the request before.
        .header_read_timeout(limits.idle_timeout + limits.head_timeout)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(2 * HEAD_BYTES_MAX)
        // Else hyper forgets a request whose sender hung up right behind it, if both are read at
        // once: once the body has arrived, the work does not depend on the socket.
        .half_close(true)
        .keep_alive(true)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = door.shutdown.stopping().cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    log_end(ended);
}

async fn serve_http2<S>(
    door: &Arc<Door>,
    stream: S,
    peer: IpAddr,
    opening: Opening,
    activity: Arc<Activity>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &door.limits;
    let io = Patient::http2(stream, opening.read, limits, Arc::clone(&door.metrics));
    // Streams are tasks of their own: they outlive this function's frame.
    let (streams_door, streams_activity) = (Arc::clone(door), Arc::clone(&activity));
    let service = service_fn(move |request| {
        let (door, activity) = (Arc::clone(&streams_door), Arc::clone(&streams_activity));
        async move { respond(&door, peer, &activity, request).await }
    });
    let executor =
        Tracked { tasks: door.requests.clone(), cutting: door.shutdown.cutting().clone() };
    let connection = http2::Builder::new(executor)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = door.shutdown.stopping().cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = activity.quiet_for(limits.idle_timeout) => {
            connection.as_mut().graceful_shutdown();
            door.metrics.timed_out(Phase::Idle);
            // A peer that takes in no answer holds its streams open, and answers pings.
            match timeout(limits.write_timeout, connection).await {
                Ok(ended) => ended,
                Err(_) => return debug!("idle connection cut"),
            }
        }
    };
    log_end(ended);
}

async fn respond(
    door: &Arc<Door>,
    peer: IpAddr,
    activity: &Arc<Activity>,
    request: Request<Incoming>,
) -> Result<hyper::Response<Sent>, Infallible> {
    let open = activity.arrive();
    let response = answer(Arc::clone(door), peer, request).await;
    Ok(response.map(|body| {
        let open = matches!(body, Either::Right(_)).then_some(open);
        Sent { body, _open: open }
    }))
}

/// What is sent to a caller. A request whose answer is made while it is read is open to its end.
struct Sent {
    body: Body,
    _open: Option<Open>,
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that breaks is the peer's business, or the network's.
fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(%error, "connection ended early");
    }
}

/// Runs hyper's own tasks where shutdown waits for them.
#[derive(Clone)]
struct Tracked {
    tasks: TaskTracker,
    cutting: CancellationToken,
}

impl<F> rt::Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        let cutting = self.cutting.clone();
        self.tasks.spawn(async move {
            cutting.run_until_cancelled_owned(task).await;
        });
    }
}
