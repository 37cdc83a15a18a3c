//! What workflows can be built from. Schemas travel as JSON text in a string.

use flowker_core::catalog as domain;
use flowker_core::json;
use serde_json::{Value, json};

use crate::shape::shapes;

/// The id of the only trigger that there is.
pub(crate) const WEBHOOK_TRIGGER: &str = "webhook";

shapes! {
    /// An operation that steps can carry out.
    CatalogExecutor {
        /// What nodes name it by.
        id "id": &'static str,
        /// For people.
        name "name": &'static str,
        /// For people.
        category "category": &'static str,
        /// Its version.
        version "version": &'static str,
        /// Whose operation it is.
        provider_id "providerId": Option<&'static str>,
    }

    /// An operation, and what its nodes may say.
    CatalogExecutorInFull: CatalogExecutor {
        /// A JSON Schema as text.
        schema "schema": String,
    }

    /// A service that can be called.
    CatalogProvider {
        /// What configurations name it by.
        id "id": &'static str,
        /// For people.
        name "name": &'static str,
        /// For people.
        description "description": &'static str,
        /// Its version.
        version "version": &'static str,
    }

    /// A service, and what its configurations may say.
    CatalogProviderInFull: CatalogProvider {
        /// A JSON Schema as text.
        config_schema "configSchema": String,
    }

    /// What a workflow can be made of with a few parameters.
    CatalogTemplate {
        /// What callers name it by.
        id "id": &'static str,
        /// For people.
        name "name": &'static str,
        /// For people.
        description "description": &'static str,
        /// Its version.
        version "version": &'static str,
        /// For people.
        category "category": &'static str,
    }

    /// A template, and what its parameters may say.
    CatalogTemplateInFull: CatalogTemplate {
        /// A JSON Schema as text. Where a parameter names a provider configuration, with those
        /// that can be chosen.
        param_schema "paramSchema": String,
    }

    /// What was tried out can be used. What cannot is refused.
    Valid {
        /// Always `true`.
        valid "valid": bool,
    }

    /// What starts executions.
    CatalogTrigger {
        /// What nodes name it by.
        id "id": &'static str,
        /// For people.
        name "name": &'static str,
        /// Its version.
        version "version": &'static str,
    }

    /// What starts executions, and what its nodes may say.
    CatalogTriggerInFull: CatalogTrigger {
        /// A JSON Schema as text.
        schema "schema": String,
    }
}

pub(crate) fn executor(executor: &domain::CatalogExecutor) -> CatalogExecutor {
    let descriptor = &executor.descriptor;
    CatalogExecutor {
        id: descriptor.id,
        name: descriptor.name,
        category: descriptor.category,
        version: descriptor.version,
        provider_id: Some(executor.provider_id).filter(|id| !id.is_empty()),
    }
}

pub(crate) fn executor_in_full(executor: &domain::CatalogExecutor) -> CatalogExecutorInFull {
    let schema = json::to_text(&executor.descriptor.schema);
    CatalogExecutorInFull { base: self::executor(executor), schema }
}

pub(crate) fn provider(provider: &domain::CatalogProvider) -> CatalogProvider {
    let descriptor = &provider.descriptor;
    CatalogProvider {
        id: descriptor.id,
        name: descriptor.name,
        description: descriptor.description,
        version: descriptor.version,
    }
}

pub(crate) fn provider_in_full(provider: &domain::CatalogProvider) -> CatalogProviderInFull {
    let config_schema = json::to_text(&provider.descriptor.config_schema);
    CatalogProviderInFull { base: self::provider(provider), config_schema }
}

pub(crate) fn template(template: &domain::CatalogTemplate) -> CatalogTemplate {
    let descriptor = &template.descriptor;
    CatalogTemplate {
        id: descriptor.id,
        name: descriptor.name,
        description: descriptor.description,
        version: descriptor.version,
        category: descriptor.category,
    }
}

/// With the schema of its parameters as it is to be shown.
pub(crate) fn template_in_full(
    template: &domain::CatalogTemplate,
    params: &Value,
) -> CatalogTemplateInFull {
    CatalogTemplateInFull { base: self::template(template), param_schema: json::to_text(params) }
}

/// What was tried out can be used.
pub(crate) fn valid() -> Valid {
    Valid { valid: true }
}

/// The webhook trigger.
pub(crate) fn trigger() -> CatalogTrigger {
    CatalogTrigger { id: WEBHOOK_TRIGGER, name: "Webhook", version: "v1" }
}

/// The webhook trigger, and what its nodes may say.
pub(crate) fn trigger_in_full() -> CatalogTriggerInFull {
    CatalogTriggerInFull { base: trigger(), schema: json::to_text(&webhook_schema()) }
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
