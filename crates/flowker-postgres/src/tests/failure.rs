//! Servers that fall silent or go away.

use std::time::Duration;

use flowker_core::ports::{Acceptance, ExecutionStore, StoreError, WorkflowStore, WorkflowWritten};
use flowker_testkit::postgres::Cluster;
use flowker_testkit::sample;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::NoTls;

use crate::testing::until;
use crate::{ConnectionUrl, Options, PostgresStore};

fn url(cluster: &Cluster) -> ConnectionUrl {
    cluster.url().parse().expect("a URL")
}

/// Runs a statement as an operator would.
async fn tell(cluster: &Cluster, statement: &str) {
    let connected = tokio_postgres::connect(&cluster.url(), NoTls).await;
    let (client, connection) = connected.expect("the server answers");
    let mut session = JoinSet::new();
    session.spawn(connection);
    client.batch_execute(statement).await.expect(statement);
}

async fn create(store: &PostgresStore, n: u64) -> Result<(), StoreError> {
    let answer = WorkflowStore::create(store, sample::workflow(n), sample::event()).await?;
    assert!(matches!(answer, WorkflowWritten::Done(_)), "{answer:?}");
    Ok(())
}

async fn is_there(store: &PostgresStore, n: u64) -> bool {
    WorkflowStore::get(store, sample::workflow_id(n)).await.expect("get").is_some()
}

/// A commit that waits for a standby is neither told as done nor as not done: no timeout of ours
/// makes the server end its wait, which it would call a success.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_its_standby_stays_unknown() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let (url, options) = (url(&cluster), Options::default());
    PostgresStore::open(&url, &options).await.expect("it opens");
    let patience = Duration::from_secs(1);
    let store = PostgresStore::over(&url, &options, |db| db.with_answer_max(patience));

    tell(&cluster, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
    tell(&cluster, "SELECT pg_reload_conf()").await;
    // The server takes a moment to begin with it.
    let mut n = 0;
    let first = loop {
        n += 1;
        if let Err(error) = create(&store, n).await {
            break error;
        }
    };
    assert!(matches!(first, StoreError::Unknown { .. }), "{first:?}");
    let second = create(&store, n + 1).await.expect_err("no standby has it");
    assert!(matches!(second, StoreError::Unknown { .. }), "{second:?}");
    // The same with acceptances, which are written in groups.
    let accepted = store.accept(sample::new_execution(1)).await.expect_err("no standby has it");
    assert!(matches!(accepted, StoreError::Unknown { .. }), "{accepted:?}");
    assert!(!is_there(&store, n).await, "nobody sees it before its standby has it");

    tell(&cluster, "ALTER SYSTEM RESET synchronous_standby_names").await;
    tell(&cluster, "SELECT pg_reload_conf()").await;
    for unknown in [n, n + 1] {
        until("the commit ends", async || is_there(&store, unknown).await).await;
    }
    create(&store, n + 2).await.expect("all is well again");
    let again = store.accept(sample::new_execution(1)).await.expect("all is well again");
    assert_eq!(again, Acceptance::Accepted);
}

/// Calls until one succeeds; in between the server may only be unreachable.
async fn recovers(store: &PostgresStore, n: u64) {
    until("the store recovers", async || match create(store, n).await {
        Ok(()) => true,
        Err(StoreError::Unavailable { .. }) => false,
        Err(other) => panic!("unavailable, not {other:?}"),
    })
    .await;
}

/// A store goes on after its server was restarted between two calls, and while there was none.
async fn check_restarts(options: &Options) {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let store = PostgresStore::open(&url(&cluster), options).await.expect("it opens");
    for n in 0..3 {
        create(&store, n).await.expect("all is well");
        cluster.restart_immediately();
        recovers(&store, 10 + n).await;
        assert!(is_there(&store, n).await, "it was acknowledged");
    }
    cluster.stop();
    let error = create(&store, 20).await.expect_err("nobody is there");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    cluster.resume();
    recovers(&store, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_outlives_its_server() {
    check_restarts(&Options::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_outlives_its_server_with_unnamed_statements() {
    check_restarts(&Options { pooled: true, ..Options::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_heard_again_after_a_restart() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let store = PostgresStore::new(&url(&cluster), &Options::default());
    let mut changes = store.route_changes();
    for n in 0..3 {
        let heard = timeout(Duration::from_mins(1), changes.wait_for(|it| n < *it)).await;
        heard.expect("it listens").expect("the store is there");
        cluster.restart_immediately();
    }
}
