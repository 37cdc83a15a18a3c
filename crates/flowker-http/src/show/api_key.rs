//! API keys, without what could be tried instead of their text.

use flowker_core::access::{Scope, Scopes};
use flowker_core::ports::ApiKey;
use flowker_core::service::NewKey;
use flowker_core::time::Timestamp;
use serde_json::Value;

use super::Shape;

/// The full shape, as it is at a moment.
pub(crate) fn api_key(key: &ApiKey, now: Timestamp) -> Value {
    let previous = key.previous.filter(|previous| now < previous.until);
    Shape::new()
        .text("id", key.id)
        .with("name", key.name.as_str())
        .with("scopes", scopes(key.scopes))
        .with("status", status(key, now))
        .maybe("previousKeyValidUntil", previous.map(|it| it.until.to_string()))
        .text("createdAt", key.created_at)
        .text("updatedAt", key.updated_at)
        .maybe("rotatedAt", key.rotated_at.map(|it| it.to_string()))
        .maybe("expiresAt", key.expires_at.map(|it| it.to_string()))
        .maybe("revokedAt", key.revoked_at.map(|it| it.to_string()))
        .done()
}

/// What a call that makes a text answers: the full shape, and the text this once.
pub(crate) fn new_api_key(new: &NewKey) -> Value {
    let mut value = api_key(&new.key, new.key.updated_at);
    if let Value::Object(members) = &mut value {
        members.insert("key".to_owned(), new.text.reveal().into());
    }
    value
}

fn status(key: &ApiKey, now: Timestamp) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.expires_at.is_some_and(|it| it <= now) {
        "expired"
    } else {
        "active"
    }
}

fn scopes(scopes: Scopes) -> Vec<Value> {
    scopes.iter().map(Scope::as_str).map(Value::from).collect()
}
