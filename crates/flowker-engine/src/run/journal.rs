//! What a run still has to write down, and what it is writing.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;

use flowker_core::execution::{Entry, Event, Fence, Outcome};
use flowker_core::id::ExecutionId;
use flowker_core::ports::Append;
use flowker_core::time::Timestamp;
use flowker_core::workflow::NodeIdx;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::shared::Shared;
use crate::store::{self, Lost};

/// The writer of one execution's journal: one append at a time, and what happens meanwhile goes
/// into the next one.
pub(super) struct Journal {
    id: ExecutionId,
    fence: Fence,
    /// How many entries are stored.
    position: usize,
    /// In the order in which they happened. Bounded by the number of nodes and their attempts.
    pending: Vec<Entry>,
    /// The nodes of those pending entries on which nothing may be built yet.
    pending_nodes: BTreeSet<NodeIdx>,
    writing: Option<Writing>,
}

struct Writing {
    answer: BoxFuture<'static, Result<(), Lost>>,
    nodes: BTreeSet<NodeIdx>,
    n_entries: usize,
    written: Written,
}

/// What an append has stored.
pub(super) struct Written {
    /// Whether a step ended or failed an attempt.
    pub has_progress: bool,
    /// The end, if that was stored.
    pub end: Option<Outcome>,
}

impl Journal {
    pub fn new(id: ExecutionId, fence: Fence, position: usize) -> Self {
        let (pending, pending_nodes) = (Vec::new(), BTreeSet::new());
        Self { id, fence, position, pending, pending_nodes, writing: None }
    }

    /// Adds an entry that can be computed again, so that it need not be stored before others are
    /// built on it. It goes with the next append.
    pub fn note(&mut self, entry: Entry) {
        self.pending.push(entry);
    }

    /// Adds an entry that must be stored before anything is built on it.
    pub fn record(&mut self, node: NodeIdx, entry: Entry) {
        self.pending.push(entry);
        self.pending_nodes.insert(node);
    }

    /// Whether something of a node is recorded and not stored.
    pub fn is_unsaved(&self, node: NodeIdx) -> bool {
        let is_written_now = || self.writing.as_ref().is_some_and(|it| it.nodes.contains(&node));
        self.pending_nodes.contains(&node) || is_written_now()
    }

    /// Whether all that was recorded is stored.
    pub fn is_settled(&self) -> bool {
        self.writing.is_none() && self.pending_nodes.is_empty()
    }

    /// Whether the end is being written.
    pub fn is_ending(&self) -> bool {
        self.writing.as_ref().is_some_and(|it| it.written.end.is_some())
    }

    /// Begins to write what is recorded, unless a write is under way.
    pub fn write(&mut self, shared: &Arc<Shared>) {
        if !self.pending_nodes.is_empty() {
            self.append(shared, None);
        }
    }

    /// Begins to write the end with all that is left, unless a write is under way.
    pub fn write_end(&mut self, shared: &Arc<Shared>, outcome: Outcome, at: Timestamp) {
        self.append(shared, Some((outcome, at)));
    }

    fn append(&mut self, shared: &Arc<Shared>, end: Option<(Outcome, Timestamp)>) {
        if self.writing.is_some() {
            return;
        }
        let entries = mem::take(&mut self.pending);
        let has_progress = entries.iter().any(|entry| match entry.event {
            Event::RetryAt { .. } | Event::Completed { .. } | Event::Failed { .. } => true,
            Event::Adopted | Event::Started { .. } | Event::Interrupted { .. } => false,
        });
        let written = Written { has_progress, end: end.as_ref().map(|(it, _)| it.clone()) };
        let n_entries = entries.len();
        let Self { id, fence, position, .. } = *self;
        let append = Append { id, fence, position, entries, end };
        let shared = Arc::clone(shared);
        let answer = async move { store::append(&shared, &append).await }.boxed();
        let nodes = mem::take(&mut self.pending_nodes);
        self.writing = Some(Writing { answer, nodes, n_entries, written });
    }

    /// Waits for the write that is under way; for ever if none is. May be dropped at any time.
    pub async fn written(&mut self) -> Result<Written, Lost> {
        let Some(writing) = &mut self.writing else { return std::future::pending().await };
        let answer = (&mut writing.answer).await;
        // Taken out only now: a wait that was dropped goes on with the same write.
        match self.writing.take() {
            Some(writing) => {
                answer?;
                self.position += writing.n_entries;
                Ok(writing.written)
            }
            None => std::future::pending().await,
        }
    }
}
