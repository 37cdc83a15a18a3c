//! Sessions with whichever of several servers takes writes.
//!
//! After a failover the old primary may be there and say nothing. tokio-postgres bounds the time for
//! a connection, and then waits for what the server says for as long as that takes, without a look at
//! the servers behind it. So each server is tried by itself here.

use std::time::Duration;

use deadpool_postgres::Connect;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

/// How long callers let [`connect`] take, and then try again from the first server on: one that took
/// no writes may take them now.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long a server is waited for before the next one is tried as well.
const HEAD_START: Duration = Duration::from_secs(1);

/// A session, and what drives it.
type Connected =
    (Client, Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>);

/// Opens a session with the first server that will do, in the order of the URL. One that does not
/// say anything costs no more than a head start.
///
/// One that never says anything is waited for to the end: see [`CONNECT_MAX`].
///
/// # Errors
///
/// What the last of them failed with.
pub(crate) async fn connect(config: &Config, tls: &MakeRustlsConnect) -> Result<Connected, Error> {
    let mut servers = each_server(config).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = None;
    loop {
        if let Some(server) = servers.next() {
            let tls = tls.clone();
            attempts.push(async move { server.connect(tls).await });
        }
        let outcome = if servers.len() == 0 {
            attempts.next().await
        } else if let Ok(outcome) = timeout(HEAD_START, attempts.next()).await {
            outcome
        } else {
            continue;
        };
        match outcome {
            Some(Ok(connected)) => return Ok(connected),
            Some(Err(error)) => last = Some(error),
            // tokio-postgres says what is wrong with a URL without any server.
            None => match last {
                Some(error) => return Err(error),
                None => return config.connect(tls.clone()).await,
            },
        }
    }
}

/// The same configuration for each of its servers.
fn each_server(config: &Config) -> Vec<Config> {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    let n_servers = hosts.len().max(addresses.len());
    let ports = config.get_ports();
    let server = |idx| {
        let mut server = without_servers(config);
        match hosts.get(idx) {
            Some(Host::Tcp(name)) => _ = server.host(name),
            Some(Host::Unix(path)) => _ = server.host_path(path),
            None => {}
        }
        if let Some(address) = addresses.get(idx) {
            server.hostaddr(*address);
        }
        if let Some(port) = ports.get(idx).or_else(|| ports.first()) {
            server.port(*port);
        }
        server
    };
    (0..n_servers).map(server).collect()
}

fn without_servers(config: &Config) -> Config {
    let mut rest = Config::new();
    if let Some(user) = config.get_user() {
        rest.user(user);
    }
    if let Some(password) = config.get_password() {
        rest.password(password);
    }
    if let Some(name) = config.get_dbname() {
        rest.dbname(name);
    }
    if let Some(options) = config.get_options() {
        rest.options(options);
    }
    if let Some(name) = config.get_application_name() {
        rest.application_name(name);
    }
    if let Some(time) = config.get_connect_timeout() {
        rest.connect_timeout(*time);
    }
    if let Some(time) = config.get_tcp_user_timeout() {
        rest.tcp_user_timeout(*time);
    }
    if let Some(time) = config.get_keepalives_interval() {
        rest.keepalives_interval(time);
    }
    if let Some(n_retries) = config.get_keepalives_retries() {
        rest.keepalives_retries(n_retries);
    }
    rest.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    rest
}

/// What a pool makes its sessions with.
pub(crate) struct Connector(pub(crate) MakeRustlsConnect);

impl Connect for Connector {
    #[expect(clippy::disallowed_methods, reason = "the pool ends the task with its session")]
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let config = config.clone();
        Box::pin(async move {
            let (client, connection) = connect(&config, &self.0).await?;
            let driving = async {
                if let Err(error) = connection.await {
                    let error: &dyn std::error::Error = &error;
                    debug!(error, "a session ended");
                }
            };
            Ok((client, tokio::spawn(driving)))
        })
    }
}

#[cfg(test)]
mod tests;
