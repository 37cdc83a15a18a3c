//! Three servers of which Patroni makes one the primary, and another one when that is gone.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use flowker_core::json;
use flowker_testkit::postgres::{Programs, free_port};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{self, Request};
use crate::wait::until_within;

/// How many servers there are.
const N_NODES: usize = 3;

/// How long a primary may be silent before another server takes its place, in seconds. Patroni
/// takes no less.
const TTL_S: u32 = 20;

/// How long three servers may take to be made, or one to take a place: both are long on a machine
/// that is busy.
const PATIENCE: Duration = Duration::from_mins(3);

/// How many lines of each log tell what went wrong.
const LOG_LINES_SHOWN: usize = 20;

/// A cluster on the loopback interface: etcd, and three nodes with a Postgres and a Patroni each.
///
/// A commit is acknowledged when two of the servers have it. All ends when this is dropped.
#[derive(Debug)]
pub struct Patroni {
    programs: Programs,
    executable: PathBuf,
    directory: TempDir,
    etcd: Child,
    etcd_port: u16,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    name: String,
    port: u16,
    /// Where its Patroni answers.
    api: SocketAddr,
    /// `None` if it was killed, and its server with it.
    patroni: Option<Child>,
    is_frozen: bool,
}

impl Patroni {
    /// Starts one, and waits until every server has its place. `None`, and why on stderr, if
    /// something is not installed.
    #[track_caller]
    pub fn start() -> Option<Self> {
        let (Some(etcd), Some(executable)) = (program("etcd"), program("patroni")) else {
            eprintln!(
                "skipped: Patroni or etcd is not installed (Debian: `apt-get install patroni \
                 etcd-server`)"
            );
            return None;
        };
        let programs = Programs::find()?;
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        programs.give(directory.path());
        let (etcd, etcd_port) = start_etcd(&programs, &etcd, directory.path());
        let nodes = Vec::new();
        let mut cluster = Self { programs, executable, directory, etcd, etcd_port, nodes };
        for idx in 0..N_NODES {
            let port = free_port();
            let api = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            let name = format!("node{idx}");
            cluster.nodes.push(Node { name, port, api, patroni: None, is_frozen: false });
            cluster.resume(idx);
        }
        cluster.wait_until_whole();
        Some(cluster)
    }

    /// What `DATABASE_URL` is to be: all servers, of which the one that takes writes counts.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.nodes.iter().map(|it| format!("127.0.0.1:{}", it.port)).collect();
        let hosts = hosts.join(",");
        format!("postgres://postgres@{hosts}/postgres?target_session_attrs=read-write")
    }

    /// The server that takes writes.
    #[track_caller]
    pub fn wait_for_primary(&self) -> usize {
        until_within(PATIENCE, "a server is the primary", || self.first_that_is("/primary"))
    }

    /// Waits until every server has its place: one takes writes, the others follow it, and one of
    /// them has all that is acknowledged.
    #[track_caller]
    pub fn wait_until_whole(&self) {
        until_within(PATIENCE, "every server has its place", || {
            let primary = self.first_that_is("/primary")?;
            let follows = |node: &Node| node.is("/replica");
            let others = self.nodes.iter().enumerate().filter(|(idx, _)| *idx != primary);
            let is_whole = others.map(|(_, node)| node).all(follows);
            (is_whole && self.first_that_is("/synchronous").is_some()).then_some(())
        });
    }

    /// Ends a node as a machine ends that loses its power, and nobody starts it again.
    #[track_caller]
    pub fn kill(&mut self, node_idx: usize) {
        let node = &mut self.nodes[node_idx];
        let mut patroni = node.patroni.take().expect("it runs");
        // First who would start the server again.
        patroni.kill().expect("it is a child of ours");
        patroni.wait().expect("it is a child of ours");
        let server = postmaster(&self.data(node_idx)).expect("the primary runs a server");
        kill_process(server, Signal::KILL).expect("the server runs");
    }

    /// Stops all processes of a node where they are: its connections stay open, and nobody answers.
    #[track_caller]
    pub fn freeze(&mut self, node_idx: usize) {
        self.nodes[node_idx].is_frozen = true;
        self.signal_all(node_idx, Signal::STOP);
    }

    /// Lets a frozen node go on. It believes that it is what it was, until it looks.
    #[track_caller]
    pub fn thaw(&mut self, node_idx: usize) {
        self.signal_all(node_idx, Signal::CONT);
        self.nodes[node_idx].is_frozen = false;
    }

    fn signal_all(&self, node_idx: usize, signal: Signal) {
        let patroni = self.nodes[node_idx].patroni.as_ref().expect("it runs");
        let server = postmaster(&self.data(node_idx)).expect("it runs a server");
        // Parents first: they start no further children.
        for process in [Pid::from_child(patroni), server].into_iter().chain(children(server)) {
            // A child may have ended by now.
            let _ = kill_process(process, signal);
        }
    }

    /// Starts a node that does not run, which takes its place again.
    #[track_caller]
    pub fn resume(&mut self, node_idx: usize) {
        let home = self.directory.path();
        let Node { name, .. } = &self.nodes[node_idx];
        let settings = home.join(format!("{name}.yml"));
        // Every JSON text is a YAML one.
        let text = json::to_text(&self.settings(node_idx));
        fs::write(&settings, text).expect("settings can be written");
        self.programs.give(&settings);
        let mut command = self.programs.any_command(&self.executable, home);
        command.arg(settings);
        let patroni = spawn(command, &home.join(format!("{name}.log")));
        self.nodes[node_idx].patroni = Some(patroni);
    }

    fn settings(&self, node_idx: usize) -> Value {
        let Node { name, port, api, .. } = &self.nodes[node_idx];
        let account = |name: &str| json!({ "username": name, "password": "unused" });
        json!({
            "scope": "flowker",
            "name": name,
            "restapi": { "listen": api.to_string(), "connect_address": api.to_string() },
            // By etcd's older interface: with the newer one, Patroni before 3.0.3 takes its lock back
            // from whoever has it when it was paused while renewing it (its pull request 2689).
            "etcd": { "host": format!("127.0.0.1:{}", self.etcd_port) },
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_S,
                    "loop_wait": 1,
                    "retry_timeout": 5,
                    "maximum_lag_on_failover": 1_048_576,
                    "synchronous_mode": true,
                    "synchronous_mode_strict": true,
                    "postgresql": { "use_pg_rewind": true },
                },
                "initdb": [{ "encoding": "UTF8" }, { "auth": "trust" }, "no-sync"],
            },
            "postgresql": {
                "listen": format!("127.0.0.1:{port}"),
                "connect_address": format!("127.0.0.1:{port}"),
                "data_dir": self.data(node_idx),
                "bin_dir": self.programs.directory(),
                "pgpass": self.directory.path().join(format!("{name}.pgpass")),
                "authentication": {
                    "superuser": account("postgres"),
                    "replication": account("replicator"),
                    "rewind": account("rewind"),
                },
                "pg_hba": [
                    "local all all trust",
                    "host all all 127.0.0.1/32 trust",
                    "host replication all 127.0.0.1/32 trust",
                ],
                "parameters": { "unix_socket_directories": self.directory.path() },
            },
        })
    }

    /// Ends a node that may be in any state.
    fn end(&mut self, node_idx: usize) {
        if let Some(mut patroni) = self.nodes[node_idx].patroni.take() {
            let _ = patroni.kill();
            let _ = patroni.wait();
        }
        if let Some(server) = postmaster(&self.data(node_idx)) {
            let _ = kill_process(server, Signal::KILL);
        }
    }

    fn data(&self, node_idx: usize) -> PathBuf {
        self.directory.path().join(&self.nodes[node_idx].name)
    }

    /// The first node whose Patroni says that it has this role.
    fn first_that_is(&self, role: &str) -> Option<usize> {
        let answers = |node: &Node| node.patroni.is_some() && !node.is_frozen;
        self.nodes.iter().position(|node| answers(node) && node.is(role))
    }
}

impl Node {
    fn is(&self, role: &str) -> bool {
        let answer = http::exchange(self.api, &Request::get(role).to_bytes(self.api));
        answer.is_ok_and(|it| it.status == 200)
    }
}

impl Drop for Patroni {
    fn drop(&mut self) {
        for idx in 0..self.nodes.len() {
            if self.nodes[idx].patroni.is_some() {
                self.end(idx);
            }
            if thread::panicking() {
                let Node { name, .. } = &self.nodes[idx];
                show_end_of(&self.directory.path().join(format!("{name}.log")));
            }
        }
        let _ = self.etcd.kill();
        let _ = self.etcd.wait();
    }
}

fn start_etcd(programs: &Programs, etcd: &Path, home: &Path) -> (Child, u16) {
    let port = free_port();
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let (clients, peers) = (url(port), url(free_port()));
    let mut command = programs.any_command(etcd, home);
    command.args(["--name", "etcd", "--data-dir", "etcd", "--unsafe-no-fsync", "--enable-v2"]);
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", &format!("etcd={peers}")]);
    (spawn(command, &home.join("etcd.log")), port)
}

fn spawn(mut command: Command, log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).expect("a log can be made");
    let also = log.try_clone().expect("a log can be written twice");
    command.stdin(Stdio::null()).stdout(log).stderr(also);
    command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

/// The first process of the server that works on these data, from the file that it keeps there.
fn postmaster(data: &Path) -> Option<Pid> {
    let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    Pid::from_raw(file.lines().next()?.trim().parse().ok()?)
}

/// The processes that another one has started, as Linux tells.
fn children(parent: Pid) -> Vec<Pid> {
    let id = parent.as_raw_nonzero();
    let file = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    file.split_whitespace().filter_map(|it| Pid::from_raw(it.parse().ok()?)).collect()
}

fn show_end_of(log: &Path) {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
    eprintln!("--- end of {}\n{}", log.display(), end.join("\n"));
}

fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|it| it.join(name)).find(|it| it.is_file())
}
