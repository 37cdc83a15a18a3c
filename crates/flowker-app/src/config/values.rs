//! From the text of a setting to its value.

use std::borrow::Cow;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowker_postgres::{ConnectionUrl, UrlError};
use ipnet::IpNet;
use secrecy::SecretString;
use tracing::Level;
use url::Url;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(pub Level);

impl LogLevel {
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.to_ascii_lowercase().parse().ok().map(Self)
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a terminal.
    Human,
    /// One object a line.
    Json,
}

impl LogFormat {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// `:4021` means all interfaces, of both IP versions where the system has them.
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix(':') {
        Some(port) => Some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.parse().ok()?))),
        None => text.replace("localhost:", "127.0.0.1:").parse().ok(),
    }
}

/// Where everything is stored.
#[derive(Clone, Debug)]
pub enum Database {
    /// In a file.
    Sqlite(PathBuf),
    /// On a server.
    Postgres(Box<ConnectionUrl>),
}

pub(super) fn database(text: &str) -> Result<Database, Cow<'static, str>> {
    if let Some(path) = text.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        // A question mark would begin URI parameters, of which there are none.
        return if path.is_empty() || path.contains('?') {
            Err("a path behind sqlite:, without a question mark, such as sqlite:flowker.db".into())
        } else {
            Ok(Database::Sqlite(PathBuf::from(path)))
        };
    }
    match text.parse() {
        Ok(url) => Ok(Database::Postgres(Box::new(url))),
        Err(UrlError::Scheme) => Err("sqlite: and the path of a file, such as sqlite:flowker.db, \
                                      or postgres://user:password@host:port/database"
            .into()),
        Err(error) => {
            Err(format!("a URL that can be used, but {:#}", anyhow::Error::from(error)).into())
        }
    }
}

pub(super) fn pooler(text: &str) -> Option<bool> {
    match text {
        "none" => Some(false),
        "transaction" => Some(true),
        _ => None,
    }
}

pub(super) fn api_keys(text: &str) -> Option<Vec<SecretString>> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
    keys.map(|key| {
        let is_key =
            (8..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then(|| SecretString::from(key))
    })
    .collect()
}

pub(super) fn secrets_key(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

pub(super) fn list<T: FromStr>(text: &str) -> Option<Vec<T>> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| item.parse().ok()).collect()
}

/// An address alone is a network of one.
pub(super) fn networks(text: &str) -> Option<Vec<IpNet>> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            item.parse().ok().or_else(|| Some(IpNet::from(item.parse::<std::net::IpAddr>().ok()?)))
        })
        .collect()
}

pub(super) fn count(most: usize) -> impl Fn(&str) -> Option<usize> {
    move |text| text.parse().ok().filter(|count| (1..=most).contains(count))
}

/// Empty means not set.
pub(super) fn optional<T>(parse: impl Fn(&str) -> Option<T>) -> impl Fn(&str) -> Option<Option<T>> {
    move |text| if text.is_empty() { Some(None) } else { parse(text).map(Some) }
}

/// `250ms`, `30s`, `5m`, `2h`, `7d`.
pub fn duration(least: Duration, most: Duration) -> impl Fn(&str) -> Option<Duration> {
    move |text| {
        let (count, unit) = text.split_at(text.find(|char: char| !char.is_ascii_digit())?);
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let duration = Duration::from_millis(count.parse::<u64>().ok()?.checked_mul(millis)?);
        (least..=most).contains(&duration).then_some(duration)
    }
}

/// `http` or `https`, with a host and without credentials, query and fragment.
pub(super) fn web_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_web = ["http", "https"].contains(&url.scheme()) && url.has_host();
    let is_bare = url.username().is_empty() && url.password().is_none();
    (is_web && is_bare && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

pub(super) fn deployment_mode(text: &str) -> Option<String> {
    ["local", "byoc", "saas"].contains(&text).then(|| text.to_owned())
}
