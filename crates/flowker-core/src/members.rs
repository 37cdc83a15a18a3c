//! Reading the members of a JSON object, and naming every one that is wrong.
//!
//! A reader takes members out one by one and collects faults instead of stopping at the first, so
//! that a caller learns of all mistakes at once. `null` counts as absent, unknown members are
//! ignored, and names match in any case, as the contract says.

use serde_json::{Map, Value};

use crate::json::kind;
use crate::refusal::Fault;

/// The members of one object, and where it stands in the document.
#[derive(Debug)]
pub struct Members<'f> {
    /// Those that were not taken yet.
    left: Map<String, Value>,
    path: String,
    faults: &'f mut Vec<Fault>,
}

impl<'f> Members<'f> {
    /// Reads `value` at `path`. What is no object is a fault, and reads as an empty object; `null`
    /// is an empty object.
    pub fn of(value: Value, path: impl Into<String>, faults: &'f mut Vec<Fault>) -> Self {
        let path = path.into();
        let left = match value {
            Value::Object(members) => members,
            Value::Null => Map::new(),
            other => {
                faults.push(Fault::new(&*path, format!("must be an object, not {}", kind(&other))));
                Map::new()
            }
        };
        Self { left, path, faults }
    }

    /// The path of a member.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Records that a member is wrong.
    pub fn fault(&mut self, name: &str, message: impl std::fmt::Display) {
        let path = self.path_of(name);
        self.faults.push(Fault::new(path, message));
    }

    /// Takes a member of any type; `None` if it is absent or `null`.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.left.remove(name).or_else(|| {
            let spelled = self.left.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
            self.left.remove(&spelled)
        })?;
        (!value.is_null()).then_some(value)
    }

    /// Takes a string.
    pub fn string(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => self.wrong_type(name, "a string", &other),
        }
    }

    /// Takes a string that has to be there and not be empty; `missing` says so if it is not.
    pub fn needed_string(&mut self, name: &str, missing: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            None | Some(Value::String(_)) => {
                self.fault(name, missing);
                None
            }
            Some(other) => self.wrong_type(name, "a string", &other),
        }
    }

    /// Whether a member is there, of any type.
    pub fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
    }

    /// Takes an object.
    pub fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.take(name)? {
            Value::Object(members) => Some(members),
            other => self.wrong_type(name, "an object", &other),
        }
    }

    /// Takes an array.
    pub fn array(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take(name)? {
            Value::Array(items) => Some(items),
            other => self.wrong_type(name, "an array", &other),
        }
    }

    /// Takes a boolean.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(value) => Some(value),
            other => self.wrong_type(name, "a boolean", &other),
        }
    }

    /// Takes an integer of any size that an `i64` holds.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let value = self.take(name)?;
        if let Some(integer) = value.as_i64() {
            return Some(integer);
        }
        self.wrong_type(name, "an integer", &value)
    }

    /// Takes an integer between `least` and `most`, both included.
    pub fn integer_within(&mut self, name: &str, least: u32, most: u32) -> Option<u32> {
        let value = self.take(name)?;
        let within = value.as_u64().and_then(|integer| u32::try_from(integer).ok());
        match within {
            Some(integer) if (least..=most).contains(&integer) => Some(integer),
            _ => {
                self.fault(name, format!("must be an integer from {least} to {most}, not {value}"));
                None
            }
        }
    }

    /// Reads the items of an array that are objects, each with its own path.
    pub fn each<T>(&mut self, name: &str, read: impl Fn(Members<'_>) -> T) -> Vec<T> {
        let path = self.path_of(name);
        let items = self.array(name).unwrap_or_default();
        items
            .into_iter()
            .enumerate()
            .map(|(idx, item)| read(Members::of(item, format!("{path}[{idx}]"), self.faults)))
            .collect()
    }

    /// Reads a member that is an object, if it is there.
    pub fn nested(&mut self, name: &str) -> Option<Members<'_>> {
        let path = self.path_of(name);
        let value = self.take(name)?;
        Some(Members::of(value, path, self.faults))
    }

    fn wrong_type<T>(&mut self, name: &str, wanted: &str, found: &Value) -> Option<T> {
        self.fault(name, format!("must be {wanted}, not {}", kind(found)));
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn takes_what_is_there_and_names_what_is_wrong() {
        let mut faults = Vec::new();
        let document = json!({
            "NAME": "n", "count": 7.5, "list": [{"a": 1}, 3], "flag": "yes", "none": null,
            "many": 11, "text": "t", "empty": "", "number": 1, "inner": {"x": []},
        });
        let mut members = Members::of(document, "", &mut faults);
        assert_eq!(members.string("name").as_deref(), Some("n"));
        assert_eq!(members.integer("count"), None);
        assert_eq!(members.boolean("flag"), None);
        assert_eq!(members.string("none"), None);
        assert_eq!(members.string("absent"), None);
        assert!(members.has("MANY") && !members.has("none") && !members.has("absent"));
        assert_eq!(members.integer_within("many", 1, 10), None);
        assert!(!members.has("many"));
        assert_eq!(members.needed_string("text", "is needed").as_deref(), Some("t"));
        assert_eq!(members.needed_string("empty", "is needed"), None);
        assert_eq!(members.needed_string("number", "is needed"), None);
        assert_eq!(members.needed_string("none", "is needed"), None);
        assert_eq!(members.each("list", |mut item| item.integer("a")), vec![Some(1), None]);
        assert_eq!(members.nested("inner").and_then(|mut inner| inner.string("x")), None);
        let shown: Vec<_> =
            faults.iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
        assert_eq!(
            shown,
            [
                "count: must be an integer, not a number",
                "flag: must be a boolean, not a string",
                "many: must be an integer from 1 to 10, not 11",
                "empty: is needed",
                "number: must be a string, not a number",
                "none: is needed",
                "list[1]: must be an object, not a number",
                "inner.x: must be a string, not an array",
            ]
        );
    }
}
