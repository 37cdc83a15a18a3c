//! The developer's cluster: in `target/db`, until `cargo xtask db down`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::binaries::{self, Binaries};
use super::cluster::{Cluster, Sync};
use super::owner::Owner;
use crate::build;

/// The database that the service uses.
const DATABASE: &str = "flowker";

/// A cluster that answers.
#[derive(Debug)]
pub struct Running {
    /// Those that run it.
    pub binaries: Binaries,
    /// Where its database is.
    pub url: String,
}

/// Starts the cluster, or finds it running. Returns the address of its database.
pub fn up() -> Result<String> {
    let _turn = turn()?;
    let directory = directory()?;
    fs::create_dir_all(&directory)?;
    let is_new = major(&directory).is_none();
    let cluster = cluster(&directory)?;
    let before = port(&directory);
    let running = before.filter(|port| cluster.answers(*port));
    let port = match running {
        Some(port) => port,
        None => start(&cluster, &directory, is_new, before).context(
            "the developer's Postgres cannot be started; `cargo xtask db down` deletes it",
        )?,
    };
    // An earlier `up` may have been interrupted just before this.
    let url = Cluster::url(port, "postgres");
    let exists = format!("select 1 from pg_catalog.pg_database where datname = '{DATABASE}'");
    if cluster.ask(&url, &exists)?.is_empty() {
        cluster.ask(&url, &format!("create database {DATABASE}"))?;
    }
    Ok(Cluster::url(port, DATABASE))
}

fn start(cluster: &Cluster, directory: &Path, is_new: bool, before: Option<u16>) -> Result<u16> {
    let version = cluster.binaries.major;
    eprintln!("\nxtask: starting Postgres {version} in {}", directory.display());
    if is_new {
        cluster.init(Sync::Yes)?;
    }
    let port = cluster.start(before)?;
    fs::write(port_file(directory), port.to_string())?;
    Ok(port)
}

/// Stops the cluster, and deletes it unless it is kept.
pub fn down(keep: bool) -> Result<()> {
    let _turn = turn()?;
    let directory = directory()?;
    if let Some(major) = major(&directory)
        && let Some(binaries) = binaries::of_major(major)
    {
        let cluster = Cluster::new(binaries, Owner::find()?, directory.clone());
        if port(&directory).is_some_and(|port| cluster.answers(port)) {
            cluster.stop()?;
            eprintln!("xtask: stopped Postgres {major} in {}", directory.display());
        }
    }
    if !keep && directory.exists() {
        fs::remove_dir_all(&directory)
            .with_context(|| format!("{} cannot be deleted", directory.display()))?;
        eprintln!("xtask: deleted {}", directory.display());
    }
    Ok(())
}

/// The cluster, if it was started.
pub fn running() -> Result<Running> {
    let directory = directory()?;
    let port = port(&directory).filter(|_| major(&directory).is_some());
    let found = match port {
        Some(port) => Some((port, cluster(&directory)?)),
        None => None,
    };
    let (port, cluster) = found
        .filter(|(port, cluster)| cluster.answers(*port))
        .context("the developer's Postgres does not run: type `cargo xtask db up`")?;
    Ok(Running { binaries: cluster.binaries, url: Cluster::url(port, DATABASE) })
}

fn directory() -> Result<PathBuf> {
    Ok(build::metadata()?.target_directory.join("db").into())
}

/// One `up` or `down` at a time. The lock ends with the file.
fn turn() -> Result<File> {
    let file = directory()?.with_extension("lock");
    let lock = File::create(&file).with_context(|| format!("{} is refused", file.display()))?;
    lock.lock()?;
    Ok(lock)
}

/// Data of one major version can be read by no other.
fn cluster(directory: &Path) -> Result<Cluster> {
    let binaries = match major(directory) {
        None => binaries::obtain()?,
        Some(major) => binaries::of_major(major).with_context(|| {
            format!(
                "the data in {} need Postgres {major}, which is not installed: install it, or \
                 delete them with `cargo xtask db down`",
                directory.display()
            )
        })?,
    };
    Ok(Cluster::new(binaries, Owner::find()?, directory.to_owned()))
}

/// The version that made the data, if there are any.
fn major(directory: &Path) -> Option<u32> {
    fs::read_to_string(Cluster::data(directory).join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The port at the last start.
fn port(directory: &Path) -> Option<u16> {
    fs::read_to_string(port_file(directory)).ok()?.parse().ok()
}

fn port_file(directory: &Path) -> PathBuf {
    directory.join("port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_left_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!((major(path), port(path)), (None, None));
        fs::create_dir(Cluster::data(path)).unwrap();
        fs::write(Cluster::data(path).join("PG_VERSION"), "15\n").unwrap();
        fs::write(port_file(path), "54321").unwrap();
        assert_eq!((major(path), port(path)), (Some(15), Some(54_321)));
    }
}
