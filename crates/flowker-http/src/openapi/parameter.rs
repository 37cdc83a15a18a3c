//! Parameters of operations: in the path, the query and the head of a request.

use flowker_core::idempotency::IdempotencyKey;
use serde_json::{Value, json};

use crate::paging::{LIMIT_DEFAULT, LIMIT_MAX};

/// One parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    place: &'static str,
    name: &'static str,
    about: &'static str,
    is_required: bool,
    schema: Value,
}

impl Parameter {
    pub(super) fn query(name: &'static str, about: &'static str, schema: Value) -> Self {
        Self { place: "query", name, about, is_required: false, schema }
    }

    pub(super) fn rendered(self) -> Value {
        json!({
            "in": self.place,
            "name": self.name,
            "description": self.about,
            "required": self.is_required,
            "schema": self.schema,
        })
    }
}

fn path(name: &'static str, about: &'static str, schema: Value) -> Parameter {
    Parameter { place: "path", name, about, is_required: true, schema }
}

fn header(name: &'static str, about: &'static str, schema: Value) -> Parameter {
    Parameter { place: "header", name, about, is_required: false, schema }
}

/// An id that we made.
pub(super) fn id() -> Parameter {
    let about = "Canonical, upper case, without dashes, in braces, or after `urn:uuid:`.";
    path("id", about, json!({ "type": "string", "format": "uuid" }))
}

/// An id of the catalog.
pub(super) fn catalog_id() -> Parameter {
    path("id", "Case-sensitive.", json!({ "type": "string", "minLength": 1 }))
}

/// The path of a webhook.
pub(super) fn webhook_path() -> Parameter {
    let about = "As the trigger of an active workflow says, with any number of segments. \
        Percent-decoded once, `%2F` the same as `/`.";
    path("path", about, json!({ "type": "string", "minLength": 1 }))
}

/// What makes a retry safe.
pub(super) fn idempotency_key(is_required: bool) -> Parameter {
    let about = "The same key with the same request finds the same execution. Quoted or bare.";
    let schema = json!({
        "type": "string", "minLength": 1, "maxLength": IdempotencyKey::LEN_MAX,
        // Neither a space at its ends, which would be cut, nor a quote that nothing closes.
        "pattern": "^[!#-~]([ -~]*[!-~])?$",
    });
    Parameter { is_required, ..header("Idempotency-Key", about, schema) }
}

/// How long the caller prefers to wait.
pub(super) fn prefer() -> Parameter {
    let about =
        "`wait=N` waits up to N seconds for the end (RFC 7240). Other preferences are ignored.";
    header("Prefer", about, json!({ "type": "string" }))
}

/// The token of a webhook.
pub(super) fn webhook_token() -> Parameter {
    let about = "Where the trigger has a `verify_token`.";
    header("X-Webhook-Token", about, json!({ "type": "string" }))
}

/// How long a reading caller waits.
pub(super) fn wait() -> Parameter {
    let about = "Waits up to so many seconds for the end, as far as the service allows.";
    let schema = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    Parameter::query("wait", about, schema)
}

/// What every list takes, sorted by one of these members, of which the first is the default.
pub(super) fn paging(sort_by: &[&str]) -> Vec<Parameter> {
    let sort_by = json!({ "type": "string", "enum": sort_by, "default": sort_by[0] });
    vec![
        limit(LIMIT_DEFAULT),
        Parameter::query("sortBy", "By what the list is sorted.", sort_by),
        sort_order("DESC"),
        cursor(),
    ]
}

/// How long a page is.
pub(super) fn limit(default: usize) -> Parameter {
    let about = "How many items there are on a page at the most.";
    let schema =
        json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": default });
    Parameter::query("limit", about, schema)
}

/// Which end of a list comes first.
pub(super) fn sort_order(default: &str) -> Parameter {
    let schema = json!({ "type": "string", "enum": ["ASC", "DESC"], "default": default });
    Parameter::query("sortOrder", "Which way, in any case of letters.", schema)
}

/// Where a page begins.
pub(super) fn cursor() -> Parameter {
    let about = "`nextCursor` of the page before; it brings its order along.";
    Parameter::query("cursor", about, json!({ "type": "string" }))
}

/// An id that we made, in the query.
pub(super) fn uuid(name: &'static str, about: &'static str) -> Parameter {
    Parameter::query(name, about, json!({ "type": "string", "format": "uuid" }))
}

/// A moment.
pub(super) fn moment(name: &'static str, about: &'static str) -> Parameter {
    Parameter::query(name, about, json!({ "type": "string", "format": "date-time" }))
}

/// The hash of an entry of the audit log.
pub(super) fn hash(name: &'static str, about: &'static str) -> Parameter {
    Parameter::query(name, about, json!({ "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" }))
}

/// A list that only holds what has one of these words.
pub(super) fn words<'a>(
    name: &'static str,
    about: &'static str,
    words: impl IntoIterator<Item = &'a str>,
) -> Parameter {
    let words: Vec<_> = words.into_iter().collect();
    Parameter::query(name, about, json!({ "type": "string", "enum": words }))
}
