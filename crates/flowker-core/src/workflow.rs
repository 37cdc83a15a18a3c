//! Workflows: what they are, how they live, and what they compile to.

mod definition;
mod plan;
mod routes;

pub use definition::{Definition, Edge, Node, Position, Settings};
pub use plan::{
    Action, EdgeIdx, Executor, Input, Kind, NodeIdx, OnUncertain, Plan, PlanEdge, PlanNode, Rate,
    Retry, Trigger, Violation, Webhook,
};
pub use routes::{NewRoute, Route, WebhookPath, WebhookPathError};

use serde_json::{Map, Value};

use crate::id::WorkflowId;
use crate::time::Timestamp;

/// The longest name of a workflow or a configuration, in bytes (contract).
pub const NAME_BYTES_MAX: usize = 100;

/// How many nodes a workflow may have (contract).
pub const NODES_MAX: usize = 100;

/// How many edges a workflow may have (contract).
pub const EDGES_MAX: usize = 200;

/// Where a workflow stands in its life: draft → active → inactive → draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// May be edited; starts nothing.
    Draft,
    /// Its routes are live; cannot be edited.
    Active,
    /// Was active; starts nothing, cannot be edited.
    Inactive,
}

impl Lifecycle {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Draft, Self::Active, Self::Inactive];

    /// The word that travels and is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }

    /// Reads the word. `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// A workflow as it is edited and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// Never changes.
    pub id: WorkflowId,
    /// Unique over all workflows; 1 to [`NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// `Some("")` and `None` are different, and both are kept.
    pub description: Option<String>,
    /// Where it stands in its life.
    pub status: Lifecycle,
    /// Grows by one with every change: what a writer compares to find that it was overtaken.
    pub revision: u64,
    /// The version that was frozen last, from 1; 0 before the first activation.
    pub version: u32,
    /// The graph as it was last edited.
    pub definition: Definition,
    /// Whatever the owner keeps with it.
    pub metadata: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
