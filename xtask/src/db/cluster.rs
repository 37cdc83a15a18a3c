//! A cluster in a directory: made, started, asked, stopped.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::binaries::Binaries;
use super::owner::Owner;
use crate::run::read;

/// Settings of every cluster. What keeps a commit through a crash is on, as in production: tests
/// that pull the plug rely on it.
const SETTINGS: &str = "\
    listen_addresses = '127.0.0.1'\n\
    # Target directories are deeper than the path of a socket may be long.\n\
    unix_socket_directories = ''\n\
    max_connections = 300\n\
    shared_buffers = '128MB'\n\
    fsync = on\n\
    full_page_writes = on\n\
    synchronous_commit = on\n\
    # Each test has a database of its own, so the log says whose line it is.\n\
    log_line_prefix = '%m [%p] %d '\n";

/// Another process may take the port between the moment that it is found free and the start.
const PORT_ATTEMPTS: u32 = 5;

const START_TIMEOUT_S: u32 = 60;
const CONNECT_TIMEOUT_S: u32 = 5;

/// How much of the log explains a failure.
const LOG_LINES_SHOWN: usize = 30;

/// How a new cluster gets to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// It is lasting.
    Yes,
    /// Nobody misses it after a crash of the machine.
    No,
}

/// A cluster: its directory has the data, and the log beside them.
#[derive(Debug)]
pub struct Cluster {
    /// What runs it.
    pub binaries: Binaries,
    owner: Owner,
    directory: PathBuf,
}

impl Cluster {
    /// The cluster that is or will be in an existing directory.
    pub fn new(binaries: Binaries, owner: Owner, directory: PathBuf) -> Self {
        Self { binaries, owner, directory }
    }

    /// Where the data of a cluster are.
    pub fn data(directory: &Path) -> PathBuf {
        directory.join("data")
    }

    /// How to connect as the superuser, who needs no password.
    pub fn url(port: u16, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/{database}")
    }

    /// Makes the cluster.
    pub fn init(&self, sync: Sync) -> Result<()> {
        self.owner.take(&self.directory)?;
        // Some systems have no C.UTF-8; plain C sorts the same and only knows fewer letters.
        self.initdb("C.UTF-8", sync).or_else(|_| self.initdb("C", sync)).with_context(|| {
            format!(
                "no cluster can be made in {}: its owner has to be able to enter it",
                self.directory.display()
            )
        })?;
        let file = Self::data(&self.directory).join("postgresql.conf");
        let mut config = OpenOptions::new().append(true).open(file)?;
        Ok(writeln!(config, "include = 'flowker.conf'")?)
    }

    fn initdb(&self, locale: &str, sync: Sync) -> Result<String> {
        let mut initdb = self.owned("initdb");
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
        initdb.arg(format!("--locale={locale}"));
        if sync == Sync::No {
            initdb.arg("--no-sync");
        }
        read(initdb)
    }

    /// Starts the server and waits until it answers. Returns its port: the preferred one, unless it
    /// is taken.
    pub fn start(&self, preferred: Option<u16>) -> Result<u16> {
        let mut port = match preferred.filter(|port| is_free(*port)) {
            Some(port) => port,
            None => free_port()?,
        };
        for _ in 1..PORT_ATTEMPTS {
            match self.start_on(port) {
                Err(_) if !is_free(port) => port = free_port()?,
                result => return result.map(|()| port),
            }
        }
        self.start_on(port).map(|()| port)
    }

    fn start_on(&self, port: u16) -> Result<()> {
        let data = Self::data(&self.directory);
        fs::write(data.join("flowker.conf"), format!("port = {port}\n{SETTINGS}"))?;
        let log = self.directory.join("log");
        let mut start = self.pg_ctl("start");
        start.arg("--log").arg(&log).arg(format!("--timeout={START_TIMEOUT_S}"));
        if let Err(error) = read(start) {
            bail!("Postgres does not start ({error:#}). Its log ends with\n{}", end_of(&log));
        }
        if !self.answers(port) {
            bail!("Postgres has started, but does not answer on port {port}");
        }
        Ok(())
    }

    /// Stops the server in good order, and waits for that.
    pub fn stop(&self) -> Result<()> {
        let mut stop = self.pg_ctl("stop");
        stop.arg("--mode=fast");
        read(stop).map(|_| ())
    }

    /// Whether this very cluster answers there. A file with a process id would prove less: after a
    /// restart of the machine the id may be anybody's.
    pub fn answers(&self, port: u16) -> bool {
        let data = Self::data(&self.directory);
        let answered = self.ask(&Self::url(port, "postgres"), "show data_directory");
        let told = answered.ok().and_then(|it| fs::canonicalize(it.trim_end()).ok());
        told.is_some() && told == fs::canonicalize(data).ok()
    }

    /// The answer to a statement.
    pub fn ask(&self, url: &str, statement: &str) -> Result<String> {
        ask(self.binaries.command("psql"), url, statement)
    }

    /// `pg_ctl`, which waits until the deed is done.
    fn pg_ctl(&self, deed: &str) -> Command {
        let mut command = self.owned("pg_ctl");
        command.args([deed, "--wait", "--silent"]);
        command
    }

    /// A program that works on the data, as their owner.
    fn owned(&self, program: &str) -> Command {
        let mut command = self.owner.command(self.binaries.path(program), &self.directory);
        command.env("PGDATA", Self::data(&self.directory));
        command
    }
}

/// The answer that a psql brings. No settings of the user are read.
pub fn ask(mut psql: Command, url: &str, statement: &str) -> Result<String> {
    psql.env("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT_S.to_string());
    psql.args(["--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--quiet"]);
    psql.args(["--set=ON_ERROR_STOP=1", "--command", statement, "--dbname", url]);
    read(psql)
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}
