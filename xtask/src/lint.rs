//! `cargo xtask lint`: what a tool can check, a person need not.

mod layers;
mod links;
mod tidy;

use anyhow::{Result, bail};

use crate::build;
use crate::run::{cargo, has_cargo_command, run};

/// Runs all checks, the quick ones first.
pub fn run_all() -> Result<()> {
    run(cargo(&["fmt", "--all", "--check"]), "Run `cargo fmt --all`.")?;
    check_repository()?;
    check_dependencies()?;
    let clippy =
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    run(clippy, "Each warning says what to write instead.")
}

fn check_repository() -> Result<()> {
    eprintln!("\nxtask: checking layers, files and links");
    let mut faults = layers::check(&build::metadata()?);
    let files = tidy::files()?;
    faults.extend(tidy::check_all(&files));
    faults.extend(links::check_all(&files));
    if !faults.is_empty() {
        let n_faults = faults.len();
        bail!("{n_faults} faults:\n  {}", faults.join("\n  "));
    }
    Ok(())
}

fn check_dependencies() -> Result<()> {
    if !has_cargo_command("deny") {
        eprintln!(
            "\nxtask: cargo-deny is not installed, so licences, bans and sources are not checked \
             (cargo install --locked cargo-deny)"
        );
        return Ok(());
    }
    let deny = cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]);
    run(deny, "deny.toml says what is allowed, and why.")
}
