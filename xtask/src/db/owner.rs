//! Whose processes and files a cluster is: ours, or another account's where we are root.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::read;

/// Who stands in for root, the best first.
const STAND_INS: [&str; 2] = ["postgres", "nobody"];

/// Runs what Postgres refuses to run as root.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Absent where we are not root and run everything ourselves.
    stand_in: Option<Account>,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// Ourselves, or a stand-in for root.
    pub fn find() -> Result<Self> {
        if !is_root()? {
            return Ok(Self { stand_in: None });
        }
        let Some(account) = STAND_INS.into_iter().find_map(|name| account(name).ok()) else {
            bail!(
                "Postgres refuses to run as root, and there is no user `postgres` to run it: \
                 work as another user, or type `useradd --system postgres`"
            );
        };
        Ok(Self { stand_in: Some(account) })
    }

    /// A command that runs as the owner, in a directory that the owner may enter.
    pub fn command(&self, program: impl AsRef<OsStr>, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(directory);
        if let Some(account) = self.stand_in {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Gives the owner a directory, without what is in it.
    pub fn take(&self, directory: &Path) -> Result<()> {
        if let Some(account) = self.stand_in {
            chown(directory, Some(account.uid), Some(account.gid))
                .with_context(|| format!("{} cannot change hands", directory.display()))?;
        }
        Ok(())
    }
}

/// Whether we may do everything.
pub fn is_root() -> Result<bool> {
    Ok(id(&["-u"])? == 0)
}

fn account(name: &str) -> Result<Account> {
    Ok(Account { uid: id(&["-u", name])?, gid: id(&["-g", name])? })
}

fn id(args: &[&str]) -> Result<u32> {
    let mut id = Command::new("id");
    id.args(args);
    read(id)?.trim().parse().context("`id` answers no number")
}
