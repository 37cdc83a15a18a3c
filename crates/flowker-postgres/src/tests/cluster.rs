//! A small Postgres of a test's own, to be restarted, misconfigured and killed.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::iter;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_postgres::{NoTls, Row};

use crate::ConnectionUrl;

/// Names the directory of the server's programs, if they are not where they usually are.
const PROGRAMS: &str = "FLOWKER_TEST_POSTGRES_BIN";

/// A server on the loopback interface with its own data, which goes with it. Anybody may connect to
/// it as `postgres`.
pub(crate) struct Cluster {
    programs: PathBuf,
    user: Option<User>,
    directory: TempDir,
    port: u16,
}

impl Cluster {
    /// A server with these settings. `None`, and why, if there are no programs to start one with.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let cluster = Self::prepare()?;
        cluster.set(settings);
        cluster.resume();
        Some(cluster)
    }

    /// One that does not run yet.
    pub(crate) fn prepare() -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("skipped: no Postgres server is installed, and {PROGRAMS} names none");
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory");
        let user = User::for_servers();
        if let Some(user) = user {
            user.give(directory.path());
        }
        let cluster = Self { programs, user, directory, port: free_port() };
        let data = cluster.data();
        cluster.run(
            "initdb",
            &["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", &data],
        );
        let port = cluster.port.to_string();
        let sockets = cluster.directory.path().display().to_string();
        cluster.set(&[
            ("listen_addresses", "127.0.0.1"),
            ("port", &port),
            ("unix_socket_directories", &sockets),
        ]);
        Some(cluster)
    }

    /// Changes settings for the next start.
    pub(crate) fn set(&self, settings: &[(&str, &str)]) {
        let mut lines = String::new();
        for (name, value) in settings {
            writeln!(lines, "{name} = '{value}'").expect("a text takes more");
        }
        let path = Path::new(&self.data()).join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(path).expect("the settings are there");
        file.write_all(lines.as_bytes()).expect("settings can be added");
    }

    /// Puts a file that only the server reads beside its data.
    pub(crate) fn write(&self, name: &str, contents: &str) -> PathBuf {
        let path = Path::new(&self.data()).join(name);
        fs::write(&path, contents).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        if let Some(user) = self.user {
            user.give(&path);
        }
        path
    }

    /// Starts a server that does not run, and waits until it answers.
    pub(crate) fn resume(&self) {
        let log = self.log().display().to_string();
        let wait = ["-w", "-t", "60"];
        self.run("pg_ctl", &[&["start", "-s", "-l", &log, "-D", &self.data()], &wait[..]].concat());
    }

    /// Ends the server as a crash would.
    pub(crate) fn stop(&self) {
        self.output("pg_ctl", &["stop", "-s", "-m", "immediate", "-D", &self.data()]);
    }

    /// Ends all sessions as a crash would, and starts the server again.
    pub(crate) fn restart_immediately(&self) {
        self.stop();
        self.resume();
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> ConnectionUrl {
        self.address().parse().expect("a URL")
    }

    fn address(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Runs a statement as an operator would.
    pub(crate) async fn look(&self, statement: &str) -> Vec<Row> {
        let connected = tokio_postgres::connect(&self.address(), NoTls).await;
        let (client, connection) = connected.expect("the server answers");
        let mut session = JoinSet::new();
        session.spawn(connection);
        client.query(statement, &[]).await.expect(statement)
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(self.directory.path()).env("LC_ALL", "C");
        if let Some(user) = self.user {
            user.run(&mut command);
        }
        command.output().expect("the program is there")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.output(program, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        assert!(output.status.success(), "{program}: {said}\n{log}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whom servers run as.
#[derive(Clone, Copy)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// `None` if they may run as who we are; they refuse to run as root.
    pub(crate) fn for_servers() -> Option<Self> {
        if id(&["-u"]) != Some(0) {
            return None;
        }
        let named = |name| Some(Self { uid: id(&["-u", name])?, gid: id(&["-g", name])? });
        named("postgres").or_else(|| named("nobody"))
    }

    pub(crate) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    pub(crate) fn give(self, path: &Path) {
        chown(path, Some(self.uid), Some(self.gid)).expect("root may give files away");
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// A directory that has the server's programs.
fn programs() -> Option<PathBuf> {
    let named = env::var_os(PROGRAMS).map(PathBuf::from);
    let mut installed: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|it| it.path().join("bin"))
        .collect();
    installed.sort_unstable();
    let mut candidates = named.into_iter().chain(path()).chain(installed);
    candidates.find(|it| it.join("pg_ctl").is_file() && it.join("initdb").is_file())
}

/// Where programs are looked for.
pub(crate) fn path() -> Vec<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect()
}

/// A port that nobody listens at, and that no connection is given for its own end: those begin
/// higher. Tests that run at the same time get different ones.
pub(crate) fn free_port() -> u16 {
    static N_GIVEN: AtomicU32 = AtomicU32::new(0);
    let candidate = || {
        let given = N_GIVEN.fetch_add(1, Ordering::Relaxed);
        let offset = std::process::id().wrapping_mul(8).wrapping_add(given) % 12_000;
        20_000 + u16::try_from(offset).expect("it is below 12,000")
    };
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    iter::repeat_with(candidate).take(1000).find(is_free).expect("a port is free")
}
