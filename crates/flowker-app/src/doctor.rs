//! `flowker doctor`: looks at everything that a start needs, changes nothing, says what to do.

mod database;

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;

use flowker_providers::native_roots;
use tokio::net::TcpListener;

use crate::config::{Config, Database};

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Good,
    /// It works, and somebody should know.
    Attention,
    /// A start would fail, or lose what it should keep.
    Fault,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    health: Health,
    /// What it is.
    what: String,
    /// What to do about it, unless all is well.
    remedy: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>) -> Self {
        Self { health: Health::Good, what: what.into(), remedy: None }
    }

    fn attention(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { health: Health::Attention, what: what.into(), remedy: Some(remedy.into()) }
    }

    fn fault(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { health: Health::Fault, what: what.into(), remedy: Some(remedy.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.health {
            Health::Good => "ok     ",
            Health::Attention => "notice ",
            Health::Fault => "FAULT  ",
        };
        write!(f, "{word} {}", self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n         → {remedy}"),
            None => Ok(()),
        }
    }
}

/// Looks at the configuration, then at what it names. The exit code says whether a start would do.
pub fn doctor(values: &BTreeMap<&'static str, String>) -> ExitCode {
    let config = match Config::read(values) {
        Ok(config) => config,
        Err(mistakes) => {
            for mistake in mistakes {
                let remedy = format!("expected {}", mistake.expected);
                let what = format!("{}={:?} is not valid", mistake.name, mistake.value);
                println!("{}", Finding::fault(what, remedy));
            }
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("flowker: {error}");
            return ExitCode::FAILURE;
        }
    };
    let has_fault = runtime.block_on(look(&config));
    // A name that does not resolve holds up nobody.
    runtime.shutdown_background();
    if has_fault { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints every finding as it is made; whether one is a fault.
async fn look(config: &Config) -> bool {
    let mut has_fault = false;
    let mut report = |findings: Vec<Finding>| {
        for finding in findings {
            has_fault |= finding.health == Health::Fault;
            println!("{finding}");
        }
    };
    report(settings(config));
    report(vec![address(config).await]);
    report(vec![authorities()]);
    report(match &config.database {
        Database::Sqlite(path) => database::sqlite(path),
        Database::Postgres(url) => database::postgres(url, config).await,
    });
    has_fault
}

fn settings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::good("configuration: every setting is valid")];
    let others_decide = config.access_manager.is_some() || config.tokens.is_some();
    if config.api_keys.is_none() && !others_decide {
        findings.push(Finding::attention(
            "API_KEY_ENABLED is false: everybody who can connect may do everything",
            "leave it at true unless something in front asks for credentials",
        ));
    }
    if config.injects_faults {
        findings.push(Finding::attention(
            "FAULT_INJECTION_ENABLED is true: every caller can make requests fail",
            "leave it out, unless all callers are tests",
        ));
    }
    if config.secrets_key.is_none() {
        findings.push(Finding::attention(
            "SECRETS_KEY is not set: credentials of providers are stored in the clear",
            "set it to the output of: openssl rand -base64 32 (the same for all processes)",
        ));
    }
    findings
}

async fn address(config: &Config) -> Finding {
    let address = config.server_address;
    match TcpListener::bind(address).await {
        Ok(_) => Finding::good(format!("address: {address} is free")),
        Err(error) => Finding::attention(
            format!("address: {address} cannot be listened on now ({error})"),
            "all is well if that is this service; else choose another SERVER_ADDRESS",
        ),
    }
}

fn authorities() -> Finding {
    let (roots, n_unusable) = native_roots();
    if roots.is_empty() {
        return Finding::attention(
            "certificates: the system has no usable root certificates",
            "install the package ca-certificates, or no https call of a workflow will succeed",
        );
    }
    let unusable = match n_unusable {
        0 => String::new(),
        n => format!(", {n} more are unusable"),
    };
    Finding::good(format!("certificates: {} root certificates{unusable}", roots.len()))
}
