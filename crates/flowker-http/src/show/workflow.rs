//! Workflows.

use flowker_core::id::WorkflowId;
use flowker_core::service::masking::mask_definition;
use flowker_core::time::Timestamp;
use flowker_core::workflow::{self as domain, Definition, Lifecycle};
use serde_json::{Map, Value};

use crate::shape::{shapes, unless_empty};

shapes! {
    /// A workflow as it was last edited, without the secrets that webhooks are signed with.
    Workflow {
        /// Never changes.
        id "id": WorkflowId,
        /// Unique over all workflows.
        name "name": String,
        /// For people.
        description "description": Option<String>,
        /// Where it stands in its life.
        status "status": Lifecycle,
        /// In the order in which they were sent.
        nodes "nodes": Vec<Node>,
        /// In the order in which they were sent.
        edges "edges": Vec<Edge>,
        /// Of each run, where they are not the default ones.
        settings "settings": Option<Settings>,
        /// Whatever the owner keeps with it.
        metadata "metadata": Option<Map<String, Value>>,
        /// When it was made.
        created_at "createdAt": Timestamp,
        /// When it was last changed.
        updated_at "updatedAt": Timestamp,
    }

    /// One node of a workflow.
    Node {
        /// Unique within a workflow that is active.
        id "id": String,
        /// `trigger`, `executor`, `conditional`, `action`, or anything in a draft.
        kind "type": String,
        /// For people.
        name "name": Option<String>,
        /// Where an editor draws it.
        position "position": Position,
        /// What the type asks for.
        data "data": Option<Map<String, Value>>,
    }

    /// Where an editor draws a node.
    Position {
        /// To the right.
        x "x": i64,
        /// Down.
        y "y": i64,
    }

    /// One edge of a workflow.
    Edge {
        /// Unique within a workflow that is active.
        id "id": String,
        /// Id of the node that it leaves.
        source "source": String,
        /// Id of the node that it enters.
        target "target": String,
        /// Which outcome of a conditional node it belongs to: `true` or `false`.
        source_handle "sourceHandle": Option<String>,
        /// A condition; false kills the edge.
        condition "condition": Option<String>,
        /// For people.
        label "label": Option<String>,
    }

    /// Settings of each run of a workflow.
    Settings {
        /// How long a run may take, in seconds from its first step.
        execution_timeout_seconds "executionTimeoutSeconds": u32,
    }

    /// A workflow that was just made.
    WorkflowCreated {
        /// Its id.
        workflow_id "workflowId": WorkflowId,
        /// Always `1.0.0`.
        version "version": &'static str,
        /// Always `draft`.
        status "status": Lifecycle,
        /// When it was made.
        created_at "createdAt": Timestamp,
    }
}

/// The full shape, without the secrets that webhooks are signed with.
pub(crate) fn workflow(workflow: &domain::Workflow) -> Workflow {
    let definition = mask_definition(workflow.definition.clone());
    let has_settings = definition.settings != domain::Settings::default();
    let Definition { nodes, edges, settings } = definition;
    Workflow {
        id: workflow.id,
        name: workflow.name.clone(),
        description: workflow.description.clone(),
        status: workflow.status,
        nodes: nodes.into_iter().map(node).collect(),
        edges: edges.into_iter().map(edge).collect(),
        settings: has_settings
            .then_some(Settings { execution_timeout_seconds: settings.execution_timeout_seconds }),
        metadata: unless_empty(&workflow.metadata),
        created_at: workflow.created_at,
        updated_at: workflow.updated_at,
    }
}

fn node(node: domain::Node) -> Node {
    let domain::Position { x, y } = node.position;
    Node {
        id: node.id,
        kind: node.kind,
        name: node.name,
        position: Position { x, y },
        data: Some(node.data).filter(|data| !data.is_empty()),
    }
}

fn edge(edge: domain::Edge) -> Edge {
    let domain::Edge { id, source, target, source_handle, condition, label } = edge;
    Edge { id, source, target, source_handle, condition, label }
}

/// What a creating call answers.
pub(crate) fn workflow_created(workflow: &domain::Workflow) -> WorkflowCreated {
    WorkflowCreated {
        workflow_id: workflow.id,
        // The contract's constant: versions are counted where they are frozen, not shown.
        version: "1.0.0",
        status: workflow.status,
        created_at: workflow.created_at,
    }
}
