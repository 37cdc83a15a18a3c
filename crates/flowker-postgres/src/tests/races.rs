//! Deactivations that race with acceptances.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flowker_core::execution::Execution;
use flowker_core::id::ExecutionId;
use flowker_core::ports::{
    Acceptance, ExecutionStore, NewExecution, Precondition, Transition, WorkflowStore,
    WorkflowWritten,
};
use flowker_core::workflow::{Lifecycle, Workflow};
use flowker_testkit::{Stores, sample};
use tokio::task::{JoinSet, yield_now};
use uuid::Uuid;

use super::active_workflow;
use crate::testing::TestDatabase;
use crate::{Options, PostgresStore};

fn triggered(workflow: &Workflow) -> NewExecution {
    let execution = Execution {
        id: ExecutionId::from_uuid(Uuid::now_v7()),
        workflow_id: workflow.id,
        version: workflow.version,
        ..sample::execution(1)
    };
    NewExecution {
        execution: Arc::new(execution),
        precondition: Precondition::VersionActive,
        claim: None,
        owner: Some(sample::replica(1)),
        actor: sample::actor(),
    }
}

async fn deactivate(store: &PostgresStore, workflow: &Workflow) {
    let (id, revision) = (workflow.id, workflow.revision);
    let transition =
        Transition { id, revision, to: Lifecycle::Inactive, at: sample::moment(2_000) };
    let answer = store.transition(transition, sample::event()).await.expect("transition");
    assert!(matches!(answer, WorkflowWritten::Done(_)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_started_after_a_deactivation() {
    let database = TestDatabase::new().await;
    let replicas = [(); 2].map(|()| PostgresStore::new(&database.url(), &Options::default()));
    let workflow = active_workflow(&Stores::of(&Arc::new(replicas[0].clone()))).await;
    let (is_over, n_accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut senders = JoinSet::new();
    for sender in 0..32 {
        let (store, workflow) = (replicas[sender % 2].clone(), workflow.clone());
        let (is_over, n_accepted) = (Arc::clone(&is_over), Arc::clone(&n_accepted));
        senders.spawn(async move {
            loop {
                let was_over = is_over.load(Ordering::SeqCst);
                match store.accept(triggered(&workflow)).await.expect("accept") {
                    Acceptance::Accepted if was_over => panic!("started after the deactivation"),
                    Acceptance::Accepted => n_accepted.fetch_add(1, Ordering::SeqCst),
                    Acceptance::RouteGone => return,
                    other => panic!("accepted or gone, not {other:?}"),
                };
            }
        });
    }
    while n_accepted.load(Ordering::SeqCst) < 1_000 {
        yield_now().await;
    }
    deactivate(&replicas[0], &workflow).await;
    is_over.store(true, Ordering::SeqCst);
    senders.join_all().await;
}

/// How many sessions of the database wait for a lock.
const N_WAITING: &str = "
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// Otherwise acceptances that never pause would keep it waiting for ever.
#[tokio::test]
async fn an_acceptance_does_not_overtake_a_deactivation_that_waits() {
    let database = TestDatabase::new().await;
    let store = PostgresStore::new(&database.url(), &Options::default());
    let workflow = active_workflow(&Stores::of(&Arc::new(store.clone()))).await;
    // Both have sessions now: none has to be made while somebody waits.
    assert_eq!(store.accept(triggered(&workflow)).await.expect("accept"), Acceptance::Accepted);
    let (accepting, operator) = (database.client().await, database.client().await);
    let n_waiting = async || {
        let row = operator.query_one(N_WAITING, &[]).await.expect("a count");
        row.get::<_, i64>(0)
    };
    accepting.batch_execute("BEGIN; SELECT 1 FROM workflows FOR SHARE").await.expect("a lock");

    let mut deactivating = JoinSet::new();
    deactivating.spawn({
        let (store, workflow) = (store.clone(), workflow.clone());
        async move { deactivate(&store, &workflow).await }
    });
    while n_waiting().await < 1 {}
    let mut late = JoinSet::new();
    late.spawn(async move { store.accept(triggered(&workflow)).await.expect("accept") });
    while n_waiting().await < 2 {
        assert!(late.try_join_next().is_none(), "it has overtaken");
    }
    accepting.batch_execute("COMMIT").await.expect("the lock is given up");
    deactivating.join_all().await;
    assert_eq!(late.join_all().await, [Acceptance::RouteGone]);
}
