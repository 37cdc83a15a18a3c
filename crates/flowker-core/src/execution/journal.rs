//! The journal: what happened in an execution, in order, and never rewritten.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Failure;
use crate::time::Timestamp;

/// Counts the owners of an execution, from 1. A write with an old one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

impl Fence {
    /// Of an execution that nobody has owned yet.
    pub const NONE: Self = Self(0);
    /// Of the first owner.
    pub const FIRST: Self = Self(1);

    /// Of the next owner.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Something that happened, and who wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Of the owner that wrote it.
    pub fence: Fence,
    /// When, by the owner's clock. Only times under one fence are ever compared.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// Something that happened in an execution. Nodes are named by id.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Another owner took over, because the one before lapsed or gave it up.
    Adopted,
    /// An attempt is about to begin. Written only where a lost attempt must be told from one that
    /// never began: for nodes that must not be repeated, and for executions that lost an owner.
    Started {
        /// The node.
        node: String,
        /// From 1.
        attempt: u32,
    },
    /// An attempt was cut short by an owner that stops in good order.
    Interrupted {
        /// The node.
        node: String,
    },
    /// An attempt failed and the next may begin at `due`.
    RetryAt {
        /// The node.
        node: String,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// When the next may begin.
        due: Timestamp,
        /// Why it failed.
        message: String,
    },
    /// A step was done.
    Completed {
        /// The node.
        node: String,
        /// How it ran.
        run: StepRun,
        /// What it produced.
        output: Arc<Value>,
    },
    /// A step failed for good.
    Failed {
        /// The node.
        node: String,
        /// How it ran.
        run: StepRun,
        /// Why.
        failure: Failure,
    },
}

/// When a step ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRun {
    /// The last attempt, from 1.
    pub attempt: u32,
    /// When that attempt began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
}

/// Whether a step was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepStatus {
    /// It was.
    Completed,
    /// It failed.
    Failed,
}

/// A step as clients see it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepResult {
    /// From 1, in the order of completion.
    pub number: u32,
    /// The node.
    pub node: String,
    /// How it ran.
    pub run: StepRun,
    /// What it produced, or why it failed.
    pub result: Result<Arc<Value>, Failure>,
}

impl StepResult {
    /// Whether the step was done.
    pub const fn status(&self) -> StepStatus {
        match self.result {
            Ok(_) => StepStatus::Completed,
            Err(_) => StepStatus::Failed,
        }
    }
}

/// The steps that a journal tells of.
pub fn step_results(journal: Vec<Entry>) -> Vec<StepResult> {
    let ended = journal.into_iter().filter_map(|entry| match entry.event {
        Event::Completed { node, run, output } => Some((node, run, Ok(output))),
        Event::Failed { node, run, failure } => Some((node, run, Err(failure))),
        Event::Adopted
        | Event::Started { .. }
        | Event::Interrupted { .. }
        | Event::RetryAt { .. } => None,
    });
    (1..)
        .zip(ended)
        .map(|(number, (node, run, result))| StepResult { number, node, run, result })
        .collect()
}
