//! Looks at a file that change nothing.

use flowker_core::ports::Acceptance;

use super::*;
use crate::inspect;

#[tokio::test]
async fn a_look_shows_what_is_there_and_who_has_it() {
    let database = Database::new();
    assert_eq!(inspect(&database.path()).expect("no file is no fault"), None);

    let store = database.open();
    for n in 1..=2 {
        store.accept(NewExecution { owner: None, ..new(n) }).await.expect("accept");
    }
    store.accept(new(3)).await.expect("accept");
    let seen = inspect(&database.path()).expect("a look").expect("there is a file");
    assert!(seen.is_in_use);
    assert_eq!((seen.schema, seen.unfinished), (Some(seen.schema_known), 3));
    assert_eq!(seen.waiting_since, Some(Timestamp::from_micros(0)));
    assert!(0 < seen.bytes);
    assert_eq!(store.accept(new(4)).await.expect("accept"), Acceptance::Accepted);

    store.close().await;
    drop(store);
    let seen = inspect(&database.path()).expect("a look").expect("there is a file");
    assert!(!seen.is_in_use);
    assert_eq!(seen.unfinished, 4);
    drop(database.open());
}

#[test]
fn a_file_that_is_no_database_of_ours_is_found_out() {
    let database = Database::new();
    rusqlite::Connection::open(database.path())
        .and_then(|db| db.execute_batch("CREATE TABLE theirs (x)"))
        .expect("a database of somebody else");
    let seen = inspect(&database.path()).expect("a look").expect("there is a file");
    assert_eq!(seen.schema, None);

    std::fs::write(database.path(), b"not a database, but long enough to be looked at")
        .expect("write");
    assert!(inspect(&database.path()).is_err());
}
