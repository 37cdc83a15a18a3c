//! Who uses what, in a database from before it was kept.

use std::sync::Arc;

use flowker_core::ports::{ProviderConfigStore, UnusedWritten};
use flowker_testkit::{Stores, sample};

use super::active_workflow;
use crate::testing::TestDatabase;
use crate::{Options, PostgresStore};

const MIGRATION: &str = include_str!("../../migrations/V3__config_uses.sql");

#[tokio::test]
async fn what_was_active_before_uses_were_kept_is_found() {
    let database = TestDatabase::new().await;
    let store = Arc::new(PostgresStore::new(&database.url(), &Options::default()));
    for n in [1, 2] {
        ProviderConfigStore::create(&*store, sample::config(n), sample::event())
            .await
            .expect("create");
    }
    let workflow = active_workflow(&Stores::of(&store)).await;
    let (_, backfill) = MIGRATION.split_once("-- What was activated").expect("the backfill");
    database.look(&format!("--{backfill}")).await;
    let answer =
        store.delete_unused(sample::config_id(1), sample::event()).await.expect("delete_unused");
    let UnusedWritten::InUse(users) = answer else { panic!("it is in use, not {answer:?}") };
    assert_eq!(users.iter().map(|user| user.id).collect::<Vec<_>>(), [workflow.id]);
    let answer =
        store.delete_unused(sample::config_id(2), sample::event()).await.expect("delete_unused");
    assert_eq!(answer, UnusedWritten::Done);
}
