//! The operations, with specs that have been checked.

mod parse;

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::layout::Layout;
use crate::path::{Path, Target};

/// The names of all operations.
pub const OPERATIONS: &[&str] = &[
    "shift",
    "concat",
    "coalesce",
    "default",
    "delete",
    "extract",
    "pass",
    "timestamp",
    "uuid",
    "remove_characters",
    "add_prefix",
    "add_suffix",
    "to_uppercase",
    "to_lowercase",
];

/// One operation with its spec.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    Shift(Vec<Shift>),
    Concat { sources: Vec<Piece>, target: Target, delimiter: String },
    Coalesce { choices: Vec<(Target, Vec<Path>)>, ignore: Vec<Value> },
    Default(Vec<(Target, Value)>),
    Delete(Vec<Path>),
    Extract(Path),
    Pass,
    Timestamp(Vec<Timestamp>),
    Uuid(Vec<(Target, Version)>),
    Text { path: Path, edit: Edit },
}

/// A member of the new document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shift {
    pub(super) target: Target,
    /// The last one gives the value; `require` asks for all of them.
    pub(super) sources: Vec<Source>,
    /// Whether the value becomes the only element of an array.
    pub(super) is_wrapped: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// `$`
    Document,
    Path(Path),
}

/// What `concat` joins.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Path(Path),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Timestamp {
    /// Writes the current time.
    Now { target: Target, to: TimeFormat },
    /// Rewrites the times that are there.
    Rewrite { path: Path, from: TimeFormat, to: TimeFormat },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TimeFormat {
    /// Seconds since 1970.
    Unix,
    Layout(Layout),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Version {
    Random,
    /// Versions 3 and 5.
    Named {
        hash: Hash,
        namespace: Uuid,
        names: Vec<(Path, Option<Value>)>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Md5,
    Sha1,
}

/// A change of one string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Remove(BTreeSet<char>),
    Prefix(String),
    Suffix(String),
    Uppercase,
    Lowercase,
}

impl Operation {
    /// The name that it is written with.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Shift(_) => "shift",
            Self::Concat { .. } => "concat",
            Self::Coalesce { .. } => "coalesce",
            Self::Default(_) => "default",
            Self::Delete(_) => "delete",
            Self::Extract(_) => "extract",
            Self::Pass => "pass",
            Self::Timestamp(_) => "timestamp",
            Self::Uuid(_) => "uuid",
            Self::Text { edit, .. } => match edit {
                Edit::Remove(_) => "remove_characters",
                Edit::Prefix(_) => "add_prefix",
                Edit::Suffix(_) => "add_suffix",
                Edit::Uppercase => "to_uppercase",
                Edit::Lowercase => "to_lowercase",
            },
        }
    }

    /// Whether the result is made of nothing but what the operation reads.
    pub(super) fn replaces_document(&self) -> bool {
        matches!(self, Self::Shift(_) | Self::Extract(_))
    }

    /// The paths that it reads. `$` is none of them.
    pub(super) fn sources(&self) -> Vec<&Path> {
        match self {
            Self::Shift(shifts) => {
                let sources = shifts.iter().flat_map(|it| &it.sources);
                sources
                    .filter_map(|it| match it {
                        Source::Document => None,
                        Source::Path(path) => Some(path),
                    })
                    .collect()
            }
            Self::Concat { sources, .. } => sources
                .iter()
                .filter_map(|it| match it {
                    Piece::Text(_) => None,
                    Piece::Path(path) => Some(path),
                })
                .collect(),
            Self::Coalesce { choices, .. } => choices.iter().flat_map(|(_, paths)| paths).collect(),
            Self::Default(_) | Self::Pass => Vec::new(),
            Self::Delete(paths) => paths.iter().collect(),
            Self::Extract(path) | Self::Text { path, .. } => vec![path],
            Self::Timestamp(entries) => entries
                .iter()
                .filter_map(|it| match it {
                    Timestamp::Now { .. } => None,
                    Timestamp::Rewrite { path, .. } => Some(path),
                })
                .collect(),
            Self::Uuid(entries) => entries
                .iter()
                .flat_map(|(_, version)| match version {
                    Version::Random => &[],
                    Version::Named { names, .. } => names.as_slice(),
                })
                .map(|(path, _)| path)
                .collect(),
        }
    }

    /// How many paths it holds. A value to ignore counts as one: it costs as much.
    pub(super) fn n_paths(&self) -> usize {
        let n_targets = match self {
            Self::Shift(shifts) => shifts.len(),
            Self::Coalesce { choices, ignore } => choices.len() + ignore.len(),
            Self::Default(values) => values.len(),
            Self::Timestamp(entries) => entries.len(),
            Self::Uuid(entries) => entries.len(),
            Self::Concat { .. } => 1,
            Self::Delete(_) | Self::Extract(_) | Self::Pass | Self::Text { .. } => 0,
        };
        n_targets + self.sources().len()
    }

    /// Whether it reads the document as a whole, through `$`.
    pub(super) fn reads_document(&self) -> bool {
        matches!(self, Self::Shift(shifts)
            if shifts.iter().any(|it| it.sources.contains(&Source::Document)))
    }
}
