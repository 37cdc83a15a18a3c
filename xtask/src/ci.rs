//! `cargo xtask ci`: what CI runs, no more and no less.

use anyhow::Result;

use crate::run::{cargo, run};
use crate::{db, lint, openapi, test};

/// Lint, all tests, the schema and the API in the reference, and the documentation.
pub fn run_all() -> Result<()> {
    lint::run_all()?;
    test::run(test::Options { slow: true })?;
    db::run_db(&db::Db::Schema { check: true })?;
    openapi::run_openapi(openapi::Options { check: true })?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    run(docs, "Fix the documentation: a link or a tag in it is broken.")
}
