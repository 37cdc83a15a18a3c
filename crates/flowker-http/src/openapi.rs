//! The description of the API (OpenAPI 3.1), made of what serves it: the table of routes, the types
//! of answers, the codes and their statuses.
//!
//! A new route gets its row in the table and its entry in `operations`, without which nothing
//! compiles. Tests hold every answer that they see against the description.

mod operation;
mod operations;
mod parameter;
mod requests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::Method;
use serde_json::{Map, Value, json};

use crate::route::{Endpoint, ROUTES, needs_key};
use crate::shape::Schemas;
use operation::{Rendering, Responses};
use operations::operation;

/// The description of the API, as it is served and kept in the reference.
pub fn openapi() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));
    &TEXT
}

/// What the description says about the API as a whole.
const ABOUT: &str = "A durable workflow engine that webhooks trigger. \
    `HEAD` is answered wherever `GET` is. Every answer carries `X-Request-Id`: the caller's own, or a \
    fresh one. Refusals come as `application/problem+json` to callers that accept it. \
    An empty query parameter counts as absent, and unknown ones are ignored.";

/// What it says about keys.
const ABOUT_KEYS: &str = "On every path below `/v1` and on `/metrics`, unless the service runs \
    without keys. Its scopes say what it opens: `trigger` opens webhooks, `read` what is asked for \
    with `GET`, and `manage` the rest, too. Where an access manager decides, it opens webhooks only.";

/// What it says about tokens.
const ABOUT_TOKENS: &str = "Where an identity provider signs tokens (OpenID Connect), in place of a \
    key. Where an access manager decides, on every path that asks for credentials, except that \
    webhooks take keys if there are any; its denials come as plain text, and errors that it answers \
    with are passed on as they are, with their status.";

const TAGS: &[(&str, &str)] = &[
    ("Webhooks", "Deliveries that start executions."),
    ("Workflows", "Definitions and their lifecycle."),
    ("Executions", "Runs: start, watch, end, repeat."),
    ("Provider configurations", "How providers are reached, and with which credentials."),
    ("API keys", "Who may do what."),
    ("Audit log", "Who did what, in an order that nobody can rewrite unnoticed."),
    ("Catalog", "What workflows can be built from."),
    ("Dashboards", "Figures about many executions at once."),
    ("Service", "The service itself. Of these routes only `/metrics` needs credentials."),
];

fn document() -> Value {
    let mut schemas = Schemas::default();
    let mut responses = Responses::default();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (idx, (method, template, endpoint)) in ROUTES.iter().enumerate() {
        let rendering = Rendering {
            id: operation_id(idx, method, *endpoint),
            is_guarded: needs_key(template),
            schemas: &mut schemas,
            responses: &mut responses,
        };
        let operation = operation(*endpoint).rendered(rendering);
        let item = paths.entry(template.replace("{*", "{")).or_default();
        item.insert(method.as_str().to_ascii_lowercase(), operation);
    }
    let tags = TAGS.iter();
    let tags = tags.map(|(name, about)| json!({ "name": name, "description": about }));
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Flowker",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags.collect::<Value>(),
        "security": [{ "ApiKey": [] }, { "Bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "ApiKey": {
                    "type": "apiKey", "in": "header", "name": "X-API-Key",
                    "description": ABOUT_KEYS,
                },
                "Bearer": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": ABOUT_TOKENS,
                },
            },
            "schemas": schemas.into_value(),
            "responses": responses.into_value(),
        },
    })
}

/// The endpoint's name. Of several routes of one endpoint, those behind the first say how they
/// differ from it.
fn operation_id(idx: usize, method: &Method, endpoint: Endpoint) -> String {
    let name = format!("{endpoint:?}");
    let (first, rest) = name.split_at(1);
    let name = first.to_ascii_lowercase() + rest;
    match ROUTES[..idx].iter().find(|(_, _, it)| *it == endpoint) {
        None => name,
        Some((first, _, _)) if first == method => name + "Alias",
        Some(_) => {
            let (first, rest) = method.as_str().split_at(1);
            name + first + &rest.to_ascii_lowercase()
        }
    }
}

#[cfg(test)]
mod tests;
