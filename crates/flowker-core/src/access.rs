//! Who may do what: scopes, digests of keys, and the table that requests are checked with.

mod digest;
mod scope;
mod table;

pub use digest::KeyDigest;
pub use scope::{Scope, Scopes};
pub use table::{ANONYMOUS, ApiKeyTable, CONFIGURED, Holder};

#[cfg(test)]
mod tests;
