//! Rows that are none of ours: named, and kept from harming others.

use flowker_core::ports::{Direction, ExecutionSort};
use flowker_core::ports::{ExecutionQuery, StoreError};

use super::*;

/// Breaks what is stored of the first execution, which has ended, and expects that reading it names
/// the row.
async fn check(damage: &str, table: &str) {
    let database = Database::new();
    let store = database.open();
    store.accept(new(1)).await.expect("accept");
    store.accept(new(2)).await.expect("accept");
    store.append(end(1)).await.expect("append");
    look(&database.path()).execute_batch(damage).expect("damage");
    let summary = ExecutionStore::get(&store, execution(1).id).await.map(drop);
    let accepted = store.execution(execution(1).id).await.map(drop);
    let journal = store.journal(execution(1).id).await.map(drop);
    let error = summary.and(accepted).and(journal).expect_err(damage);
    let StoreError::Corrupt { what, .. } = &error else { panic!("{damage}: {error:?}") };
    assert_eq!(*what, format!("{table} {}", execution(1).id), "{damage}");
    // What is not damaged is served on.
    assert!(is_there(&store, 2).await);
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    for (damage, table) in [
        ("UPDATE outcomes SET status = 'done'", "executions"),
        ("UPDATE outcomes SET status = 'pending'", "executions"),
        ("UPDATE outcomes SET status = 'failed'", "executions"),
        ("UPDATE outcomes SET output = x'5B5D'", "executions"),
        ("UPDATE outcomes SET output = x'FF'", "executions"),
        ("UPDATE outcomes SET output = NULL", "executions"),
        ("DELETE FROM outcomes", "executions"),
        ("UPDATE executions SET total_steps = -1 WHERE hex(id) LIKE '%1'", "executions"),
        ("UPDATE executions SET workflow_id = x'00' WHERE hex(id) LIKE '%1'", "executions"),
        ("UPDATE journal SET kind = 'finished'", "journal"),
        ("UPDATE journal SET node = NULL", "journal"),
        ("UPDATE journal SET fence = -1", "journal"),
        ("UPDATE journal SET output = x'7B'", "journal"),
    ] {
        check(damage, table).await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_keeps_nothing_else_from_being_adopted() {
    let database = Database::new();
    let store = database.open();
    for n in 1..=3 {
        store.accept(NewExecution { owner: None, ..new(n) }).await.expect("accept");
    }
    let damage = "UPDATE executions SET version = -1
                   WHERE id = x'00000000000000000000000000000001'";
    look(&database.path()).execute_batch(damage).expect("damage");
    let owner = ReplicaId::from_uuid(id(REPLICA));
    let adopted = store.adopt(owner, 1, Timestamp::from_micros(1)).await.expect("adopt");
    let ids: Vec<_> = adopted.iter().map(|owned| owned.execution.id).collect();
    assert_eq!(ids, [execution(2).id]);
}

#[tokio::test]
async fn a_list_names_what_it_cannot_show() {
    let database = Database::new();
    let store = database.open();
    store.accept(new(1)).await.expect("accept");
    look(&database.path()).execute_batch("DELETE FROM executions").expect("damage");
    let query = ExecutionQuery {
        workflow_id: None,
        status: None,
        sort: ExecutionSort::StartedAt,
        direction: Direction::Descending,
        after: None,
        limit: 10,
    };
    let error = ExecutionStore::list(&store, query).await.expect_err("a missing row");
    assert_eq!(
        error.to_string(),
        "stored data of executions 00000000-0000-0000-0000-000000000001 is corrupt"
    );
}
