//! `cargo xtask failover`: takes the primary of a cluster away under load, and lets Patroni choose
//! another one.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::build;
use crate::run::run;

/// How long, and what exactly.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How often the primary is lost: killed, then frozen, and so on. Each time takes about a minute.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Send as in an earlier run, which printed its seed.
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs the failover test, showing what it does.
pub fn run_failover(options: &Options) -> Result<()> {
    let built = build::tests()?;
    let mut failover = Command::new(built.failover);
    failover.arg(options.rounds.to_string()).args(options.seed.map(|seed| seed.to_string()));
    failover.env("FLOWKER_BIN", built.flowker);
    run(
        failover,
        "A promise was broken: the message above says which, and the first line the seed.",
    )
}
