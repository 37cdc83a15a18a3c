//! Finds the programs of Postgres on this machine.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::install;
use crate::run::read;

/// The oldest major version that is tested.
pub const MAJOR_MIN: u32 = 14;

/// What must be together in one directory. Debian puts a psql into PATH and the rest elsewhere.
const PROGRAMS: [&str; 5] = ["initdb", "pg_ctl", "pg_dump", "postgres", "psql"];

/// Where packages put them outside of PATH: `<0>/<1>*/bin`.
const USUAL_PLACES: [(&str, &str); 5] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
    ("/Applications/Postgres.app/Contents/Versions", ""),
];

/// The programs of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    /// The major version.
    pub major: u32,
}

impl Binaries {
    /// Where a program of them is.
    pub fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }

    /// One of them, to run as ourselves.
    pub fn command(&self, program: &str) -> Command {
        Command::new(self.path(program))
    }
}

/// The best that are installed; where there are none, they are installed first.
pub fn obtain() -> Result<Binaries> {
    if let Some(found) = best(installed()) {
        return Ok(found);
    }
    install::install()?;
    best(installed()).with_context(|| {
        format!("what was installed is no Postgres {MAJOR_MIN} or newer. {}", install::BY_HAND)
    })
}

/// Those of a version that a cluster was made with.
pub fn of_major(major: u32) -> Option<Binaries> {
    installed().into_iter().find(|it| it.major == major)
}

/// Any psql: it speaks to newer and older servers alike.
pub fn psql() -> Option<Command> {
    let found = best(installed()).map(|it| it.path("psql"));
    found.or_else(|| in_path("psql")).map(Command::new)
}

/// Where PATH has a program.
pub fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|directory| directory.join(program)).find(|it| it.is_file())
}

/// All that are installed, the preferred ones first: what PATH says is a choice of the user, and
/// elsewhere newer is better.
fn installed() -> Vec<Binaries> {
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).filter_map(|directory| probe(&directory)).collect();
    let places = USUAL_PLACES.iter().flat_map(|(parent, prefix)| expand(parent.as_ref(), prefix));
    let elsewhere = places.filter_map(|directory| probe(&directory)).collect();
    in_order(in_path, elsewhere)
}

fn in_order(in_path: Vec<Binaries>, mut elsewhere: Vec<Binaries>) -> Vec<Binaries> {
    elsewhere.sort_by_key(|it| Reverse(it.major));
    [in_path, elsewhere].concat()
}

fn best(installed: Vec<Binaries>) -> Option<Binaries> {
    installed.into_iter().find(|it| MAJOR_MIN <= it.major)
}

fn expand(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let fits = entries.filter(|it| it.file_name().to_string_lossy().starts_with(prefix));
    fits.map(|it| it.path().join("bin")).collect()
}

fn probe(directory: &Path) -> Option<Binaries> {
    if !PROGRAMS.iter().all(|program| directory.join(program).is_file()) {
        return None;
    }
    let mut version = Command::new(directory.join("postgres"));
    version.arg("--version");
    let major = major_of(&read(version).ok()?)?;
    Some(Binaries { directory: directory.to_owned(), major })
}

/// From what `postgres --version` prints.
fn major_of(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits = number.split(|char: char| !char.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        let cases = [
            ("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 17.2\n", Some(17)),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("postgres (PostgreSQL) devel\n", None),
            ("psql: error\n", None),
        ];
        for (printed, expected) in cases {
            assert_eq!(major_of(printed), expected, "{printed}");
        }
    }

    fn binaries(directory: &str, major: u32) -> Binaries {
        Binaries { directory: directory.into(), major }
    }

    #[test]
    fn path_comes_first_and_then_the_newest() {
        let check = |in_path: &[(&str, u32)], elsewhere: &[(&str, u32)], expected: Option<&str>| {
            let all = |of: &[(&str, u32)]| of.iter().map(|it| binaries(it.0, it.1)).collect();
            let chosen = best(in_order(all(in_path), all(elsewhere)));
            let expected = expected.map(Path::new);
            assert_eq!(chosen.as_ref().map(|it| it.directory.as_path()), expected);
        };
        check(&[("a", 14)], &[("b", 17)], Some("a"));
        check(&[("a", 13), ("b", 15)], &[("c", 17)], Some("b"));
        check(&[("a", 13)], &[("b", 9), ("c", 17), ("d", 15)], Some("c"));
        check(&[], &[("a", 13), ("b", 9)], None);
        check(&[], &[], None);
    }

    #[test]
    fn versions_are_found_below_the_usual_places() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["postgresql@16", "postgresql@17", "openssl@3"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let mut found = expand(parent.path(), "postgresql@");
        found.sort();
        let expected = ["postgresql@16/bin", "postgresql@17/bin"];
        assert_eq!(found, expected.map(|it| parent.path().join(it)));
        assert!(expand(&parent.path().join("nowhere"), "").is_empty());
    }

    #[test]
    fn half_an_installation_is_none() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("psql"), "").unwrap();
        assert_eq!(probe(directory.path()), None);
    }
}
