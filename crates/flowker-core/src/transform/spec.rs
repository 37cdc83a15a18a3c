//! Reading the members of a definition, with faults that say where and what.

use serde_json::{Map, Value};

use crate::json;
use crate::path::{Path, PathError, Target};
use crate::refusal::Fault;

/// An object of a definition, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Spec<'a> {
    pub(super) members: &'a Map<String, Value>,
    /// Such as `[2].spec`.
    pub(super) place: String,
}

impl<'a> Spec<'a> {
    /// Reads an object that is not empty.
    pub(super) fn read(value: &'a Value, place: String) -> Result<Self, Fault> {
        match value {
            Value::Object(members) if members.is_empty() => {
                Err(Fault { path: place, message: "is empty".to_owned() })
            }
            Value::Object(members) => Ok(Self { members, place }),
            _ => Err(expected(place, "an object", value)),
        }
    }

    /// Where a member stands. `name` is one of the words of the notation.
    pub(super) fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.place)
    }

    /// Where a member stands whose name is a path that the author wrote.
    pub(super) fn at_path(&self, path: &str) -> String {
        format!("{}[{path:?}]", self.place)
    }

    /// A member that has to be there.
    pub(super) fn need(&self, name: &str) -> Result<&'a Value, Fault> {
        self.members.get(name).ok_or_else(|| Fault {
            path: self.at(name),
            message: "is missing, and it is required".to_owned(),
        })
    }

    pub(super) fn need_text(&self, name: &str) -> Result<&'a str, Fault> {
        text(self.need(name)?, self.at(name))
    }

    pub(super) fn need_items(&self, name: &str) -> Result<&'a [Value], Fault> {
        items(self.need(name)?, self.at(name))
    }

    /// A member that may be absent or null.
    pub(super) fn optional(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        self.optional(name).map(|value| text(value, self.at(name))).transpose()
    }

    /// A switch, which is off when absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.optional(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(expected(self.at(name), "true or false", other)),
        }
    }
}

/// A fault of a member that is of another kind than `wanted`.
pub(super) fn expected(member: String, wanted: &str, found: &Value) -> Fault {
    Fault { path: member, message: format!("must be {wanted} and is {}", json::kind(found)) }
}

pub(super) fn text(value: &Value, member: String) -> Result<&str, Fault> {
    value.as_str().ok_or_else(|| expected(member, "a string", value))
}

pub(super) fn items(value: &Value, member: String) -> Result<&[Value], Fault> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| expected(member, "an array", value))
}

/// Reads a path that values are read from.
pub(super) fn source(path: &str, member: String) -> Result<Path, Fault> {
    if path == "$" {
        let message = "`$` is only for the sources of shift; name a member".to_owned();
        return Err(Fault { path: member, message });
    }
    Path::parse_source(path).map_err(|error| refused(member, &error))
}

/// Reads a path that values are written to.
pub(super) fn target(path: &str, member: String) -> Result<Target, Fault> {
    Target::parse(path).map_err(|error| refused(member, &error))
}

/// Reads a path to one existing member.
pub(super) fn single(path: &str, member: String) -> Result<Path, Fault> {
    Path::parse_single(path).map_err(|error| refused(member, &error))
}

/// Reads a list of paths, each with `parse`.
pub(super) fn paths<T>(
    value: &Value,
    member: &str,
    parse: impl Fn(&str, String) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let paths = items(value, member.to_owned())?.iter().enumerate();
    paths
        .map(|(idx, path)| {
            let place = format!("{member}[{idx}]");
            parse(text(path, place.clone())?, place)
        })
        .collect()
}

fn refused(member: String, error: &PathError) -> Fault {
    Fault { path: member, message: error.to_string() }
}
