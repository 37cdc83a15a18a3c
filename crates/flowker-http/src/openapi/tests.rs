use std::collections::{BTreeMap, BTreeSet};

use flowker_core::code::Code;
use flowker_core::json;
use flowker_core::schema::Schema;
use serde_json::Value;

use super::*;
use crate::error::status;

fn described() -> Value {
    json::parse_within(openapi().as_bytes(), json::Limits::STORED).expect("the description is JSON")
}

/// Every operation, with its method, path and description.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            found.push((method.to_ascii_uppercase(), path.clone(), operation.clone()));
        }
    }
    found
}

/// What a reference stands for.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).expect(reference),
        None => value,
    }
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = described();
    let described: BTreeSet<_> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, template, _)| (method.to_string(), template.replace("{*", "{")))
        .collect();
    assert_eq!(described, routes);
    let ids: BTreeSet<_> =
        operations(&document).into_iter().map(|(_, _, it)| it["operationId"].to_string()).collect();
    assert_eq!(ids.len(), ROUTES.len(), "every operation has an id of its own");
}

#[test]
fn every_parameter_of_a_path_is_described() {
    for (method, path, operation) in operations(&described()) {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_path: Vec<_> = parameters.iter().filter(|it| it["in"] == "path").collect();
        let wanted: Vec<_> = path.split('/').filter(|segment| segment.starts_with('{')).collect();
        assert_eq!(in_path.len(), wanted.len(), "{method} {path}");
        for (parameter, segment) in in_path.iter().zip(wanted) {
            assert_eq!(format!("{{{}}}", parameter["name"].as_str().expect("a name")), segment);
            assert_eq!(parameter["required"], true, "{method} {path}");
        }
    }
}

/// The codes of every response, by status.
fn codes(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, _, operation) in operations(document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let schema = &resolved(document, response)["content"]["application/json"]["schema"];
            // Beside an answer with the same status, or alone.
            let enumerated = schema.pointer("/anyOf/1").unwrap_or(schema);
            let enumerated = enumerated.pointer("/properties/code/enum").and_then(Value::as_array);
            let words = enumerated.into_iter().flatten().filter_map(Value::as_str);
            found.entry(status.clone()).or_default().extend(words.map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_code_is_described_under_its_status() {
    /// Those that tests ask for: no operation answers so by itself.
    const INJECTED: [Code; 2] = [Code::FaultTimeout, Code::FaultUnavailable];
    let described = codes(&described());
    for code in Code::ALL.iter().filter(|code| !INJECTED.contains(code)) {
        for (at, codes) in &described {
            let is_own = *at == status(*code).as_u16().to_string();
            assert_eq!(codes.contains(code.as_str()), is_own, "{code} under {at}");
        }
    }
}

#[test]
fn references_lead_somewhere() {
    fn check(document: &Value, value: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
        }
        match value {
            Value::Object(members) => members.values().for_each(|it| check(document, it)),
            Value::Array(items) => items.iter().for_each(|it| check(document, it)),
            _ => {}
        }
    }
    let document = described();
    check(&document, &document);
}

#[test]
fn examples_are_as_described() {
    let document = described();
    let mut n_examples = 0;
    for (method, path, operation) in operations(&document) {
        let content = &operation["requestBody"]["content"]["application/json"];
        let Some(example) = content.get("example") else { continue };
        let mut schema = content["schema"].clone();
        schema["components"] = document["components"].clone();
        let schema = Schema::compile(&schema).expect("a schema");
        assert_eq!(schema.check(example), [], "{method} {path}");
        n_examples += 1;
    }
    assert!(5 < n_examples, "most bodies have an example");
}

#[test]
fn the_reference_is_the_description() {
    let kept = include_str!("../../../../docs/reference/openapi.json");
    assert!(kept == openapi(), "docs/reference/openapi.json is stale: run `cargo xtask openapi`");
}
