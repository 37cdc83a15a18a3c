//! Databases for replicas: a fresh one on the server that all tests share.

use std::env;
use std::net::{SocketAddr, ToSocketAddrs};
use std::process;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Names a server on which tests may make databases. `cargo xtask test` starts one and sets it.
const SERVER: &str = "FLOWKER_TEST_DATABASE_URL";

/// An empty database, dropped with this together with all sessions on it.
#[derive(Debug)]
pub struct Database {
    name: String,
}

impl Database {
    /// Makes one.
    #[track_caller]
    pub fn new() -> Self {
        let name = format!("flowker_{}_{:016x}", process::id(), fastrand::u64(..));
        ask(&server(), &format!("CREATE DATABASE {name}"));
        Self { name }
    }

    /// What `DATABASE_URL` is to be.
    pub fn url(&self) -> String {
        on_server(&self.name)
    }

    /// How its server is reached.
    pub fn config(&self) -> Config {
        self.url().parse().expect("the URL of the tests' server is one")
    }

    /// Where its server listens.
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        let config = self.config();
        let Some(Host::Tcp(host)) = config.get_hosts().first() else {
            panic!("{SERVER} names a socket; this test needs a server that listens on the network");
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let mut addresses = (host.as_str(), port).to_socket_addrs().expect("the host has a name");
        addresses.next().expect("the host has an address")
    }

    /// What `DATABASE_URL` is to be if something else listens in its server's place.
    pub fn url_at(&self, address: SocketAddr) -> String {
        let config = self.config();
        let encoded = |text: &[u8]| percent_encode(text, NON_ALPHANUMERIC).to_string();
        let user = encoded(config.get_user().unwrap_or("postgres").as_bytes());
        let password =
            config.get_password().map_or_else(String::new, |it| format!(":{}", encoded(it)));
        format!("postgres://{user}{password}@{address}/{}?sslmode=disable", self.name)
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A server that is gone takes its databases with it.
        let _ = try_ask(&server(), &drop);
    }
}

/// The first column of what a statement answers, as an operator would see it.
#[track_caller]
pub fn ask(url: &str, statement: &str) -> Vec<String> {
    try_ask(url, statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"))
}

/// The same on a server that may not answer.
///
/// # Errors
///
/// If it does not, or refuses the statement.
pub fn try_ask(url: &str, statement: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let (runtime, client) = connect(url)?;
    let messages = runtime.block_on(client.simple_query(statement))?;
    let first = |message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(first).collect())
}

/// A session, and what drives it.
fn connect(url: &str) -> Result<(Runtime, Client), tokio_postgres::Error> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
    runtime.spawn(connection);
    Ok((runtime, client))
}

/// The URL of a database on the server that all tests share.
#[track_caller]
fn on_server(name: &str) -> String {
    let server = server();
    let (target, query) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = target.rsplit_once('/').expect("the URL of the server names a database");
    format!("{host}/{name}?{query}")
}

#[track_caller]
fn server() -> String {
    env::var(SERVER).unwrap_or_else(|_| {
        panic!("{SERVER} names no server: run `cargo xtask test`, which starts one")
    })
}
