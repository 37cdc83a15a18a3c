//! The one door through which JSON text becomes a value.
//!
//! Why not `serde_json::from_slice`: its exact numbers (`arbitrary_precision`) travel through a
//! private marker member, so a payload that happens to hold a member of that name would be read as
//! a number. Here nothing but JSON's own grammar decides, every number keeps each digit, depth and
//! size are bounded, and a mistake is reported with the path of the member at fault.
//!
//! Writing is plain `serde_json::to_vec`: the marker plays no part on the way out.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use json_event_parser::{JsonEvent, SliceJsonParser};
use serde_json::{Map, Number, Value};

/// How deep arrays and objects may nest in a text from outside. Deeper text is refused, so no
/// recursion over a parsed value can exhaust a stack.
pub const DEPTH_MAX: usize = 64;

/// How many values (scalars, arrays, objects) a request may hold. Bounds the memory that a parsed
/// text takes: 1 MiB of `[[],[],…` would otherwise become 40 times its size.
pub const VALUES_MAX: usize = 100_000;

/// How much one text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep arrays and objects may nest.
    pub depth: usize,
    /// How many values there may be.
    pub values: usize,
}

impl Limits {
    /// For requests.
    pub const REQUEST: Self = Self { depth: DEPTH_MAX, values: VALUES_MAX };

    /// For answers to our own calls, which may be five times as large as a request: their number of
    /// values is bounded by their number of bytes.
    pub const RESPONSE: Self = Self { depth: DEPTH_MAX, values: usize::MAX };

    /// For what was stored by us: values from outside, a few levels further down.
    pub const STORED: Self = Self { depth: 2 * DEPTH_MAX, values: usize::MAX };
}

/// A text that is not JSON, or more JSON than is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", Place(*.position))]
pub struct JsonError {
    /// Path of the member at fault, such as `order.lines[3]`; empty for the text as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// Line and column (in characters) of the mistake, both from 1; `None` for a limit.
    pub position: Option<(u64, u64)>,
}

struct Place(Option<(u64, u64)>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

/// Parses one JSON text (RFC 8259, UTF-8) of a request.
///
/// Of duplicate members the last wins, as the contract says.
///
/// # Errors
///
/// [`JsonError`] for anything that is not exactly one JSON text within [`Limits::REQUEST`].
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    parse_within(text, Limits::REQUEST)
}

/// Parses one JSON text like [`parse`], within other limits.
///
/// # Errors
///
/// [`JsonError`] for anything that is not exactly one JSON text within `limits`.
pub fn parse_within(text: &[u8], limits: Limits) -> Result<Value, JsonError> {
    let mut tree = Tree { limits, open: Vec::new(), n_values: 0, root: None };
    // The parser would skip it; RFC 8259 §8.1 lets a receiver refuse it, and senders of anything
    // else than UTF-8 learn of their mistake.
    if text.starts_with(b"\xEF\xBB\xBF") {
        return Err(tree.limit("the text begins with a byte order mark; leave it out".to_owned()));
    }
    let mut parser = SliceJsonParser::new(text);
    loop {
        let event = parser.parse_next().map_err(|error| {
            let at = error.location().start;
            tree.error(error.message().to_owned(), Some((at.line + 1, at.column + 1)))
        })?;
        if matches!(event, JsonEvent::Eof) {
            break;
        }
        tree.add(event)?;
    }
    tree.root.ok_or_else(|| JsonError {
        path: String::new(),
        message: "the text is empty".to_owned(),
        position: None,
    })
}

/// A value under construction, innermost last.
enum Open {
    Array(Vec<Value>),
    Object(Map<String, Value>, Option<String>),
}

struct Tree {
    limits: Limits,
    open: Vec<Open>,
    n_values: usize,
    root: Option<Value>,
}

impl Tree {
    fn add(&mut self, event: JsonEvent<'_>) -> Result<(), JsonError> {
        match event {
            JsonEvent::Null => self.put(Value::Null),
            JsonEvent::Boolean(value) => self.put(Value::Bool(value)),
            JsonEvent::String(text) => self.put(Value::String(text.into_owned())),
            JsonEvent::Number(text) => self.put(number(text)),
            JsonEvent::StartArray => self.start(Open::Array(Vec::new())),
            JsonEvent::StartObject => self.start(Open::Object(Map::new(), None)),
            JsonEvent::ObjectKey(name) => {
                if let Some(Open::Object(_, pending)) = self.open.last_mut() {
                    *pending = Some(name.into_owned());
                }
                Ok(())
            }
            JsonEvent::EndArray | JsonEvent::EndObject => {
                match self.open.pop() {
                    Some(Open::Array(items)) => self.attach(Value::Array(items)),
                    Some(Open::Object(members, _)) => self.attach(Value::Object(members)),
                    None => {}
                }
                Ok(())
            }
            JsonEvent::Eof => Ok(()),
        }
    }

    fn start(&mut self, container: Open) -> Result<(), JsonError> {
        let depth = self.limits.depth;
        if self.open.len() == depth {
            return Err(
                self.limit(format!("arrays and objects are nested deeper than {depth} levels"))
            );
        }
        self.count()?;
        self.open.push(container);
        Ok(())
    }

    fn put(&mut self, value: Value) -> Result<(), JsonError> {
        self.count()?;
        self.attach(value);
        Ok(())
    }

    fn attach(&mut self, value: Value) {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::Array(items)) => items.push(value),
            Some(Open::Object(members, pending)) => {
                // The parser never hands out a member's value without its name.
                if let Some(name) = pending.take() {
                    members.insert(name, value);
                }
            }
        }
    }

    fn count(&mut self) -> Result<(), JsonError> {
        self.n_values += 1;
        if self.n_values <= self.limits.values {
            return Ok(());
        }
        Err(self.limit(format!("the text holds more than {} values", self.limits.values)))
    }

    fn limit(&self, message: String) -> JsonError {
        self.error(message, None)
    }

    fn error(&self, message: String, position: Option<(u64, u64)>) -> JsonError {
        JsonError { path: self.path(), message, position }
    }

    /// Where the parser stands. Cut after a few levels: a path is for a person to read.
    fn path(&self) -> String {
        const LEVELS_SHOWN: usize = 12;
        let mut path = String::new();
        for level in self.open.iter().take(LEVELS_SHOWN) {
            match level {
                Open::Array(items) => {
                    let _ = write!(path, "[{}]", items.len());
                }
                Open::Object(_, Some(name)) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.extend(name.chars().take(64));
                }
                Open::Object(_, None) => {}
            }
        }
        if LEVELS_SHOWN < self.open.len() {
            path.push('…');
        }
        path
    }
}

/// Keeps the digits as they were sent.
fn number(text: Cow<'_, str>) -> Value {
    Value::Number(Number::from_string_unchecked(text.into_owned()))
}

/// Writes a value as compact JSON.
///
/// # Panics
///
/// Never: a [`Value`] holds nothing that JSON cannot say.
pub fn to_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a value of strings, numbers and maps of strings serializes")
}

/// Writes a value as compact JSON text.
pub fn to_text(value: &Value) -> String {
    value.to_string()
}

/// What kind of value this is, in the words of an error message.
pub fn kind(value: &Value) -> Kind {
    match value {
        Value::Null => Kind("null"),
        Value::Bool(_) => Kind("a boolean"),
        Value::Number(_) => Kind("a number"),
        Value::String(_) => Kind("a string"),
        Value::Array(_) => Kind("an array"),
        Value::Object(_) => Kind("an object"),
    }
}

/// The name of a JSON type, with its article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(&'static str);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests;
