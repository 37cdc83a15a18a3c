//! What workflows can be built from. Schemas travel as JSON text in a string.

use flowker_core::catalog::{CatalogExecutor, CatalogProvider, CatalogTemplate};
use flowker_core::json;
use serde_json::{Value, json};

use super::Shape;

/// The id of the only trigger that there is.
pub(crate) const WEBHOOK_TRIGGER: &str = "webhook";

pub(crate) fn executor(executor: &CatalogExecutor) -> Value {
    executor_shape(executor).done()
}

pub(crate) fn executor_with_schema(executor: &CatalogExecutor) -> Value {
    executor_shape(executor).with("schema", json::to_text(&executor.descriptor.schema)).done()
}

fn executor_shape(executor: &CatalogExecutor) -> Shape {
    let descriptor = &executor.descriptor;
    let provider_id = Some(executor.provider_id).filter(|id| !id.is_empty());
    Shape::new()
        .with("id", descriptor.id)
        .with("name", descriptor.name)
        .with("category", descriptor.category)
        .with("version", descriptor.version)
        .maybe("providerId", provider_id)
}

pub(crate) fn provider(provider: &CatalogProvider) -> Value {
    provider_shape(provider).done()
}

pub(crate) fn provider_with_schema(provider: &CatalogProvider) -> Value {
    let schema = json::to_text(&provider.descriptor.config_schema);
    provider_shape(provider).with("configSchema", schema).done()
}

fn provider_shape(provider: &CatalogProvider) -> Shape {
    let descriptor = &provider.descriptor;
    Shape::new()
        .with("id", descriptor.id)
        .with("name", descriptor.name)
        .with("description", descriptor.description)
        .with("version", descriptor.version)
}

pub(crate) fn template(template: &CatalogTemplate) -> Value {
    template_shape(template).done()
}

/// With the schema of its parameters as it is to be shown.
pub(crate) fn template_with_params(template: &CatalogTemplate, params: &Value) -> Value {
    template_shape(template).with("paramSchema", json::to_text(params)).done()
}

fn template_shape(template: &CatalogTemplate) -> Shape {
    let descriptor = &template.descriptor;
    Shape::new()
        .with("id", descriptor.id)
        .with("name", descriptor.name)
        .with("description", descriptor.description)
        .with("version", descriptor.version)
        .with("category", descriptor.category)
}

/// The webhook trigger.
pub(crate) fn trigger() -> Value {
    trigger_shape().done()
}

/// The webhook trigger, and what its nodes may say.
pub(crate) fn trigger_with_schema() -> Value {
    trigger_shape().with("schema", json::to_text(&webhook_schema())).done()
}

fn trigger_shape() -> Shape {
    Shape::new().with("id", WEBHOOK_TRIGGER).with("name", "Webhook").with("version", "v1")
}

fn webhook_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["path", "method"],
        "additionalProperties": false,
        "properties": {
            "path": {
                "type": "string",
                "minLength": 1,
                "description": "Where callers reach the workflow, below /v1/webhooks/.",
            },
            "method": {"type": "string", "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
            "verify_token": {
                "type": "string",
                "description": "What callers must send in the header X-Webhook-Token.",
            },
            "signature": {
                "type": "object",
                "description": "How the body must be signed: a scheme and its secrets.",
                "required": ["scheme"],
                "properties": {
                    "scheme": {"type": "string"},
                    "secret": {"type": "string"},
                    "secrets": {"type": "array", "items": {"type": "string"}},
                },
            },
            "schema": {
                "type": ["object", "boolean"],
                "description": "A JSON Schema (draft 2020-12) that every payload must satisfy.",
            },
            "rateLimit": {
                "type": "object",
                "description": "How often the webhook may be called on one replica.",
                "required": ["requestsPerSecond"],
                "properties": {
                    "requestsPerSecond": {"type": "integer", "minimum": 1},
                    "burst": {"type": "integer", "minimum": 1},
                },
            },
        },
    })
}
