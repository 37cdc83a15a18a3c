//! Executions: one run of one version of a workflow, and the journal that says how far it got.

mod advance;
mod context;
mod journal;
mod state;

pub use advance::{Next, Start, advance};
pub use context::{Context, INPUT, OUTPUT};
pub use journal::{Entry, Event, Fence, StepResult, StepRun, StepStatus, step_results};
pub use state::{IllegalEntry, RunState};

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::id::{ExecutionId, WorkflowId};
use crate::time::Timestamp;
use crate::trace::TraceContext;

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Accepted, waiting for a replica with room.
    Pending,
    /// Driven by a replica, or waiting for another to take it over.
    Running,
    /// Every branch came to its end.
    Completed,
    /// A step failed, or the run ran out of time.
    Failed,
    /// Ended on request.
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// The word that travels and is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word. `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// Whether it never changes any more.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Pending | Self::Running => false,
        }
    }
}

/// Why an execution failed, as clients match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// A step failed for good, or its attempts are used up.
    StepFailed,
    /// The run's own time was up.
    TimedOut,
    /// A call that must not be repeated lost its answer.
    Uncertain,
    /// Its owner was lost again and again without progress.
    Quarantined,
    /// The breaker of the provider configuration stayed open until the run's time was up.
    CircuitOpen,
    /// The workflow itself is at fault, or what it refers to is gone.
    DefinitionError,
    /// A bug of ours.
    Internal,
}

impl FailureCode {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::StepFailed,
        Self::TimedOut,
        Self::Uncertain,
        Self::Quarantined,
        Self::CircuitOpen,
        Self::DefinitionError,
        Self::Internal,
    ];

    /// The word that travels and is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StepFailed => "step_failed",
            Self::TimedOut => "timed_out",
            Self::Uncertain => "uncertain",
            Self::Quarantined => "quarantined",
            Self::CircuitOpen => "circuit_open",
            Self::DefinitionError => "definition_error",
            Self::Internal => "internal",
        }
    }

    /// Reads the word. `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// Why a step or an execution failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What clients match on.
    pub code: FailureCode,
    /// For a person.
    pub message: String,
}

impl Failure {
    /// A failure with its text.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All branches came to their end.
    Completed {
        /// What the run produced.
        output: Map<String, Value>,
    },
    /// It failed.
    Failed(Failure),
    /// It was ended on request.
    Cancelled,
}

impl Outcome {
    /// The status that it leads to.
    pub const fn status(&self) -> Status {
        match self {
            Self::Completed { .. } => Status::Completed,
            Self::Failed(_) => Status::Failed,
            Self::Cancelled => Status::Cancelled,
        }
    }
}

/// What never changes about an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Chosen by us before it is written, so that a lost answer can be resolved by reading.
    pub id: ExecutionId,
    /// The workflow it is a run of; kept when the workflow is deleted.
    pub workflow_id: WorkflowId,
    /// The version that it runs, from its acceptance to its end.
    pub version: u32,
    /// Id of the trigger node at which it starts.
    pub start_node: String,
    /// The input, as compact JSON of an object.
    pub input: Bytes,
    /// How many steps there can be: the nodes that are no triggers.
    pub total_steps: u32,
    /// When it was accepted. Shown to clients as `startedAt`.
    pub accepted_at: Timestamp,
    /// The execution that this one repeats.
    pub retry_of: Option<ExecutionId>,
    /// The trace that its request belonged to, and its calls belong to. Shown to nobody.
    pub trace: Option<TraceContext>,
}

/// An execution as clients see it in lists and answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its id.
    pub id: ExecutionId,
    /// The workflow it is a run of.
    pub workflow_id: WorkflowId,
    /// Where it stands.
    pub status: Status,
    /// Number of the last step that was journaled; 0 before the first.
    pub current_step: u32,
    /// How many steps there can be.
    pub total_steps: u32,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// How it ended; `None` while it has not.
    pub outcome: Option<Arc<Outcome>>,
    /// The execution that this one repeats.
    pub retry_of: Option<ExecutionId>,
}

/// An execution with everything that its owner needs to drive it.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// What was accepted.
    pub execution: Arc<Execution>,
    /// What every write of this owner must carry.
    pub fence: Fence,
    /// How far it got, oldest first.
    pub journal: Vec<Entry>,
}
