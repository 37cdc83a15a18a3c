//! `cargo xtask openapi`: the description of the API, as the reference has it.

use std::fs;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::run::{cargo, read, root};

const KEPT: &str = "docs/reference/openapi.json";

/// What to do with the description.
#[derive(Clone, Copy, Debug, Args)]
pub struct Options {
    /// Change nothing; fail if the file is not what the service describes.
    #[arg(long)]
    pub check: bool,
}

/// Writes the description that the service prints, or compares the file with it.
pub fn run_openapi(options: Options) -> Result<()> {
    eprintln!("\nxtask: asking the service for its description");
    let service =
        cargo(&["run", "--quiet", "--package", "flowker-app", "--locked", "--", "openapi"]);
    let described = read(service)?;
    let path = root().join(KEPT);
    if options.check {
        let kept = fs::read_to_string(&path).unwrap_or_default();
        ensure!(
            kept == described,
            "{KEPT} is stale: run `cargo xtask openapi` and look at the difference"
        );
        return Ok(());
    }
    fs::write(&path, described).with_context(|| format!("{} cannot be written", path.display()))?;
    eprintln!("xtask: wrote {KEPT}");
    Ok(())
}
