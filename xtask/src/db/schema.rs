//! `cargo xtask db schema`: what all migrations of the Postgres store lead to, kept in the reference
//! so that every change of it shows in a review.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::binaries;
use super::throw_away::ThrowAway;
use crate::run::{read, root};

const MIGRATIONS: &str = "crates/flowker-postgres/migrations";
const REFERENCE: &str = "docs/reference/schema-postgres.sql";

const HEAD: &str = "-- What all migrations of the Postgres store lead to. Generated: type\n\
                    -- `cargo xtask db schema` to write it anew.\n";

/// Statements of `pg_dump` that say how to restore, not what there is.
const SESSION: [&str; 4] =
    ["SET ", "SELECT pg_catalog.set_config(", "\\restrict ", "\\unrestrict "];

/// What `pg_dump` says of itself, and titles that repeat the statement below them.
const REMARKS: [&str; 4] =
    ["-- PostgreSQL database dump", "-- Dumped from ", "-- Dumped by ", "-- Name: "];

/// Writes the file.
pub fn write() -> Result<()> {
    fs::write(root().join(REFERENCE), current()?)?;
    eprintln!("xtask: wrote {REFERENCE}");
    Ok(())
}

/// Compares the file.
pub fn check() -> Result<()> {
    let committed = fs::read_to_string(root().join(REFERENCE)).unwrap_or_default();
    ensure!(
        current()? == committed,
        "{REFERENCE} is out of date: type `cargo xtask db schema`, and read what changed"
    );
    eprintln!("xtask: {REFERENCE} is up to date");
    Ok(())
}

fn current() -> Result<String> {
    let migrations = migrations(&root().join(MIGRATIONS))?;
    let server = ThrowAway::start(binaries::obtain()?)?;
    let url = server.url("flowker");
    server.cluster.ask(&server.url("postgres"), "create database flowker")?;
    for migration in migrations {
        let mut psql = server.cluster.binaries.command("psql");
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]);
        psql.arg("--dbname").arg(&url).arg("--file").arg(migration);
        read(psql).context("a migration cannot be applied")?;
    }
    let mut dump = server.cluster.binaries.command("pg_dump");
    dump.args(["--schema-only", "--no-owner", "--no-privileges", "--dbname", &url]);
    Ok(format!("{HEAD}{}", normal(&read(dump)?)))
}

/// The files in the order in which they are applied.
fn migrations(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)
        .with_context(|| format!("there are no migrations in {}", directory.display()))?;
    let mut numbered = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(number) = number_of(&name) else {
            bail!("{name} is no migration: name it like V12__what_it_does.sql");
        };
        numbered.push((number, entry.path()));
    }
    numbered.sort();
    Ok(numbered.into_iter().map(|(_, path)| path).collect())
}

fn number_of(name: &str) -> Option<u32> {
    let (number, _) = name.strip_prefix('V')?.strip_suffix(".sql")?.split_once("__")?;
    number.parse().ok()
}

/// A dump without what depends on the version of `pg_dump` or says nothing about the schema. Each
/// group of lines is preceded by an empty one.
fn normal(dump: &str) -> String {
    let mut text = String::new();
    let mut is_after_gap = true;
    for line in dump.lines().filter(|line| !is_noise(line)) {
        if line.is_empty() {
            is_after_gap = true;
            continue;
        }
        if is_after_gap {
            text.push('\n');
        }
        is_after_gap = false;
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn is_noise(line: &str) -> bool {
    let starts = |with: &[&str]| with.iter().any(|it| line.starts_with(it));
    line == "--" || starts(&SESSION) || starts(&REMARKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_go_by_number() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["V10__c.sql", "V2__b.sql", "V1__a.sql"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let expected = ["V1__a.sql", "V2__b.sql", "V10__c.sql"];
        let found = migrations(directory.path()).unwrap();
        assert_eq!(found, expected.map(|name| directory.path().join(name)));

        fs::write(directory.path().join("V3_d.sql"), "").unwrap();
        let error = migrations(directory.path()).unwrap_err();
        assert!(error.to_string().contains("V3_d.sql"), "{error}");
    }

    #[test]
    fn only_the_schema_is_left_of_a_dump() {
        let dump = "\
--
-- PostgreSQL database dump
--

\\restrict Hq2aGx

-- Dumped from database version 15.13 (Debian 15.13-0+deb12u1)
-- Dumped by pg_dump version 15.13

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

SET default_table_access_method = heap;

--
-- Name: keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.keys (
    key text NOT NULL
);


--
-- Name: keys keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (key);


--
-- PostgreSQL database dump complete
--

\\unrestrict Hq2aGx
";
        let expected = "
CREATE TABLE public.keys (
    key text NOT NULL
);

ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (key);
";
        assert_eq!(normal(dump), expected);
    }
}
