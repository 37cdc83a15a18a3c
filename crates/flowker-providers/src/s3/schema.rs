//! What configurations and nodes of `s3` look like.

use serde_json::{Value, json};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Of provider configurations. Further members are allowed.
pub(super) fn config() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    json!({
        "$schema": DRAFT,
        "type": "object",
        "required": ["region", "bucket", "access_key_id", "secret_access_key"],
        "properties": {
            "region": text,
            "bucket": text,
            "access_key_id": text,
            "secret_access_key": text,
            "session_token": text,
            "endpoint": {
                "type": "string", "format": "uri", "minLength": 1,
                "description": "Where the service is, without the bucket; Amazon's for the region if absent.",
            },
            "path_style": {
                "type": "boolean",
                "description": "Whether the bucket stands in the path and not in the host. True if absent and there is an endpoint.",
            },
            "timeout_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 600},
            "timeout_ms": {"type": "integer", "minimum": 100, "maximum": 30000},
        },
    })
}

pub(super) fn put_object() -> Value {
    json!({
        "$schema": DRAFT,
        "type": "object",
        "required": ["key"],
        "properties": {
            "key": key(),
            "content_type": {"type": "string", "minLength": 1},
            "body": {"description": "A string as it is, else JSON."},
            "encoding": encoding("What body is: text, or bytes in base64."),
        },
    })
}

pub(super) fn get_object() -> Value {
    json!({
        "$schema": DRAFT,
        "type": "object",
        "required": ["key"],
        "properties": {
            "key": key(),
            "encoding": encoding("How the object becomes body: as text or JSON, or in base64."),
        },
    })
}

fn key() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 1024})
}

fn encoding(description: &str) -> Value {
    json!({"enum": ["text", "base64"], "default": "text", "description": description})
}
