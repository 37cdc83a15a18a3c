//! The command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::config::SETTINGS;

/// What the process was asked to do.
#[derive(Debug)]
pub enum Order {
    /// Serve until a signal comes.
    Serve(BTreeMap<&'static str, String>),
    /// Serve with a sample service and a sample workflow.
    Demo(BTreeMap<&'static str, String>),
    /// Say what is wrong with a workflow file.
    Check(PathBuf),
}

const AFTER_HELP: &str = "\
Start here:
  flowker demo                     a server with a sample workflow, and a curl to try it
  flowker serve                    the server, on 127.0.0.1:4021 and ./flowker.db
  flowker check workflow.json      what an activation would say about a workflow

Exit codes: 0 ended in good order, 1 failed, 2 the command line is wrong,
64 the configuration is wrong (every mistake is listed).";

fn command() -> Command {
    Command::new("flowker")
        .about("A durable workflow engine that webhooks trigger")
        .version(env!("CARGO_PKG_VERSION"))
        .styles(Styles::plain())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(AFTER_HELP)
        .subcommand(with_settings(
            Command::new("serve")
                .about("Serves the API and drives executions until SIGTERM or SIGINT"),
        ))
        .subcommand(with_settings(Command::new("demo").about(
            "Serves with a sample service and an active workflow at orders/paid, in a temporary \
             database unless one is named",
        )))
        .subcommand(
            Command::new("check").about("Says what is wrong with a workflow file, and where").arg(
                Arg::new("FILE")
                    .required(true)
                    .help("A JSON file as POST /v1/workflows takes it")
                    .value_parser(value_parser!(PathBuf)),
            ),
        )
}

/// Every setting as a flag. Values are texts here: what they mean is said for all of them at once.
fn with_settings(command: Command) -> Command {
    command.args(SETTINGS.iter().map(|setting| {
        let default = match setting.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        Arg::new(setting.name)
            .long(setting.name.to_ascii_lowercase().replace('_', "-"))
            .value_name("VALUE")
            .help(format!("{}{default} [env: {}]", setting.help, setting.name))
    }))
}

/// Reads the command line and, for what no flag sets, the environment.
///
/// Prints help and mistakes itself, and ends the process then.
pub fn order() -> Order {
    match command().get_matches().subcommand() {
        Some(("demo", matches)) => Order::Demo(values(matches)),
        Some(("check", matches)) => {
            Order::Check(matches.get_one::<PathBuf>("FILE").cloned().unwrap_or_default())
        }
        Some((_, matches)) => Order::Serve(values(matches)),
        // A subcommand is required.
        None => Order::Serve(BTreeMap::new()),
    }
}

fn values(matches: &ArgMatches) -> BTreeMap<&'static str, String> {
    let value =
        |name: &str| matches.get_one::<String>(name).cloned().or_else(|| std::env::var(name).ok());
    SETTINGS.iter().filter_map(|setting| Some((setting.name, value(setting.name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_its_help_names_every_setting() {
        command().debug_assert();
        let mut command = command();
        let serve = command.find_subcommand_mut("serve").expect("serve");
        let help = serve.render_long_help().to_string();
        for setting in SETTINGS {
            assert!(help.contains(setting.name), "{} is missing", setting.name);
        }
    }
}
