//! Rows that are none of ours: named, and kept from harming others.

use flowker_core::execution::Fence;
use flowker_core::ports::{
    Acceptance, Append, Direction, ExecutionQuery, ExecutionSort, ExecutionStore, NewExecution,
    StoreError,
};
use flowker_testkit::sample;

use crate::testing::TestDatabase;
use crate::{Options, PostgresStore};

async fn accept(store: &PostgresStore, n: u64, is_owned: bool) {
    let owner = is_owned.then(|| sample::replica(1));
    let new = NewExecution { owner, ..sample::new_execution(n) };
    assert_eq!(store.accept(new).await.expect("accept"), Acceptance::Accepted);
}

/// Breaks what is stored of the first execution, which has ended, and expects that reading it names
/// the column and the execution.
async fn check(damage: &str, column: &str) {
    let database = TestDatabase::new().await;
    let store = PostgresStore::new(&database.url(), &Options::default());
    accept(&store, 1, true).await;
    accept(&store, 2, true).await;
    let id = sample::execution_id(1);
    let entries = vec![sample::entry(Fence::FIRST, sample::completed("call", sample::value("1")))];
    let outcome = flowker_core::execution::Outcome::Completed { output: sample::object("{}") };
    let end = Some((outcome, sample::moment(8)));
    let whole = Append { id, fence: Fence::FIRST, position: 0, entries, end };
    store.append(whole).await.expect("append");
    let damage = damage.replace("$1", &format!("'{id}'"));
    database.look(&damage).await;

    let summary = ExecutionStore::get(&store, id).await.map(drop);
    let accepted = store.execution(id).await.map(drop);
    let journal = store.journal(id).await.map(drop);
    let error = summary.and(accepted).and(journal).expect_err(&damage);
    let StoreError::Corrupt { what, .. } = &error else { panic!("{damage}: {error:?}") };
    assert_eq!(*what, format!("{column}, of execution {id}"), "{damage}");
    // What is not damaged is served on.
    let other = ExecutionStore::get(&store, sample::execution_id(2)).await.expect("get");
    assert!(other.is_some());
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    for (damage, column) in [
        ("UPDATE outcomes SET status = 'done'", "executions, column status"),
        ("UPDATE outcomes SET status = 'pending'", "executions, column status"),
        ("UPDATE outcomes SET status = 'failed'", "executions, column failure_code"),
        ("UPDATE outcomes SET output = '[]'", "executions, column output"),
        ("UPDATE outcomes SET output = NULL", "executions, column output"),
        ("DELETE FROM outcomes", "executions, column status"),
        ("UPDATE executions SET total_steps = -1 WHERE id = $1", "executions, column total_steps"),
        ("UPDATE executions SET version = -1 WHERE id = $1", "executions, column version"),
        ("UPDATE journal SET kind = 'finished'", "journal, column kind"),
        ("UPDATE journal SET node = NULL", "journal, column node"),
        ("UPDATE journal SET fence = -1", "journal, column fence"),
        ("UPDATE journal SET output = '{'", "journal, column output"),
    ] {
        check(damage, column).await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_keeps_nothing_else_from_being_adopted() {
    let database = TestDatabase::new().await;
    let store = PostgresStore::new(&database.url(), &Options::default());
    for n in 1..=5 {
        accept(&store, n, false).await;
    }
    let damage = |n| {
        let id = sample::execution_id(n);
        format!("UPDATE executions SET version = -1 WHERE id = '{id}'")
    };
    database.look(&damage(1)).await;
    database.look(&damage(3)).await;
    let adopted = store.adopt(sample::replica(1), 2, sample::moment(9)).await.expect("adopt");
    let ids: Vec<_> = adopted.iter().map(|owned| owned.execution.id).collect();
    assert_eq!(ids, [2, 4].map(sample::execution_id));
    let rest = database.look("SELECT 1 FROM ready WHERE owner IS NULL AND fence = 0").await;
    assert_eq!(rest.len(), 3, "what was passed over is as it was");
}

#[tokio::test]
async fn a_list_names_what_it_cannot_show() {
    let database = TestDatabase::new().await;
    let store = PostgresStore::new(&database.url(), &Options::default());
    accept(&store, 1, true).await;
    database.look("DELETE FROM executions").await;
    let query = ExecutionQuery {
        workflow_id: None,
        status: None,
        sort: ExecutionSort::StartedAt,
        direction: Direction::Descending,
        after: None,
        limit: 10,
    };
    let error = ExecutionStore::list(&store, query).await.expect_err("a missing row");
    let id = sample::execution_id(1);
    assert_eq!(error.to_string(), format!("stored data of executions {id} is corrupt"));
}
