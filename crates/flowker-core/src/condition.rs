//! Conditions: what a conditional node or an edge asks of a run, such as
//! `workflow.amount > 1000 AND NOT kyc.body.decision == "reject"`.
//!
//! ```ebnf
//! condition  = all , { "OR" , all } ;
//! all        = term , { "AND" , term } ;
//! term       = "NOT" , term
//!            | "(" , condition , ")"
//!            | "exists" , "(" , path , ")"
//!            | operand , [ operator , operand ] ;
//! operator   = ">=" | "<=" | "==" | "!=" | ">" | "<" ;
//! operand    = quoted | word ;
//! quoted     = '"' , { character } , '"' | "'" , { character } , "'" ;
//! word       = "true" | "false" | "null" | number | path ;
//! path       = key , { index } , { "." , key , { index } } ;
//! index      = "[" , digit , { digit } , "]" ;
//! number     = [ "+" | "-" ] , ( decimal | hexadecimal | "Inf" | "Infinity" ) | "NaN" ;
//! decimal    = digits , [ ( "e" | "E" ) , [ "+" | "-" ] , digit , { digit } ] ;
//! digits     = digit , { digit } , [ "." , { digit } ] | "." , digit , { digit } ;
//! ```
//!
//! - A **word** is a run of characters other than white space, quotes, parentheses and `= ! < >`.
//!   It is read as the first of the kinds above that fits; a **key** is any text without a dot and
//!   an opening bracket. `AND`, `OR` and `NOT` are in upper case, `exists` in lower case; `true`,
//!   `false`, `null`, `Inf`, `Infinity` and `NaN` are in any case.
//! - White space may stand between any two parts, and must stand between two words.
//! - A **quoted** text is taken as it stands, without escapes. It ends at the first quote of its
//!   own kind that white space, an operator, a parenthesis or the end follows: `'it's'` is `it's`.
//! - A **hexadecimal** number is `0x`, digits with or without a point, and a binary exponent:
//!   `0x1.8p3` is 12.
//!
//! A condition is total: whatever the text, [`Condition::parse`] answers, and whatever the values,
//! [`Condition::eval`] does. Its length and its depth are bounded, and each part of it takes time in
//! proportion to the values that it reads.

use crate::decimal::Decimal;
use crate::path::{Path, Scope};

pub use error::{ConditionError, EvalError, Mistake};

mod error;
mod eval;
mod parse;
mod token;

/// A condition that has been read and can be asked.
#[derive(Clone, Debug)]
pub struct Condition(Expr);

impl Condition {
    /// How long the text of a condition may be, in bytes.
    pub const TEXT_BYTES_MAX: usize = 4096;

    /// How deep parentheses and `NOT` may nest, taken together.
    pub const DEPTH_MAX: usize = 64;

    /// Reads a condition, in the grammar that the [module](self) gives.
    ///
    /// ```
    /// use flowker_core::condition::Condition;
    ///
    /// let condition = Condition::parse("order.total >= 100 AND exists(order.lines[0])")?;
    /// let scope = flowker_core::json::parse(br#"{"order": {"total": "250.00", "lines": [7]}}"#)?;
    /// assert_eq!(condition.eval(&scope), Ok(true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        parse::parse(text).map(Self)
    }

    /// Whether the condition holds for what `scope` has.
    ///
    /// From left to right, and no further than needed: what stands behind a false part of an `AND`,
    /// or behind a true part of an `OR`, is not looked at and so cannot fail.
    pub fn eval(&self, scope: &(impl Scope + ?Sized)) -> Result<bool, EvalError> {
        self.0.eval(scope)
    }

    /// Every path that the condition may read, in the order of the text, those in `exists` too.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let mut paths = Vec::new();
        self.0.collect_paths(&mut paths);
        paths.into_iter()
    }
}

/// At most [`Condition::DEPTH_MAX`] deep.
#[derive(Clone, Debug)]
enum Expr {
    /// At least one holds.
    Any(Vec<Expr>),
    /// Each holds.
    All(Vec<Expr>),
    Not(Box<Expr>),
    Exists(Path),
    Compare(Operand, Operator, Operand),
    /// An operand that stands alone.
    Truth(Operand),
}

#[derive(Clone, Debug)]
enum Operand {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(String),
    /// Names one value: neither `[*]`, `[+]` nor `[-]`.
    Path(Path),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Expr {
    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        match self {
            Self::Any(parts) | Self::All(parts) => {
                for part in parts {
                    part.collect_paths(paths);
                }
            }
            Self::Not(inner) => inner.collect_paths(paths),
            Self::Exists(path) => paths.push(path),
            Self::Compare(left, _, right) => {
                paths.extend(left.path().into_iter().chain(right.path()));
            }
            Self::Truth(operand) => paths.extend(operand.path()),
        }
    }
}

impl Operand {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
