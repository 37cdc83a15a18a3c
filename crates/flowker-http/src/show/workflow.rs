//! Workflows.

use flowker_core::service::masking::mask_definition;
use flowker_core::workflow::Workflow;
use serde_json::Value;

use super::Shape;

/// The full shape, without the secrets that webhooks are signed with.
pub(crate) fn workflow(workflow: &Workflow) -> Value {
    let mut shape = Shape::new()
        .text("id", workflow.id)
        .with("name", workflow.name.as_str())
        .maybe("description", workflow.description.as_deref())
        .with("status", workflow.status.as_str());
    // Nodes, edges, and settings that are not the default ones.
    if let Value::Object(members) = mask_definition(workflow.definition.clone()).to_document() {
        shape.0.extend(members);
    }
    shape
        .unless_empty("metadata", &workflow.metadata)
        .text("createdAt", workflow.created_at)
        .text("updatedAt", workflow.updated_at)
        .done()
}

/// What a creating call answers.
pub(crate) fn workflow_created(workflow: &Workflow) -> Value {
    Shape::new()
        .text("workflowId", workflow.id)
        // The contract's constant: versions are counted where they are frozen, not shown.
        .with("version", "1.0.0")
        .with("status", workflow.status.as_str())
        .text("createdAt", workflow.created_at)
        .done()
}
