use std::fmt::Write as _;
use std::path::Path;

use secrecy::ExposeSecret;

use super::*;

fn read(pairs: &[(&'static str, &str)]) -> Result<Config, Vec<String>> {
    let values = pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Config::read(&values).map_err(|mistakes| mistakes.iter().map(Mistake::to_string).collect())
}

#[test]
fn the_defaults_are_valid_and_safe() {
    let config = read(&[]).expect("defaults");
    assert_eq!(config.server_address.to_string(), "127.0.0.1:4021");
    assert!(matches!(config.database, Database::Sqlite(path) if path == Path::new("flowker.db")));
    assert_eq!(config.api_keys.map(|keys| keys.len()), Some(0));
    assert!(!config.ssrf_allow_private && !config.injects_faults);
    assert_eq!(config.cors, Cors::Nowhere);
    assert_eq!(config.idempotency_retention, Duration::from_hours(7 * 24));
    assert_eq!(config.drain_grace, Duration::from_secs(12));
}

#[test]
fn values_are_read() {
    let config = read(&[
        ("SERVER_ADDRESS", ":4021"),
        ("DATABASE_URL", "sqlite:///var/lib/flowker/f.db"),
        ("API_KEY", "first-key, second-key"),
        ("OUTBOUND_ALLOW", "payments.internal,10.1.0.0/16"),
        ("TRUSTED_PROXIES", "10.0.0.1, fd00::/8"),
        ("MAX_CONNECTIONS_PER_IP", "7"),
        ("WAIT_MAX", "250ms"),
    ])
    .expect("valid");
    assert_eq!(config.server_address.to_string(), "[::]:4021");
    let Database::Sqlite(path) = config.database else { panic!("{:?}", config.database) };
    assert_eq!(path, Path::new("/var/lib/flowker/f.db"));
    let keys = config.api_keys.expect("keys");
    assert_eq!(
        keys.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(),
        ["first-key", "second-key"]
    );
    assert_eq!(config.outbound_allow.len(), 2);
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.max_connections_per_ip, Some(7));
    assert_eq!(config.wait_max, Duration::from_millis(250));
    assert!(read(&[("API_KEY_ENABLED", "false")]).expect("valid").api_keys.is_none());
}

#[test]
fn every_mistake_is_reported_and_no_secret_shown() {
    let mistakes = read(&[
        ("SERVER_ADDRESS", "here"),
        ("DATABASE_URL", "postgres://me:hidden@db/flowker?sslmode=perhaps"),
        ("DATABASE_POOLER", "session"),
        ("API_KEY", "short"),
        ("API_KEY_ENABLED", "yes"),
        ("CORS_ALLOWED_ORIGINS", "console.example.com"),
        ("FAULT_INJECTION_ENABLED", "1"),
        ("OIDC_ENABLED", "1"),
        ("SECRETS_KEY", "c2hvcnQ="),
        ("OUTBOUND_ALLOW", "*.internal"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("IDEMPOTENCY_RETENTION", "7"),
        ("MAX_REQUESTS", "0"),
        ("DRAIN_TIMEOUT", "0s"),
        ("LOG_FORMAT", "xml"),
    ])
    .expect_err("mistakes");
    assert_eq!(mistakes.len(), 15, "{mistakes:#?}");
    assert!(mistakes.contains(
        &"MAX_REQUESTS=\"0\" is not valid: expected a number from 1 to 1000000".to_owned()
    ));
    assert!(
        !mistakes
            .iter()
            .any(|it| ["short", "c2hvcnQ", "hidden"].iter().any(|hid| it.contains(hid))),
        "{mistakes:?}"
    );
    assert!(mistakes.iter().any(|it| it.contains("sslmode=perhaps is unknown")), "{mistakes:?}");
    let mistakes = read(&[("DRAIN_TIMEOUT", "5s")]).expect_err("shorter than the grace");
    assert!(mistakes[0].ends_with("longer than DRAIN_GRACE"), "{mistakes:?}");
}

#[test]
fn what_decides_about_callers_is_whole() {
    let check = |pairs: &[(&'static str, &str)], expected: &[&str]| {
        let mistakes = read(pairs).err().unwrap_or_default();
        let names: Vec<_> = mistakes.iter().filter_map(|it| it.split('=').next()).collect();
        assert_eq!(names, expected, "{mistakes:?}");
    };
    let (manager, oidc) = (("PLUGIN_AUTH_ENABLED", "true"), ("OIDC_ENABLED", "true"));
    let address = ("PLUGIN_AUTH_ADDRESS", "http://manager:4000");
    let issuer = ("OIDC_ISSUER_URL", "https://login.test/realms/a/");
    let audience = ("OIDC_AUDIENCE", "flowker, other");
    check(&[manager, address], &[]);
    check(&[oidc, issuer, audience], &[]);
    check(&[address, issuer], &[]);
    check(&[manager], &["PLUGIN_AUTH_ADDRESS"]);
    check(&[manager, ("PLUGIN_AUTH_ADDRESS", "manager:4000")], &["PLUGIN_AUTH_ADDRESS"]);
    check(&[oidc], &["OIDC_AUDIENCE", "OIDC_ISSUER_URL"]);
    check(&[oidc, ("OIDC_ISSUER_URL", "login.test"), audience], &["OIDC_ISSUER_URL"]);
    check(&[oidc, issuer, audience, ("OIDC_JWKS_URL", "ftp://a/b")], &["OIDC_JWKS_URL"]);
    check(&[oidc, issuer, audience, ("OIDC_ALGORITHMS", "RS256,HS256")], &["OIDC_ALGORITHMS"]);
    check(&[oidc, issuer, audience, ("OIDC_ALGORITHMS", "none")], &["OIDC_ALGORITHMS"]);
    check(&[manager, address, oidc, issuer, audience], &["OIDC_ENABLED"]);
    let config = read(&[oidc, issuer, audience, ("OIDC_ALGORITHMS", "ES256")]).expect("valid");
    let tokens = config.tokens.expect("tokens");
    assert_eq!(tokens.issuer, "https://login.test/realms/a/", "byte for byte");
    assert_eq!((tokens.audiences.len(), tokens.algorithms.len()), (2, 1));
}

#[test]
fn a_database_is_a_file_or_a_server() {
    for url in ["postgres://a/b", "postgresql://u:p@a:1,b:2/c?target_session_attrs=read-write"] {
        let config = read(&[("DATABASE_URL", url), ("DATABASE_POOLER", "transaction")]);
        let config = config.expect(url);
        assert!(matches!(config.database, Database::Postgres(_)), "{url}");
        assert!(config.database_pooled);
    }
    for url in ["flowker.db", "sqlite:", "sqlite:a?mode=ro", "mysql://a/b", "postgres:///b"] {
        assert_eq!(read(&[("DATABASE_URL", url)]).expect_err(url).len(), 1, "{url}");
    }
}

#[test]
fn executions_are_kept_for_longer_than_keys() {
    let kept = |pairs: &[(&'static str, &str)]| read(pairs).map(|it| it.execution_retention);
    assert_eq!(kept(&[]), Ok(None));
    let days = |count: u64| Ok(Some(Duration::from_hours(24 * count)));
    assert_eq!(kept(&[("EXECUTION_RETENTION", "8d")]), days(8));
    let shorter = ("IDEMPOTENCY_RETENTION", "1h");
    assert_eq!(kept(&[("EXECUTION_RETENTION", "1d"), shorter]), days(1));
    for value in ["7d", "1h"] {
        let expected = format!(
            "EXECUTION_RETENTION=\"{value}\" is not valid: expected a duration that is longer than \
             IDEMPOTENCY_RETENTION"
        );
        assert_eq!(kept(&[("EXECUTION_RETENTION", value)]), Err(vec![expected]));
    }
    let mistakes = kept(&[("EXECUTION_RETENTION", "soon"), ("IDEMPOTENCY_RETENTION", "7")]);
    assert_eq!(mistakes.expect_err("two").len(), 2);
}

#[test]
fn traces_go_where_a_collector_is_and_only_there() {
    const COLLECTOR: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let traces = |pairs: &[(&'static str, &str)]| read(pairs).map(|config| config.traces);
    assert!(traces(&[]).expect("valid").is_none());
    assert!(traces(&[COLLECTOR, ("ENABLE_TELEMETRY", "false")]).expect("valid").is_none());
    assert!(traces(&[("ENABLE_TELEMETRY", "false")]).expect("valid").is_none());
    let mistakes = traces(&[("ENABLE_TELEMETRY", "true")]).expect_err("no collector");
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].starts_with("OTEL_EXPORTER_OTLP_ENDPOINT=\"\""), "{mistakes:?}");

    let found = traces(&[
        COLLECTOR,
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hidden, x-tenant = acme"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=shop,service.name=other"),
        ("OTEL_RESOURCE_SERVICE_NAME", "orders-old"),
        ("OTEL_SERVICE_NAME", "orders"),
        ("OTEL_RESOURCE_DEPLOYMENT_ENVIRONMENT", "test"),
    ]);
    let found = found.expect("valid").expect("a collector");
    assert!(!format!("{found:?}").contains("hidden"));
    let headers: Vec<_> =
        found.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!(headers, [("authorization", "Bearer hidden"), ("x-tenant", "acme")]);
    let resource: Vec<_> =
        found.resource.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("deployment.environment.name", "test"),
        ("service.name", "orders"),
        ("service.namespace", "shop"),
        ("service.version", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(resource, expected);

    for wrong in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://collector"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hidden"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=x"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ] {
        let mistakes = traces(&[wrong]).expect_err(wrong.0);
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(!mistakes[0].contains("hidden"), "{mistakes:?}");
    }
}

/// The page is this table; `UPDATE_DOCS=1` writes it.
#[test]
fn the_reference_page_is_the_table() {
    let mut page = String::from(
        "# Configuration\n\nEvery setting is an environment variable and a flag of `flowker serve`: \
         `SERVER_ADDRESS` is `--server-address`. A flag wins over its variable. Durations are written \
         `250ms`, `30s`, `5m`, `2h`, `7d`. All mistakes are reported at once, with exit code 64.\n\n\
         | setting | default | what it does | what is expected |\n| --- | --- | --- | --- |\n",
    );
    for Setting { name, default, expected, help } in SETTINGS {
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let _ = writeln!(page, "| `{name}` | {default} | {help} | {expected} |");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/reference/configuration.md is old: UPDATE_DOCS=1 cargo test -p flowker-app"
    );
}
