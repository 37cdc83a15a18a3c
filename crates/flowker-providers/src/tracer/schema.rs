//! What configurations and nodes of `tracer` look like.

use serde_json::{Value, json};

/// Of provider configurations. Further members are allowed.
pub(super) fn config() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["base_url", "api_key"],
        "properties": {
            "base_url": {"type": "string", "format": "uri"},
            "api_key": {
                "type": "string", "minLength": 1,
                "description": "Sent as X-API-Key, unless auth_type says otherwise.",
            },
        },
    })
}

pub(super) fn validate_transaction() -> Value {
    let uuid = uuid();
    let metadata = json!({"type": "object"});
    let text = json!({"type": "string"});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": [
            "requestId", "transactionType", "amount", "currency", "transactionTimestamp", "account",
        ],
        "properties": {
            "requestId": uuid,
            "transactionType": transaction_type(),
            "subType": {"type": "string", "maxLength": 50},
            "amount": {
                "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$",
                "description": "A decimal number, as text.",
            },
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "transactionTimestamp": {"type": "string", "format": "date-time"},
            "account": {
                "type": "object",
                "required": ["accountId", "type", "status"],
                "properties": {
                    "accountId": uuid,
                    "type": {"enum": ["checking", "savings", "credit"]},
                    "status": {"enum": ["active", "suspended", "closed"]},
                    "metadata": metadata,
                },
            },
            "segment": {
                "type": "object",
                "properties": {"segmentId": uuid, "name": text, "metadata": metadata},
            },
            "portfolio": {
                "type": "object",
                "properties": {"portfolioId": uuid, "name": text, "metadata": metadata},
            },
            "merchant": {
                "type": "object",
                "properties": {
                    "merchantId": uuid,
                    "name": text,
                    "category": {"type": "string", "minLength": 4, "maxLength": 4},
                    "country": {"type": "string", "minLength": 2, "maxLength": 2},
                    "metadata": metadata,
                },
            },
            "metadata": {
                "type": "object", "maxProperties": 50, "propertyNames": {"maxLength": 64},
            },
        },
    })
}

/// The fields of [`list_validations`], all of which a query can carry.
pub(super) const LIST_FIELDS: [&str; 7] =
    ["decision", "transactionType", "accountId", "limit", "cursor", "sortBy", "sortOrder"];

pub(super) fn list_validations() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "decision": {"enum": ["ALLOW", "DENY", "REVIEW"]},
            "transactionType": transaction_type(),
            "accountId": uuid(),
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
            "cursor": {"type": "string"},
            "sortBy": {"enum": ["createdAt"]},
            "sortOrder": {"enum": ["ASC", "DESC"], "default": "DESC"},
        },
    })
}

fn transaction_type() -> Value {
    json!({"enum": ["CARD", "WIRE", "PIX", "CRYPTO"]})
}

fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}
