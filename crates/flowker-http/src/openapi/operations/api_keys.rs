//! API keys.

use flowker_core::code::Code;
use serde_json::json;

use super::{BY_ID, CREATED, OK, Operation};
use crate::openapi::parameter::{id, paging};
use crate::openapi::requests;
use crate::paging::Page;
use crate::show::{ApiKey, ApiKeyWithText};

/// Of answers with the text of a key.
const UNCACHED: [(&str, &str); 1] = [("Cache-Control", "`no-store`.")];

fn operation(summary: &'static str) -> Operation {
    Operation::new("API keys", summary)
}

/// One that is found by its id.
fn of_one(summary: &'static str) -> Operation {
    operation(summary).takes([id()]).refuses(&BY_ID).refuses(&[Code::ApiKeyNotFound])
}

pub(super) fn create() -> Operation {
    operation("Makes a key")
        .reads(requests::api_key_draft, json!({ "name": "orders", "scopes": ["trigger", "read"] }))
        .answers::<ApiKeyWithText>(CREATED, "It is made. Its text is told this once.")
        .with_headers(&UNCACHED)
        .refuses(&[Code::ApiKeyInvalid, Code::ApiKeyNameTaken, Code::ApiKeysTooMany])
}

pub(super) fn list() -> Operation {
    operation("Lists keys, revoked ones included")
        .takes(paging(&["createdAt", "updatedAt", "name"]))
        .answers::<Page<ApiKey>>(OK, "One page.")
        .refuses(&[Code::QueryInvalid, Code::CursorInvalid])
}

pub(super) fn show() -> Operation {
    of_one("Shows a key").answers::<ApiKey>(OK, "As it is.")
}

pub(super) fn rotate() -> Operation {
    of_one("Gives a key another text")
        .may_read(requests::api_key_rotation, json!({ "overlapSeconds": 3600 }))
        .answers::<ApiKeyWithText>(OK, "The new text is told this once.")
        .with_headers(&UNCACHED)
        .refuses(&[Code::ApiKeyInvalid, Code::ApiKeyOver, Code::Conflict])
}

pub(super) fn revoke() -> Operation {
    of_one("Ends a key for good")
        .answers_nothing("It opens nothing any more.")
        .refuses(&[Code::Conflict])
}
