//! Answers a condition for given values.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::{EvalError, Expr, Operand, Operator};
use crate::decimal::Decimal;
use crate::json;
use crate::path::Scope;

impl Expr {
    pub(super) fn eval(&self, scope: &(impl Scope + ?Sized)) -> Result<bool, EvalError> {
        match self {
            Self::Any(parts) => any(parts, scope, true),
            Self::All(parts) => Ok(!any(parts, scope, false)?),
            Self::Not(inner) => Ok(!inner.eval(scope)?),
            Self::Exists(path) => Ok(path.get(scope).is_some()),
            Self::Compare(left, operator, right) => compare(left, *operator, right, scope),
            Self::Truth(operand) => Ok(operand.seen(scope)?.is_truthy()),
        }
    }
}

/// Whether any of the parts answers `wanted`; those behind the first that does are not asked.
fn any(parts: &[Expr], scope: &(impl Scope + ?Sized), wanted: bool) -> Result<bool, EvalError> {
    for part in parts {
        if part.eval(scope)? == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}

fn compare(
    left: &Operand,
    operator: Operator,
    right: &Operand,
    scope: &(impl Scope + ?Sized),
) -> Result<bool, EvalError> {
    let (a, b) = (left.seen(scope)?, right.seen(scope)?);
    let not_a_number = |operand: &Operand, seen: &Seen<'_>| EvalError::NotANumber {
        operand: operand.name(),
        kind: seen.kind(),
        operator: operator.as_str(),
    };
    match (a.number(), b.number()) {
        (Some(a), Some(b)) => Ok(operator.accepts(a.partial_cmp(&b))),
        _ if operator == Operator::Equal => Ok(a.has_text_of(&b)),
        _ if operator == Operator::NotEqual => Ok(!a.has_text_of(&b)),
        (None, _) => Err(not_a_number(left, &a)),
        (Some(_), None) => Err(not_a_number(right, &b)),
    }
}

impl Operator {
    /// `None` is the order of NaN and anything: it is neither equal, nor less, nor greater.
    fn accepts(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}

/// What an operand stands for, be it written in the condition or found at a path.
enum Seen<'a> {
    Null,
    Bool(bool),
    Number(Cow<'a, Decimal>),
    Text(&'a str),
    Array(&'a Value),
    Object(&'a Value),
}

impl Operand {
    fn seen<'a>(&'a self, scope: &'a (impl Scope + ?Sized)) -> Result<Seen<'a>, EvalError> {
        let path = match self {
            Self::Null => return Ok(Seen::Null),
            Self::Bool(value) => return Ok(Seen::Bool(*value)),
            Self::Number(number) => return Ok(Seen::Number(Cow::Borrowed(number))),
            Self::Text(text) => return Ok(Seen::Text(text)),
            Self::Path(path) => path,
        };
        let value = path.get(scope).ok_or_else(|| EvalError::Missing { path: path.clone() })?;
        Ok(match value {
            Value::Null => Seen::Null,
            Value::Bool(value) => Seen::Bool(*value),
            Value::Number(number) => Decimal::parse(number.as_str())
                .map(|number| Seen::Number(Cow::Owned(number)))
                .map_err(|source| EvalError::Number { path: path.clone(), source })?,
            Value::String(text) => Seen::Text(text),
            Value::Array(_) => Seen::Array(value),
            Value::Object(_) => Seen::Object(value),
        })
    }

    /// As an error message names it.
    fn name(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(_) => "the number".to_owned(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Path(path) => path.to_string(),
        }
    }
}

impl Seen<'_> {
    fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(number) => !number.is_zero(),
            Self::Text(text) => !text.is_empty() && !text.eq_ignore_ascii_case("false"),
            Self::Array(_) | Self::Object(_) => true,
        }
    }

    /// A text counts as the number that it spells. A number out of bounds is text: what callers
    /// send in quotes may be a code such as `12e34567`, and was perhaps never meant as a number.
    fn number(&self) -> Option<Cow<'_, Decimal>> {
        match self {
            Self::Number(number) => Some(Cow::Borrowed(number)),
            Self::Text(text) => Decimal::parse(text).ok().map(Cow::Owned),
            Self::Null | Self::Bool(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// Whether both render as the same text. Not asked of two numbers.
    fn has_text_of(&self, other: &Self) -> bool {
        match (self.text(), other.text()) {
            (Some(a), Some(b)) => a == b,
            _ => matches!((self, other), (Self::Null, Self::Null)),
        }
    }

    /// `None` for what equals no text: null, and a number, since a text that spells one has been
    /// compared as a number already.
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::Number(_) => None,
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Array(value) | Self::Object(value) => Some(Cow::Owned(json::to_text(value))),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text that is not a number",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}
