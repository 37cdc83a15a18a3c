//! A socket whose peer must not let us wait for ever.
//!
//! hyper has one time for an idle connection and for a head that has begun; balancers need the
//! first to be long, and slow attackers the second to be short. So the times are kept here, below
//! hyper.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use crate::limits::Limits;
use crate::metrics::{Metrics, Phase};

/// How long we read on, after our last byte, from a peer that is still sending: closing with
/// unread input would reset the connection, and the peer would lose our answer.
const LINGER: Duration = Duration::from_secs(2);

/// How much we read and throw away meanwhile, in bytes.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// Watches over one connection.
pub(super) struct Patient<S> {
    stream: S,
    /// What was read before it was known which protocol is spoken.
    read_before: Bytes,
    /// Watches over heads, for HTTP/1 only.
    heads: Option<HeadWatch>,
    write_timeout: Duration,
    write_timer: Option<Pin<Box<Sleep>>>,
    metrics: Arc<Metrics>,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

/// Times the head of each request, and the silence before it.
struct HeadWatch {
    activity: Arc<Activity>,
    idle_timeout: Duration,
    head_timeout: Duration,
    /// When the first byte of the next head arrived, and behind how many requests.
    begun: Option<(Instant, u64)>,
    timer: Pin<Box<Sleep>>,
}

impl HeadWatch {
    /// Notes that bytes have arrived.
    fn arrived(&mut self) {
        let state = self.activity.state();
        if state.n_open == 0 && self.begun.is_none_or(|(_, behind)| behind != state.n_arrived) {
            self.begun = Some((Instant::now(), state.n_arrived));
        }
    }

    /// Ready when the peer has taken too long, with what it took too long for.
    fn poll_too_late(&mut self, cx: &mut Context<'_>) -> Poll<Phase> {
        let state = self.activity.state();
        if state.n_open != 0 {
            // A body has its own time, and its reader keeps it.
            return Poll::Pending;
        }
        let (due, phase) = match self.begun {
            Some((at, behind)) if behind == state.n_arrived => {
                (at + self.head_timeout, Phase::Head)
            }
            _ => (state.quiet_since + self.idle_timeout, Phase::Idle),
        };
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        self.timer.as_mut().poll(cx).map(|()| phase)
    }
}

impl<S> Patient<S> {
    /// For a connection that speaks HTTP/1. `begun` is when the first byte of its first head came.
    pub(super) fn http1(
        stream: S,
        read_before: Bytes,
        begun: Instant,
        activity: Arc<Activity>,
        limits: &Limits,
        metrics: Arc<Metrics>,
    ) -> Self {
        let heads = HeadWatch {
            activity,
            idle_timeout: limits.idle_timeout,
            head_timeout: limits.head_timeout,
            begun: Some((begun, 0)),
            timer: Box::pin(tokio::time::sleep_until(begun + limits.head_timeout)),
        };
        Self { heads: Some(heads), ..Self::http2(stream, read_before, limits, metrics) }
    }

    /// For a connection that speaks HTTP/2, which has pings to notice a peer that is gone.
    pub(super) fn http2(
        stream: S,
        read_before: Bytes,
        limits: &Limits,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            stream,
            read_before,
            heads: None,
            write_timeout: limits.write_timeout,
            write_timer: None,
            metrics,
            linger: None,
        }
    }

    /// Passes on what a write came to, unless it has been waiting for too long.
    fn timed<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.write_timer = None;
            return polled;
        }
        let timeout = self.write_timeout;
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(timer.as_mut().poll(cx));
        self.metrics.timed_out(Phase::Write);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.read_before.is_empty() {
            let n = this.read_before.len().min(buf.remaining());
            buf.put_slice(&this.read_before[..n]);
            this.read_before.advance(n);
            return Poll::Ready(Ok(()));
        }
        let n_before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        let Some(heads) = &mut this.heads else { return polled };
        if polled.is_ready() {
            if n_before < buf.filled().len() {
                heads.arrived();
            }
            return polled;
        }
        let phase = ready!(heads.poll_too_late(cx));
        this.metrics.timed_out(phase);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.timed(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.timed(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.timed(cx, polled)
    }

    /// Says that no more comes from us, then takes in for a while what still comes from the peer.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            let polled = Pin::new(&mut this.stream).poll_shutdown(cx);
            ready!(this.timed(cx, polled))?;
        }
        let (timer, n_read) =
            this.linger.get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGER)), 0));
        let mut thrown_away = [0; 4096];
        while *n_read < LINGER_BYTES_MAX && timer.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut thrown_away);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => *n_read += buf.filled().len(),
                // The peer has closed, too.
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
