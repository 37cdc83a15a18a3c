//! `cargo xtask test`: builds once, and runs everything that can fail.

use anyhow::Result;
use clap::Args;

use crate::build;
use crate::db::TestServer;
use crate::run::{self, cargo, has_cargo_command};

/// How many rounds the crash test has with `--slow`.
const SLOW_CRASH_ROUNDS: u32 = 5;

/// What to test.
#[derive(Clone, Copy, Debug, Args)]
pub struct Options {
    /// Take the time for more rounds of the crash test.
    #[arg(long)]
    pub slow: bool,
}

/// Runs all tests.
pub fn run(options: Options) -> Result<()> {
    // Before the build, which takes longer: whoever has no Postgres hears it at once.
    let server = TestServer::provide()?;
    let built = build::tests()?;
    let mut tests = if has_cargo_command("nextest") {
        cargo(&["nextest", "run", "--workspace", "--locked"])
    } else {
        eprintln!("\nxtask: cargo-nextest is not installed; `cargo test` does the same, slower");
        cargo(&["test", "--workspace", "--all-targets", "--locked"])
    };
    tests.env("FLOWKER_BIN", built.flowker).envs(server.environment());
    if options.slow {
        tests.env("FLOWKER_CRASH_ROUNDS", SLOW_CRASH_ROUNDS.to_string());
    }
    run::run(tests, "The failed tests are named above, with what the server logged.")?;
    run_doc_tests(&server)
}

fn run_doc_tests(server: &TestServer) -> Result<()> {
    let mut examples = cargo(&["test", "--workspace", "--doc", "--locked"]);
    examples.envs(server.environment());
    run::run(examples, "An example in the documentation does not work: fix it or the code.")
}
