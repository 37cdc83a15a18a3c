//! A cluster for one run, which is gone afterwards, however the run ends.

use std::env;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::{Builder, TempDir};

use super::binaries::Binaries;
use super::cluster::{Cluster, Sync};
use super::owner::Owner;
use crate::run::read;

/// How the directories of all runs begin.
const PREFIX: &str = "flowker-test-db-";

/// Memory that looks like a disk. Tests write much and nobody misses it.
const MEMORY: &str = "/dev/shm";
const MEMORY_KIB_MIN: u64 = 1024 * 1024;

/// Locked while its run lives. The kernel unlocks it whatever the run dies of, and unlike a process
/// id it cannot pass to somebody else.
const LOCK: &str = "lock";

/// Waits until the pipe from its parent is closed, then stops the server and deletes everything.
const KEEPER: &str = "\
    cat >/dev/null\n\
    \"$0\" stop --silent --wait --mode=immediate --pgdata=\"$1/data\"\n\
    rm -rf \"$1\"";

/// A running cluster, which dropping stops and deletes.
// Fields are dropped in this order.
#[derive(Debug)]
pub struct ThrowAway {
    _keeper: Keeper,
    _lock: File,
    _directory: TempDir,
    /// The cluster.
    pub cluster: Cluster,
    port: u16,
}

impl ThrowAway {
    /// Makes and starts a cluster, and removes what dead runs left.
    pub fn start(binaries: Binaries) -> Result<Self> {
        sweep(&env::temp_dir());
        sweep(Path::new(MEMORY));
        let owner = Owner::find()?;
        let directory = directory()?;
        let lock = lock(directory.path())?;
        let path = directory.path().to_owned();
        eprintln!("\nxtask: starting Postgres {} in {}", binaries.major, path.display());
        let keeper = Keeper::start(&binaries, &owner, &path)?;
        let cluster = Cluster::new(binaries, owner, path);
        cluster.init(Sync::No)?;
        let port = cluster.start(None)?;
        Ok(Self { _keeper: keeper, _lock: lock, _directory: directory, cluster, port })
    }

    /// How to connect as the superuser.
    pub fn url(&self, database: &str) -> String {
        Cluster::url(self.port, database)
    }
}

/// A process that outlives us by a moment. Unlike code of ours it also cleans up after Ctrl-C, a
/// panic, and `kill -9`.
#[derive(Debug)]
struct Keeper(Child);

impl Keeper {
    fn start(binaries: &Binaries, owner: &Owner, directory: &Path) -> Result<Self> {
        let mut keeper = owner.command("sh", Path::new("/"));
        keeper.args(["-c", KEEPER]).arg(binaries.path("pg_ctl")).arg(directory);
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: Ctrl-C ends ours, and the keeper has work to do then.
        keeper.process_group(0);
        Ok(Self(keeper.spawn().context("`sh` cannot be started")?))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // If the keeper was killed, deleting the directory ends the server within a minute.
        let _ = self.0.wait();
    }
}

/// In memory if there is room, else where temporary files go.
fn directory() -> Result<TempDir> {
    let mut df = Command::new("df");
    df.args(["-P", "-k", MEMORY]);
    let has_room =
        read(df).ok().and_then(|it| free_kib(&it)).is_some_and(|it| MEMORY_KIB_MIN <= it);
    let base = if has_room { PathBuf::from(MEMORY) } else { env::temp_dir() };
    let made = Builder::new().prefix(PREFIX).tempdir_in(&base);
    made.with_context(|| format!("no directory can be made in {}", base.display()))
}

/// From what `df -P -k` prints: a line of titles, and one of numbers.
fn free_kib(printed: &str) -> Option<u64> {
    printed.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

fn lock(directory: &Path) -> Result<File> {
    // Appears locked: another run must not take it for a dead one in between.
    let unnamed = directory.join("lock.new");
    let lock = File::create(&unnamed)?;
    lock.lock()?;
    fs::rename(unnamed, directory.join(LOCK))?;
    Ok(lock)
}

/// Removes what runs left that were killed together with their keepers. A server that still runs
/// there sees within a minute that its directory is gone, and ends.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let directory = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && is_dead(&directory) && fs::remove_dir_all(&directory).is_ok() {
            eprintln!("\nxtask: removed {}, which a killed run left", directory.display());
        }
    }
}

/// Without a lock it is just being born, and one that cannot be read is somebody else's.
fn is_dead(directory: &Path) -> bool {
    File::open(directory.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_read() {
        let df = "Filesystem     1024-blocks  Used Available Capacity Mounted on\n\
                  tmpfs             24684096   12  24684084       1% /dev/shm\n";
        assert_eq!(free_kib(df), Some(24_684_084));
        assert_eq!(free_kib(""), None);
        assert_eq!(free_kib("Filesystem\n-\n"), None);
    }

    #[test]
    fn only_what_dead_runs_left_is_removed() {
        let base = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let directory = base.path().join(name);
            fs::create_dir(&directory).unwrap();
            directory
        };
        let alive = make("flowker-test-db-alive");
        let held = lock(&alive).unwrap();
        let dead = make("flowker-test-db-dead");
        drop(lock(&dead).unwrap());
        let newborn = make("flowker-test-db-newborn");
        let foreign = make("foreign");
        drop(lock(&foreign).unwrap());

        sweep(base.path());
        assert!(!dead.exists());
        assert!(alive.exists() && newborn.exists() && foreign.exists());

        drop(held);
        sweep(base.path());
        assert!(!alive.exists());
    }
}
