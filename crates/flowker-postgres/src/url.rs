//! The connection URL: what libpq knows, and how certificates are checked.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::form_urlencoded;

use crate::tls::{self, Trust};

/// How long one host may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon a silent connection is asked whether it is alive.
const KEEPALIVES_IDLE: Duration = Duration::from_secs(10);

/// How long sent data may stay without an acknowledgement before the connection counts as lost.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(15);

/// How a server is reached: a `postgres://` URL that was read and understood.
///
/// All parameters of libpq's URLs that tokio-postgres knows, several hosts among them, and for TLS:
///
/// | `sslmode` | encrypted | certificate |
/// | --- | --- | --- |
/// | `disable` | no | |
/// | `prefer` (default) | if the server can | not checked, unless `sslrootcert` is given |
/// | `require` | yes | not checked, unless `sslrootcert` is given |
/// | `verify-ca` | yes | must come from a trusted authority |
/// | `verify-full` | yes | and must name the host |
///
/// `sslrootcert` is a PEM file with the trusted authorities, or `system` (default) for those of the
/// operating system. Without `target_session_attrs` only a server that takes writes is used.
#[derive(Clone)]
pub struct ConnectionUrl {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
}

impl fmt::Debug for ConnectionUrl {
    /// Leaves out the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionUrl")
            .field("hosts", &self.config.get_hosts())
            .field("ports", &self.config.get_ports())
            .field("database", &self.config.get_dbname())
            .finish_non_exhaustive()
    }
}

/// Why a URL cannot be used. Never shows the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// It is none.
    #[error(
        "it does not begin with postgres://; expected postgres://user:password@host:port/database"
    )]
    Scheme,
    /// An unknown mode.
    #[error("sslmode={0} is unknown; expected disable, prefer, require, verify-ca or verify-full")]
    SslMode(String),
    /// A file of certificates cannot be read.
    #[error("sslrootcert={} cannot be read as PEM certificates", path.display())]
    RootCertificates {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The certificates cannot be used.
    #[error("TLS cannot be set up with these certificates")]
    Tls(#[source] tls::TlsError),
    /// No host is named.
    #[error("it names no host; expected postgres://user:password@host:port/database")]
    NoHost,
    /// Anything else.
    #[error("it cannot be understood; expected postgres://user:password@host:port/database")]
    Other(#[source] tokio_postgres::Error),
}

impl FromStr for ConnectionUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(UrlError::Scheme);
        }
        let (target, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut roots) = (None, None);
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => roots = Some(value.into_owned()),
                _ => {
                    rest.append_pair(&name, &value);
                }
            }
        }
        let config: Config = [target, "?", &rest.finish().replace('+', "%20")]
            .concat()
            .parse()
            .map_err(UrlError::Other)?;
        if config.get_hosts().is_empty() {
            return Err(UrlError::NoHost);
        }
        let (ssl_mode, trust) = match mode.as_deref().unwrap_or("prefer") {
            "disable" => (SslMode::Disable, Trust::Anyone),
            "prefer" if roots.is_none() => (SslMode::Prefer, Trust::Anyone),
            "prefer" => (SslMode::Prefer, Trust::Authority),
            "require" if roots.is_none() => (SslMode::Require, Trust::Anyone),
            "require" | "verify-ca" => (SslMode::Require, Trust::Authority),
            "verify-full" => (SslMode::Require, Trust::Name),
            other => return Err(UrlError::SslMode(other.to_owned())),
        };
        let tls = client_config(trust, roots.as_deref())?;
        Ok(Self { config: with_defaults(config, ssl_mode), tls: MakeRustlsConnect::new(tls) })
    }
}

/// Adds what was not said.
fn with_defaults(mut config: Config, ssl_mode: SslMode) -> Config {
    config.ssl_mode(ssl_mode).keepalives_idle(KEEPALIVES_IDLE);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(TCP_USER_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("flowker");
    }
    if config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    config
}

fn client_config(trust: Trust, roots: Option<&str>) -> Result<ClientConfig, UrlError> {
    let authorities = match (trust, roots) {
        (Trust::Anyone, _) => RootCertStore::empty(),
        (_, None | Some("system")) => tls::system_authorities(),
        (_, Some(path)) => authorities(Path::new(path))?,
    };
    tls::client_config(trust, authorities).map_err(UrlError::Tls)
}

fn authorities(path: &Path) -> Result<RootCertStore, UrlError> {
    let read = || -> Result<RootCertStore, Box<dyn std::error::Error + Send + Sync>> {
        let mut authorities = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&fs::read(path)?) {
            authorities.add(certificate?)?;
        }
        if authorities.is_empty() {
            return Err("the file holds no certificate".into());
        }
        Ok(authorities)
    };
    read().map_err(|source| UrlError::RootCertificates { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
