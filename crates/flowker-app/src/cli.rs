//! The command line.

mod keys;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::{SETTINGS, Setting};
use crate::keys::KeysOrder;

/// What the process was asked to do.
#[derive(Debug)]
pub enum Order {
    /// Serve until a signal comes.
    Serve(BTreeMap<&'static str, String>),
    /// Serve with a sample service and a sample workflow.
    Demo(BTreeMap<&'static str, String>),
    /// Say what is wrong with a workflow file.
    Check(PathBuf),
    /// Print the description of the API.
    Openapi,
    /// Bring the schema of the database up to date.
    Migrate(BTreeMap<&'static str, String>),
    /// Look at everything that a start needs.
    Doctor(BTreeMap<&'static str, String>),
    /// Write everything that the store holds into a file.
    Export {
        /// Settings.
        values: BTreeMap<&'static str, String>,
        /// Where to; `None`: standard output.
        file: Option<PathBuf>,
        /// Whether a file that is there is replaced.
        force: bool,
    },
    /// Make, list, replace or revoke API keys.
    Keys {
        /// Settings.
        values: BTreeMap<&'static str, String>,
        /// Which of it.
        order: KeysOrder,
    },
    /// Write everything that a file holds into an empty store.
    Import {
        /// Settings.
        values: BTreeMap<&'static str, String>,
        /// Made by an export.
        file: PathBuf,
    },
}

const AFTER_HELP: &str = "\
Start here:
  flowker demo                     a server with a sample workflow, and a curl to try it
  flowker serve                    the server, on 127.0.0.1:4021 and ./flowker.db
  flowker check workflow.json      what an activation would say about a workflow
  flowker doctor                   whether configuration and database are in order
  flowker keys create shop --scope trigger
                                   an API key that calls webhooks and does nothing else
  flowker export all.ndjson        everything in the database, for an empty one: flowker import

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
            |_| true,
        ))
        .subcommand(with_settings(
            Command::new("demo").about(
                "Serves with a sample service and an active workflow at orders/paid, in a \
                 temporary database unless one is named",
            ),
            |_| true,
        ))
        .subcommand(with_settings(
            Command::new("migrate").about(
                "Brings the schema of the database up to date, as every start does; safe while others run",
            ),
            is_of_store,
        ))
        .subcommand(with_settings(
            Command::new("doctor").about(
                "Looks at configuration, database, schema and clock, changes nothing, and says what \
                 to do",
            ),
            |_| true,
        ))
        .subcommand(
            Command::new("check").about("Says what is wrong with a workflow file, and where").arg(
                Arg::new("FILE")
                    .required(true)
                    .help("A JSON file as POST /v1/workflows takes it")
                    .value_parser(value_parser!(PathBuf)),
            ),
        )
        .subcommand(keys::command())
        .subcommand(Command::new("openapi").about("Prints the description of the API (OpenAPI 3.1)"))
        .subcommand(with_settings(export(), is_of_store))
        .subcommand(with_settings(import(), is_of_store))
}

fn export() -> Command {
    Command::new("export")
        .about(
            "Writes everything in the database into a file, while nothing else uses the database",
        )
        .arg(
            Arg::new("FILE")
                .help("Where to; it holds secrets. Without it: to standard output")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("force")
                .long("force")
                .help("Replaces a file that is there")
                .action(ArgAction::SetTrue),
        )
}

fn import() -> Command {
    Command::new("import")
        .about("Writes everything from a file into an empty database; interrupted, it goes on")
        .arg(
            Arg::new("FILE")
                .required(true)
                .help("A file that flowker export made")
                .value_parser(value_parser!(PathBuf)),
        )
}

/// Whether a setting says which database is used, or what is told about that.
fn is_of_store(setting: &Setting) -> bool {
    setting.name.starts_with("DATABASE_") || setting.name.starts_with("LOG_")
}

/// Settings as flags. Values are texts here: what they mean is said for all of them at once.
fn with_settings(command: Command, takes: impl Fn(&Setting) -> bool) -> Command {
    command.args(SETTINGS.iter().filter(|setting| takes(setting)).map(|setting| {
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
        Some(("migrate", matches)) => Order::Migrate(values(matches)),
        Some(("doctor", matches)) => Order::Doctor(values(matches)),
        Some(("keys", matches)) => keys::order(matches),
        Some(("check", matches)) => Order::Check(file(matches).unwrap_or_default()),
        Some(("openapi", _)) => Order::Openapi,
        Some(("export", matches)) => Order::Export {
            values: values(matches),
            file: file(matches),
            force: matches.get_flag("force"),
        },
        Some(("import", matches)) => {
            Order::Import { values: values(matches), file: file(matches).unwrap_or_default() }
        }
        Some((_, matches)) => Order::Serve(values(matches)),
        // A subcommand is required.
        None => Order::Serve(BTreeMap::new()),
    }
}

fn file(matches: &ArgMatches) -> Option<PathBuf> {
    matches.get_one::<PathBuf>("FILE").cloned()
}

/// Every setting that the command takes. What it does not take is not even read.
fn values(matches: &ArgMatches) -> BTreeMap<&'static str, String> {
    let value = |name: &str| {
        let flag = matches.try_get_one::<String>(name).ok()?;
        flag.cloned().or_else(|| std::env::var(name).ok())
    };
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
