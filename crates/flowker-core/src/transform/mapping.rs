//! The `inputMapping` and `outputMapping` of a node: values copied into a new document.

use serde_json::{Map, Value};

use super::list::too_many;
use super::operation::Operation;
use super::run::{Failure, Run};
use super::spec::{self, Spec, expected};
use super::{Budget, Env, Reads, Reason, TransformError};
use crate::json;
use crate::path::{Path, Scope, Target};
use crate::refusal::Fault;

/// Which of a node's two mappings it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappingKind {
    /// `inputMapping`: from the run's context to the request document.
    Input,
    /// `outputMapping`: from the response envelope to the node's output, which must be an object.
    Output,
}

/// A list of mappings, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    kind: MappingKind,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq)]
struct Rule {
    /// Its place in the list as it was written.
    index: usize,
    source: Path,
    target: Target,
    required: bool,
    transformation: Option<Operation>,
}

impl Mapping {
    /// Reads an `inputMapping` or `outputMapping` member. What is no array counts as absent, and
    /// entries that are no objects, or lack a source or a target, are skipped.
    ///
    /// # Errors
    ///
    /// One fault for each entry that could work with no document.
    pub fn parse(value: &Value, kind: MappingKind) -> Result<Self, Vec<Fault>> {
        let mut rules = Vec::new();
        let mut faults = Vec::new();
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            let Value::Object(members) = item else { continue };
            match Rule::parse(index, &Spec { members, place: format!("[{index}]") }) {
                Ok(rule) => rules.extend(rule),
                Err(fault) => faults.push(fault),
            }
        }
        let n_paths: usize = rules.iter().map(Rule::n_paths).sum();
        faults.extend(too_many(n_paths));
        if faults.is_empty() { Ok(Self { kind, rules }) } else { Err(faults) }
    }

    /// Whether anything is mapped at all. If not, [`apply`](Self::apply) passes the document
    /// through.
    pub fn is_effective(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The sources, in the order of the list.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.rules.iter().map(|it| &it.source)
    }

    /// Which members of the document the result depends on.
    pub fn reads(&self) -> Reads {
        if self.is_effective() {
            Reads::Roots(self.paths().map(|it| it.root().to_owned()).collect())
        } else {
            Reads::Everything
        }
    }

    /// Builds the new document: first all values are copied, then all transformations are applied
    /// to it, both in the order of the list. Of targets that overlap the later one wins; a missing
    /// source that is not required gives null.
    ///
    /// # Errors
    ///
    /// The first mapping that fails. In an output mapping that includes a transformation that makes
    /// the document something else than an object.
    pub fn apply(
        &self,
        scope: &(impl Scope + ?Sized),
        env: &Env<'_>,
    ) -> Result<Value, TransformError> {
        if !self.is_effective() {
            return Ok(scope.whole());
        }
        let mut run = Run { env, budget: Budget::new() };
        let mut document = Value::Object(Map::new());
        for rule in &self.rules {
            rule.copy(scope, &mut document, &mut run)
                .map_err(|failure| failure.of(rule.index, "mapping"))?;
        }
        for rule in &self.rules {
            if let Some(operation) = &rule.transformation {
                document = run
                    .apply(operation, false, document)
                    .map_err(|failure| failure.of(rule.index, operation.name()))?;
                self.check_result(rule, operation, &document)?;
            }
        }
        Ok(document)
    }

    fn check_result(
        &self,
        rule: &Rule,
        operation: &Operation,
        document: &Value,
    ) -> Result<(), TransformError> {
        if self.kind == MappingKind::Input || document.is_object() {
            return Ok(());
        }
        let reason = Reason::NotObject(json::kind(document));
        let failure = Failure { path: rule.target.to_string(), reason };
        Err(failure.of(rule.index, operation.name()))
    }
}

impl Rule {
    /// Reads one mapping. `None` if it maps nothing.
    fn parse(index: usize, entry: &Spec<'_>) -> Result<Option<Self>, Fault> {
        let source = entry.optional_text("source")?.unwrap_or_default();
        let target = entry.optional_text("target")?.unwrap_or_default();
        if source.is_empty() || target.is_empty() {
            return Ok(None);
        }
        let transformation = match entry.optional("transformation") {
            Some(value) => Some(transformation(value, entry.at("transformation"), target)?),
            None => None,
        };
        Ok(Some(Self {
            index,
            source: spec::source(source, entry.at("source"))?,
            target: spec::target(target, entry.at("target"))?,
            required: entry.flag("required")?,
            transformation,
        }))
    }

    fn n_paths(&self) -> usize {
        2 + self.transformation.as_ref().map_or(0, Operation::n_paths)
    }

    fn copy(
        &self,
        scope: &(impl Scope + ?Sized),
        document: &mut Value,
        run: &mut Run<'_>,
    ) -> Result<(), Failure> {
        let value = run.read(&self.source, self.required, scope)?;
        run.write(document, &self.target, value)
    }
}

/// Reads `{type, config}`: the operation of that name, on the mapping's target unless the
/// configuration says another `path`.
fn transformation(value: &Value, place: String, target: &str) -> Result<Operation, Fault> {
    let entry = Spec::read(value, place)?;
    let name = entry.need_text("type")?;
    let mut members = Map::new();
    members.insert("path".to_owned(), Value::String(target.to_owned()));
    match entry.optional("config") {
        None => {}
        Some(Value::Object(config)) => members.extend(config.clone()),
        Some(other) => return Err(expected(entry.at("config"), "an object", other)),
    }
    let spec = Spec { members: &members, place: entry.at("config") };
    Operation::parse(name, entry.at("type"), &spec)
}
