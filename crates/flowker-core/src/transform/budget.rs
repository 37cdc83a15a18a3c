//! How much a definition may make of a document.

use std::borrow::Cow;

use serde_json::Value;

use super::Reason;
use crate::json;
use crate::path::Target;

/// What one mapping, list of transforms or template may copy and make in one run, in bytes of
/// names, strings and digits, and 16 more for each value.
///
/// Room for several responses of the largest size that is accepted, and still so little that all
/// runs of a process at once fit into memory.
pub const WEIGHT_MAX: usize = 32 * 1024 * 1024;

/// What a value weighs beside its text. About half of what it takes in memory.
const VALUE_WEIGHT: usize = 16;

/// What is left of [`WEIGHT_MAX`].
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { left: WEIGHT_MAX }
    }

    /// Takes a text's weight off what is left.
    pub(crate) fn charge_text(&mut self, text: &str) -> Result<(), Reason> {
        self.charge(text.len())
    }

    /// Takes a value's weight off what is left.
    pub(crate) fn charge_value(&mut self, value: &Value) -> Result<(), Reason> {
        self.charge(Size::of(value).weight)
    }

    /// Takes off the weight of a value that comes to stand inside `depth` objects and arrays.
    pub(crate) fn charge_inner(&mut self, value: &Value, depth: usize) -> Result<(), Reason> {
        let size = Size::of(value);
        if json::DEPTH_MAX < depth + size.depth {
            return Err(Reason::TooDeep);
        }
        self.charge(size.weight)
    }

    /// Writes a value, which is only copied once it is known to fit.
    pub(crate) fn write(
        &mut self,
        document: &mut Value,
        target: &Target,
        value: Cow<'_, Value>,
    ) -> Result<(), Reason> {
        self.charge_inner(&value, target.depth())?;
        let n_padded = target.write(document, value.into_owned());
        // After the fact, which is soon enough: one target pads a bounded number of nulls.
        self.charge(n_padded * VALUE_WEIGHT)
    }

    fn charge(&mut self, weight: usize) -> Result<(), Reason> {
        self.left = self.left.checked_sub(weight).ok_or(Reason::TooLarge)?;
        Ok(())
    }
}

struct Size {
    weight: usize,
    /// Levels of objects and arrays; 0 for a scalar.
    depth: usize,
}

impl Size {
    fn of(value: &Value) -> Self {
        let mut size = Self { weight: VALUE_WEIGHT, depth: 0 };
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => size.weight += number.as_str().len(),
            Value::String(text) => size.weight += text.len(),
            Value::Array(items) => {
                size.depth = 1;
                for item in items {
                    size.hold(item);
                }
            }
            Value::Object(members) => {
                size.depth = 1;
                for (name, member) in members {
                    size.weight += name.len();
                    size.hold(member);
                }
            }
        }
        size
    }

    fn hold(&mut self, inner: &Value) {
        let inner = Self::of(inner);
        self.weight += inner.weight;
        self.depth = self.depth.max(1 + inner.depth);
    }
}
