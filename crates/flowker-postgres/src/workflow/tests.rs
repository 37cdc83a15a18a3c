use std::sync::Arc;

use flowker_core::workflow::NewRoute;
use flowker_testkit::sample;
use tokio::task::JoinSet;

use super::*;
use crate::Options;
use crate::testing::{TestDatabase, until};

async fn store(database: &TestDatabase, n_drafts: u64) -> Arc<PostgresStore> {
    let store = database.store(&Options { sessions: 16, ..Options::default() });
    for n in 0..n_drafts {
        WorkflowStore::create(&store, sample::workflow(n), sample::event()).await.expect("create");
    }
    Arc::new(store)
}

fn n_done(answers: &[WorkflowWritten]) -> usize {
    answers.iter().filter(|it| matches!(it, WorkflowWritten::Done(_))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn racers_for_a_name_rename_one() {
    let database = TestDatabase::new().await;
    let store = store(&database, 24).await;
    let mut racers = JoinSet::new();
    for n in 0..24 {
        let store = Arc::clone(&store);
        let workflow = Workflow { name: "wanted".to_owned(), revision: 2, ..sample::workflow(n) };
        racers.spawn(async move { store.update(workflow, sample::event()).await.expect("update") });
    }
    let answers = racers.join_all().await;
    let n_taken = answers.iter().filter(|it| **it == WorkflowWritten::NameTaken).count();
    assert_eq!((n_done(&answers), n_taken), (1, 23), "{answers:?}");
}

/// Two want the same routes, named in opposite order, and meet at the one in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn racers_for_several_routes_do_not_wait_in_a_circle() {
    let database = TestDatabase::new().await;
    let name = database.look("SELECT current_database()").await[0].get::<_, String>(0);
    // The server would break the circle, and one of the two would come again unseen.
    database.look(&format!("ALTER DATABASE {name} SET deadlock_timeout = '1h'")).await;
    let store = store(&database, 3).await;
    let holder = database.db().session().await.expect("a session");
    holder.begin().await.expect("begin");
    let hold = format!(
        "INSERT INTO routes VALUES ('POST', 'hooks/2', 'start', '{}', 1)",
        sample::workflow_id(2).as_uuid()
    );
    holder.execute(&hold).await.expect(&hold);

    let forward: Vec<NewRoute> = (0..5).map(sample::route).collect();
    let backward: Vec<NewRoute> = forward.iter().rev().cloned().collect();
    let mut racers = JoinSet::new();
    for (n, routes) in (0..).zip([forward, backward]) {
        let (store, id, at) = (Arc::clone(&store), sample::workflow_id(n), sample::moment(9));
        let activation = Activation { id, revision: 1, routes, configs: Vec::new(), at };
        racers.spawn(async move {
            store.activate(activation, sample::event()).await.expect("activate")
        });
    }
    until("both wait", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'";
        database.look(waiting).await[0].get::<_, i64>(0) == 2
    })
    .await;
    holder.execute("ROLLBACK").await.expect("rollback");

    let answers = racers.join_all().await;
    assert_eq!(n_done(&answers), 1, "{answers:?}");
    let live = WorkflowStore::routes(&*store).await.expect("routes");
    assert_eq!(live.len(), 5);
    for answer in &answers {
        let winner = match answer {
            WorkflowWritten::Done(workflow) => workflow.id,
            WorkflowWritten::RouteTaken { holder, .. } => *holder,
            other => panic!("done or taken, not {other:?}"),
        };
        assert!(live.iter().all(|it| it.workflow_id == winner), "{live:?}");
    }
}
