//! Building one JSON document from another: the mappings and transforms of executor nodes.
//!
//! A [`Mapping`] copies values from place to place; [`Transforms`] are operations on a whole
//! document. Both are read once, which finds what can be seen to be wrong, and then applied to any
//! document without a panic: what data can still make fail is a [`TransformError`].
//!
//! Bounds, so that neither a definition nor a payload can exhaust memory or stack: a list has at
//! most [`PATHS_MAX`] paths; all that it copies or makes in one run weighs at most [`WEIGHT_MAX`];
//! what it writes nests at most [`DEPTH_MAX`] levels deep.

mod budget;
mod layout;
mod list;
mod mapping;
mod operation;
mod run;
mod spec;

use std::collections::BTreeSet;

use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) use self::budget::Budget;
pub use self::budget::WEIGHT_MAX;
pub use self::list::Transforms;
pub use self::mapping::{Mapping, MappingKind};
pub use self::operation::OPERATIONS;
use crate::json::{DEPTH_MAX, Kind};

/// How many paths one mapping or list of transforms may hold.
pub const PATHS_MAX: usize = 2_000;

/// What operations need that is not in the document.
pub struct Env<'a> {
    /// What `$now` is.
    pub now: OffsetDateTime,
    /// Makes a random id, for `uuid` of version 4.
    pub new_uuid: &'a dyn Fn() -> Uuid,
}

/// Which members of a document its result depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// At most the members of these names.
    Roots(BTreeSet<String>),
    /// Any of them.
    Everything,
}

/// A mapping or an operation that a document cannot go through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[{index}] {operation} at {path:?}: {reason}")]
pub struct TransformError {
    /// Which entry of the list, from 0.
    pub index: usize,
    /// The operation's name; `mapping` for the copying of a mapping.
    pub operation: &'static str,
    /// The path that could not be read or written.
    pub path: String,
    /// What is wrong there.
    pub reason: Reason,
}

/// Why a value could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Nothing is there, and something has to be.
    #[error("the value is missing")]
    Missing,
    /// Null has no text that could be put into another.
    #[error("the value is null, which has no text")]
    Null,
    /// Only a string can be reformatted.
    #[error("expected a string, or an array of them, and found {0}")]
    NotText(Kind),
    /// A string that is not a time in the given format.
    #[error("{text:?} is not a time in the format {format:?}")]
    NotTime {
        /// The start of the string.
        text: String,
        /// The operation's `inputFormat`.
        format: String,
    },
    /// The output of a node is an object.
    #[error("the result must be an object and is {0}")]
    NotObject(Kind),
    /// The value is nested so deep that it has no room there.
    #[error("the result would be nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// More is copied than is allowed.
    #[error("the result would weigh more than {WEIGHT_MAX} bytes")]
    TooLarge,
}

#[cfg(test)]
mod tests;
