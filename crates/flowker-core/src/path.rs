//! Paths into JSON values: `orders[0].lines[*].price`.
//!
//! One spelling serves conditions, mappings, transforms and `{{ path }}` references. Keys are
//! separated by dots and taken as they stand (a key that holds a dot cannot be reached); `[n]`
//! indexes an array from 0, `[*]` reads every element, and on writing `[+]` appends and `[-]`
//! prepends.

mod read;
mod target;

use std::fmt;

use serde_json::{Map, Value};

pub use self::read::Found;
pub use self::target::Target;
use crate::json;

/// Where a path starts from: something with named members.
pub trait Scope {
    /// The member called `key`, if there is one.
    fn member(&self, key: &str) -> Option<&Value>;

    /// The whole of it as one value.
    fn whole(&self) -> Value;
}

impl Scope for Value {
    fn member(&self, key: &str) -> Option<&Value> {
        self.get(key)
    }

    fn whole(&self) -> Value {
        self.clone()
    }
}

impl Scope for Map<String, Value> {
    fn member(&self, key: &str) -> Option<&Value> {
        self.get(key)
    }

    fn whole(&self) -> Value {
        Value::Object(self.clone())
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A member of an object.
    Key(String),
    /// An element of an array, from 0.
    Index(usize),
    /// `[*]`: every element of an array. Only for reading.
    Each,
    /// `[+]`: after the last element. Only for writing.
    Append,
    /// `[-]`: before the first element. Only for writing.
    Prepend,
}

/// A path that begins with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    root: String,
    rest: Vec<Segment>,
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing, or nothing between two dots.
    #[error("the path {0:?} has an empty part")]
    Empty(String),
    /// A bracket that holds none of a number, `*`, `+` and `-`, or that is not closed.
    #[error("the path {0:?} has an index that is none of a number, *, + and -")]
    Index(String),
    /// More parts than any document has levels.
    #[error("the path has {0} keys and indexes; at most {max} are allowed", max = json::DEPTH_MAX)]
    Long(usize),
    /// `[+]` or `[-]` where something is read.
    #[error("the path {0:?} is read, and [+] and [-] are only for writing; use [n] or [*]")]
    WriteOnly(String),
    /// `[*]` where something is written.
    #[error("the path {0:?} is written, and [*] is only for reading; use [n], [+] or [-]")]
    ReadOnly(String),
    /// `[*]`, `[+]` or `[-]` where one existing member is meant.
    #[error("the path {0:?} must name one member; use [n]")]
    NotSingle(String),
    /// Writing there could make an array of more than [`Target::INDEX_MAX`] nulls.
    #[error("the indexes of the path {0:?} add up to more than {max}", max = Target::INDEX_MAX)]
    IndexLarge(String),
}

impl Path {
    /// Reads a path of at most [`json::DEPTH_MAX`] keys and indexes.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut segments = Vec::new();
        for part in text.split('.') {
            let (key, mut indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
            // `a[0][1]` has two indexes; a part that is an index alone has no key.
            if key.is_empty() {
                return Err(PathError::Empty(text.to_owned()));
            }
            segments.push(Segment::Key(key.to_owned()));
            while !indexes.is_empty() {
                let (index, rest) = indexes
                    .strip_prefix('[')
                    .and_then(|inner| inner.split_once(']'))
                    .ok_or_else(|| PathError::Index(text.to_owned()))?;
                segments.push(parse_index(index).ok_or_else(|| PathError::Index(text.to_owned()))?);
                indexes = rest;
            }
        }
        if json::DEPTH_MAX < segments.len() {
            return Err(PathError::Long(segments.len()));
        }
        let mut segments = segments.into_iter();
        match segments.next() {
            Some(Segment::Key(root)) => Ok(Self { root, rest: segments.collect() }),
            _ => Err(PathError::Empty(text.to_owned())),
        }
    }

    /// The key that the path begins with: of a path into a run's context, `workflow` or a node's id.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// What follows the first key.
    pub fn rest(&self) -> &[Segment] {
        &self.rest
    }

    /// Whether the path reads at most one value: it has neither `[*]`, `[+]` nor `[-]`.
    pub fn is_single(&self) -> bool {
        self.rest.iter().all(|it| matches!(it, Segment::Key(_) | Segment::Index(_)))
    }

    /// The one value that the path leads to. `None` if it is missing or the path is not
    /// [single](Self::is_single).
    pub fn get<'a>(&self, scope: &'a (impl Scope + ?Sized)) -> Option<&'a Value> {
        self.rest.iter().try_fold(scope.member(&self.root)?, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
            Segment::Each | Segment::Append | Segment::Prepend => None,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        for segment in &self.rest {
            match segment {
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Each => f.write_str("[*]")?,
                Segment::Append => f.write_str("[+]")?,
                Segment::Prepend => f.write_str("[-]")?,
            }
        }
        Ok(())
    }
}

fn parse_index(text: &str) -> Option<Segment> {
    match text {
        "*" => Some(Segment::Each),
        "+" => Some(Segment::Append),
        "-" => Some(Segment::Prepend),
        // `parse` alone would take a leading plus.
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().map(Segment::Index)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
