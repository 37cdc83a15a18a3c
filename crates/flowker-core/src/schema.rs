//! JSON Schema, draft 2020-12, for configurations, node data and payloads.

use std::fmt::{self, Write as _};

use serde_json::Value;

use crate::refusal::Fault;

/// How many faults of one value are told.
const FAULTS_MAX: usize = 20;

/// A compiled schema. `format` is an annotation only, and nothing is fetched from anywhere.
pub struct Schema {
    source: Value,
    validator: jsonschema::Validator,
}

/// A text that is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no valid JSON Schema: {0}")]
pub struct SchemaError(String);

impl Schema {
    /// Compiles a schema.
    pub fn compile(source: &Value) -> Result<Self, SchemaError> {
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(false)
            .build(source)
            .map_err(|error| SchemaError(error.to_string()))?;
        Ok(Self { source: source.clone(), validator })
    }

    /// The schema as it was written.
    pub const fn source(&self) -> &Value {
        &self.source
    }

    /// What is wrong with a value; nothing if it satisfies the schema.
    pub fn check(&self, value: &Value) -> Vec<Fault> {
        let errors = self.validator.iter_errors(value).take(FAULTS_MAX);
        errors
            .map(|error| Fault::new(dotted(&error.instance_path().to_string()), error.masked()))
            .collect()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.source).finish()
    }
}

/// `/lines/0/price` → `lines[0].price`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            let _ = write!(path, "[{part}]");
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_members_at_fault() {
        let schema = json!({
            "type": "object", "required": ["id"],
            "properties": {"lines": {"items": {"properties": {"price": {"type": "number"}}}}},
        });
        let schema = Schema::compile(&schema).expect("a schema");
        let check = |value: Value| -> Vec<String> {
            schema.check(&value).into_iter().map(|fault| fault.path).collect()
        };
        assert_eq!(check(json!({"id": 1})), Vec::<String>::new());
        assert_eq!(check(json!({"id": 1, "lines": [{}, {"price": "x"}]})), ["lines[1].price"]);
        assert_eq!(check(json!({})), [""]);
    }

    #[test]
    fn exact_numbers_are_numbers() {
        let schema = Schema::compile(&json!({"type": "integer", "minimum": 1})).expect("a schema");
        let value = crate::json::parse(b"123456789012345678901234567890").expect("a number");
        assert_eq!(schema.check(&value), []);
    }

    #[test]
    fn refuses_what_is_no_schema_and_fetches_nothing() {
        assert!(Schema::compile(&json!({"type": "nothing"})).is_err());
        assert!(Schema::compile(&json!({"$ref": "http://127.0.0.1:1/schema"})).is_err());
    }
}
