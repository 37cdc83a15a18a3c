//! Who uses what, in a database from before it was kept.

use flowker_core::ports::{Activation, ProviderConfigStore, UnusedWritten};
use flowker_testkit::sample;

use super::*;

const MIGRATION: &str = include_str!("../../migrations/V4__config_uses.sql");

#[tokio::test]
async fn what_was_active_before_uses_were_kept_is_found() {
    let database = Database::new();
    let store = database.open();
    for n in [1, 2] {
        ProviderConfigStore::create(&store, sample::config(n), sample::event())
            .await
            .expect("create");
        WorkflowStore::create(&store, sample::workflow(n), sample::event()).await.expect("create");
    }
    let workflow = sample::workflow(1);
    let (id, revision, at) = (workflow.id, workflow.revision, sample::moment(1_000));
    let activation = Activation { id, revision, routes: Vec::new(), configs: Vec::new(), at };
    store.activate(activation, sample::event()).await.expect("activate");
    let (_, backfill) = MIGRATION.split_once("-- What was activated").expect("the backfill");
    look(&database.path()).execute_batch(&format!("--{backfill}")).expect("the backfill");
    let answer =
        store.delete_unused(sample::config_id(1), sample::event()).await.expect("delete_unused");
    let UnusedWritten::InUse(users) = answer else { panic!("it is in use, not {answer:?}") };
    assert_eq!(users.iter().map(|user| user.id).collect::<Vec<_>>(), [workflow.id]);
    let answer =
        store.delete_unused(sample::config_id(2), sample::event()).await.expect("delete_unused");
    assert_eq!(answer, UnusedWritten::Done);
}
