//! Bodies that are longer than memory: made page by page, as fast as they are read.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::mpsc;

/// Why a body ends before it is whole. The connection is cut, so that its reader notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rest of the body could not be made")]
pub(crate) struct CutShort;

/// Lines that come page by page.
#[derive(Debug)]
pub(crate) struct Lines(mpsc::Receiver<Result<Bytes, CutShort>>);

impl Lines {
    /// Lines, and where their pages are put. Whoever puts one waits until the one before is taken.
    pub(crate) fn new() -> (mpsc::Sender<Result<Bytes, CutShort>>, Self) {
        // 1: more would be memory that nobody gains from.
        let (pages, lines) = mpsc::channel(1);
        (pages, Self(lines))
    }
}

impl Body for Lines {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        self.0.poll_recv(cx).map(|page| page.map(|page| page.map(Frame::data)))
    }
}
