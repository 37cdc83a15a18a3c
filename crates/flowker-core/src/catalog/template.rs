//! Templates: workflows that are made from a few parameters.

use serde_json::{Map, Value, json};

/// What the catalog shows of a template, and what is made of it.
#[derive(Clone, Debug)]
pub struct TemplateDescriptor {
    /// Such as `tracer-midaz-validation`.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// Such as `v1`.
    pub version: &'static str,
    /// Such as `Compliance`.
    pub category: &'static str,
    /// JSON Schema (draft 2020-12) of the parameters.
    pub param_schema: Value,
    /// Parameters that name a provider configuration, and of which provider.
    pub selections: &'static [Selection],
    /// The document of the workflow, as a creating call takes it, from parameters that satisfy
    /// the schema.
    pub build: fn(&Map<String, Value>) -> Value,
}

/// A parameter that names a provider configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The parameter.
    pub param: &'static str,
    /// The provider whose configurations it may name.
    pub provider_id: &'static str,
}

/// The templates that come with Flowker.
pub(super) fn all() -> Vec<TemplateDescriptor> {
    vec![TemplateDescriptor {
        id: TRACER_MIDAZ,
        name: "Tracer Validation + Midaz Transaction",
        description: "Asks Tracer whether a transaction may be made, and makes it in Midaz if so",
        version: "v1",
        category: "Compliance",
        param_schema: tracer_midaz_params(),
        selections: &[
            Selection { param: "tracerProviderConfigId", provider_id: "tracer" },
            Selection { param: "midazProviderConfigId", provider_id: "midaz" },
        ],
        build: tracer_midaz,
    }]
}

const TRACER_MIDAZ: &str = "tracer-midaz-validation";

/// Where the webhook of the workflow is unless the parameters say otherwise.
const WEBHOOK_PATH: &str = "/validate-and-transact";

fn tracer_midaz_params() -> Value {
    let config = |provider: &str| {
        json!({
            "type": "string", "format": "uuid", "minLength": 1,
            "description": format!("The provider configuration of {provider}."),
        })
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["workflowName", "tracerProviderConfigId", "midazProviderConfigId"],
        "properties": {
            "workflowName": {"type": "string", "minLength": 1, "maxLength": 100},
            "tracerProviderConfigId": config("Tracer"),
            "midazProviderConfigId": config("Midaz"),
            "workflowDescription": {"type": "string", "maxLength": 500},
            "webhookPath": {
                "type": "string", "default": WEBHOOK_PATH,
                "description": "Where callers reach the workflow, below /v1/webhooks/.",
            },
            "webhookMethod": {"type": "string", "enum": ["POST"], "default": "POST"},
        },
    })
}

fn tracer_midaz(params: &Map<String, Value>) -> Value {
    let text = |name: &str| params.get(name).and_then(Value::as_str);
    let or = |name: &str, default| text(name).filter(|text| !text.is_empty()).unwrap_or(default);
    let same = |name: &str| json!({"source": format!("workflow.{name}"), "target": name});
    let validated =
        ["requestId", "transactionType", "amount", "currency", "transactionTimestamp", "account"];
    let nodes = json!([
        {
            "id": "webhook-trigger", "type": "trigger", "name": "Webhook Trigger",
            "position": {"x": 250, "y": 0},
            "data": {
                "triggerType": "webhook",
                "path": or("webhookPath", WEBHOOK_PATH),
                "method": or("webhookMethod", "POST"),
            },
        },
        {
            "id": "tracer-validate", "type": "executor", "name": "Tracer Validate Transaction",
            "position": {"x": 250, "y": 150},
            "data": {
                "executorId": "tracer.validate-transaction",
                "providerConfigId": text("tracerProviderConfigId"),
                "method": "POST",
                "path": "/v1/validations",
                "inputMapping": validated.map(same),
            },
        },
        {
            "id": "decision-check", "type": "conditional", "name": "Decision Check",
            "position": {"x": 250, "y": 300},
            "data": {"condition": r#"tracer-validate.body.decision == "ALLOW""#},
        },
        {
            "id": "midaz-create-tx", "type": "executor", "name": "Midaz Create Transaction",
            "position": {"x": 100, "y": 450},
            "data": {
                "executorId": "midaz.create-transaction",
                "providerConfigId": text("midazProviderConfigId"),
                "inputMapping": [
                    {"source": "workflow.transaction", "target": "send"},
                    {"source": "workflow.transactionDescription", "target": "description"},
                ],
            },
        },
    ]);
    let edges = json!([
        {"id": "webhook-to-tracer", "source": "webhook-trigger", "target": "tracer-validate"},
        {"id": "tracer-to-decision", "source": "tracer-validate", "target": "decision-check"},
        {
            "id": "decision-to-midaz", "source": "decision-check", "target": "midaz-create-tx",
            "sourceHandle": "true", "label": "Approved",
        },
    ]);
    json!({
        "name": text("workflowName"),
        "description": text("workflowDescription"),
        "nodes": nodes,
        "edges": edges,
        "metadata": {"templateId": TRACER_MIDAZ, "templateVersion": "v1"},
    })
}
