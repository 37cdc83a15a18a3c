//! Configuration: one table of settings, read once, every mistake reported.
//!
//! The parser, `--help` and `docs/reference/configuration.md` all come from [`SETTINGS`].

mod access;
mod traces;
mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use flowker_core::net::AllowEntry;
use flowker_http::Cors;
use flowker_providers::TokenSettings;
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

pub use traces::Traces;
pub use values::{Database, LogFormat, LogLevel, duration};

/// One thing that an operator can set, by environment variable or by flag.
#[derive(Debug)]
pub struct Setting {
    /// Name of the environment variable; the flag is the same in lower case with dashes.
    pub name: &'static str,
    /// What holds if it is not set. Empty: not set.
    pub default: &'static str,
    /// What is expected, as an error message says it.
    pub expected: &'static str,
    /// What it does, in a sentence.
    pub help: &'static str,
}

/// All settings, in the order in which `--help` shows them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "SERVER_ADDRESS",
        default: "127.0.0.1:4021",
        expected: "an address and a port, such as 127.0.0.1:4021, or a port alone, such as :4021",
        help: "Where to listen. A port alone means all interfaces; port 0 takes a free one.",
    },
    Setting {
        name: "DATABASE_URL",
        default: "sqlite:flowker.db",
        expected: "sqlite: and the path of a file, such as sqlite:flowker.db, or postgres://",
        help: "Where workflows and executions are stored: sqlite: and the path of a file, for one \
               process, or postgres://user:password@host:port/database, for many.",
    },
    Setting {
        name: "DATABASE_POOLER",
        default: "none",
        expected: "none or transaction",
        help: "transaction: a pooler in transaction mode, such as pgbouncer, stands before Postgres.",
    },
    Setting {
        name: "API_KEY",
        default: "",
        expected: "keys of 8 to 255 visible ASCII characters, separated by commas",
        help: "Keys that callers may send as X-API-Key and that may do everything, beside those that \
               flowker keys makes. Without one, a key is made at the first start and printed once.",
    },
    Setting {
        name: "API_KEY_ENABLED",
        default: "true",
        expected: "true or false",
        help: "Whether callers need a key. false opens every route to everybody who can connect, unless \
               PLUGIN_AUTH_ENABLED or OIDC_ENABLED asks for something else.",
    },
    Setting {
        name: "PLUGIN_AUTH_ENABLED",
        default: "false",
        expected: "true or false, and PLUGIN_AUTH_ADDRESS with it",
        help: "Whether an access manager decides about requests: about management, and about webhooks if \
               API_KEY_ENABLED is false.",
    },
    Setting {
        name: "PLUGIN_AUTH_ADDRESS",
        default: "",
        expected: "a URL such as http://access-manager:4000",
        help: "Where the access manager is. It is asked at /v1/authorize below it.",
    },
    Setting {
        name: "OIDC_ENABLED",
        default: "false",
        expected: "true or false; true needs OIDC_ISSUER_URL and OIDC_AUDIENCE, and no PLUGIN_AUTH_ENABLED",
        help: "Whether management takes bearer tokens of an OpenID Connect issuer: beside API keys, or \
               alone if API_KEY_ENABLED is false.",
    },
    Setting {
        name: "OIDC_ISSUER_URL",
        default: "",
        expected: "a URL such as https://login.example.com/realms/main",
        help: "The issuer, exactly as its tokens name it.",
    },
    Setting {
        name: "OIDC_JWKS_URL",
        default: "",
        expected: "a URL such as https://login.example.com/keys",
        help: "Where the issuer's keys are. Not set: where its discovery document says.",
    },
    Setting {
        name: "OIDC_AUDIENCE",
        default: "",
        expected: "names separated by commas",
        help: "For whom tokens must be: one of these has to be in their aud.",
    },
    Setting {
        name: "OIDC_ALGORITHMS",
        default: "RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,EdDSA",
        expected: "some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA, separated by commas",
        help: "How tokens may be signed. Shared secrets never count.",
    },
    Setting {
        name: "CORS_ALLOWED_ORIGINS",
        default: "",
        expected: "origins such as https://console.example.com, separated by commas, or *",
        help: "From which origins browsers may call. Empty: from none.",
    },
    Setting {
        name: "FAULT_INJECTION_ENABLED",
        default: "false",
        expected: "true or false",
        help: "Whether callers may make requests fail with X-Test-Fault-Injection. For tests only.",
    },
    Setting {
        name: "SECRETS_KEY",
        default: "",
        expected: "32 bytes in base64, such as the output of: openssl rand -base64 32",
        help: "Encrypts provider configurations at rest. Once used, it is needed to read them.",
    },
    Setting {
        name: "SSRF_ALLOW_PRIVATE",
        default: "false",
        expected: "true or false",
        help: "Whether workflows may call private and loopback addresses. Cloud metadata stays blocked.",
    },
    Setting {
        name: "OUTBOUND_ALLOW",
        default: "",
        expected: "host names, IP addresses and networks such as 10.1.0.0/16, separated by commas",
        help: "Private destinations that workflows may call, one by one.",
    },
    Setting {
        name: "TRUSTED_PROXIES",
        default: "",
        expected: "IP addresses and networks such as 10.0.0.0/8, separated by commas",
        help: "Peers whose X-Forwarded-For is believed.",
    },
    Setting {
        name: "IDEMPOTENCY_RETENTION",
        default: "7d",
        expected: "a duration from 1m to 3650d, such as 7d",
        help: "How long an idempotency key is kept at least, from its first use.",
    },
    Setting {
        name: "EXECUTION_RETENTION",
        default: "",
        expected: "a duration up to 3650d that is longer than IDEMPOTENCY_RETENTION, such as 90d",
        help: "How long an execution is kept at least, from its acceptance; it is removed with its \
               journal once it has ended. Not set: for ever.",
    },
    Setting {
        name: "WAIT_MAX",
        default: "30s",
        expected: "a duration from 0s to 5m, such as 30s",
        help: "The longest wait for a run's end that a caller gets with Prefer: wait=N.",
    },
    Setting {
        name: "MAX_CONNECTIONS",
        default: "16384",
        expected: "a number from 1 to 1000000",
        help: "How many connections are open at once. More wait to be accepted.",
    },
    Setting {
        name: "MAX_CONNECTIONS_PER_IP",
        default: "",
        expected: "a number from 1 to 1000000",
        help: "How many connections one address may have. Not set: no such limit.",
    },
    Setting {
        name: "MAX_REQUESTS",
        default: "1024",
        expected: "a number from 1 to 1000000",
        help: "How many requests are worked on at once. More are answered with 503.",
    },
    Setting {
        name: "MAX_EXECUTIONS",
        default: "1024",
        expected: "a number from 1 to 1000000",
        help: "How many executions are driven at once. More wait in the store.",
    },
    Setting {
        name: "MAX_CALLS",
        default: "256",
        expected: "a number from 1 to 100000",
        help: "How many calls to providers are made at once. More wait for their turn.",
    },
    Setting {
        name: "MAX_CALLS_PER_PROVIDER_CONFIGURATION",
        default: "64",
        expected: "a number from 1 to 100000",
        help: "How many calls are made at once with one provider configuration.",
    },
    Setting {
        name: "STORE_QUEUE",
        default: "4096",
        expected: "a number from 1 to 1000000",
        help: "How many writes wait for the store at most. More are answered with 503.",
    },
    Setting {
        name: "DRAIN_GRACE",
        default: "12s",
        expected: "a duration from 0s to 10m, such as 12s",
        help: "After SIGTERM, how long requests are still served while /readyz says 503.",
    },
    Setting {
        name: "DRAIN_TIMEOUT",
        default: "30s",
        expected: "a duration from 1s to 60m that is longer than DRAIN_GRACE, such as 30s",
        help: "After SIGTERM, when the process ends at the latest.",
    },
    Setting {
        name: "LOG_LEVEL",
        default: "info",
        expected: "one of error, warn, info, debug and trace",
        help: "How much is logged, to standard error.",
    },
    Setting {
        name: "LOG_FORMAT",
        default: "human",
        expected: "human or json",
        help: "How log lines look.",
    },
    Setting {
        name: "ENABLE_TELEMETRY",
        default: "",
        expected: "true or false; true needs OTEL_EXPORTER_OTLP_ENDPOINT",
        help: "Whether traces are exported. Not set: they are if OTEL_EXPORTER_OTLP_ENDPOINT is set.",
    },
    Setting {
        name: "OTEL_EXPORTER_OTLP_ENDPOINT",
        default: "",
        expected: "an http or https URL, such as http://127.0.0.1:4318",
        help: "The OpenTelemetry collector that takes traces over HTTP. /v1/traces is added.",
    },
    Setting {
        name: "OTEL_EXPORTER_OTLP_HEADERS",
        default: "",
        expected: "pairs such as x-tenant=acme, separated by commas",
        help: "What is sent to the collector as headers, such as credentials.",
    },
    Setting {
        name: "OTEL_SERVICE_NAME",
        default: "",
        expected: "a name",
        help: "As which service traces are shown. Not set: OTEL_RESOURCE_SERVICE_NAME, else flowker.",
    },
    Setting {
        name: "OTEL_RESOURCE_ATTRIBUTES",
        default: "",
        expected: "pairs such as service.namespace=shop, separated by commas",
        help: "What else traces say about this process.",
    },
    Setting {
        name: "OTEL_RESOURCE_SERVICE_NAME",
        default: "",
        expected: "a name",
        help: "The same as OTEL_SERVICE_NAME, which wins.",
    },
    Setting {
        name: "OTEL_RESOURCE_SERVICE_VERSION",
        default: "",
        expected: "a version",
        help: "The service.version of traces. Not set: the version that runs.",
    },
    Setting {
        name: "OTEL_RESOURCE_DEPLOYMENT_ENVIRONMENT",
        default: "",
        expected: "a name, such as production",
        help: "The deployment.environment.name of traces.",
    },
    Setting {
        name: "OTEL_LIBRARY_NAME",
        default: "flowker",
        expected: "a name",
        help: "The instrumentation scope of traces.",
    },
    Setting {
        name: "OTEL_TRACES_SAMPLER",
        default: "parentbased_always_on",
        expected: "one of always_on, always_off, traceidratio, parentbased_always_on, \
                   parentbased_always_off and parentbased_traceidratio",
        help: "Which traces are exported. parentbased: those that the caller samples, and of those \
               that begin here the ones that the rest says.",
    },
    Setting {
        name: "OTEL_TRACES_SAMPLER_ARG",
        default: "1",
        expected: "a number from 0 to 1",
        help: "Which part of traces a traceidratio samples.",
    },
    Setting {
        name: "DEPLOYMENT_MODE",
        default: "local",
        expected: "one of local, byoc and saas",
        help: "Shown by /readyz.",
    },
];

/// What the process does, read from its settings.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub server_address: SocketAddr,
    /// Where everything is stored.
    pub database: Database,
    /// Whether a pooler hands out sessions by transaction.
    pub database_pooled: bool,
    /// Keys that callers may send; `None` if no key is asked for; empty: make one.
    pub api_keys: Option<Vec<SecretString>>,
    /// Where the access manager is that decides, if one does.
    pub access_manager: Option<Url>,
    /// Whose tokens count, if any do.
    pub tokens: Option<TokenSettings>,
    /// From which origins browsers may call.
    pub cors: Cors,
    /// Whether callers may make requests fail.
    pub injects_faults: bool,
    /// Encrypts provider configurations.
    pub secrets_key: Option<[u8; 32]>,
    /// Whether private destinations may be called.
    pub ssrf_allow_private: bool,
    /// Private destinations that may be called.
    pub outbound_allow: Vec<AllowEntry>,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a key is kept.
    pub idempotency_retention: Duration,
    /// How long executions are kept; `None`: for ever.
    pub execution_retention: Option<Duration>,
    /// The longest wait.
    pub wait_max: Duration,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections at once from one address.
    pub max_connections_per_ip: Option<usize>,
    /// Requests at once.
    pub max_requests: usize,
    /// Executions at once.
    pub max_executions: usize,
    /// Calls at once.
    pub max_calls: usize,
    /// Calls at once with one provider configuration.
    pub max_calls_per_provider_configuration: usize,
    /// Writes that wait.
    pub store_queue: usize,
    /// Time between the signal and the closing of the listener.
    pub drain_grace: Duration,
    /// Time between the signal and the end.
    pub drain_timeout: Duration,
    /// How much is logged.
    pub log_level: LogLevel,
    /// How it looks.
    pub log_format: LogFormat,
    /// Where traces go; `None`: nowhere.
    pub traces: Option<Traces>,
    /// Shown by `/readyz`.
    pub deployment_mode: String,
}

/// One setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which.
    pub name: &'static str,
    /// What it was set to; hidden for secrets.
    pub value: String,
    /// What is expected.
    pub expected: Cow<'static, str>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?} is not valid: expected {}", self.name, self.value, self.expected)
    }
}

/// Settings whose values are never shown.
const SECRETS: [&str; 3] = ["API_KEY", "SECRETS_KEY", "OTEL_EXPORTER_OTLP_HEADERS"];

/// Reads settings one by one and collects mistakes.
struct Reader<'a> {
    values: &'a BTreeMap<&'static str, String>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    /// Reads one setting. What `parse` refuses is a mistake, and reads as its default.
    fn read<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let expected = Cow::Borrowed(setting(name)?.expected);
        self.read_explained(name, |text| parse(text).ok_or_else(|| expected.clone()))
    }

    /// Like [`read`](Self::read), where `parse` can say better what is expected.
    fn read_explained<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, Cow<'static, str>>,
    ) -> Option<T> {
        let default = || parse(setting(name)?.default).ok();
        let value = self.values.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        let Some(value) = value else { return default() };
        parse(value).map_or_else(
            |expected| {
                self.mistake(name, value, expected);
                default()
            },
            Some,
        )
    }

    /// Records that a setting cannot be used.
    fn mistake(&mut self, name: &'static str, value: &str, expected: Cow<'static, str>) {
        let is_secret = SECRETS.contains(&name) || value.contains('@');
        let shown = if is_secret { "***" } else { value };
        self.mistakes.push(Mistake { name, value: shown.to_owned(), expected });
    }

    /// Records that a setting is missing which another one needs, unless it is there and wrong.
    fn missing(&mut self, name: &'static str, needed_by: &str) {
        if self.mistakes.iter().any(|mistake| mistake.name == name) {
            return;
        }
        let expected = setting(name).map_or("a value", |setting| setting.expected);
        self.mistake(name, "", format!("{expected}; {needed_by} needs it").into());
    }
}

fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

impl Config {
    /// Reads all settings from their texts.
    ///
    /// # Errors
    ///
    /// Every mistake, not only the first.
    ///
    /// # Panics
    ///
    /// Never: the defaults are valid, which a test shows.
    pub fn read(values: &BTreeMap<&'static str, String>) -> Result<Self, Vec<Mistake>> {
        let mut reader = Reader { values, mistakes: Vec::new() };
        let config = Self::read_all(&mut reader).expect("every setting has a valid default");
        let mut mistakes = reader.mistakes;
        if config.drain_timeout <= config.drain_grace
            && !mistakes.iter().any(|mistake| mistake.name.starts_with("DRAIN_"))
        {
            mistakes.push(Mistake {
                name: "DRAIN_TIMEOUT",
                value: format!("{}s", config.drain_timeout.as_secs()),
                expected: "a duration that is longer than DRAIN_GRACE".into(),
            });
        }
        // A key has to lead to its execution for as long as it is kept.
        if config.execution_retention.is_some_and(|kept| kept <= config.idempotency_retention)
            && !mistakes.iter().any(|mistake| mistake.name.ends_with("_RETENTION"))
        {
            mistakes.push(Mistake {
                name: "EXECUTION_RETENTION",
                value: values.get("EXECUTION_RETENTION").cloned().unwrap_or_default(),
                expected: "a duration that is longer than IDEMPOTENCY_RETENTION".into(),
            });
        }
        if config.access_manager.is_some() && config.tokens.is_some() {
            mistakes.push(Mistake {
                name: "OIDC_ENABLED",
                value: "true".to_owned(),
                expected: "false, since PLUGIN_AUTH_ENABLED is true: both read Authorization"
                    .into(),
            });
        }
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    fn read_all(reader: &mut Reader<'_>) -> Option<Self> {
        let minutes = Duration::from_mins;
        let days = |count: u64| Duration::from_hours(24 * count);
        let api_keys = reader.read("API_KEY", values::api_keys)?;
        let keys_enabled = reader.read("API_KEY_ENABLED", values::boolean)?;
        Some(Self {
            server_address: reader.read("SERVER_ADDRESS", values::address)?,
            database: reader.read_explained("DATABASE_URL", values::database)?,
            database_pooled: reader.read("DATABASE_POOLER", values::pooler)?,
            api_keys: keys_enabled.then_some(api_keys),
            access_manager: access::manager(reader),
            tokens: access::tokens(reader),
            cors: reader.read("CORS_ALLOWED_ORIGINS", Cors::parse)?,
            injects_faults: reader.read("FAULT_INJECTION_ENABLED", values::boolean)?,
            secrets_key: reader.read("SECRETS_KEY", values::optional(values::secrets_key))?,
            ssrf_allow_private: reader.read("SSRF_ALLOW_PRIVATE", values::boolean)?,
            outbound_allow: reader.read("OUTBOUND_ALLOW", values::list)?,
            trusted_proxies: reader.read("TRUSTED_PROXIES", values::networks)?,
            idempotency_retention: reader
                .read("IDEMPOTENCY_RETENTION", values::duration(minutes(1), days(3650)))?,
            execution_retention: reader.read(
                "EXECUTION_RETENTION",
                values::optional(values::duration(minutes(1), days(3650))),
            )?,
            wait_max: reader.read("WAIT_MAX", values::duration(Duration::ZERO, minutes(5)))?,
            max_connections: reader.read("MAX_CONNECTIONS", values::count(1_000_000))?,
            max_connections_per_ip: reader
                .read("MAX_CONNECTIONS_PER_IP", values::optional(values::count(1_000_000)))?,
            max_requests: reader.read("MAX_REQUESTS", values::count(1_000_000))?,
            max_executions: reader.read("MAX_EXECUTIONS", values::count(1_000_000))?,
            max_calls: reader.read("MAX_CALLS", values::count(100_000))?,
            max_calls_per_provider_configuration: reader
                .read("MAX_CALLS_PER_PROVIDER_CONFIGURATION", values::count(100_000))?,
            store_queue: reader.read("STORE_QUEUE", values::count(1_000_000))?,
            drain_grace: reader
                .read("DRAIN_GRACE", values::duration(Duration::ZERO, minutes(10)))?,
            drain_timeout: reader
                .read("DRAIN_TIMEOUT", values::duration(Duration::from_secs(1), minutes(60)))?,
            log_level: reader.read("LOG_LEVEL", LogLevel::parse)?,
            log_format: reader.read("LOG_FORMAT", LogFormat::parse)?,
            traces: traces::read(reader)?,
            deployment_mode: reader.read("DEPLOYMENT_MODE", values::deployment_mode)?,
        })
    }
}

#[cfg(test)]
mod tests;
