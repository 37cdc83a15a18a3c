//! The fields of an operation: members of a node's data, else of the request document.

use flowker_core::ports::Call;
use serde_json::Value;

/// A field of the operation that a call is about. The node's data wins, since who drew the workflow
/// wrote it there; what came with the payload is next.
pub(crate) fn field<'a>(call: &'a Call, name: &str) -> Option<&'a Value> {
    let found = call.extra.get(name).or_else(|| call.document.get(name));
    found.filter(|value| !value.is_null())
}

/// Adds the fields that are there to the call's query: those that are text, a number or a boolean,
/// unless the node's own `query` has one of the name.
pub(crate) fn add_to_query(call: &mut Call, names: &[&str]) {
    for name in names {
        if call.query.iter().any(|(it, _)| it == name) {
            continue;
        }
        let text = match field(call, name) {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            _ => continue,
        };
        call.query.push(((*name).to_owned(), text));
    }
}
