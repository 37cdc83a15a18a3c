//! `cargo xtask oidc`: tokens of a real issuer, whose keys change under way.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::build;
use crate::run::run;

/// Known to work with the node that Debian has.
const ISSUER: &str = "oidc-provider@8.8.1";

/// Installs the issuer, and runs the test with it.
pub fn run_oidc() -> Result<()> {
    for program in ["node", "npm"] {
        if !is_there(program) {
            eprintln!("\nxtask: {program} is not installed, so nothing was checked");
            return Ok(());
        }
    }
    let directory = build::metadata()?.target_directory.join("oidc");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {directory}"))?;
    let mut install = Command::new("npm");
    install.args(["install", "--no-audit", "--no-fund", "--loglevel", "error", ISSUER]);
    install.arg("--prefix").arg(&directory);
    run(install, "Is the registry of npm within reach?")?;
    let built = build::tests()?;
    let mut oidc = Command::new(built.oidc);
    oidc.arg(&directory).env("FLOWKER_BIN", built.flowker);
    run(oidc, "Tokens of a real issuer are not treated as they should be: see above.")
}

fn is_there(program: &str) -> bool {
    let mut probe = Command::new(program);
    probe.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}
