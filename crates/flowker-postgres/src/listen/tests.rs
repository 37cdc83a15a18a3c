use std::sync::Arc;

use flowker_core::ports::{Activation, Transition, WorkflowStore, WorkflowWritten};
use flowker_core::workflow::Lifecycle;
use flowker_testkit::sample;

use super::*;
use crate::Options;
use crate::testing::{TestDatabase, until};

const LISTENERS: &str =
    "SELECT count(*), count(pg_terminate_backend(pid)) FILTER (WHERE $1) FROM pg_stat_activity
      WHERE datname = current_database() AND query = 'LISTEN flowker_routes'";

/// How many sessions listen; `end` ends them.
async fn listeners(database: &TestDatabase, end: bool) -> i64 {
    let statement = LISTENERS.replace("$1", if end { "true" } else { "false" });
    database.look(&statement).await[0].get(0)
}

async fn wait_for_change(changes: &mut watch::Receiver<u64>) {
    let told = timeout(Duration::from_mins(1), changes.changed()).await;
    told.expect("there is a change").expect("the store is there");
}

/// A store that listens, and the changes that it hears of from now on.
async fn listening(database: &TestDatabase) -> (PostgresStore, watch::Receiver<u64>) {
    let store = database.store(&Options::default());
    let mut changes = store.route_changes();
    changes.wait_for(|n| 0 < *n).await.expect("the store is there");
    changes.mark_unchanged();
    (store, changes)
}

#[tokio::test]
async fn replicas_hear_of_each_others_changes() {
    let database = TestDatabase::new().await;
    let (_theirs, mut changes) = listening(&database).await;
    let ours = database.store(&Options::default());
    let workflow = sample::workflow(1);
    WorkflowStore::create(&ours, workflow.clone(), sample::event()).await.unwrap();
    assert!(!changes.has_changed().unwrap(), "a draft has no routes");

    let (id, at) = (workflow.id, sample::moment(5));
    let activation =
        Activation { id, revision: 1, routes: vec![sample::route(1)], configs: Vec::new(), at };
    let answer = ours.activate(activation, sample::event()).await.unwrap();
    assert!(matches!(answer, WorkflowWritten::Done(_)), "{answer:?}");
    wait_for_change(&mut changes).await;

    let transition = Transition { id, revision: 2, to: Lifecycle::Inactive, at };
    ours.transition(transition, sample::event()).await.unwrap();
    wait_for_change(&mut changes).await;
}

#[tokio::test]
async fn whoever_was_cut_off_hears_again_and_is_told_to_look() {
    let database = TestDatabase::new().await;
    let (_store, mut changes) = listening(&database).await;
    assert_eq!(listeners(&database, true).await, 1);
    wait_for_change(&mut changes).await;
    assert_eq!(listeners(&database, false).await, 1);
    database.look("SELECT pg_notify('flowker_routes', '')").await;
    wait_for_change(&mut changes).await;
}

#[tokio::test]
async fn all_receivers_share_a_session_that_ends_with_the_store() {
    let database = TestDatabase::new().await;
    let (store, mut changes) = listening(&database).await;
    let mut others = [store.route_changes(), store.clone().route_changes()];
    database.look("SELECT pg_notify('flowker_routes', '')").await;
    wait_for_change(&mut changes).await;
    for other in &mut others {
        other.wait_for(|n| 1 < *n).await.expect("the store is there");
    }
    assert_eq!(listeners(&database, false).await, 1);
    drop(store);
    until("the session ends", async || listeners(&database, false).await == 0).await;
}

#[tokio::test]
async fn nothing_is_heard_behind_a_pooler() {
    let database = TestDatabase::new().await;
    let store = database.store(&Options { pooled: true, ..Options::default() });
    let changes = store.route_changes();
    assert_eq!(*changes.borrow(), 0);
    let listener = &Arc::clone(&store.inner).listener;
    assert!(listener.listening.lock().unwrap().is_empty(), "nobody tries to");
}
