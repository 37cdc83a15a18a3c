//! `cargo xtask demo`: the service with a sample workflow, and a request to paste.

use anyhow::Result;

use crate::run::{cargo, run};

/// Runs the demo until it is interrupted.
pub fn run_demo() -> Result<()> {
    let demo = cargo(&["run", "--package", "flowker-app", "--locked", "--", "demo"]);
    run(demo, "If the port is taken, name another: SERVER_ADDRESS=127.0.0.1:4022.")
}
