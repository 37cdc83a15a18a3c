//! Builds a condition out of tokens, by recursive descent.

use super::token::{Kind, Token, tokens};
use super::{Condition, ConditionError, Expr, Mistake, Operand};
use crate::decimal::{Decimal, DecimalError};
use crate::path::Path;

pub(super) fn parse(text: &str) -> Result<Expr, ConditionError> {
    if Condition::TEXT_BYTES_MAX < text.len() {
        return Err(ConditionError::new(text, 0, Mistake::TooLong { n_bytes: text.len() }));
    }
    if text.trim().is_empty() {
        return Err(ConditionError::new(text, 0, Mistake::Empty));
    }
    let mut parser = Parser { text, tokens: &tokens(text)?, depth: 0 };
    let expr = parser.any()?;
    match parser.current().kind {
        Kind::End => Ok(expr),
        Kind::Close => Err(parser.error(Mistake::StrayParenthesis)),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'t> {
    text: &'t str,
    /// What is still to be read. The last is [`Kind::End`], which is never taken.
    tokens: &'t [Token<'t>],
    depth: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self) -> Result<Expr, ConditionError> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.take(Kind::Word("OR")) {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, ConditionError> {
        let first = self.term()?;
        let mut parts = vec![first];
        while self.take(Kind::Word("AND")) {
            parts.push(self.term()?);
        }
        Ok(one_or(parts, Expr::All))
    }

    fn term(&mut self) -> Result<Expr, ConditionError> {
        let start = self.current();
        let follows = self.tokens.get(1).map(|it| it.kind);
        match start.kind {
            Kind::Word("NOT") => {
                self.advance();
                let inner = self.nested(start, Self::term)?;
                Ok(Expr::Not(Box::new(inner)))
            }
            Kind::Open => {
                self.advance();
                let inner = self.nested(start, Self::any)?;
                self.close(start)?;
                Ok(inner)
            }
            Kind::Word("exists") if follows == Some(Kind::Open) => {
                self.advance();
                self.exists()
            }
            _ => self.comparison(),
        }
    }

    fn exists(&mut self) -> Result<Expr, ConditionError> {
        let open = self.current();
        self.advance();
        let argument = self.current();
        let found = || Mistake::ExistsNeedsPath { found: argument.kind.to_string() };
        if !matches!(argument.kind, Kind::Word(_)) {
            return Err(self.error(found()));
        }
        let Operand::Path(path) = self.operand()? else {
            return Err(ConditionError::new(self.text, argument.offset, found()));
        };
        self.close(open)?;
        Ok(Expr::Exists(path))
    }

    fn comparison(&mut self) -> Result<Expr, ConditionError> {
        let left = self.operand()?;
        let Kind::Operator(operator) = self.current().kind else {
            return Ok(Expr::Truth(left));
        };
        self.advance();
        Ok(Expr::Compare(left, operator, self.operand()?))
    }

    fn operand(&mut self) -> Result<Operand, ConditionError> {
        let kind = self.current().kind;
        let operand = match kind {
            Kind::Quoted(text) => Operand::Text(text.to_owned()),
            Kind::Word(text) if !matches!(text, "AND" | "OR" | "NOT") => {
                word(text).map_err(|mistake| self.error(mistake))?
            }
            _ => return Err(self.error(Mistake::OperandMissing { found: kind.to_string() })),
        };
        self.advance();
        Ok(operand)
    }

    fn nested(
        &mut self,
        start: Token<'t>,
        read: fn(&mut Self) -> Result<Expr, ConditionError>,
    ) -> Result<Expr, ConditionError> {
        if self.depth == Condition::DEPTH_MAX {
            return Err(ConditionError::new(self.text, start.offset, Mistake::TooDeep));
        }
        self.depth += 1;
        let inner = read(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    /// The `)` that belongs to `open`.
    fn close(&mut self, open: Token<'t>) -> Result<(), ConditionError> {
        if self.take(Kind::Close) {
            return Ok(());
        }
        if self.current().kind == Kind::End {
            return Err(ConditionError::new(self.text, open.offset, Mistake::OpenParenthesis));
        }
        Err(self.unexpected())
    }

    /// What stands here can only follow something else.
    fn unexpected(&self) -> ConditionError {
        let kind = self.current().kind;
        self.error(match kind {
            Kind::Operator(operator) => Mistake::Chained { operator: operator.as_str() },
            Kind::Word(found @ ("and" | "And" | "&&" | "&")) => {
                Mistake::LogicalWord { found: found.to_owned(), word: "AND" }
            }
            Kind::Word(found @ ("or" | "Or" | "||" | "|")) => {
                Mistake::LogicalWord { found: found.to_owned(), word: "OR" }
            }
            _ => Mistake::Unexpected { found: kind.to_string() },
        })
    }

    fn error(&self, mistake: Mistake) -> ConditionError {
        ConditionError::new(self.text, self.current().offset, mistake)
    }

    fn current(&self) -> Token<'t> {
        self.tokens[0]
    }

    fn advance(&mut self) {
        if let [_, rest @ ..] = self.tokens
            && !rest.is_empty()
        {
            self.tokens = rest;
        }
    }

    fn take(&mut self, kind: Kind<'_>) -> bool {
        let taken = self.current().kind == kind;
        if taken {
            self.advance();
        }
        taken
    }
}

/// A list of one is its element: so the depth of a condition is that of its text.
fn one_or(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}

fn word(text: &str) -> Result<Operand, Mistake> {
    let is = |word| text.eq_ignore_ascii_case(word);
    if is("true") || is("false") {
        return Ok(Operand::Bool(is("true")));
    }
    if is("null") {
        return Ok(Operand::Null);
    }
    match Decimal::parse(text) {
        Ok(number) => return Ok(Operand::Number(number)),
        Err(DecimalError::NotANumber) => {}
        Err(error @ DecimalError::OutOfBounds) => return Err(Mistake::Number(error)),
    }
    let path = Path::parse(text).map_err(Mistake::Path)?;
    if path.is_single() { Ok(Operand::Path(path)) } else { Err(Mistake::ManyValues { path }) }
}
