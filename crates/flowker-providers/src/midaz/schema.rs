//! What configurations and nodes of `midaz` look like.

use serde_json::{Value, json};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Of provider configurations. Further members are allowed.
pub(super) fn config() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    let url = json!({"type": "string", "format": "uri", "minLength": 1});
    let uuid = json!({"type": "string", "format": "uuid", "minLength": 1});
    json!({
        "$schema": DRAFT,
        "type": "object",
        "required": [
            "onboarding_base_url", "transaction_base_url", "organization_id", "ledger_id",
        ],
        "properties": {
            "onboarding_base_url": url,
            "transaction_base_url": url,
            "organization_id": uuid,
            "ledger_id": uuid,
            "auth": {
                "type": "object",
                "required": ["issuer_url", "client_id", "client_secret"],
                "properties": {
                    "issuer_url": url,
                    "client_id": text,
                    "client_secret": text,
                    "scopes": {"type": "array", "items": {"type": "string"}},
                },
                "description": "Client credentials with which calls sign in; none if absent.",
            },
            "timeout_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 600},
            "timeout_ms": {"type": "integer", "minimum": 100, "maximum": 30000},
        },
    })
}

pub(super) fn create_transaction() -> Value {
    let decimal = json!({
        "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$",
        "description": "A decimal number, as text.",
    });
    let text = json!({"type": "string"});
    let entry = json!({
        "type": "object",
        "required": ["accountAlias"],
        "properties": {
            "accountAlias": text,
            "amount": {
                "type": "object",
                "properties": {"asset": text, "value": decimal},
            },
            "share": {"type": "object"},
            "description": text,
            "metadata": {"type": "object"},
        },
    });
    json!({
        "$schema": DRAFT,
        "type": "object",
        "required": ["send"],
        "properties": {
            "send": {
                "type": "object",
                "required": ["asset", "value"],
                "properties": {
                    "asset": text,
                    "value": decimal,
                    "source": {
                        "type": "object",
                        "properties": {"from": {"type": "array", "items": entry}},
                    },
                    "distribute": {
                        "type": "object",
                        "properties": {"to": {"type": "array", "items": entry}},
                    },
                },
            },
            "description": {"type": "string", "maxLength": 256},
            "code": {"type": "string", "maxLength": 100},
            "pending": {"type": "boolean", "default": false},
            "chartOfAccountsGroupName": text,
            "metadata": {"type": "object"},
        },
    })
}

pub(super) fn create_account() -> Value {
    let uuid = uuid();
    let up_to = |length: usize| json!({"type": "string", "maxLength": length});
    json!({
        "$schema": DRAFT,
        "type": "object",
        "required": ["assetCode", "type"],
        "properties": {
            "assetCode": up_to(100),
            "type": up_to(256),
            "name": up_to(256),
            "alias": up_to(100),
            "parentAccountId": uuid,
            "portfolioId": uuid,
            "segmentId": uuid,
            "entityId": up_to(256),
            "status": {
                "type": "object",
                "properties": {"code": {"type": "string"}, "description": {"type": "string"}},
            },
            "metadata": {"type": "object"},
        },
    })
}

pub(super) fn get_account() -> Value {
    json!({
        "$schema": DRAFT,
        "type": "object",
        "required": ["accountId"],
        "properties": {"accountId": uuid()},
    })
}

pub(super) fn get_account_balance() -> Value {
    json!({
        "$schema": DRAFT,
        "type": "object",
        "required": ["accountId"],
        "properties": {
            "accountId": uuid(),
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
            "cursor": {"type": "string"},
        },
    })
}

fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}
