//! The binary `flowker`: configuration, wiring, telemetry and the command line.

mod access;
mod check;
mod cli;
mod config;
mod demo;
mod doctor;
mod keys;
mod metrics;
mod migrate;
mod otlp;
mod sealed;
mod serve;
mod signals;
mod store;
mod system;
mod telemetry;
mod transfer;
mod wire;

use std::collections::BTreeMap;
use std::process::ExitCode;

use crate::cli::Order;
use crate::config::Config;
use crate::telemetry::Telemetry;

/// `EX_USAGE` of sysexits.h, as other services use it for a configuration that is wrong.
const CONFIGURATION_IS_WRONG: u8 = 64;

fn main() -> ExitCode {
    match cli::order() {
        Order::Check(path) => check::check(&path),
        Order::Openapi => {
            print!("{}", flowker_http::openapi());
            ExitCode::SUCCESS
        }
        Order::Doctor(values) => doctor::doctor(&values),
        Order::Migrate(values) => configured(&values, |config, _| migrate::migrate(config)),
        Order::Serve(values) => configured(&values, serve::serve),
        Order::Demo(values) => configured(&demo::with_defaults(values), demo::demo),
        Order::Export { values, file, force } => {
            configured(&values, |config, _| transfer::export(config, file, force))
        }
        Order::Keys { values, order } => configured(&values, |config, _| keys::keys(config, order)),
        Order::Import { values, file } => {
            configured(&values, |config, _| transfer::import(config, file))
        }
    }
}

/// Reads the configuration, then runs `order` with it on a runtime.
fn configured<F>(
    values: &BTreeMap<&'static str, String>,
    order: impl FnOnce(Config, Telemetry) -> F,
) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    let config = match Config::read(values) {
        Ok(config) => config,
        Err(mistakes) => {
            for mistake in mistakes {
                eprintln!("flowker: {mistake}");
            }
            eprintln!("flowker: see `flowker serve --help`");
            return ExitCode::from(CONFIGURATION_IS_WRONG);
        }
    };
    // The default is often 1,024, below the connections that are accepted. A refusal only means
    // that fewer fit.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let telemetry = Telemetry::start(&config, runtime.handle())?;
        let ended = runtime.block_on(order(config, telemetry));
        // What still blocks a thread (a name that does not resolve, say) holds up nobody.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flowker: {error:#}");
            ExitCode::FAILURE
        }
    }
}
