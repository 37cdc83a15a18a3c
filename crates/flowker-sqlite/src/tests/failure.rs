//! What follows when a commit fails, and when the disk is full.

use flowker_core::ports::{Acceptance, StoreError};
use rusqlite::{Connection, ffi};

use super::*;
use crate::writer;

fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

/// Commits, and then the sync fails.
fn lose_the_answer(db: &Connection) -> rusqlite::Result<()> {
    writer::commit(db)?;
    Err(failure(ffi::SQLITE_IOERR_FSYNC))
}

/// Does not get as far as the sync.
fn run_out_of_space(_: &Connection) -> rusqlite::Result<()> {
    Err(failure(ffi::SQLITE_FULL))
}

#[tokio::test]
async fn an_unknown_commit_is_never_answered_with_success_and_never_tried_again() {
    let database = Database::new();
    let path = database.path();
    let store = SqliteStore::open_with(&path, database.options(), lose_the_answer).expect("open");
    let mut failed = store.failed();
    let lost = store.accept(new(1)).await;
    assert!(matches!(lost, Err(StoreError::Unknown { .. })), "{lost:?}");
    assert!(*failed.wait_for(|failed| *failed).await.expect("the store is there"));
    let refused = store.accept(new(2)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert_eq!(store.commits(), 0);
    drop(store);

    let store = database.open();
    assert!(is_there(&store, 1).await, "unknown meant that it may have been applied");
    assert!(!is_there(&store, 2).await, "unavailable meant that it was not");
}

#[tokio::test]
async fn a_commit_that_was_certainly_rolled_back_may_be_repeated() {
    let database = Database::new();
    let path = database.path();
    let store = SqliteStore::open_with(&path, database.options(), run_out_of_space).expect("open");
    for _ in 0..2 {
        let refused = store.accept(new(1)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    }
    assert!(!*store.failed().borrow());
    assert!(!is_there(&store, 1).await);
    drop(store);
    assert!(!is_there(&database.open(), 1).await);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_room_again() {
    let database = Database::new();
    let store = database.open();
    // Less than there are means: no more than there are.
    limit_pages(&store, 1).await;
    let input = Bytes::from(vec![b'x'; 1 << 20]);
    let large = Arc::new(Execution { input, ..execution(1) });
    let large = NewExecution { execution: large, ..new(1) };
    let refused = store.accept(large.clone()).await.expect_err("no room");
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused:?}");
    let cause = std::error::Error::source(&refused).expect("a cause").to_string();
    assert!(cause.contains("full"), "{cause}");
    assert!(!*store.failed().borrow());

    limit_pages(&store, 1_000_000).await;
    assert_eq!(store.accept(large).await.expect("accept"), Acceptance::Accepted);
}

/// Lets the database grow to a number of pages.
async fn limit_pages(store: &SqliteStore, n_pages: u32) {
    let pragma = format!("PRAGMA max_page_count = {n_pages}");
    let limit = store.transact(move |db, _| Ok(db.query_row(&pragma, [], |_| Ok(()))));
    limit.await.expect("write").expect("a limit");
}

#[tokio::test]
async fn a_bug_in_a_write_fails_the_store_and_not_the_process() {
    let database = Database::new();
    let store = database.open();
    let lost = store.transact(|_, _| -> Result<(), _> { panic!("a bug") }).await;
    assert!(matches!(lost, Err(StoreError::Unknown { .. })), "{lost:?}");
    store.failed().wait_for(|failed| *failed).await.expect("the store is there");
    let refused = store.accept(new(1)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    drop(store);
    assert!(!is_there(&database.open(), 1).await);
}

#[tokio::test]
async fn a_bug_in_a_read_costs_no_connection() {
    let database = Database::new();
    let options = Options { readers: 1, ..database.options() };
    let store = SqliteStore::open(&database.path(), options).expect("open");
    for _ in 0..3 {
        let lost = store.query(|_| -> Result<(), _> { panic!("a bug") }).await;
        assert!(matches!(lost, Err(StoreError::Unavailable { .. })), "{lost:?}");
    }
    assert!(!is_there(&store, 1).await);
}
