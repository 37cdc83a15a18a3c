//! How much is accepted. Not a test: run it in the release profile, with `--ignored --nocapture`.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::Execution;
use flowker_core::id::ExecutionId;
use flowker_core::ports::{Acceptance, ExecutionStore, NewExecution, Precondition};
use flowker_core::workflow::Workflow;
use flowker_testkit::{Stores, sample};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::active_workflow;
use crate::testing::TestDatabase;
use crate::{Options, PostgresStore};

const PERIOD: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn acceptances_with_keys() {
    for n_tasks in [8, 64, 512] {
        for writers in [1, 2, 4] {
            accept_all(n_tasks, &Options { writers, ..Options::default() }).await;
        }
        accept_all(n_tasks, &Options { pooled: true, ..Options::default() }).await;
    }
}

/// Accepts executions of an active workflow with a key each, as fast as the store takes them.
async fn accept_all(n_tasks: usize, options: &Options) {
    let database = TestDatabase::new().await;
    let store = PostgresStore::new(&database.url(), options);
    let workflow = active_workflow(&Stores::of(&Arc::new(store.clone()))).await;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..n_tasks {
        let (store, workflow) = (store.clone(), workflow.clone());
        tasks.spawn(async move {
            let mut waits = Vec::new();
            while began.elapsed() < PERIOD {
                let asked = Instant::now();
                let answer = store.accept(triggered(&workflow)).await.expect("accept");
                assert_eq!(answer, Acceptance::Accepted);
                waits.push(asked.elapsed());
            }
            waits
        });
    }
    let mut waits: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    waits.sort_unstable();
    let n_groups = usize::try_from(store.commits()).expect("few");
    println!(
        "{n_tasks} tasks, {}, {} writers: {} acceptances/s, {} in a group, p50 {:?}, p99 {:?}",
        if options.pooled { "unnamed statements" } else { "named statements" },
        options.writers,
        waits.len() / usize::try_from(PERIOD.as_secs()).expect("few"),
        waits.len() / n_groups.max(1),
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
    );
}

fn triggered(workflow: &Workflow) -> NewExecution {
    let id = Uuid::now_v7();
    let execution = Execution {
        id: ExecutionId::from_uuid(id),
        workflow_id: workflow.id,
        version: workflow.version,
        ..sample::execution(1)
    };
    NewExecution {
        execution: Arc::new(execution),
        precondition: Precondition::VersionActive,
        claim: Some(sample::claim(&id.to_string(), "a")),
        owner: Some(sample::replica(1)),
        actor: sample::actor(),
    }
}
