//! The command line of `flowker keys`.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use flowker_core::access::Scope;
use flowker_core::service::OVERLAP_MAX;

use super::{Order, is_of_store, values, with_settings};
use crate::config::duration;
use crate::keys::KeysOrder;

/// The longest time after which a key can be told to end.
const EXPIRY_MAX: Duration = Duration::from_hours(3650 * 24);

pub(super) fn command() -> Command {
    let part = |command: Command| with_settings(command, is_of_store);
    Command::new("keys")
        .about("Makes, lists, replaces and revokes API keys, in the database itself")
        .long_about(
            "Makes, lists, replaces and revokes API keys, in the database itself. A SQLite database \
             has one user: while flowker serves it, use the routes under /v1/api-keys instead.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(part(create()))
        .subcommand(part(Command::new("list").about("Lists all keys, revoked ones included")))
        .subcommand(part(rotate()))
        .subcommand(part(
            Command::new("revoke").about("Ends a key for good, within a second").arg(which()),
        ))
}

fn create() -> Command {
    Command::new("create")
        .about("Makes a key and prints its text, this once")
        .arg(Arg::new("NAME").required(true).help("What it is called in the record; unique"))
        .arg(
            Arg::new("scope")
                .long("scope")
                .value_name("SCOPE")
                .required(true)
                .action(ArgAction::Append)
                .value_parser(scope)
                .help("What it may do: trigger, read or manage; repeat it for several"),
        )
        .arg(
            Arg::new("expires-in")
                .long("expires-in")
                .value_name("DURATION")
                .value_parser(expiry)
                .help("When it ends by itself, such as 90d; without it: never"),
        )
}

fn rotate() -> Command {
    Command::new("rotate")
        .about("Gives a key another text and prints that, this once")
        .arg(which())
        .arg(
            Arg::new("overlap")
                .long("overlap")
                .value_name("DURATION")
                .value_parser(overlap)
                .help("How long the text before stays good, up to 30d [default: 24h]"),
        )
}

fn which() -> Arg {
    Arg::new("KEY").required(true).help("Its name or its id")
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| "expected trigger, read or manage".to_owned())
}

fn expiry(text: &str) -> Result<Duration, String> {
    let parse = duration(Duration::from_secs(1), EXPIRY_MAX);
    parse(text).ok_or_else(|| "expected a duration from 1s to 3650d, such as 90d".to_owned())
}

fn overlap(text: &str) -> Result<Duration, String> {
    let parse = duration(Duration::ZERO, OVERLAP_MAX);
    parse(text).ok_or_else(|| "expected a duration from 0s to 30d, such as 24h".to_owned())
}

pub(super) fn order(matches: &ArgMatches) -> Order {
    let text = |matches: &ArgMatches, name: &str| {
        matches.get_one::<String>(name).cloned().unwrap_or_default()
    };
    let span = |matches: &ArgMatches, name: &str| matches.get_one::<Duration>(name).copied();
    let (order, matches) = match matches.subcommand() {
        Some(("create", matches)) => {
            let scopes = matches.get_many::<Scope>("scope").unwrap_or_default().copied().collect();
            let (name, expires_in) = (text(matches, "NAME"), span(matches, "expires-in"));
            (KeysOrder::Create { name, scopes, expires_in }, matches)
        }
        Some(("rotate", matches)) => {
            let (key, overlap) = (text(matches, "KEY"), span(matches, "overlap"));
            (KeysOrder::Rotate { key, overlap }, matches)
        }
        Some(("revoke", matches)) => (KeysOrder::Revoke { key: text(matches, "KEY") }, matches),
        Some((_, matches)) => (KeysOrder::List, matches),
        // A subcommand is required.
        None => (KeysOrder::List, matches),
    };
    Order::Keys { values: values(matches), order }
}
