//! `cargo xtask s3`: puts objects into a bucket of moto, a service that speaks like S3.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::build;
use crate::run::run;

/// Names the address of a service that is running already, to be used instead of moto.
const GIVEN: &str = "FLOWKER_TEST_S3_ADDRESS";

/// Runs the test, against the service that is given or one that is started for it.
pub fn run_s3() -> Result<()> {
    let moto = match env::var(GIVEN) {
        Ok(address) => Service { address, process: None },
        Err(_) => Service::start(&install()?)?,
    };
    let built = build::tests()?;
    let mut test = Command::new(built.s3);
    test.arg(&moto.address).env("FLOWKER_BIN", built.flowker);
    run(test, "The message above says what was not as it should be.")
}

/// A service that speaks like S3, ended when this is dropped.
struct Service {
    address: String,
    process: Option<Child>,
}

impl Service {
    fn start(program: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", "0"]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = spawned.spawn().context("moto_server cannot be started")?;
        let complaints = process.stderr.take().map(BufReader::new);
        let mut service = Self { address: String::new(), process: Some(process) };
        let lines = complaints.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
        // It goes on to write a line for each request, which must not fill the pipe.
        let mut lines = lines.skip_while(|line| !line.contains("Running on http://"));
        let Some(line) = lines.next() else { bail!("moto_server ended before it listened") };
        let (_, address) = line.split_once("http://").context("moto_server tells its address")?;
        address.trim().clone_into(&mut service.address);
        std::thread::spawn(move || lines.for_each(drop));
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It may have ended by itself; either way nothing of it is left.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Installs moto into an environment of its own in the target directory, unless it is there; the
/// path of its server.
fn install() -> Result<PathBuf> {
    let environment = PathBuf::from(build::metadata()?.target_directory.join("moto"));
    let program = environment.join("bin/moto_server");
    if program.exists() {
        return Ok(program);
    }
    let cannot = "The test cannot run without moto: install Python 3 with venv, let pip reach PyPI, \
                  or name a service that speaks like S3 in FLOWKER_TEST_S3_ADDRESS.";
    let mut make = Command::new("python3");
    make.args([OsStr::new("-m"), OsStr::new("venv"), environment.as_os_str()]);
    run(make, cannot)?;
    let mut install = Command::new(environment.join("bin/pip"));
    install.args(["install", "--quiet", "moto[server]"]);
    run(install, cannot)?;
    Ok(program)
}
