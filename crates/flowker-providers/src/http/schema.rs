//! What configurations and nodes of `http` look like.

use serde_json::{Value, json};

/// Of provider configurations. Further members are allowed.
pub(super) fn config() -> Value {
    let needs = |auth_type: &str, members: &[&str]| {
        json!({
            "if": {
                "properties": {"auth_type": {"const": auth_type}},
                "required": ["auth_type"],
            },
            "then": {"required": members},
        })
    };
    let text = json!({"type": "string", "minLength": 1});
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["base_url"],
        "properties": {
            "base_url": {
                "type": "string", "format": "uri",
                "description": "Where the service is; a node's path is appended.",
            },
            "headers": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "Sent with every request, unless a node says otherwise.",
            },
            "timeout_seconds": {
                "type": "number", "exclusiveMinimum": 0, "maximum": 600,
                "description": "How long one call may take. 30 if absent.",
            },
            "timeout_ms": {
                "type": "integer", "minimum": 100, "maximum": 30000,
                "description": "The same in milliseconds, if timeout_seconds is absent.",
            },
            "auth_type": {
                "enum": [
                    "none", "api_key", "bearer", "basic", "oidc_client_credentials", "oidc_user",
                ],
            },
            "api_key": text,
            "header_name": text,
            "location": {"enum": ["header", "query"]},
            "query_param_name": text,
            "prefix": {"type": "string"},
            "bearer_token": text,
            "username": text,
            "password": text,
            "issuer_url": {"type": "string", "format": "uri", "minLength": 1},
            "token_url": {"type": "string", "format": "uri", "minLength": 1},
            "client_id": text,
            "client_secret": text,
            "token_endpoint_auth_method": {"enum": ["client_secret_basic", "client_secret_post"]},
            "scopes": {"type": "array", "items": {"type": "string"}},
            "audience": text,
            "extra_params": texts,
            "cache": {
                "type": "object",
                "properties": {
                    "enabled": {"type": "boolean"},
                    "refresh_before_expiry_seconds": {"type": "integer", "minimum": 0},
                    "use_refresh_token": {"type": "boolean"},
                },
            },
        },
        "allOf": [
            needs("api_key", &["api_key"]),
            needs("bearer", &["bearer_token"]),
            needs("basic", &["username", "password"]),
            needs("oidc_client_credentials", &["client_id", "client_secret"]),
            needs("oidc_user", &["client_id", "username", "password"]),
        ],
    })
}

/// Of nodes. The settings of every node are in it for who reads the catalog; the node itself has
/// them checked before, and this schema sees the others only. Nothing is required, since a
/// configuration's `base_url` is all that a call needs.
///
/// `auth` is left out on purpose: workflows are shown to whoever may read them.
pub(super) fn node() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let list = json!({"type": "array"});
    let status_codes = json!({
        "type": "array", "minItems": 1,
        "items": {"type": "integer", "minimum": 100, "maximum": 599},
        "description": "Which statuses count as success; any 2xx if absent.",
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]},
            "url": {
                "type": "string",
                "description": "Called instead of base_url and path. Of the same origin as base_url.",
            },
            "path": {"type": "string"},
            "endpointName": {"type": "string"},
            "headers": texts,
            "query": texts,
            "body": {
                "description": "Sent instead of the request document: a string as it is, else JSON.",
            },
            "timeout": {"type": "integer", "minimum": 1, "maximum": 600},
            "timeout_seconds": {"type": "integer", "minimum": 1, "maximum": 300},
            "retry": {"type": "object"},
            "successStatusCodes": status_codes,
            "success_status_codes": status_codes,
            "onUncertain": {"enum": ["retry", "fail"]},
            "executorConfigId": {"type": "string"},
            "inputMapping": list,
            "outputMapping": list,
            "transforms": list,
        },
    })
}
