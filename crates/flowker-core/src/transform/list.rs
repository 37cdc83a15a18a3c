//! The `transforms` of a node: operations that a document goes through one after another.

use std::collections::BTreeSet;

use serde_json::Value;

use super::operation::Operation;
use super::run::{Failure, Run};
use super::spec::Spec;
use super::{Budget, Env, PATHS_MAX, Reads, TransformError};
use crate::path::Path;
use crate::refusal::Fault;

/// A list of operations, ready to be applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transforms {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    /// Its place in the list as it was written.
    index: usize,
    operation: Operation,
    require: bool,
}

impl Transforms {
    /// Reads a `transforms` member. What is no array counts as absent, and entries that are no
    /// objects are skipped.
    ///
    /// # Errors
    ///
    /// One fault for each entry that names no operation, or whose spec could work with no document.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let mut entries = Vec::new();
        let mut faults = Vec::new();
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            let Value::Object(members) = item else { continue };
            match Entry::parse(index, &Spec { members, place: format!("[{index}]") }) {
                Ok(entry) => entries.push(entry),
                Err(fault) => faults.push(fault),
            }
        }
        let n_paths: usize = entries.iter().map(|it| it.operation.n_paths()).sum();
        faults.extend(too_many(n_paths));
        if faults.is_empty() { Ok(Self { entries }) } else { Err(faults) }
    }

    /// Whether there is an operation at all. Without one, [`apply`](Self::apply) changes nothing.
    pub fn is_effective(&self) -> bool {
        !self.entries.is_empty()
    }

    /// The paths that the operations read, each from the document as the operations before left it.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.entries.iter().flat_map(|it| it.operation.sources())
    }

    /// Which members of the document the result depends on.
    ///
    /// Everything, unless a `shift` without `$` or an `extract` picks members out: then what is
    /// read up to there, which may be more than is needed.
    pub fn reads(&self) -> Reads {
        let mut roots = BTreeSet::new();
        for Entry { operation, .. } in &self.entries {
            roots.extend(operation.sources().into_iter().map(|it| it.root().to_owned()));
            if operation.reads_document() {
                return Reads::Everything;
            }
            if operation.replaces_document() {
                return Reads::Roots(roots);
            }
        }
        Reads::Everything
    }

    /// Takes a document through the operations.
    ///
    /// # Errors
    ///
    /// The first operation that this document cannot go through.
    pub fn apply(&self, document: Value, env: &Env<'_>) -> Result<Value, TransformError> {
        let mut run = Run { env, budget: Budget::new() };
        self.entries.iter().try_fold(document, |document, entry| {
            let Entry { index, operation, require } = entry;
            run.apply(operation, *require, document)
                .map_err(|failure| failure.of(*index, operation.name()))
        })
    }
}

impl Entry {
    fn parse(index: usize, entry: &Spec<'_>) -> Result<Self, Fault> {
        let name = entry.need_text("operation")?;
        let require = entry.flag("require")?;
        let spec = Spec::read(entry.need("spec")?, entry.at("spec"))?;
        let operation = Operation::parse(name, entry.at("operation"), &spec)?;
        if require && matches!(operation, Operation::Coalesce { .. }) {
            let message = "is not for coalesce, which changes nothing if it finds nothing";
            return Err(Fault { path: entry.at("require"), message: message.to_owned() });
        }
        Ok(Self { index, operation, require })
    }
}

impl Failure {
    pub(super) fn of(self, index: usize, operation: &'static str) -> TransformError {
        let Self { path, reason } = self;
        TransformError { index, operation, path, reason }
    }
}

/// The fault of a list with so many paths, if they are too many.
pub(super) fn too_many(n_paths: usize) -> Option<Fault> {
    (PATHS_MAX < n_paths).then(|| Fault {
        path: String::new(),
        message: format!("holds {n_paths} paths; at most {PATHS_MAX} are allowed"),
    })
}
