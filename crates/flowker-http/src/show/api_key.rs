//! API keys, without what could be tried instead of their text.

use flowker_core::access::Scope;
use flowker_core::id::ApiKeyId;
use flowker_core::ports;
use flowker_core::service::NewKey;
use flowker_core::time::Timestamp;
use serde_json::{Value, json};

use crate::shape::{Schemas, Shown, shapes};

shapes! {
    /// Who may do what.
    ApiKey {
        /// Never changes.
        id "id": ApiKeyId,
        /// Unique for ever, over all keys.
        name "name": String,
        /// What it opens.
        scopes "scopes": Vec<Scope>,
        /// Whether it opens anything.
        status "status": ApiKeyStatus,
        /// Until when the text before the last rotation is good, too.
        previous_key_valid_until "previousKeyValidUntil": Option<Timestamp>,
        /// When it was made.
        created_at "createdAt": Timestamp,
        /// When it was last changed.
        updated_at "updatedAt": Timestamp,
        /// When its text was last replaced.
        rotated_at "rotatedAt": Option<Timestamp>,
        /// When it ends by itself.
        expires_at "expiresAt": Option<Timestamp>,
        /// When it was revoked.
        revoked_at "revokedAt": Option<Timestamp>,
    }

    /// A key whose text was just made.
    ApiKeyWithText: ApiKey {
        /// What callers send. Told this once.
        key "key": String,
    }
}

/// Whether a key opens anything.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ApiKeyStatus {
    Active,
    Expired,
    Revoked,
}

impl Shown for ApiKeyStatus {
    fn shown(self) -> Value {
        match self {
            Self::Active => "active".into(),
            Self::Expired => "expired".into(),
            Self::Revoked => "revoked".into(),
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        let words = [Self::Active, Self::Expired, Self::Revoked].map(Self::shown);
        json!({ "type": "string", "enum": words })
    }
}

/// The full shape, as it is at a moment.
pub(crate) fn api_key(key: &ports::ApiKey, now: Timestamp) -> ApiKey {
    let previous = key.previous.filter(|previous| now < previous.until);
    ApiKey {
        id: key.id,
        name: key.name.clone(),
        scopes: key.scopes.iter().collect(),
        status: status(key, now),
        previous_key_valid_until: previous.map(|it| it.until),
        created_at: key.created_at,
        updated_at: key.updated_at,
        rotated_at: key.rotated_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
    }
}

/// What a call that makes a text answers: the full shape, and the text this once.
pub(crate) fn new_api_key(new: &NewKey) -> ApiKeyWithText {
    ApiKeyWithText {
        base: api_key(&new.key, new.key.updated_at),
        key: new.text.reveal().to_owned(),
    }
}

fn status(key: &ports::ApiKey, now: Timestamp) -> ApiKeyStatus {
    if key.revoked_at.is_some() {
        ApiKeyStatus::Revoked
    } else if key.expires_at.is_some_and(|it| it <= now) {
        ApiKeyStatus::Expired
    } else {
        ApiKeyStatus::Active
    }
}
