//! `cargo xtask db`: a Postgres for tests and for developers, with nothing to set up.

mod binaries;
mod cluster;
mod developer;
mod given;
mod install;
mod owner;
mod schema;
mod throw_away;

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};
use clap::Subcommand;

use self::throw_away::ThrowAway;
use crate::run::{cargo, run};

/// Where tests find a server on which they may create databases.
pub const TEST_URL: &str = "FLOWKER_TEST_DATABASE_URL";

/// What can be done with the developer's database, and with the schema.
#[derive(Clone, Debug, Subcommand)]
pub enum Db {
    /// Start the developer's Postgres, or find it running, and print how to use it.
    ///
    /// What it prints can be evaluated: `eval "$(cargo xtask db up)"`, and then
    /// `cargo run -- serve` uses it. The data stay until `cargo xtask db down`.
    Up,
    /// Stop the developer's Postgres and delete its data.
    Down {
        /// Keep the data: the next `db up` finds them.
        #[arg(long)]
        keep: bool,
    },
    /// Open psql on the developer's database.
    Psql {
        /// What psql is told, such as `cargo xtask db psql -- -c 'select 1'`.
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Bring the developer's database to the newest schema, by `flowker migrate`.
    Migrate,
    /// Write docs/reference/schema-postgres.sql: what all migrations lead to.
    ///
    /// Applies the migrations to a throw-away cluster, so it needs no running database.
    Schema {
        /// Write nothing, and fail if the file is out of date. CI does this.
        #[arg(long)]
        check: bool,
    },
}

/// Does what was asked for.
pub fn run_db(command: &Db) -> Result<()> {
    match command {
        Db::Up => {
            println!("export DATABASE_URL={}", developer::up()?);
            Ok(())
        }
        Db::Down { keep } => developer::down(*keep),
        Db::Psql { args } => psql(args),
        Db::Migrate => migrate(),
        Db::Schema { check: false } => schema::write(),
        Db::Schema { check: true } => schema::check(),
    }
}

/// psql takes the place of this process, so that Ctrl-C is psql's alone.
fn psql(args: &[String]) -> Result<()> {
    let running = developer::running()?;
    let error = running.binaries.command("psql").arg(running.url).args(args).exec();
    Err(error).context("psql cannot be started")
}

fn migrate() -> Result<()> {
    let running = developer::running()?;
    let mut migrate = cargo(&["run", "--quiet", "--package", "flowker-app", "--locked", "--"]);
    migrate.arg("migrate").env("DATABASE_URL", running.url);
    run(migrate, "The message above says which migration failed.")
}

/// The server that the tests of one run share. A throw-away one ends when this is dropped.
#[derive(Debug)]
pub enum TestServer {
    /// Named by the environment, and left as it is.
    Given,
    /// Started for this run.
    Started(ThrowAway),
}

impl TestServer {
    /// Finds the server that the environment names, or starts one.
    pub fn provide() -> Result<Self> {
        if given::check()? {
            return Ok(Self::Given);
        }
        let binaries = binaries::obtain()?;
        Ok(Self::Started(ThrowAway::start(binaries)?))
    }

    /// What a test has to be told beyond the environment that it inherits.
    pub fn environment(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Given => None,
            Self::Started(server) => Some((TEST_URL, server.url("postgres"))),
        }
    }
}
