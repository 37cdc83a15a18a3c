//! `cargo xtask bench`: measures the release build, and says whether it keeps its bounds.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::build;
use crate::crash::Database;
use crate::db::TestServer;
use crate::run::{root, run};

/// What can be measured.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Bench {
    /// Time from start to ready, idle memory, and the size of the executable.
    Smoke,
    /// Acceptance and lists with many finished executions, against an empty store beside it.
    Growth {
        /// Where the two servers keep everything.
        #[arg(long, value_enum, default_value_t = Database::Sqlite)]
        database: Database,
        /// How many finished executions there are.
        #[arg(long, default_value_t = 1_000_000)]
        executions: usize,
    },
}

/// How often the server is started; the median counts.
const STARTS: usize = 9;

/// How long a server does nothing before its memory counts as idle.
const IDLE: Duration = Duration::from_secs(2);

const START_MS_MAX: f64 = 200.0;
const IDLE_MB_MAX: f64 = 30.0;
const SIZE_MB_MAX: f64 = 25.0;

/// A number and its bound.
struct Measured {
    name: &'static str,
    value: f64,
    unit: &'static str,
    max: f64,
}

impl Measured {
    fn is_kept(&self) -> bool {
        self.value <= self.max
    }
}

/// Runs a benchmark.
pub fn run_bench(bench: Bench) -> Result<()> {
    match bench {
        Bench::Smoke => smoke(),
        Bench::Growth { database, executions } => growth(database, executions),
    }
}

fn growth(database: Database, executions: usize) -> Result<()> {
    let server = database.server()?;
    let (flowker, growth) = (build::release()?, build::release_growth()?);
    let mut bench = Command::new(growth);
    bench.arg(database.name()).arg(executions.to_string()).env("FLOWKER_BIN", flowker);
    bench.envs(server.iter().filter_map(TestServer::environment));
    run(bench, "The message above says what went wrong.")
}

fn smoke() -> Result<()> {
    let binary = build::release()?;
    let directory = tempfile::tempdir().context("a temporary directory cannot be made")?;
    let mut fresh = Vec::new();
    let mut again = Vec::new();
    let mut idle = Vec::new();
    for start in 0..STARTS {
        let home = directory.path().join(start.to_string());
        fs::create_dir(&home)?;
        fresh.push(Server::start(&binary, &home)?.started_in);
        let server = Server::start(&binary, &home)?;
        again.push(server.started_in);
        if start < 3 {
            thread::sleep(IDLE);
            idle.push(resident_bytes(server.child.id())?);
        }
    }
    let size = fs::metadata(&binary)?.len();
    let millis = |times: Vec<Duration>| median(times).as_secs_f64() * 1_000.0;
    let row = |name, value, unit, max| Measured { name, value, unit, max };
    report(&[
        row("start to ready, no database yet", millis(fresh), "ms", START_MS_MAX),
        row("start to ready, with a database", millis(again), "ms", START_MS_MAX),
        row("idle resident memory", megabytes(median(idle)), "MB", IDLE_MB_MAX),
        row("size of the executable", megabytes(size), "MB", SIZE_MB_MAX),
    ])
}

/// Megabytes of a million bytes, exact to a thousand bytes.
fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1_000).unwrap_or(u32::MAX)) / 1_000.0
}

/// Prints the numbers, stores them, and fails if a bound is broken.
fn report(rows: &[Measured]) -> Result<()> {
    println!();
    for row in rows {
        let verdict = if row.is_kept() { "ok" } else { "TOO MUCH" };
        let Measured { name, value, unit, max } = row;
        println!("{name:<34} {value:>8.1} {unit}   at most {max:>5.0} {unit}   {verdict}");
    }
    let directory = build::metadata()?.target_directory.join("bench");
    fs::create_dir_all(&directory)?;
    let path = directory.join("smoke.json");
    let text = serde_json::to_string_pretty(&record(rows)).context("numbers can be written")?;
    fs::write(&path, text)?;
    println!("\nstored in {path}");
    let broken: Vec<_> = rows.iter().filter(|row| !row.is_kept()).map(|row| row.name).collect();
    if !broken.is_empty() {
        bail!(
            "over the bound: {}. Find out which change did it before moving the bound.",
            broken.join(", ")
        );
    }
    Ok(())
}

fn record(rows: &[Measured]) -> Value {
    let numbers: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "name": row.name, "value": row.value, "unit": row.unit,
                "max": row.max, "kept": row.is_kept(),
            })
        })
        .collect();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    json!({ "bench": "smoke", "commit": commit(), "cpu": cpu(), "cores": cores, "numbers": numbers })
}

fn median<T: Ord>(mut values: Vec<T>) -> T {
    values.sort();
    values.swap_remove(values.len() / 2)
}

/// A started server that is ready. Killed when it is dropped.
struct Server {
    child: Child,
    started_in: Duration,
}

impl Server {
    fn start(binary: &Path, home: &Path) -> Result<Self> {
        let log = fs::File::create(home.join("stderr.log"))?;
        let mut command = Command::new(binary);
        command.arg("serve").current_dir(home).env_clear().env("SERVER_ADDRESS", "127.0.0.1:0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let begin = now();
        let mut child = command.spawn().with_context(|| format!("{} starts", binary.display()))?;
        let stdout = child.stdout.take().context("the child was given a pipe")?;
        // From here on it is killed, whatever happens.
        let mut server = Self { child, started_in: Duration::ZERO };
        let mut lines = BufReader::new(stdout).lines();
        if !lines.any(|line| line.is_ok_and(|line| line.starts_with("flowker is ready"))) {
            let mut text = String::new();
            fs::File::open(home.join("stderr.log"))?.read_to_string(&mut text)?;
            bail!("the server ended before it was ready:\n{text}");
        }
        server.started_in = begin.elapsed();
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures the real time")]
fn now() -> Instant {
    Instant::now()
}

/// Reads `VmRSS` of a process, which Linux gives in KiB.
fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(1_024 * kib.context("/proc tells no VmRSS: this benchmark needs Linux")?)
}

fn commit() -> Option<String> {
    let mut git = Command::new("git");
    let output = git.args(["describe", "--always", "--dirty"]).current_dir(root()).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split(':').nth(1)?.trim().to_owned())
}
