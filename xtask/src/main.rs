//! Every chore of this repository, as a command: `cargo xtask --help`.

mod bench;
mod build;
mod ci;
mod crash;
mod db;
mod demo;
mod failover;
mod lint;
mod oidc;
mod openapi;
mod run;
mod s3;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Every chore of this repository. Each command prints what it runs, so that you can run it
/// yourself, and a failure says what to do.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build once and run all tests: units, contracts, the real executable, documentation.
    Test(test::Options),
    /// Check format, clippy, the layers between crates, the tidiness of files, and dependencies.
    Lint,
    /// All that CI runs: lint, test --slow, db schema --check, openapi --check, and the documentation without a
    /// warning.
    Ci,
    /// Write the description of the API into the reference, or compare the two.
    Openapi(openapi::Options),
    /// Start the service with a sample workflow and show a request that triggers it.
    Demo,
    /// Kill the server under load, start it again, and check every promise.
    Crash(crash::Options),
    /// Kill and freeze the primary of a Patroni cluster under load, and check every promise.
    ///
    /// Needs Patroni and etcd (Debian: `apt-get install patroni etcd-server`), and says so if they
    /// are missing. The cluster is a throw-away one on this machine.
    Failover(failover::Options),
    /// Check tokens of a real `OpenID` Connect issuer, which comes from npm.
    ///
    /// Needs node and npm, and says so if they are missing. The issuer, `oidc-provider`, is installed
    /// in `target/oidc`.
    Oidc,
    /// Put objects into a bucket of moto, a service that speaks like S3, and get them back.
    ///
    /// Needs Python 3, into an environment of which moto is installed with pip, and says so if that
    /// cannot be done. Or it uses the service that `FLOWKER_TEST_S3_ADDRESS` names.
    S3,
    /// Start, use, migrate and remove a Postgres of your own, with nothing to set up.
    ///
    /// It lives in `target/db` on a port of its own and disturbs no other Postgres. Tests do not use
    /// it: `cargo xtask test` starts one for each run, or uses the server that
    /// `FLOWKER_TEST_DATABASE_URL` names.
    #[command(subcommand)]
    Db(db::Db),
    /// Measure the release build against its bounds.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Test(options) => test::run(options),
        Command::Lint => lint::run_all(),
        Command::Ci => ci::run_all(),
        Command::Openapi(options) => openapi::run_openapi(options),
        Command::Demo => demo::run_demo(),
        Command::Crash(options) => crash::run_crash(&options),
        Command::Failover(options) => failover::run_failover(&options),
        Command::Oidc => oidc::run_oidc(),
        Command::S3 => s3::run_s3(),
        Command::Db(command) => db::run_db(&command),
        Command::Bench(bench) => bench::run_bench(bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
