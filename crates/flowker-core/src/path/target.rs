//! Places to write to, such as `order.lines[+].price`.

use std::fmt;

use serde_json::{Map, Value};

use super::{Path, PathError, Segment};

/// A path that can be written to.
///
/// Invariant: it has no `[*]`, and its indexes add up to at most [`Self::INDEX_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    path: Path,
    steps: Vec<Step>,
}

/// A segment that can be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    Append,
    Prepend,
}

impl Target {
    /// The largest sum of a target's indexes: writing past the end of an array pads it with nulls,
    /// and this bounds how many.
    pub const INDEX_MAX: usize = 10_000;

    /// Reads a target.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let path = Path::parse(text)?;
        let mut steps = vec![Step::Key(path.root.clone())];
        let mut index_sum = 0_usize;
        for segment in &path.rest {
            steps.push(match segment {
                Segment::Key(key) => Step::Key(key.clone()),
                Segment::Index(index) => {
                    index_sum = index_sum.saturating_add(*index);
                    Step::Index(*index)
                }
                Segment::Append => Step::Append,
                Segment::Prepend => Step::Prepend,
                Segment::Each => return Err(PathError::ReadOnly(text.to_owned())),
            });
        }
        if Self::INDEX_MAX < index_sum {
            return Err(PathError::IndexLarge(text.to_owned()));
        }
        Ok(Self { path, steps })
    }

    /// How many objects and arrays stand around what is written.
    pub fn depth(&self) -> usize {
        self.steps.len()
    }

    /// Puts the value in its place and says how many nulls had to be put before it.
    ///
    /// Objects and arrays on the way are made; a value of another kind in the way gives way, so a
    /// write never fails.
    pub fn write(&self, document: &mut Value, value: Value) -> usize {
        let mut n_padded = 0;
        let mut place = document;
        for step in &self.steps {
            place = step.enter(place, &mut n_padded);
        }
        *place = value;
        n_padded
    }
}

impl Step {
    fn enter<'a>(&self, value: &'a mut Value, n_padded: &mut usize) -> &'a mut Value {
        match self {
            Self::Key(key) => object(value).entry(key.as_str()).or_insert(Value::Null),
            Self::Index(index) => {
                let items = array(value);
                if items.len() <= *index {
                    *n_padded += index - items.len();
                    items.resize(index + 1, Value::Null);
                }
                &mut items[*index]
            }
            Self::Append => {
                let items = array(value);
                items.push(Value::Null);
                let last = items.len() - 1;
                &mut items[last]
            }
            Self::Prepend => {
                let items = array(value);
                items.insert(0, Value::Null);
                &mut items[0]
            }
        }
    }
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it is an object now")
}

fn array(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut().expect("it is an array now")
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}
