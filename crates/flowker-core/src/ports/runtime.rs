//! Time, ids, and the engine as the use-cases see it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tracing::Span;
use uuid::Uuid;

use crate::execution::{Owned, Summary};
use crate::id::ExecutionId;
use crate::time::Timestamp;
use crate::trace::TraceContext;

/// Tells the time.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// What a span is about, seen from this process.
#[derive(Clone, Copy, Debug)]
pub enum SpanKind<'a> {
    /// A request that somebody makes of it, with the name that like requests have in common.
    Server(fmt::Arguments<'a>),
    /// Its own work.
    Internal,
    /// A request that it makes of somebody.
    Client,
}

/// Makes spans of this process parts of traces that others can follow.
pub trait Tracer: fmt::Debug + Send + Sync {
    /// Puts a span into the trace of `parent`, or without one below the span that it was made in,
    /// and answers where in which trace it is. To be called once a span, before there is any span
    /// within it.
    ///
    /// `None` if spans are told to nobody: then the trace goes on as if there were no span.
    fn join(
        &self,
        span: &Span,
        parent: Option<&TraceContext>,
        kind: SpanKind<'_>,
    ) -> Option<TraceContext>;
}

/// Tells nobody of any span.
#[derive(Clone, Copy, Debug)]
pub struct Untraced;

impl Tracer for Untraced {
    fn join(&self, _: &Span, _: Option<&TraceContext>, _: SpanKind<'_>) -> Option<TraceContext> {
        None
    }
}

/// Makes ids.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait IdSource: fmt::Debug + Send + Sync {
    /// A UUID that nobody had before. Of version 7, rising, so that rows are written in order.
    fn next_id(&self) -> Uuid;
}

/// Drives executions that were accepted.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Dispatcher: fmt::Debug + Send + Sync {
    /// Whether an execution that is accepted now would be driven at once. If not, it should be
    /// accepted without an owner, and is adopted when there is room.
    fn has_room(&self) -> bool;

    /// Hands over an execution that this replica accepted and owns.
    fn dispatch(&self, owned: Owned);

    /// Stops driving an execution that was ended by someone else.
    fn abandon(&self, id: ExecutionId);

    /// Waits until an execution has ended, at most for `wait`. `None` when the time is up.
    async fn wait_for_end(&self, id: ExecutionId, wait: Duration) -> Option<Summary>;
}
