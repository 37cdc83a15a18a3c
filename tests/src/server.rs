//! The server under test: the real executable, in a directory and with an environment of its own.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::flow::Flow;
use crate::http::{self, Answer, Request};
use crate::stub::Stub;
use crate::wait::{PATIENCE, until, until_within};

/// Names the executable under test. `cargo xtask test` sets it.
pub const BINARY: &str = "FLOWKER_BIN";

/// The API key that servers are started with, unless a test says otherwise.
pub const API_KEY: &str = "black-box-key";

/// What the line starts with that says where a server is ready.
const READY: &str = "flowker is ready on http://";

/// Where a server lives: a directory that goes with it, and the settings it is started with.
///
/// It outlives the process, so that a server can be killed and started again.
#[derive(Debug)]
pub struct Home {
    directory: TempDir,
    settings: BTreeMap<String, String>,
}

impl Home {
    /// A fresh directory, and the settings that suit a test: any free port, one API key, calls to
    /// this machine allowed, no pause before a stop.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let settings = [
            ("SERVER_ADDRESS", "127.0.0.1:0"),
            ("DATABASE_URL", "sqlite:flowker.db"),
            ("API_KEY", API_KEY),
            ("SSRF_ALLOW_PRIVATE", "true"),
            ("LOG_LEVEL", "info"),
            ("DRAIN_GRACE", "0s"),
            ("RUST_BACKTRACE", "1"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { directory, settings: settings.into() }
    }

    /// Changes a setting.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Leaves a setting at its default.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.settings.remove(name);
        self
    }

    /// The directory that commands run in.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Starts a server and waits until it is ready.
    #[track_caller]
    pub fn start(self) -> Server {
        self.start_as("serve")
    }

    /// Starts a command that serves, and waits until it is ready.
    #[track_caller]
    pub fn start_as(self, command: &str) -> Server {
        let mut process = Process::spawn(self.command(&[command]));
        let address = process.wait_until_ready();
        Server { process, address, home: self }
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Finished {
        self.run_within(PATIENCE, args)
    }

    /// Runs a command that may take long to its end.
    #[track_caller]
    pub fn run_within(&self, patience: Duration, args: &[&str]) -> Finished {
        Process::spawn(self.command(args)).finish_within(patience)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).current_dir(self.path()).env_clear().envs(&self.settings);
        command
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// A running server that has said that it is ready. Killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    // Before `home`: the process ends before its directory goes.
    process: Process,
    address: SocketAddr,
    home: Home,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// All it printed.
    pub stdout: String,
    /// All it logged.
    pub stderr: String,
}

impl Finished {
    /// All that a person saw.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl Server {
    /// Starts a server in a home of its own.
    #[track_caller]
    pub fn start() -> Self {
        Home::new().start()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it lives.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// All that it printed and logged so far.
    pub fn output(&self) -> String {
        format!("{}{}", self.process.stdout.text(), self.process.stderr.text())
    }

    /// Sends a request and reads the answer.
    #[track_caller]
    pub fn send(&self, request: Request) -> Answer {
        self.try_send(request).unwrap_or_else(|error| panic!("the server did not answer: {error}"))
    }

    /// Sends a request to a server that may be killed meanwhile.
    ///
    /// # Errors
    ///
    /// If no whole answer came.
    pub fn try_send(&self, request: Request) -> io::Result<Answer> {
        self.client().send(request)
    }

    /// What sends requests to this server and can be given to another thread.
    pub fn client(&self) -> Client {
        let api_key = self.home.settings.get("API_KEY").cloned().unwrap_or_default();
        Client { address: self.address, api_key }
    }

    /// Fails the test unless the server still answers and has not panicked.
    #[track_caller]
    pub fn expect_sound(&self) {
        let _ = self.send(Request::get("/health").anonymous()).expect(200);
        let stderr = self.process.stderr.text();
        assert!(!stderr.contains("panicked at"), "the server panicked:\n{stderr}");
    }

    /// Makes a provider configuration that calls a stub, and returns its id.
    #[track_caller]
    pub fn provider(&self, stub: &Stub) -> String {
        self.provider_named(stub, &format!("stub {}", stub.address().port()))
    }

    /// Makes one more provider configuration that calls a stub, and returns its id.
    #[track_caller]
    pub fn provider_named(&self, stub: &Stub, name: &str) -> String {
        let body = json!({
            "name": name,
            "providerId": "http",
            "config": { "base_url": stub.url() },
        });
        let created = self.send(Request::post("/v1/provider-configurations").json(&body));
        created.expect(201).text("id")
    }

    /// Makes a workflow and returns its id.
    #[track_caller]
    pub fn create(&self, flow: &Flow) -> String {
        let created = self.send(Request::post("/v1/workflows").json(&flow.to_json()));
        created.expect(201).text("workflowId")
    }

    /// Asks for a workflow's activation.
    #[track_caller]
    pub fn activate(&self, workflow_id: &str) -> Answer {
        self.send(Request::post(&format!("/v1/workflows/{workflow_id}/activate")))
    }

    /// Makes a workflow, activates it and returns its id.
    #[track_caller]
    pub fn deploy(&self, flow: &Flow) -> String {
        let workflow_id = self.create(flow);
        let _ = self.activate(&workflow_id).expect(200);
        workflow_id
    }

    /// Where an execution stands.
    #[track_caller]
    pub fn status(&self, execution_id: &str) -> Value {
        let path = format!("/v1/executions/{execution_id}");
        self.send(Request::get(&path)).expect(200).json()
    }

    /// Waits for an execution's end and returns where it stands then.
    #[track_caller]
    pub fn wait_for_end(&self, execution_id: &str) -> Value {
        until(&format!("execution {execution_id} has ended"), || {
            let status = self.status(execution_id);
            let is_terminal =
                matches!(status["status"].as_str(), Some("completed" | "failed" | "cancelled"));
            is_terminal.then_some(status)
        })
    }

    /// The results of an execution that has ended.
    #[track_caller]
    pub fn results(&self, execution_id: &str) -> Value {
        let path = format!("/v1/executions/{execution_id}/results");
        self.send(Request::get(&path)).expect(200).json()
    }

    /// Waits for an execution to complete and returns its results.
    #[track_caller]
    pub fn complete(&self, execution_id: &str) -> Value {
        let status = self.wait_for_end(execution_id);
        assert_eq!(status["status"], "completed", "{status}");
        self.results(execution_id)
    }

    /// `kill -9`: what is not on disk now is lost.
    pub fn kill(mut self) -> Home {
        self.process.signal(Signal::KILL);
        self.process.wait_for_exit(PATIENCE);
        self.home
    }

    /// Stops all its threads where they are, and returns when they stand still.
    #[track_caller]
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
        let id = Pid::from_child(&self.process.child);
        let stopped = waitpid(Some(id), WaitOptions::UNTRACED);
        let (_, status) = stopped.expect("it is a child of ours").expect("a wait waits");
        assert!(status.stopped(), "the server ended instead: {status:?}");
    }

    /// Lets it go on as if nothing had been.
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Sends a signal and goes on.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until the process has ended by itself.
    #[track_caller]
    pub fn finish(self) -> (Finished, Home) {
        (self.process.finish(), self.home)
    }
}

/// Sends requests to one server, with its API key.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    api_key: String,
}

impl Client {
    /// Sends a request and reads the answer.
    ///
    /// # Errors
    ///
    /// If no whole answer came.
    pub fn send(&self, request: Request) -> io::Result<Answer> {
        let request = request.signed(&self.api_key);
        let answer = http::exchange(self.address, &request.to_bytes(self.address))?;
        request.check_described(&answer);
        Ok(answer)
    }
}

/// A child process whose output is collected. Killed when it is dropped.
#[derive(Debug)]
struct Process {
    child: Child,
    lines: Receiver<String>,
    stdout: Collected,
    stderr: Collected,
}

impl Process {
    #[track_caller]
    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{command:?} does not start ({error}); build it with `cargo xtask test`")
        });
        let (send_line, lines) = mpsc::channel();
        let stdout = Collected::from(child.stdout.take(), move |line| {
            // Nobody listens any more once the server is ready.
            let _ = send_line.send(line.to_owned());
        });
        let stderr = Collected::from(child.stderr.take(), |_| {});
        Self { child, lines, stdout, stderr }
    }

    #[track_caller]
    fn wait_until_ready(&mut self) -> SocketAddr {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    if let Some(address) = line.strip_prefix(READY) {
                        return address.parse().expect("the ready line ends in an address");
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the server was not ready after {PATIENCE:?}")
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.wait_for_exit(PATIENCE);
                    panic!("the server ended before it was ready: {status}")
                }
            }
        }
    }

    fn signal(&self, signal: Signal) {
        // An error means that the process is gone, and whoever cares waits for its end.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    #[track_caller]
    fn wait_for_exit(&mut self, patience: Duration) -> ExitStatus {
        until_within(patience, "the process has ended", || {
            self.child.try_wait().expect("a child that nobody else waits for can be waited for")
        })
    }

    #[track_caller]
    fn finish(self) -> Finished {
        self.finish_within(PATIENCE)
    }

    #[track_caller]
    fn finish_within(mut self, patience: Duration) -> Finished {
        let status = self.wait_for_exit(patience);
        self.stdout.wait_for_end();
        self.stderr.wait_for_end();
        Finished { code: status.code(), stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- stdout of the server\n{}", self.stdout.text());
            eprintln!("--- stderr of the server\n{}", self.stderr.text());
        }
    }
}

/// Everything that came through a pipe, read by a thread so that the writer never blocks.
#[derive(Debug)]
struct Collected {
    text: Arc<Mutex<String>>,
    end: Receiver<()>,
}

impl Collected {
    fn from(
        pipe: Option<impl Read + Send + 'static>,
        mut each_line: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        let pipe = pipe.expect("the command was given a pipe");
        let text = Arc::new(Mutex::new(String::new()));
        let writer = Arc::clone(&text);
        let (reached_end, end) = mpsc::channel();
        thread::spawn(move || {
            // Dropped at the end of the pipe, which whoever waits for it notices.
            let _reached_end = reached_end;
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut text = writer.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&line);
                text.push('\n');
                drop(text);
                each_line(&line);
            }
        });
        Self { text, end }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wait_for_end(&self) {
        let _ = self.end.recv_timeout(PATIENCE);
    }
}

/// The executable under test: the one that is named, else the one beside the tests.
fn binary() -> PathBuf {
    if let Some(path) = env::var_os(BINARY) {
        return path.into();
    }
    let tests = env::current_exe().expect("a test knows where its own executable is");
    // target/debug/deps/black_box-… → target/debug/flowker
    let built = tests.parent().and_then(Path::parent).map(|path| path.join("flowker"));
    built.filter(|path| path.is_file()).unwrap_or_else(|| {
        panic!("no executable to test: run `cargo xtask test`, or let {BINARY} name one")
    })
}
