//! A pooler before a server.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use super::programs::{Programs, free_port};

/// Where Debian puts it, which is not in everybody's search path.
const USUAL_PLACE: &str = "/usr/sbin";

/// Between two looks whether it listens, and how often one looks: half a minute and more.
const START_PAUSE: Duration = Duration::from_millis(10);
const START_LOOKS: u32 = 3_000;

/// The server that a pooler lends sessions of.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its name or address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// Whose the sessions are, whoever asks for them.
    pub user: &'a str,
    /// The password of that user.
    pub password: Option<&'a [u8]>,
}

/// A pgbouncer in transaction mode before all databases of a server. It ends when it is dropped.
#[derive(Debug)]
pub struct Pooler {
    process: Child,
    port: u16,
    directory: TempDir,
}

impl Pooler {
    /// Starts one that lends so many sessions of each database, each for one transaction. `None`,
    /// and why on stderr, if it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(target: Target<'_>, n_sessions: u32) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("skipped: pgbouncer is not installed (Debian: `apt-get install pgbouncer`)");
            return None;
        };
        // It refuses to run as root, as the server does.
        let programs = Programs::find()?;
        let directory = tempfile::tempdir().expect("a directory can be made");
        let port = free_port();
        let file = directory.path().join("pgbouncer.ini");
        fs::write(&file, settings(target, port, n_sessions)).expect("settings can be written");
        programs.give(directory.path());
        programs.give(&file);
        let mut command = programs.any_command(program, directory.path());
        let log = File::create(directory.path().join("log")).expect("a log can be made");
        command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("pgbouncer starts");
        let mut pooler = Self { process, port, directory };
        pooler.wait_until_ready();
        Some(pooler)
    }

    /// Where it listens, on the loopback interface.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn wait_until_ready(&mut self) {
        for _ in 0..START_LOOKS {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return;
            }
            let ended = self.process.try_wait().expect("it is a child of ours");
            assert!(ended.is_none(), "pgbouncer ended: {}", self.logged());
            sleep(START_PAUSE);
        }
        panic!("pgbouncer does not listen: {}", self.logged());
    }

    fn logged(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn settings(target: Target<'_>, port: u16, n_sessions: u32) -> String {
    let Target { host, port: server_port, user, password } = target;
    // An empty one is a syntax error.
    let password = password.map_or_else(String::new, |it| {
        format!(" password='{}'", String::from_utf8_lossy(it).replace('\'', "''"))
    });
    format!(
        "[databases]\n\
         * = host={host} port={server_port} user={user}{password}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = {n_sessions}\n\
         max_client_conn = 1000\n"
    )
}

fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain([PathBuf::from(USUAL_PLACE)]);
    places.map(|it| it.join("pgbouncer")).find(|it| it.is_file())
}
