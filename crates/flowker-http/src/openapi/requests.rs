//! What requests hold. Readers take a member that is `null` for one that is absent, and ignore
//! members that they do not know; names match in any case of letters.

use flowker_core::access::Scope;
use flowker_core::service::{DESCRIPTION_BYTES_MAX, OVERLAP, OVERLAP_MAX};
use flowker_core::workflow::{EDGES_MAX, NAME_BYTES_MAX, NODES_MAX};
use serde_json::{Value, json};

use crate::shape::Schemas;

/// Of text, which is counted in bytes; JSON Schema counts characters.
const NAME: &str = "At most 100 bytes.";

fn name() -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX, "description": NAME,
    })
}

fn optional_text(about: &str) -> Value {
    json!({ "type": ["string", "null"], "description": about })
}

fn optional_object(about: &str) -> Value {
    json!({ "type": ["object", "null"], "description": about })
}

/// A workflow as it is made or replaced.
pub(super) fn workflow_draft(schemas: &mut Schemas) -> Value {
    schemas.named("WorkflowDraft", |schemas| {
        let (nodes, edges) = (node_draft(schemas), edge_draft(schemas));
        json!({
            "type": "object",
            "description": "A workflow. A draft need not be able to run: activation looks closer.",
            "required": ["name"],
            "properties": {
                "name": name(),
                "description": optional_text("For people."),
                "nodes": { "type": ["array", "null"], "maxItems": NODES_MAX, "items": nodes },
                "edges": { "type": ["array", "null"], "maxItems": EDGES_MAX, "items": edges },
                "settings": {
                    "type": ["object", "null"],
                    "description": "Of each run.",
                    "properties": {
                        "executionTimeoutSeconds": {
                            "type": ["integer", "null"], "minimum": 1, "maximum": 30 * 24 * 3600,
                            "default": 300,
                            "description": "How long a run may take, from its first step.",
                        },
                    },
                },
                "metadata": optional_object("Whatever the owner keeps with it. Merged on replacement."),
            },
        })
    })
}

fn node_draft(schemas: &mut Schemas) -> Value {
    schemas.named("NodeDraft", |_| {
        let coordinate = json!({ "type": ["integer", "null"], "minimum": i64::MIN, "maximum": i64::MAX });
        json!({
            "type": ["object", "null"],
            "description": "One node.",
            "properties": {
                "id": optional_text("Unique, for an activation."),
                "type": optional_text("`trigger`, `executor`, `conditional` or `action`, for an activation."),
                "name": optional_text("For people."),
                "position": {
                    "type": ["object", "null"],
                    "description": "Where an editor draws it.",
                    "properties": { "x": coordinate.clone(), "y": coordinate },
                },
                "data": optional_object("What the type asks for."),
            },
        })
    })
}

fn edge_draft(schemas: &mut Schemas) -> Value {
    schemas.named("EdgeDraft", |_| {
        json!({
            "type": ["object", "null"],
            "description": "One edge.",
            "properties": {
                "id": optional_text("Unique, for an activation."),
                "source": optional_text("Id of the node that it leaves."),
                "target": optional_text("Id of the node that it enters."),
                "sourceHandle": optional_text("Which outcome of a conditional node it belongs to."),
                "condition": optional_text("False kills the edge."),
                "label": optional_text("For people."),
            },
        })
    })
}

/// The name of a copy.
pub(super) fn clone_request(schemas: &mut Schemas) -> Value {
    schemas.named("CloneRequest", |_| {
        json!({
            "type": "object",
            "description": "What the copy is called.",
            "required": ["name"],
            "properties": { "name": name() },
        })
    })
}

/// A template, and what is made of it.
pub(super) fn template_order(schemas: &mut Schemas) -> Value {
    schemas.named("TemplateOrder", |_| {
        json!({
            "type": "object",
            "description": "A template, and what its schema asks for.",
            "required": ["templateId"],
            "properties": {
                "templateId": { "type": "string", "description": "Of the catalog." },
                "params": optional_object("What the template's schema asks for."),
            },
        })
    })
}

/// Parameters that are tried out.
pub(super) fn template_params(schemas: &mut Schemas) -> Value {
    schemas.named("TemplateParams", |_| {
        json!({
            "type": ["object", "null"],
            "description": "Parameters that are tried out.",
            "properties": { "params": optional_object("What the template's schema asks for.") },
        })
    })
}

/// Settings that are tried out.
pub(super) fn executor_config(schemas: &mut Schemas) -> Value {
    schemas.named("ExecutorConfig", |_| {
        json!({
            "type": ["object", "null"],
            "description": "Settings that are tried out.",
            "properties": { "config": optional_object("What the executor's schema asks for.") },
        })
    })
}

/// An API key as it is made.
pub(super) fn api_key_draft(schemas: &mut Schemas) -> Value {
    schemas.named("ApiKeyDraft", |_| {
        json!({
            "type": "object",
            "description": "A key, and what it may be used for.",
            "required": ["name", "scopes"],
            "properties": {
                "name": {
                    "type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX,
                    "description": "Unique for ever. At most 100 bytes, none of them control codes.",
                },
                "scopes": {
                    "type": "array", "minItems": 1,
                    "items": { "type": "string", "enum": Scope::ALL.map(Scope::as_str) },
                    "description": "What it opens: webhooks, what is read, what is managed.",
                },
                "expiresAt": end("When it ends by itself. Never, by default."),
            },
        })
    })
}

/// How the text of a key is replaced.
pub(super) fn api_key_rotation(schemas: &mut Schemas) -> Value {
    schemas.named("ApiKeyRotation", |_| {
        json!({
            "type": ["object", "null"],
            "description": "How the text of a key is replaced.",
            "properties": {
                "overlapSeconds": {
                    "type": ["integer", "null"], "minimum": 0, "maximum": OVERLAP_MAX.as_secs(),
                    "default": OVERLAP.as_secs(),
                    "description": "How long the text before stays good.",
                },
                "expiresAt": end("When the key ends by itself from now on. As before, by default."),
            },
        })
    })
}

fn end(about: &str) -> Value {
    json!({ "type": ["string", "null"], "format": "date-time", "description": about })
}

/// The input of a run.
pub(super) fn execution_request(schemas: &mut Schemas) -> Value {
    schemas.named("ExecutionRequest", |_| {
        json!({
            "type": ["object", "null"],
            "description": "What a run is given.",
            "properties": { "inputData": optional_object("The input; an empty object by default.") },
        })
    })
}

/// A payload.
pub(super) fn delivery(_: &mut Schemas) -> Value {
    json!({ "type": ["object", "null"], "description": "The input, as the trigger's schema asks for it." })
}

/// A provider configuration as it is made.
pub(super) fn provider_configuration_draft(schemas: &mut Schemas) -> Value {
    schemas.named("ProviderConfigurationDraft", |_| {
        json!({
            "type": "object",
            "description": "How a provider is reached, and with which credentials.",
            "required": ["name", "providerId", "config"],
            "properties": {
                "name": name(),
                "description": description(),
                "providerId": { "type": "string", "minLength": 1, "description": "Of the catalog." },
                "config": {
                    "type": "object", "minProperties": 1,
                    "description": "What the provider's schema asks for.",
                },
                "metadata": optional_object("Whatever the owner keeps with it."),
            },
        })
    })
}

/// What is changed of a provider configuration.
pub(super) fn provider_configuration_change(schemas: &mut Schemas) -> Value {
    schemas.named("ProviderConfigurationChange", |_| {
        json!({
            "type": ["object", "null"],
            "description": "The members that change.",
            "properties": {
                "name": {
                    "type": ["string", "null"], "minLength": 1, "maxLength": NAME_BYTES_MAX,
                    "description": NAME,
                },
                "description": description(),
                "config": {
                    "type": ["object", "null"], "minProperties": 1,
                    "description": "Replaces all of it. A secret sent back as its mask is unchanged.",
                },
                "metadata": optional_object("Merged."),
            },
        })
    })
}

fn description() -> Value {
    json!({
        "type": ["string", "null"], "maxLength": DESCRIPTION_BYTES_MAX,
        "description": "For people. At most 500 bytes.",
    })
}
