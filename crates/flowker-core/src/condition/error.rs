//! What can be wrong with a condition, and what to do about it.

use super::Condition;
use crate::decimal::DecimalError;
use crate::path::{Path, PathError};

/// A text that is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mistake} (column {column})")]
pub struct ConditionError {
    /// Where the mistake begins, in bytes from 0.
    pub offset: usize,
    /// Where the mistake begins, in characters from 1, for a person to count.
    pub column: usize,
    /// What is wrong.
    pub mistake: Mistake,
}

impl ConditionError {
    /// A mistake at `offset` of `text`.
    pub(super) fn new(text: &str, offset: usize, mistake: Mistake) -> Self {
        let column = 1 + text.char_indices().take_while(|(at, _)| *at < offset).count();
        Self { offset, column, mistake }
    }
}

/// What is wrong with the text of a condition. Each says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Nothing but white space.
    #[error("the condition is empty: write one, such as `workflow.amount > 100`")]
    Empty,
    /// More than [`Condition::TEXT_BYTES_MAX`].
    #[error(
        "the condition has {n_bytes} bytes and at most {} are accepted: split it over several nodes",
        Condition::TEXT_BYTES_MAX
    )]
    TooLong {
        /// How long the text is.
        n_bytes: usize,
    },
    /// More than [`Condition::DEPTH_MAX`].
    #[error(
        "parentheses and NOT are nested deeper than {} levels: split the condition over several nodes",
        Condition::DEPTH_MAX
    )]
    TooDeep,
    /// A quote that nothing closes.
    #[error(
        "the text that begins here is not closed: end it with {quote}, and put a space, an operator \
         or a parenthesis behind that"
    )]
    OpenQuote {
        /// Which of the two quotes.
        quote: char,
    },
    /// `=` or `!` alone.
    #[error("`{sign}` is not an operator: write {instead}")]
    LoneSign {
        /// What was written.
        sign: char,
        /// What was probably meant.
        instead: &'static str,
    },
    /// A side of a comparison, or a whole one, is missing.
    #[error("a path, a number or a text in quotes is needed here, and there is {found}")]
    OperandMissing {
        /// What stands in its place.
        found: String,
    },
    /// Something stands behind what is complete.
    #[error(
        "AND, OR, a comparison or the end is needed here, and there is {found}: put a text that has \
         spaces in quotes"
    )]
    Unexpected {
        /// What stands there.
        found: String,
    },
    /// A logical word of another language, or in lower case.
    #[error("`{found}` is not an operator: write {word}, in upper case")]
    LogicalWord {
        /// What was written.
        found: String,
        /// What was probably meant.
        word: &'static str,
    },
    /// `a < b < c`, `(a) == b`, `exists(a) == true`.
    #[error(
        "`{operator}` cannot stand here: compare two operands, neither of them in parentheses, and \
         join comparisons with AND or OR"
    )]
    Chained {
        /// The operator that is one too many.
        operator: &'static str,
    },
    /// `(` without `)`.
    #[error("the parenthesis that opens here is not closed: add `)`")]
    OpenParenthesis,
    /// `)` without `(`.
    #[error("no parenthesis is open here: remove `)`")]
    StrayParenthesis,
    /// `exists` of something else than one path.
    #[error("`exists` needs a path here, as in `exists(workflow.amount)`, and there is {found}")]
    ExistsNeedsPath {
        /// What stands in its place.
        found: String,
    },
    /// A word that has not the form of a path.
    #[error(
        "{0}: write keys between dots and indexes in brackets, as in `workflow.lines[0].price`"
    )]
    Path(PathError),
    /// `[*]`, `[+]` or `[-]`.
    #[error("the path {path} does not name one value: write an index such as [0]")]
    ManyValues {
        /// The path.
        path: Path,
    },
    /// A number that is not compared exactly.
    #[error("{0}: put it in quotes to compare it as text")]
    Number(DecimalError),
}

/// Why a condition has no answer for the values that it reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A path leads nowhere. (A value that is `null` is there.)
    #[error("there is no value at {path}: where it may be missing, ask exists({path}) first")]
    Missing {
        /// The path.
        path: Path,
    },
    /// `<`, `<=`, `>` or `>=` beside something that is not a number.
    #[error("{operand} is {kind}, and {operator} compares numbers only")]
    NotANumber {
        /// The operand as the condition has it.
        operand: String,
        /// What it is instead.
        kind: &'static str,
        /// The operator.
        operator: &'static str,
    },
    /// A number that is not compared exactly.
    #[error("the number at {path} cannot be compared")]
    Number {
        /// Where it is.
        path: Path,
        /// Why not.
        source: DecimalError,
    },
}
