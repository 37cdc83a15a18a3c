//! Holding exchanges against the description of the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use flowker_core::json::{self, Limits};
use jsonschema::Validator;
use serde_json::{Value, json};

/// A description of an API (OpenAPI 3.1), against which exchanges are held.
///
/// Stricter than the description itself: a member that it does not name is a fault, in answers and
/// in requests that were accepted. Otherwise it could be forgotten there.
#[derive(Debug)]
pub struct Description {
    /// With all objects closed.
    document: Value,
    operations: Vec<Operation>,
    /// By the schema's place in the document.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// Where an operation is described.
#[derive(Debug)]
struct Operation {
    method: String,
    /// Such as `/v1/workflows/{id}`.
    template: String,
    described: Value,
}

/// A request and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// Such as `GET`.
    pub method: &'a str,
    /// Path and query, as they were sent.
    pub target: &'a str,
    /// The request's body as JSON, empty if it has none. `None`: the request is not looked at.
    pub sent: Option<&'a [u8]>,
    /// Of the answer.
    pub status: u16,
    /// Media type of the answer.
    pub content_type: Option<&'a str>,
    /// Body of the answer.
    pub body: &'a [u8],
}

/// What refuses a request for which there is no operation: the door, before any was looked for, or
/// because none was found. 204 answers `OPTIONS *` and preflights.
const WITHOUT_OPERATION: [u16; 11] = [204, 400, 401, 404, 405, 413, 414, 417, 431, 501, 503];

/// What the HTTP parser answers itself, without a body.
const BARE: [u16; 3] = [400, 414, 431];

/// Where any path may follow.
const WEBHOOKS: &str = "/v1/webhooks/";

impl Description {
    /// Reads a description.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn parse(text: &str) -> Self {
        let mut document = json::parse_within(text.as_bytes(), Limits::STORED).expect("JSON");
        let schemas = document["components"]["schemas"].as_object_mut().expect("schemas");
        schemas.values_mut().for_each(close);
        let mut operations = Vec::new();
        for (template, item) in document["paths"].as_object().expect("paths") {
            for (method, described) in item.as_object().expect("an item") {
                let (method, template) = (method.to_ascii_uppercase(), template.clone());
                operations.push(Operation { method, template, described: described.clone() });
            }
        }
        // A fixed segment is looked at before one that may be anything.
        operations.sort_by_key(|it| it.template.matches('{').count());
        Self { document, operations, validators: Mutex::default() }
    }

    /// Everything about an exchange that is not as described.
    pub fn faults(&self, exchange: &Exchange<'_>) -> Vec<String> {
        let target = origin_form(exchange.target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if exchange.body.is_empty() && exchange.content_type.is_none() {
            // Only now: a bare refusal of an operation is none of its own.
            if BARE.contains(&exchange.status) {
                return Vec::new();
            }
        }
        let Some(operation) = self.operation(exchange.method, path) else {
            return without_operation(exchange);
        };
        let mut faults = self.answer_faults(operation, exchange);
        if (200..300).contains(&exchange.status) {
            faults.extend(self.request_faults(operation, exchange, query));
        }
        let name = format!("{} {}: {}", exchange.method, operation.template, exchange.status);
        faults.into_iter().map(|fault| format!("{name}: {fault}")).collect()
    }

    /// Panics if an exchange is not as described.
    ///
    /// # Panics
    ///
    /// That is what it is for.
    #[track_caller]
    pub fn check(&self, exchange: &Exchange<'_>) {
        let faults = self.faults(exchange);
        let body = String::from_utf8_lossy(exchange.body);
        assert!(faults.is_empty(), "not as described: {}\n{body}", faults.join("\n"));
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let method = if method == "HEAD" { "GET" } else { method };
        let candidates = self.operations.iter().filter(|it| it.method == method);
        candidates.into_iter().find(|it| matches(&it.template, path))
    }

    fn answer_faults(&self, operation: &Operation, exchange: &Exchange<'_>) -> Vec<String> {
        let response = &operation.described["responses"][exchange.status.to_string()];
        let response = match response["$ref"].as_str() {
            Some(reference) => self.document.pointer(&reference[1..]).unwrap_or(&Value::Null),
            None => response,
        };
        let Some(response) = response.as_object() else {
            return vec!["the status is not described".to_owned()];
        };
        let is_head = exchange.method == "HEAD";
        let Some(content) = response.get("content") else {
            let is_empty = exchange.body.is_empty();
            return if is_empty { vec![] } else { vec!["no body is described".to_owned()] };
        };
        let media_type = exchange.content_type.unwrap_or_default();
        let Some(schema) = content[media_type].get("schema") else {
            return vec![format!("the media type {media_type:?} is not described")];
        };
        if is_head {
            let is_empty = exchange.body.is_empty();
            return if is_empty { vec![] } else { vec!["HEAD has no body".to_owned()] };
        }
        match media_type {
            "application/json" | "application/problem+json" => {
                self.json_faults(schema, exchange.body)
            }
            "application/x-ndjson" => {
                let lines = exchange.body.split_inclusive(|byte| *byte == b'\n');
                lines.flat_map(|line| self.json_faults(schema, line)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What is wrong with a request that was accepted.
    fn request_faults(
        &self,
        operation: &Operation,
        exchange: &Exchange<'_>,
        query: &str,
    ) -> Vec<String> {
        let Some(sent) = exchange.sent else { return Vec::new() };
        let mut faults = Vec::new();
        let schema = &operation.described["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_object() && !sent.is_empty() {
            let found = self.json_faults(schema, sent);
            faults.extend(found.into_iter().map(|fault| format!("the request: {fault}")));
        }
        if !is_below(WEBHOOKS, &operation.template) {
            let described = operation.described["parameters"].as_array();
            let is_described = |name: &str| {
                let mut described = described.into_iter().flatten();
                described.any(|it| it["in"] == "query" && it["name"] == name)
            };
            let names = query.split('&').filter_map(|it| it.split('=').next());
            let unknown = names.filter(|name| !name.is_empty() && !is_described(name));
            faults.extend(unknown.map(|name| format!("the parameter {name} is not described")));
        }
        faults
    }

    fn json_faults(&self, schema: &Value, text: &[u8]) -> Vec<String> {
        match json::parse_within(text, Limits::RESPONSE) {
            Ok(value) => {
                let validator = self.validator(schema);
                let errors = validator.iter_errors(&value).take(5);
                errors.map(|error| format!("{} at {:?}", error, error.instance_path())).collect()
            }
            Err(error) => vec![format!("the body is no JSON: {error}")],
        }
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let made = validators.entry(schema.to_string()).or_insert_with(|| {
            let mut whole = schema.clone();
            whole["components"] = json!({ "schemas": self.document["components"]["schemas"] });
            let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
            let validator = options.should_validate_formats(true).build(&whole);
            Arc::new(validator.unwrap_or_else(|error| panic!("no schema ({error}): {schema}")))
        });
        Arc::clone(made)
    }
}

/// What is wrong with an exchange for which there is no operation.
fn without_operation(exchange: &Exchange<'_>) -> Vec<String> {
    let is_webhook = is_below(WEBHOOKS, exchange.target) || exchange.target == "/v1/webhooks";
    if is_webhook || WITHOUT_OPERATION.contains(&exchange.status) {
        return Vec::new();
    }
    vec![format!("{} {} is not described", exchange.method, exchange.target)]
}

/// What is left of a target when it names the server, too.
fn origin_form(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://") else { return target };
    if target.starts_with('/') { target } else { rest.find('/').map_or("/", |at| &rest[at..]) }
}

/// Lets an object have no other members than those that it names, and so with all below it.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let types = members.get("type").map(ToString::to_string).unwrap_or_default();
            if types.contains("\"object\"") && members.contains_key("properties") {
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Whether a path is one of a template: in any case of letters, and with or without a slash behind.
fn matches(template: &str, path: &str) -> bool {
    if is_below(WEBHOOKS, template) {
        return is_below(WEBHOOKS, path) && WEBHOOKS.len() < path.len();
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let (mut wanted, mut found) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) => {
                let is_any = wanted.starts_with('{') && !found.is_empty();
                if !is_any && !wanted.eq_ignore_ascii_case(found) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

fn is_below(prefix: &str, path: &str) -> bool {
    path.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        let thing = json!({
            "type": "object", "required": ["id"],
            "properties": {
                "id": { "type": "string", "format": "uuid" },
                "parts": { "type": "array", "items": { "$ref": "#/components/schemas/Thing" } },
            },
        });
        let content =
            json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } });
        let lines = json!({ "application/x-ndjson": { "schema": { "$ref": "#/components/schemas/Thing" } } });
        let document = json!({
            "paths": {
                "/things/{id}": {
                    "put": {
                        "parameters": [{ "in": "query", "name": "force" }],
                        "requestBody": { "content": content },
                        "responses": {
                            "200": { "content": content },
                            "204": {},
                            "404": { "$ref": "#/components/responses/Gone" },
                        },
                    },
                    "get": { "responses": { "200": { "content": content } } },
                },
                "/things": {
                    "put": { "responses": { "200": { "content": lines } } },
                },
                "/v1/webhooks/{path}": { "post": { "responses": { "204": {} } } },
            },
            "components": {
                "schemas": { "Thing": thing },
                "responses": { "Gone": { "content": { "application/problem+json": { "schema": {} } } } },
            },
        });
        Description::parse(&document.to_string())
    }

    const GOOD: &str = r#"{"id":"00000000-0000-0000-0000-000000000001","parts":[]}"#;

    /// What is wrong with `PUT /things/1` as it was sent and answered, in a word that must be told.
    fn check(target: &str, sent: &str, answer: (u16, Option<&str>, &str), expected: &str) {
        let (status, content_type, body) = answer;
        let exchange = Exchange {
            method: "PUT",
            target,
            sent: Some(sent.as_bytes()),
            status,
            content_type,
            body: body.as_bytes(),
        };
        let faults = description().faults(&exchange).join("; ");
        assert!(faults.contains(expected), "{exchange:?}: {faults}");
        assert_eq!(faults.is_empty(), expected.is_empty(), "{exchange:?}: {faults}");
    }

    #[test]
    fn what_is_described_passes_and_the_rest_is_told() {
        let json = Some("application/json");
        check("/things/1", GOOD, (200, json, GOOD), "");
        check("/Things/1/?force=true", GOOD, (200, json, GOOD), "");
        check("/things/1", GOOD, (204, None, ""), "");
        check("http://somewhere/things/1", GOOD, (204, None, ""), "");
        check("/things/1", "{}", (404, Some("application/problem+json"), "{}"), "");
        check("/things/1", GOOD, (400, None, ""), "");
        check("/things/1", GOOD, (409, json, "{}"), "the status is not described");
        check("/things/1", GOOD, (404, json, "{}"), "the media type");
        check("/things/1", GOOD, (204, None, "x"), "no body is described");
        check("/things/1", GOOD, (200, json, "{}"), "\"id\" is a required property");
        check("/things/1", GOOD, (200, json, r#"{"id":"1"}"#), "uuid");
        check("/things/1", GOOD, (200, json, "{"), "no JSON");
        let more = GOOD.replace("parts", "pieces");
        check("/things/1", GOOD, (200, json, &more), "pieces");
        check("/things/1", &more, (200, json, GOOD), "the request: ");
        check("/things/1?farce=1", GOOD, (200, json, GOOD), "the parameter farce");
        let lines = Some("application/x-ndjson");
        check("/things", "", (200, lines, ""), "");
        check("/things", "", (200, lines, &format!("{GOOD}\n{GOOD}\n")), "");
        check("/things", "", (200, lines, &format!("{GOOD}\n{more}\n")), "pieces");
        check("/things", "", (200, lines, &format!("{GOOD}\n\n{GOOD}\n")), "no JSON");
        check("/nothing", GOOD, (200, json, GOOD), "PUT /nothing is not described");
        check("/nothing", GOOD, (404, json, GOOD), "");
        check("/v1/webhooks/a/b", GOOD, (204, None, ""), "");
    }
}
