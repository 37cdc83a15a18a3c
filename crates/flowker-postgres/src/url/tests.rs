use std::error::Error as _;
use std::iter;

use super::*;

const GOOD: &str = "postgres://ann:hunter2@db.example:5433/flowker";

/// What is understood: hosts and ports, database, whether TLS, which servers, further options.
#[track_caller]
fn check(url: &str, expected: &str) {
    let ConnectionUrl { config, .. } = url.parse().expect(url);
    let hosts: Vec<_> = config.get_hosts().iter().map(|it| format!("{it:?}")).collect();
    let found = format!(
        "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        hosts.join(" "),
        config.get_ports(),
        config.get_dbname().unwrap_or_default(),
        config.get_ssl_mode(),
        config.get_target_session_attrs(),
        config.get_application_name().unwrap_or_default(),
        config.get_options().unwrap_or_default(),
        config.get_connect_timeout().copied().unwrap_or_default(),
    );
    assert_eq!(found, expected, "{url}");
}

#[test]
fn what_is_not_said_has_a_default() {
    for scheme in ["postgres", "postgresql"] {
        let expected = r#"Tcp("db") [5432] "" Prefer ReadWrite "flowker" "" 5s"#;
        check(&format!("{scheme}://ann@db"), expected);
        check(&format!("{scheme}://ann@db?"), expected);
    }
}

#[test]
fn all_that_libpq_knows_is_understood() {
    check(GOOD, r#"Tcp("db.example") [5433] "flowker" Prefer ReadWrite "flowker" "" 5s"#);
    check(
        "postgres://ann:hunter2@a:1,b:2,[::1]:3/flowker",
        r#"Tcp("a") Tcp("b") Tcp("::1") [1, 2, 3] "flowker" Prefer ReadWrite "flowker" "" 5s"#,
    );
    check(
        "postgres://a/d?sslmode=disable&application_name=two%20words&connect_timeout=2\
         &target_session_attrs=read-only&options=-c%20search_path%3Dflowker",
        r#"Tcp("a") [5432] "d" Disable ReadOnly "two words" "-c search_path=flowker" 2s"#,
    );
    check(
        "postgres:///d?host=/run/postgresql&port=5433",
        r#"Unix("/run/postgresql") [5433] "d" Prefer ReadWrite "flowker" "" 5s"#,
    );
    // A plus is a blank only in forms of the web.
    check(
        "postgres://a/d?application_name=a%2Bb",
        r#"Tcp("a") [5432] "d" Prefer ReadWrite "a+b" "" 5s"#,
    );
}

#[test]
fn modes_say_whether_tls_is_used() {
    for (mode, expected) in [
        ("disable", SslMode::Disable),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::Require),
        ("verify-full", SslMode::Require),
    ] {
        // The authorities of a machine may be none at all.
        match format!("{GOOD}?sslmode={mode}").parse::<ConnectionUrl>() {
            Ok(url) => assert_eq!(url.config.get_ssl_mode(), expected, "{mode}"),
            Err(error) => assert!(matches!(error, UrlError::Tls(_)), "{mode}: {error}"),
        }
    }
}

/// What is refused, in which words, cause by cause.
#[track_caller]
fn check_refused(url: &str, expected: &str) {
    let error = url.parse::<ConnectionUrl>().expect_err(url);
    let causes = iter::successors(error.source(), |&it| it.source()).map(ToString::to_string);
    let said = iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ");
    assert!(said.starts_with(expected), "{url}: {said}");
    for text in [said, format!("{error:?}")] {
        assert!(!text.contains("hunter2"), "{url}: {text}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_without_its_password() {
    let scheme = "it does not begin with postgres://; expected postgres://";
    check_refused("", scheme);
    check_refused("mysql://ann:hunter2@db/flowker", scheme);
    check_refused("host=db user=ann password=hunter2", scheme);
    check_refused("postgres://", "it names no host");
    check_refused("postgres:///flowker", "it names no host");
    let other = "it cannot be understood; expected postgres://user:password@host:port/database";
    check_refused("postgres://ann:hunter2@db:http/flowker", other);
    check_refused("postgres://ann:hunter2@db:99999/flowker", other);
    check_refused(&format!("{GOOD}?connect_timeout=soon"), other);
    check_refused(&format!("{GOOD}?password_of_mine=hunter2"), other);
    check_refused(&format!("{GOOD}?sslmode=on"), "sslmode=on is unknown; expected disable");
    check_refused(&format!("{GOOD}?sslmode="), "sslmode= is unknown");
}

#[test]
fn files_of_certificates_must_hold_some() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.pem");
    let empty = directory.path().join("empty.pem");
    let broken = directory.path().join("broken.pem");
    fs::write(&empty, "no certificate\n").unwrap();
    let block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(&broken, block).unwrap();
    for path in [missing, empty, broken] {
        for mode in ["prefer", "require", "verify-ca", "verify-full"] {
            let path = path.display();
            let url = format!("{GOOD}?sslmode={mode}&sslrootcert={path}");
            check_refused(
                &url,
                &format!("sslrootcert={path} cannot be read as PEM certificates: "),
            );
        }
    }
}

#[test]
fn passwords_are_not_shown() {
    let url: ConnectionUrl = GOOD.parse().unwrap();
    let shown = format!("{url:?}");
    assert!(shown.contains("db.example") && !shown.contains("hunter2"), "{shown}");
}
