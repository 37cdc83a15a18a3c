//! Cuts the text of a condition into tokens.

use std::fmt;

use super::{ConditionError, Mistake, Operator};

/// A token and where it begins, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub kind: Kind<'t>,
    pub offset: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    Open,
    Close,
    Operator(Operator),
    /// What stands between the quotes.
    Quoted(&'t str),
    Word(&'t str),
    End,
}

/// As an error message names it.
impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::Operator(operator) => write!(f, "`{}`", operator.as_str()),
            Self::Quoted(_) => f.write_str("a text in quotes"),
            // 40: a word may be as long as the condition, and this is for a person to read.
            Self::Word(word) => write!(f, "`{word:.40}`"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// The tokens of `text`, the last of which is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ConditionError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let offset = text.len() - rest.len();
        let (kind, n_bytes) =
            next(rest).map_err(|mistake| ConditionError::new(text, offset, mistake))?;
        tokens.push(Token { kind, offset });
        if kind == Kind::End {
            return Ok(tokens);
        }
        rest = rest[n_bytes..].trim_start();
    }
}

/// The token that `rest` begins with, and its length.
fn next(rest: &str) -> Result<(Kind<'_>, usize), Mistake> {
    let Some(first) = rest.chars().next() else { return Ok((Kind::End, 0)) };
    Ok(match first {
        '(' => (Kind::Open, 1),
        ')' => (Kind::Close, 1),
        '=' | '!' | '<' | '>' => {
            let operator = operator(rest).ok_or(match first {
                '!' => Mistake::LoneSign { sign: '!', instead: "`!=`, or NOT in front of a term" },
                sign => Mistake::LoneSign { sign, instead: "`==`" },
            })?;
            (Kind::Operator(operator), operator.as_str().len())
        }
        quote @ ('"' | '\'') => {
            let inner = quoted(&rest[1..], quote).ok_or(Mistake::OpenQuote { quote })?;
            (Kind::Quoted(inner), inner.len() + 2)
        }
        _ => {
            let ends_word = |c| ends_operand(c) || matches!(c, '"' | '\'');
            let word = &rest[..rest.find(ends_word).unwrap_or(rest.len())];
            (Kind::Word(word), word.len())
        }
    })
}

fn operator(rest: &str) -> Option<Operator> {
    // Those of two characters first: `>=` begins with `>`.
    [
        Operator::GreaterOrEqual,
        Operator::LessOrEqual,
        Operator::Equal,
        Operator::NotEqual,
        Operator::Greater,
        Operator::Less,
    ]
    .into_iter()
    .find(|operator| rest.starts_with(operator.as_str()))
}

/// What stands before the closing quote: the first that an operand can end with, so that a text may
/// hold its own quotes (`"say "hi""`), for which there is no other spelling.
fn quoted(rest: &str, quote: char) -> Option<&str> {
    rest.match_indices(quote)
        .find(|(at, _)| rest[at + 1..].chars().next().is_none_or(ends_operand))
        .map(|(at, _)| &rest[..at])
}

/// Whether an operand ends in front of this.
fn ends_operand(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '=' | '!' | '<' | '>')
}
