//! `cargo xtask crash`: kills the server under load, as often as you like.

use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::build;
use crate::db::TestServer;
use crate::run::run;

/// Where the server that is killed keeps everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// In a file of its own.
    Sqlite,
    /// In a fresh database on a throw-away Postgres, or on the one of `FLOWKER_TEST_DATABASE_URL`.
    Postgres,
}

impl Database {
    /// The server that it needs, if any.
    pub fn server(self) -> Result<Option<TestServer>> {
        match self {
            Self::Sqlite => Ok(None),
            Self::Postgres => TestServer::provide().map(Some),
        }
    }

    /// As the commands of the tests call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// How long, and what exactly.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Where the server keeps everything.
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    database: Database,
    /// How often the server is killed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Send and kill as in an earlier run, which printed its seed.
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs the crash test alone, showing what it does.
pub fn run_crash(options: &Options) -> Result<()> {
    let server = options.database.server()?;
    let built = build::tests()?;
    let mut crash = Command::new(built.crash);
    crash.arg(options.database.name());
    crash.arg(options.rounds.to_string()).args(options.seed.map(|seed| seed.to_string()));
    crash.env("FLOWKER_BIN", built.flowker);
    crash.envs(server.iter().filter_map(TestServer::environment));
    run(crash, "A promise was broken: the message above says which, and the first line the seed.")
}
