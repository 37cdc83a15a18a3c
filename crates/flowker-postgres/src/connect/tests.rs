use std::net::TcpListener;

use flowker_core::ports::StoreError;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::*;
use crate::db::Db;
use crate::statement::Preparation;
use crate::testing::TestDatabase;
use crate::{ConnectionUrl, MigrateError, migrate};

/// What is set for all servers is set for each of them.
#[test]
fn nothing_is_lost_of_a_configuration() {
    let one = "postgres://me:secret@db:5433/flowker?options=-c%20geqo%3Doff&application_name=test\
               &sslmode=require&sslnegotiation=direct&connect_timeout=7&tcp_user_timeout=8\
               &keepalives=0&keepalives_idle=9&keepalives_interval=10&keepalives_retries=11\
               &target_session_attrs=read-write&channel_binding=require&load_balance_hosts=random";
    let config: Config = one.parse().unwrap();
    assert_eq!(each_server(&config), [config]);
}

#[test]
fn each_server_has_its_own_port() {
    let check = |all: &str, each: &[&str]| {
        let all: Config = all.parse().unwrap();
        let each: Vec<Config> = each.iter().map(|it| it.parse().unwrap()).collect();
        assert_eq!(each_server(&all), each);
    };
    check("postgres://a:1,b:2/db", &["postgres://a:1/db", "postgres://b:2/db"]);
    check("host=a,b port=3 dbname=db", &["host=a port=3 dbname=db", "host=b port=3 dbname=db"]);
    check(
        "host=a,/run hostaddr=10.0.0.1,10.0.0.2",
        &["host=a hostaddr=10.0.0.1", "host=/run hostaddr=10.0.0.2"],
    );
    check("hostaddr=10.0.0.1 user=me", &["hostaddr=10.0.0.1 user=me"]);
    check("user=me", &[]);
}

fn url(database: &TestDatabase, others: &[&TcpListener]) -> ConnectionUrl {
    let own = database.url().config;
    let (host, port) = database.server();
    let other = |it: &&TcpListener| format!("127.0.0.1:{},", it.local_addr().unwrap().port());
    let others: String = others.iter().map(other).collect();
    let (user, name) = (own.get_user().unwrap(), own.get_dbname().unwrap());
    let mut url: ConnectionUrl =
        format!("postgres://{user}@{others}{host}:{port}/{name}").parse().unwrap();
    if let Some(password) = own.get_password() {
        url.config.password(password);
    }
    url
}

fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// The system accepts connections for whoever listens, so these servers are there and say nothing.
#[tokio::test]
async fn silent_servers_are_passed_over() {
    let database = TestDatabase::new().await;
    let (first, second) = (silent(), silent());
    let url = url(&database, &[&first, &second]);
    let began = Instant::now();
    let (client, connection) = connect(&url.config, &url.tls).await.expect("one of them answers");
    assert!(2 * HEAD_START <= began.elapsed(), "the others came first");
    let mut session = JoinSet::new();
    session.spawn(connection);
    client.simple_query("SELECT 1").await.expect("it answers");
}

#[tokio::test]
async fn servers_that_are_gone_cost_no_time() {
    let database = TestDatabase::new().await;
    let gone = silent();
    let url = url(&database, &[&gone]);
    drop(gone);
    let connecting = timeout(HEAD_START, connect(&url.config, &url.tls));
    let connected = connecting.await.expect("it does not wait");
    connected.map(drop).expect("the other one answers");
}

#[tokio::test]
async fn the_last_failure_is_told() {
    let gone = silent();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let url: ConnectionUrl = format!("postgres://me@127.0.0.1:{port}/db").parse().unwrap();
    let error = connect(&url.config, &url.tls).await.map(drop).expect_err("nobody is there");
    assert!(error.to_string().contains("connecting"), "{error}");
    let nobody = connect(&Config::new(), &url.tls).await.map(drop).expect_err("nobody is named");
    assert!(nobody.to_string().contains("configuration"), "{nobody}");
}

/// Before a failover all others take no writes, and afterwards one of them does.
#[tokio::test]
async fn a_store_does_not_wait_for_a_silent_server_forever() {
    let silent = silent();
    let port = silent.local_addr().unwrap().port();
    let url: ConnectionUrl = format!("postgres://me@127.0.0.1:{port}/db").parse().unwrap();
    let db = Db::new(&url, Preparation::Named, 1);
    let began = Instant::now();
    let error = db.session().await.map(drop).expect_err("nobody answers");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(began.elapsed() < 2 * CONNECT_MAX, "it took {:?}", began.elapsed());
    let error = migrate(&url).await.expect_err("nobody answers");
    assert!(matches!(error, MigrateError::Silent(_)), "{error:?}");
}
