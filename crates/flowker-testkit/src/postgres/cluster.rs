//! A small server with its own data.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use super::programs::{Programs, free_port};

/// Between two looks whether a server answers, and how often one looks: a minute and more.
const START_PAUSE: Duration = Duration::from_millis(20);
const START_LOOKS: u32 = 3_000;

/// A server on the loopback interface with its own data, which goes with it. Anybody may connect to
/// it as `postgres`.
///
/// It is a child of this process, and in its group: whatever ends the group ends the server.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    directory: TempDir,
    port: u16,
    /// While it runs.
    server: Mutex<Option<Child>>,
}

impl Cluster {
    /// A server with these settings. `None`, and why on stderr, if there is nothing to start one
    /// with.
    ///
    /// # Panics
    ///
    /// If it does not start; so do all methods if what they are for fails.
    pub fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let cluster = Self::prepare()?;
        cluster.set(settings);
        cluster.resume();
        Some(cluster)
    }

    /// One that does not run yet.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn prepare() -> Option<Self> {
        let programs = Programs::find()?;
        let directory = tempfile::tempdir().expect("a directory can be made");
        programs.give(directory.path());
        let cluster = Self { programs, directory, port: free_port(), server: Mutex::default() };
        let data = cluster.data().display().to_string();
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
    ///
    /// # Panics
    ///
    /// If they cannot be written.
    pub fn set(&self, settings: &[(&str, &str)]) {
        let mut lines = String::new();
        for (name, value) in settings {
            let _ = writeln!(lines, "{name} = '{value}'");
        }
        let path = self.data().join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(path).expect("the settings are there");
        file.write_all(lines.as_bytes()).expect("settings can be added");
    }

    /// Puts a file that only the server reads beside its data.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.data().join(name);
        fs::write(&path, contents).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        self.programs.give(&path);
        path
    }

    /// Starts a server that does not run, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it runs, or does not answer within a minute.
    pub fn resume(&self) {
        let mut running = self.server();
        assert!(running.is_none(), "it runs");
        let log = File::create(self.log()).expect("a log can be made");
        let mut command = self.programs.command("postgres", self.directory.path());
        command.arg("-D").arg(self.data());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut server = command.spawn().expect("the server starts");
        for _ in 0..START_LOOKS {
            if self.is_ready(server.id()) {
                *running = Some(server);
                return;
            }
            let ended = server.try_wait().expect("it is a child of ours");
            assert!(ended.is_none(), "the server ended: {}", self.logged());
            sleep(START_PAUSE);
        }
        let _ = server.kill();
        panic!("the server does not answer: {}", self.logged());
    }

    /// Ends the server as a crash would: all sessions break, and nothing is written down.
    pub fn stop(&self) {
        if let Some(mut server) = self.server().take() {
            let data = self.data().display().to_string();
            self.output("pg_ctl", &["stop", "-s", "-m", "immediate", "-D", &data]);
            // If that failed, this does not.
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Ends the server as a crash would, and starts it again.
    ///
    /// # Panics
    ///
    /// If it does not start again.
    pub fn restart_immediately(&self) {
        self.stop();
        self.resume();
    }

    /// Where it listens, also while it does not run.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How to connect to it.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server with this process id takes connections: the first and the last line of a
    /// file of its own say so.
    fn is_ready(&self, id: u32) -> bool {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines().map(str::trim_end);
        lines.next() == Some(&id.to_string()) && lines.next_back() == Some("ready")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn logged(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self.programs.command(program, self.directory.path());
        command.args(arguments).output().expect("the program is there")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.output(program, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {said}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}
