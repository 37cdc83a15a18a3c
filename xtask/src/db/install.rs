//! Installs Postgres with the package manager of the machine, where that needs no password.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::{binaries, owner};
use crate::run::run;

/// What a person types where this cannot.
pub const BY_HAND: &str = "Type one of\n  \
    sudo apt-get install -y postgresql\n  \
    sudo dnf install -y postgresql-server\n  \
    brew install postgresql@17\n\
    or name a running server on which tests may create databases:\n  \
    export FLOWKER_TEST_DATABASE_URL=postgres://user:password@host/postgres";

/// A package manager, and what it is told.
struct Manager {
    program: &'static str,
    commands: &'static [&'static str],
    /// Homebrew refuses root; the others need it.
    needs_root: bool,
}

const MANAGERS: [Manager; 3] = [
    Manager {
        program: "apt-get",
        commands: &[
            "apt-get update",
            "env DEBIAN_FRONTEND=noninteractive apt-get install -y postgresql",
        ],
        needs_root: true,
    },
    Manager { program: "dnf", commands: &["dnf install -y postgresql-server"], needs_root: true },
    Manager { program: "brew", commands: &["brew install postgresql@17"], needs_root: false },
];

/// What we may do without being asked for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Root,
    Sudo,
    User,
}

/// Installs Postgres, showing how, or says what to type.
pub fn install() -> Result<()> {
    let commands = plan(rights()?, |program| binaries::in_path(program).is_some());
    if commands.is_empty() {
        bail!("there is no Postgres on this machine, and no way to install it unasked. {BY_HAND}");
    }
    eprintln!("\nxtask: there is no Postgres on this machine, so it is installed");
    for line in commands {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        run(command, BY_HAND)?;
    }
    Ok(())
}

/// The commands to run, none if nothing can be done.
fn plan(rights: Rights, has: impl Fn(&str) -> bool) -> Vec<String> {
    let can_use = |it: &&Manager| {
        let is_allowed =
            if it.needs_root { rights != Rights::User } else { rights != Rights::Root };
        is_allowed && has(it.program)
    };
    let Some(manager) = MANAGERS.iter().find(can_use) else { return Vec::new() };
    let before = if manager.needs_root && rights == Rights::Sudo { "sudo -n " } else { "" };
    manager.commands.iter().map(|command| format!("{before}{command}")).collect()
}

fn rights() -> Result<Rights> {
    if owner::is_root()? {
        return Ok(Rights::Root);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let is_free = sudo.status().is_ok_and(|status| status.success());
    Ok(if is_free { Rights::Sudo } else { Rights::User })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rights: Rights, programs: &[&str], expected: &[&str]) {
        let commands = plan(rights, |program| programs.contains(&program));
        assert_eq!(commands, expected, "{rights:?} with {programs:?}");
    }

    #[test]
    fn the_package_manager_of_the_machine_is_used() {
        check(
            Rights::Root,
            &["apt-get"],
            &["apt-get update", "env DEBIAN_FRONTEND=noninteractive apt-get install -y postgresql"],
        );
        check(
            Rights::Sudo,
            &["apt-get"],
            &[
                "sudo -n apt-get update",
                "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install -y postgresql",
            ],
        );
        check(Rights::Root, &["dnf"], &["dnf install -y postgresql-server"]);
        check(Rights::User, &["brew"], &["brew install postgresql@17"]);
        check(Rights::Sudo, &["brew"], &["brew install postgresql@17"]);
    }

    #[test]
    fn what_needs_a_password_or_is_refused_is_left_to_the_user() {
        check(Rights::User, &["apt-get", "dnf"], &[]);
        check(Rights::Root, &["brew"], &[]);
        check(Rights::Root, &[], &[]);
    }
}
