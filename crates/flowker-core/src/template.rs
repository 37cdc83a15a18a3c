//! Texts and values with references: `Bearer {{ login.body.token }}`.
//!
//! `{{ path }}` stands for the value that the path leads to. Braces themselves are written as a
//! JSON string between braces: `{{ "{{" }}`. Only definitions hold templates; a value that is put
//! in is never looked at for references of its own.

mod value;

use std::borrow::Cow;

use serde_json::Value;

pub use self::value::ValueTemplate;
use crate::json;
use crate::path::{Path, PathError, Scope};
use crate::transform::{Budget, Reason};

/// A text with references in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Reference(Path),
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{{` without its `}}`.
    #[error(
        "`{{{{` is not closed before {0:?}; write `{{{{ \"{{{{\" }}}}` for the braces themselves"
    )]
    Unclosed(String),
    /// Between the braces stands something that is neither a path nor a JSON string.
    #[error("`{{{{{0}}}}}` is no reference; write `{{{{ path }}}}`")]
    NoReference(String),
    /// A reference whose path is wrong.
    #[error("{0}")]
    Path(PathError),
}

/// A reference that cannot be put in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{{{{ {path} }}}}: {reason}")]
pub struct RenderError {
    /// The reference's path.
    pub path: String,
    /// What is wrong with what it leads to: that it is missing, null in the middle of a text, or
    /// has no room in the result.
    pub reason: Reason,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, from_braces)) = rest.split_once("{{") {
            literal.push_str(before);
            let unclosed = || TemplateError::Unclosed(excerpt(from_braces));
            if from_braces.trim_start().starts_with('"') {
                let (quoted, after) = quoted(from_braces.trim_start()).ok_or_else(unclosed)?;
                literal.push_str(&quoted);
                rest = after;
                continue;
            }
            let (inside, after) = from_braces.split_once("}}").ok_or_else(unclosed)?;
            let path = inside.trim();
            if path.is_empty() || path.contains(['{', '}', '"']) {
                return Err(TemplateError::NoReference(excerpt(inside)));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Reference(Path::parse_source(path).map_err(TemplateError::Path)?));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { pieces })
    }

    /// The paths of its references, in their order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Reference(path) => Some(path),
        })
    }

    /// The whole text, if there is no reference in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Puts the values in: strings as they are, numbers digit for digit, `true` and `false`, arrays
    /// and objects as compact JSON.
    ///
    /// # Errors
    ///
    /// The first reference that leads to nothing or to null, or that makes the text too large.
    pub fn render(&self, scope: &(impl Scope + ?Sized)) -> Result<String, RenderError> {
        self.render_with(scope, |text| Cow::Borrowed(text))
    }

    /// Renders like [`render`](Self::render), and passes the text of each reference through
    /// `escape`; the literal text around it stays as it is. For places where payload must not act
    /// as syntax, such as URLs.
    pub fn render_with(
        &self,
        scope: &(impl Scope + ?Sized),
        escape: impl Fn(&str) -> Cow<'_, str>,
    ) -> Result<String, RenderError> {
        self.render_within(scope, escape, &mut Budget::new())
    }

    fn render_within(
        &self,
        scope: &(impl Scope + ?Sized),
        escape: impl Fn(&str) -> Cow<'_, str>,
        budget: &mut Budget,
    ) -> Result<String, RenderError> {
        let mut rendered = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => rendered.push_str(text),
                Piece::Reference(path) => {
                    let value = read(path, scope)?;
                    let text = match value.as_ref() {
                        Value::Null => return Err(refuse(path, Reason::Null)),
                        Value::String(text) => Cow::Borrowed(text.as_str()),
                        other => Cow::Owned(json::to_text(other)),
                    };
                    let text = escape(&text);
                    budget.charge_text(&text).map_err(|reason| refuse(path, reason))?;
                    rendered.push_str(&text);
                }
            }
        }
        Ok(rendered)
    }
}

/// Takes a JSON string and the closing braces off the text.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find_map(|(at, character)| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end.then_some(at + 1)
    })?;
    let (string, after) = text.split_at(end);
    let Ok(Value::String(string)) = json::parse(string.as_bytes()) else { return None };
    Some((string, after.trim_start().strip_prefix("}}")?))
}

/// What a reference leads to, which has to be there.
fn read<'a>(path: &Path, scope: &'a (impl Scope + ?Sized)) -> Result<Cow<'a, Value>, RenderError> {
    path.read(scope).map(|found| found.value).ok_or_else(|| refuse(path, Reason::Missing))
}

fn refuse(path: &Path, reason: Reason) -> RenderError {
    RenderError { path: path.to_string(), reason }
}

/// Enough of a text to recognise it.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
