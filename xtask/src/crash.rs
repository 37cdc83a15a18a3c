//! `cargo xtask crash`: kills the server under load, as often as you like.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::build;
use crate::run::run;

/// How long, and what exactly.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How often the server is killed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Send and kill as in an earlier run, which printed its seed.
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs the crash test alone, showing what it does.
pub fn run_crash(options: &Options) -> Result<()> {
    let built = build::tests()?;
    let mut crash = Command::new(built.crash);
    crash.arg(options.rounds.to_string()).args(options.seed.map(|seed| seed.to_string()));
    crash.env("FLOWKER_BIN", built.flowker);
    run(crash, "A promise was broken: the message above says which, and the first line the seed.")
}
