//! A server that the environment names for tests.

use std::env;

use anyhow::{Context, Result, anyhow, bail};

use super::cluster::ask;
use super::{TEST_URL, binaries};

/// Whether the role may make databases, and the major version.
const PROBE: &str = "\
    select rolsuper or rolcreatedb, current_setting('server_version_num')::int / 10000 \
    from pg_catalog.pg_roles where rolname = current_user";

/// Whether the environment names a server. One that tests cannot use is an error.
pub fn check() -> Result<bool> {
    let Some(url) = env::var(TEST_URL).ok().filter(|url| !url.is_empty()) else {
        return Ok(false);
    };
    let shown = shown(&url).with_context(|| {
        format!("{TEST_URL} is no URL like postgres://user:password@host:5432/postgres")
    })?;
    eprintln!("\nxtask: tests use the server at {shown}");
    let Some(psql) = binaries::psql() else {
        eprintln!("xtask: psql is not installed, so the server is not checked beforehand");
        return Ok(true);
    };
    let answer = ask(psql, &url, PROBE).map_err(|error| {
        // The cause alone: the command around it has the password in it.
        let cause = error.root_cause();
        anyhow!("{cause}\nStart that server, or unset {TEST_URL}: then one is started for you.")
    })?;
    judge(answer.trim_end()).map(|()| true)
}

fn judge(answer: &str) -> Result<()> {
    let (may_create, major) = answer.split_once('|').context("psql answers in no known form")?;
    if may_create != "t" {
        bail!(
            "the role of {TEST_URL} may not create databases, and each test needs its own: \
             as a superuser, type `alter role … createdb`"
        );
    }
    let oldest = binaries::MAJOR_MIN;
    if major.parse::<u32>().is_ok_and(|major| major < oldest) {
        bail!("the server of {TEST_URL} is Postgres {major}; {oldest} is the oldest supported");
    }
    Ok(())
}

/// The address without its password, if it is one that names a database: tests put the names of
/// their own in its place.
fn shown(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_once('/')?;
    if !["postgres", "postgresql"].contains(&scheme) || path.is_empty() || path.starts_with('?') {
        return None;
    }
    let shown = match authority.rsplit_once('@') {
        None => authority.to_owned(),
        Some((credentials, hosts)) => match credentials.split_once(':') {
            None => authority.to_owned(),
            Some((user, _)) => format!("{user}:***@{hosts}"),
        },
    };
    Some(format!("{scheme}://{shown}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_password() {
        let cases = [
            ("postgres://me:secret@db:5432/postgres", Some("postgres://me:***@db:5432/postgres")),
            (
                "postgresql://me:s@cret@a,b/x?sslmode=require",
                Some("postgresql://me:***@a,b/x?sslmode=require"),
            ),
            ("postgres://me@db/a@b", Some("postgres://me@db/a@b")),
            ("postgres://db/x", Some("postgres://db/x")),
            ("postgres://db", None),
            ("postgres://db/", None),
            ("postgres://db/?sslmode=require", None),
            ("postgres://", None),
            ("mysql://me@db/x", None),
            ("host=db user=me", None),
        ];
        for (url, expected) in cases {
            assert_eq!(shown(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_server_that_tests_cannot_use_is_refused() {
        let check = |answer: &str, expected: &str| {
            let told = judge(answer).map_or_else(|error| error.to_string(), |()| "fine".to_owned());
            assert!(told.contains(expected), "{answer}: {told}");
        };
        check("t|15", "fine");
        check("f|15", "createdb");
        check("t|13", "is Postgres 13");
        check("", "no known form");
    }
}
