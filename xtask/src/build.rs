//! Builds what the other commands run.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::run::{cargo, root, run};

/// What cargo knows of this workspace. Fails if `Cargo.lock` is not up to date.
pub fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .current_dir(root())
        .other_options(["--locked".to_owned()])
        .exec()
        .context("`cargo metadata --locked` failed; if Cargo.lock is stale, run `cargo check`")
}

/// Executables that were built for tests.
#[derive(Debug)]
pub struct Built {
    /// The one under test.
    pub flowker: PathBuf,
    /// The crash test as a command.
    pub crash: PathBuf,
    /// The failover test as a command.
    pub failover: PathBuf,
    /// The test with a real issuer as a command.
    pub oidc: PathBuf,
    /// The test against a service that speaks like S3, as a command.
    pub s3: PathBuf,
}

/// Builds all tests and the executable that they start.
///
/// One build for both, in the dev profile: the same features and the same settings, so that nothing
/// is compiled twice.
pub fn tests() -> Result<Built> {
    run(
        cargo(&["build", "--workspace", "--all-targets", "--locked"]),
        "Fix what does not compile.",
    )?;
    let debug = metadata()?.target_directory.join("debug");
    Ok(Built {
        flowker: debug.join("flowker").into(),
        crash: debug.join("flowker-crash").into(),
        failover: debug.join("flowker-failover").into(),
        oidc: debug.join("flowker-oidc").into(),
        s3: debug.join("flowker-s3").into(),
    })
}

/// Builds the executable that is shipped, and returns where it is.
pub fn release() -> Result<PathBuf> {
    let build = cargo(&["build", "--release", "--package", "flowker-app", "--locked"]);
    run(build, "Fix what does not compile.")?;
    Ok(metadata()?.target_directory.join("release/flowker").into())
}

/// Builds the growth benchmark, and returns where it is.
pub fn release_growth() -> Result<PathBuf> {
    let build = ["build", "--release", "--package", "flowker-tests", "--bin", "flowker-growth"];
    run(cargo(&[&build[..], &["--locked"]].concat()), "Fix what does not compile.")?;
    Ok(metadata()?.target_directory.join("release/flowker-growth").into())
}
