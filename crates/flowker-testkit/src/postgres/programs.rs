//! The programs of a Postgres server, and whom they run as.

use std::collections::hash_map::RandomState;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::iter;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the directory of the server's programs, if they are not where they usually are.
const DIRECTORY: &str = "FLOWKER_TEST_POSTGRES_BIN";

/// Who stands in for root, the best first: the server refuses to run as root.
const STAND_INS: [&str; 2] = ["postgres", "nobody"];

/// Ports of servers that are stopped and started again. Below those that the system gives to
/// connections, one of which could take the port meanwhile.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// What a server is run with.
#[derive(Clone, Debug)]
pub struct Programs {
    directory: PathBuf,
    /// Absent if servers run as who we are.
    stand_in: Option<Account>,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    uid: u32,
    gid: u32,
}

impl Programs {
    /// Those that are named by `FLOWKER_TEST_POSTGRES_BIN`, in the search path, or installed.
    ///
    /// `None`, and why on stderr, if there are none or nobody who may run them.
    pub fn find() -> Option<Self> {
        let Some(directory) = directory() else {
            eprintln!("skipped: no Postgres server is installed, and {DIRECTORY} names none");
            return None;
        };
        if id(&["-u"]) != Some(0) {
            return Some(Self { directory, stand_in: None });
        }
        let stand_in = STAND_INS.into_iter().find_map(account);
        if stand_in.is_none() {
            eprintln!("skipped: Postgres refuses to run as root, and there is no user `postgres`");
        }
        Some(Self { directory, stand_in: Some(stand_in?) })
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// One of them, to be run where it keeps its files.
    pub fn command(&self, program: &str, home: &Path) -> Command {
        self.any_command(self.directory.join(program), home)
    }

    /// A program of another package, which has to run as the same user.
    pub fn any_command(&self, program: impl AsRef<OsStr>, home: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(home).env("LC_ALL", "C");
        if let Some(account) = self.stand_in {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Gives a file or a directory to whom they run as.
    ///
    /// # Panics
    ///
    /// If it cannot be given away.
    pub fn give(&self, path: &Path) {
        if let Some(account) = self.stand_in {
            chown(path, Some(account.uid), Some(account.gid)).expect("root may give files away");
        }
    }
}

/// A port of this machine that nobody listens at, and that no connection is given.
///
/// # Panics
///
/// If all are taken.
pub fn free_port() -> u16 {
    let random = iter::repeat_with(|| {
        let [high, low, ..] = RandomState::new().build_hasher().finish().to_be_bytes();
        u16::from_be_bytes([high, low])
    });
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = random.filter(|port| PORTS.contains(port)).take(PORTS.len());
    ports.find(is_free).expect("a port is free")
}

fn directory() -> Option<PathBuf> {
    let named = env::var_os(DIRECTORY).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let packages = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<_> = packages.map(|it| it.path().join("bin")).collect();
    installed.sort_unstable();
    let candidates =
        named.into_iter().chain(env::split_paths(&path)).chain(installed.into_iter().rev());
    // A search path may have links to some of the programs; all of them are where those lead to.
    let mut servers = candidates.filter_map(|it| fs::canonicalize(it.join("postgres")).ok());
    servers.find_map(|it| it.parent().filter(|it| it.join("initdb").is_file()).map(Path::to_owned))
}

fn account(name: &str) -> Option<Account> {
    Some(Account { uid: id(&["-u", name])?, gid: id(&["-g", name])? })
}

fn id(args: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(args).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
