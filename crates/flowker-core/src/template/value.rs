//! JSON values with references in their strings: the `output` of a `set_output` action.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Piece, RenderError, Template, read, refuse};
use crate::path::{Path, Scope};
use crate::refusal::Fault;
use crate::transform::Budget;

/// A JSON value whose strings may hold references.
///
/// A string that is one reference and nothing else yields the value it leads to, of any kind; in a
/// longer string the value is put in as text. Names of members are never templates.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueTemplate {
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// A scalar without references.
    Literal(Value),
    Reference(Path),
    Text(Template),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl ValueTemplate {
    /// Reads a value.
    ///
    /// # Errors
    ///
    /// One fault for each string that is not a template.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let root = Node::parse(value, &mut String::new(), &mut faults);
        if faults.is_empty() { Ok(Self { root }) } else { Err(faults) }
    }

    /// The paths of its references.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let mut paths = Vec::new();
        self.root.collect_paths(&mut paths);
        paths.into_iter()
    }

    /// Puts the values in.
    ///
    /// # Errors
    ///
    /// The first reference that leads to nothing, that leads to null in the middle of a text, or
    /// that makes the whole too large or too deep.
    pub fn render(&self, scope: &(impl Scope + ?Sized)) -> Result<Value, RenderError> {
        self.root.render(scope, 0, &mut Budget::new())
    }
}

impl Node {
    /// `place` is the path of the value, and is the same again afterwards.
    fn parse(value: &Value, place: &mut String, faults: &mut Vec<Fault>) -> Self {
        let place_len = place.len();
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Literal(value.clone()),
            Value::String(text) => match Template::parse(text) {
                Ok(template) => Self::of_text(template),
                Err(error) => {
                    faults.push(Fault { path: place.clone(), message: error.to_string() });
                    Self::Literal(Value::Null)
                }
            },
            Value::Array(items) => {
                let mut nodes = Vec::with_capacity(items.len());
                for (idx, item) in items.iter().enumerate() {
                    let _ = write!(place, "[{idx}]");
                    nodes.push(Self::parse(item, place, faults));
                    place.truncate(place_len);
                }
                Self::Array(nodes)
            }
            Value::Object(members) => {
                let mut nodes = Vec::with_capacity(members.len());
                for (name, member) in members {
                    if !place.is_empty() {
                        place.push('.');
                    }
                    place.push_str(name);
                    nodes.push((name.clone(), Self::parse(member, place, faults)));
                    place.truncate(place_len);
                }
                Self::Object(nodes)
            }
        }
    }

    fn of_text(template: Template) -> Self {
        match template.pieces.as_slice() {
            [Piece::Reference(path)] => Self::Reference(path.clone()),
            _ => match template.as_literal() {
                Some(text) => Self::Literal(Value::String(text.to_owned())),
                None => Self::Text(template),
            },
        }
    }

    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        match self {
            Self::Literal(_) => {}
            Self::Reference(path) => paths.push(path),
            Self::Text(template) => paths.extend(template.paths()),
            Self::Array(nodes) => nodes.iter().for_each(|node| node.collect_paths(paths)),
            Self::Object(nodes) => nodes.iter().for_each(|(_, node)| node.collect_paths(paths)),
        }
    }

    /// `depth` is how many arrays and objects the node stands in.
    fn render(
        &self,
        scope: &(impl Scope + ?Sized),
        depth: usize,
        budget: &mut Budget,
    ) -> Result<Value, RenderError> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Reference(path) => {
                let value = read(path, scope)?;
                budget.charge_inner(&value, depth).map_err(|reason| refuse(path, reason))?;
                value.into_owned()
            }
            Self::Text(template) => {
                Value::String(template.render_within(scope, |text| Cow::Borrowed(text), budget)?)
            }
            Self::Array(nodes) => {
                let items = nodes.iter().map(|node| node.render(scope, depth + 1, budget));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Object(nodes) => {
                let mut members = Map::new();
                for (name, node) in nodes {
                    members.insert(name.clone(), node.render(scope, depth + 1, budget)?);
                }
                Value::Object(members)
            }
        })
    }
}
