//! Retention: what ended long ago goes, and nothing else.

use flowker_core::execution::{Failure, FailureCode};
use flowker_core::ports::{Acceptance, Clock, IdempotencyStore};

use super::*;

const DAY: Duration = Duration::from_hours(24);
const KEPT: Duration = Duration::from_hours(8 * 24);
const KEY_KEPT: Duration = Duration::from_hours(7 * 24);

/// Accepts the `n`-th execution now, and ends it if `outcome` says how.
async fn run(database: &Database, store: &SqliteStore, n: u128, outcome: Option<Outcome>) {
    let mut execution = execution(n);
    execution.accepted_at = database.clock.now();
    let claim = Claim { retention: KEY_KEPT, ..claim(&format!("key {n}")) };
    let execution = Arc::new(execution);
    let new = NewExecution { execution, claim: Some(claim), ..new(n) };
    assert_eq!(store.accept(new).await.expect("accept"), Acceptance::Accepted);
    if let Some(outcome) = outcome {
        let end = Append { end: Some((outcome, database.clock.now())), ..end(n) };
        store.append(end).await.expect("append");
    }
}

fn completed() -> Outcome {
    Outcome::Completed { output: Map::new() }
}

async fn left(store: &SqliteStore, numbers: std::ops::RangeInclusive<u128>) -> Vec<u128> {
    let mut left = Vec::new();
    for n in numbers {
        if is_there(store, n).await {
            left.push(n);
        }
    }
    left
}

fn n_rows(database: &Database) -> i64 {
    let count = "SELECT (SELECT count(*) FROM executions) + (SELECT count(*) FROM outcomes)
                      + (SELECT count(*) FROM journal)";
    look(&database.path()).query_row(count, [], |row| row.get(0)).expect("count")
}

#[tokio::test]
async fn what_ended_and_is_old_is_removed_whole() {
    let (database, failure) = (Database::new(), Failure::new(FailureCode::TimedOut, "late"));
    let store = database.open();
    run(&database, &store, 1, Some(completed())).await;
    run(&database, &store, 2, Some(Outcome::Failed(failure))).await;
    run(&database, &store, 3, Some(Outcome::Cancelled)).await;
    run(&database, &store, 4, None).await;
    database.clock.advance(DAY);
    run(&database, &store, 5, Some(completed())).await;

    database.clock.advance(KEY_KEPT);
    assert_eq!(store.purge_executions(KEPT, 10).await.expect("purge"), 0, "not older, but as old");
    database.clock.advance(Duration::from_micros(1));
    assert_eq!(store.purge_executions(KEPT, 10).await.expect("purge"), 3);
    assert_eq!(store.purge_executions(KEPT, 10).await.expect("purge"), 0, "once is enough");
    assert_eq!(left(&store, 1..=5).await, [4, 5], "one has not ended, and one is young");
    // One that runs, and one with its outcome and an entry.
    assert_eq!(n_rows(&database), 1 + 3);
    assert_eq!(store.journal(execution(1).id).await.expect("journal"), []);
    store.append(end(4)).await.expect("it is driven on");
}

#[tokio::test]
async fn no_more_are_removed_than_asked_for_and_the_oldest_first() {
    let database = Database::new();
    let store = database.open();
    for n in 1..=5 {
        run(&database, &store, n, Some(completed())).await;
        database.clock.advance(Duration::from_secs(1));
    }
    database.clock.advance(KEPT);
    for (expected, expected_left) in [(2, &[3, 4, 5][..]), (2, &[5]), (1, &[]), (0, &[])] {
        assert_eq!(store.purge_executions(KEPT, 2).await.expect("purge"), expected);
        assert_eq!(left(&store, 1..=5).await, expected_left);
    }
}

#[tokio::test]
async fn what_a_kept_key_stands_for_stays() {
    let database = Database::new();
    let store = database.open();
    run(&database, &store, 1, Some(completed())).await;
    database.clock.advance(DAY + DAY);
    // As if keys had been kept for longer once than executions are now.
    assert_eq!(store.purge_executions(DAY, 10).await.expect("purge"), 0);
    let key = claim("key 1").key;
    let found = store.find(execution(1).workflow_id, &key).await.expect("find");
    assert_eq!(found.map(|it| it.execution.id), Some(execution(1).id));

    database.clock.advance(KEPT);
    assert_eq!(store.purge_executions(DAY, 10).await.expect("purge"), 1);
    assert_eq!(store.find(execution(1).workflow_id, &key).await.expect("find"), None);
    assert_eq!(store.purge_expired(10).await.expect("purge"), 1, "its row was there still");
}

#[tokio::test]
async fn what_is_freed_is_used_again() {
    let database = Database::new();
    let store = database.open();
    let mut n_pages = Vec::new();
    for round in 0..4 {
        for n in 1..=50 {
            let mut execution = execution(n + 100 * round);
            execution.input = Bytes::from(vec![b' '; 20_000]);
            execution.accepted_at = database.clock.now();
            let new = NewExecution { execution: Arc::new(execution), ..new(n + 100 * round) };
            store.accept(new).await.expect("accept");
            store.append(end(n + 100 * round)).await.expect("append");
        }
        database.clock.advance(DAY + DAY);
        assert_eq!(store.purge_executions(DAY, 100).await.expect("purge"), 50);
        let count = |db: &rusqlite::Connection| {
            db.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).expect("count")
        };
        n_pages.push(count(&look(&database.path())));
    }
    assert!(n_pages[3] < n_pages[0] + n_pages[0] / 10, "{n_pages:?}");
}
