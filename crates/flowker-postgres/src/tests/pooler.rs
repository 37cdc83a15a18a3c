//! The same through pgbouncer in transaction mode, which gives every transaction another session.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowker_core::execution::{Outcome, Status};
use flowker_core::ports::{
    Acceptance, Append, ExecutionStore, NewExecution, Precondition, StoreError,
};
use flowker_testkit::postgres::{Pooler, Target};
use flowker_testkit::{Stores, Subject, sample};
use futures_util::future::join_all;
use serde_json::{Map, json};

use super::active_workflow;
use super::contract::Silence;
use crate::testing::{TestDatabase, until};
use crate::{Options, PostgresStore};

/// Fewer sessions than tests have at the same time, so that they share them.
const SESSIONS: u32 = 3;

/// A pgbouncer before the server of a database. `None`, and why, if none is installed.
fn pooler(database: &TestDatabase) -> Option<Pooler> {
    let url = database.url();
    let (host, port) = database.server();
    let user = url.config.get_user().expect("the URL of the tests names a user");
    let password = url.config.get_password();
    Pooler::start(Target { host: &host, port, user, password }, SESSIONS)
}

fn pooled() -> Options {
    Options { pooled: true, ..Options::default() }
}

#[tokio::test]
async fn a_store_opens_through_a_pooler() {
    let database = TestDatabase::empty().await;
    let Some(pooler) = pooler(&database) else { return };
    let url = database.url_by(pooler.port());
    let openings = (0..8).map(|_| {
        let url = url.clone();
        async move { PostgresStore::open(&url, &pooled()).await.expect("it opens").check().await }
    });
    for checked in join_all(openings).await {
        checked.expect("it is fit");
    }
}

/// Acceptance, journal, ownership and end of executions, with the server's own clock: a test's is a
/// setting of the session, of which here nobody has one.
#[tokio::test(flavor = "multi_thread")]
async fn executions_run_through_a_pooler() {
    let database = TestDatabase::new().await;
    let Some(pooler) = pooler(&database) else { return };
    let options = Options { lapse: Duration::from_millis(500), ..pooled() };
    let store = Arc::new(PostgresStore::new(&database.url_by(pooler.port()), &options));
    active_workflow(&Stores::of(&store)).await;
    let (first, second) = (sample::replica(1), sample::replica(2));

    store.keep_alive(first).await.expect("keep_alive");
    let acceptances = (0..64).map(|n| {
        let claim = Some(sample::claim(&format!("order-{}", n % 8), "the same request"));
        let precondition = Precondition::VersionActive;
        let owner = Some(first);
        store.accept(NewExecution { claim, precondition, owner, ..sample::new_execution(n) })
    });
    let answers = join_all(acceptances).await;
    let is_new = |it: &Result<_, _>| matches!(it, Ok(Acceptance::Accepted));
    let is_known = |it: &Result<_, _>| matches!(it, Ok(Acceptance::Replayed(_)));
    assert_eq!(answers.iter().filter(|it| is_new(it)).count(), 8, "{answers:?}");
    assert_eq!(answers.iter().filter(|it| is_known(it)).count(), 56, "{answers:?}");

    let owned = store.owned(first).await.expect("owned");
    assert_eq!(owned.len(), 8);
    let step = |id, fence| {
        let entries = vec![sample::entry(fence, sample::completed("call", json!(1)))];
        Append { id, fence, position: 0, entries, end: None }
    };
    let steps = join_all(owned.iter().map(|(id, fence)| store.append(step(*id, *fence)))).await;
    assert!(steps.iter().all(Result::is_ok), "{steps:?}");

    // The first falls silent.
    let adopted = Mutex::new(Vec::new());
    until("all are adopted", async || {
        store.keep_alive(second).await.expect("keep_alive");
        let more = store.adopt(second, 3, sample::moment(9)).await.expect("adopt");
        let mut adopted = adopted.lock().unwrap();
        adopted.extend(more);
        adopted.len() == 8
    })
    .await;
    let late = join_all(owned.iter().map(|(id, fence)| store.append(step(*id, *fence)))).await;
    assert!(late.iter().all(|it| matches!(it, Err(StoreError::Superseded))), "{late:?}");
    let ends = adopted.into_inner().unwrap().into_iter().map(|it| {
        assert_eq!(it.journal.len(), 2, "a step and the adoption: {it:?}");
        let end = Some((Outcome::Completed { output: Map::new() }, sample::moment(10)));
        let (id, fence) = (it.execution.id, it.fence);
        store.append(Append { id, fence, position: 2, entries: Vec::new(), end })
    });
    let ends = join_all(ends).await;
    assert!(ends.iter().all(Result::is_ok), "{ends:?}");
    for (id, _) in owned {
        let summary = ExecutionStore::get(&*store, id).await.expect("get").expect("it is there");
        assert_eq!(summary.status, Status::Completed);
    }
}

/// Without pgbouncer, what goes through it is proved without it.
async fn fresh_store() -> Subject {
    let database = TestDatabase::new().await;
    let clock = Arc::clone(&database.clock);
    let pooler = pooler(&database);
    let url = pooler.as_ref().map_or_else(|| database.url(), |it| database.url_by(it.port()));
    let stores = Stores::of(&Arc::new(PostgresStore::new(&url, &pooled())));
    let lapse = Box::new(Silence { clock: Arc::clone(&clock), lapse: pooled().lapse });
    Subject { stores, clock, lapse, guard: Box::new((pooler, database)) }
}

flowker_testkit::workflow_store_contract!(fresh_store);
flowker_testkit::provider_config_store_contract!(fresh_store);
flowker_testkit::api_key_store_contract!(fresh_store);
flowker_testkit::shared_values_contract!(fresh_store);
