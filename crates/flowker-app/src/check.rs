//! `flowker check FILE`: what an activation would say about a workflow.

use std::path::Path;
use std::process::ExitCode;

use flowker_core::json;
use flowker_core::refusal::Fault;
use flowker_core::service::check_document;

use crate::wire;

/// Prints every mistake with its place; the exit code says whether there is one.
pub fn check(path: &Path) -> ExitCode {
    match mistakes(path) {
        Ok(mistakes) if mistakes.is_empty() => {
            println!("{}: ready to be activated", path.display());
            ExitCode::SUCCESS
        }
        Ok(mistakes) => {
            for mistake in &mistakes {
                eprintln!("{}: {mistake}", path.display());
            }
            eprintln!("flowker: {} to correct before it can be activated", counted(mistakes.len()));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("flowker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn mistakes(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read(path)
        .map_err(|error| anyhow::anyhow!("{} cannot be read: {error}", path.display()))?;
    let document = match json::parse(&text) {
        Ok(document) => document,
        Err(error) => return Ok(vec![Fault::new(error.path.clone(), &error).to_string()]),
    };
    let catalog = wire::catalog_for_checks()?;
    let violations = check_document(document, &catalog);
    Ok(violations.iter().map(|it| format!("{} ({})", it.fault, it.code)).collect())
}

fn counted(mistakes: usize) -> String {
    if mistakes == 1 { "1 mistake".to_owned() } else { format!("{mistakes} mistakes") }
}
