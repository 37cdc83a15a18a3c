//! Statements: their text, the types of what they are given, and how they are sent.

use tokio_postgres::types::{ToSql, Type};

/// A statement and the types of its parameters, so that it is sent without asking the server.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) text: &'static str,
    pub(crate) types: &'static [Type],
}

/// What a statement is given.
pub(crate) type Params<'a> = [&'a (dyn ToSql + Sync)];

/// Whether sessions keep what they prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preparation {
    /// Each session prepares a statement once.
    Named,
    /// A pooler may give every transaction another session, so nothing is kept.
    Unnamed,
}

impl Statement {
    /// What is given, with its types.
    pub(crate) fn typed<'a>(&self, params: &Params<'a>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
        params.iter().copied().zip(self.types.iter().cloned()).collect()
    }
}
