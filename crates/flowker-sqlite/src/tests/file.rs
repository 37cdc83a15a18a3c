//! The file: what it keeps, who may open it, and how people look into it.

use std::error::Error;
use std::fs;

use flowker_core::execution::{Event, Status};
use flowker_core::ports::{Acceptance, IdempotencyStore, WorkflowWritten};

use super::*;
use crate::OpenError;
use crate::open::{migrations, schema};

#[tokio::test]
async fn everything_outlives_the_process() {
    let database = Database::new();
    let store = database.open();
    let drafted =
        WorkflowStore::create(&store, workflow("orders"), sample::event()).await.expect("create");
    assert_eq!(drafted, WorkflowWritten::Done(workflow("orders")));
    let claimed = NewExecution { claim: Some(claim("k")), ..new(1) };
    assert_eq!(store.accept(claimed).await.expect("accept"), Acceptance::Accepted);
    store.accept(new(2)).await.expect("accept");
    store.append(end(2)).await.expect("append");
    drop(store);

    let store = database.open();
    let found = WorkflowStore::get(&store, workflow("").id).await.expect("get");
    assert_eq!(found, Some(workflow("orders")));
    let key = claim("k").key;
    let known = store.find(execution(1).workflow_id, &key).await.expect("find").expect("known");
    assert_eq!((known.execution.id, known.execution.status), (execution(1).id, Status::Running));
    let ended = ExecutionStore::get(&store, execution(2).id).await.expect("get").expect("there");
    assert_eq!((ended.status, ended.current_step), (Status::Completed, 1));
}

#[tokio::test]
async fn what_an_earlier_process_drove_is_free_at_once() {
    let database = Database::new();
    let store = database.open();
    store.accept(new(1)).await.expect("accept");
    let heir = ReplicaId::from_uuid(id(REPLICA + 1));
    let now = Timestamp::from_micros(1);
    assert_eq!(store.adopt(heir, 10, now).await.expect("adopt"), []);
    drop(store);

    let store = database.open();
    let adopted = store.adopt(heir, 10, now).await.expect("adopt");
    let [owned] = adopted.as_slice() else { panic!("one execution, not {adopted:?}") };
    assert_eq!((owned.execution.id, owned.fence), (execution(1).id, Fence(2)));
    assert_eq!(owned.journal, [Entry { fence: Fence(2), at: now, event: Event::Adopted }]);
    assert_eq!(store.journal(execution(1).id).await.expect("journal"), owned.journal);
}

#[tokio::test]
async fn a_second_store_is_kept_out_until_the_first_is_gone() {
    let database = Database::new();
    let store = database.open();
    let refusal = SqliteStore::open(&database.path(), database.options()).expect_err("locked");
    assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal:?}");
    assert!(refusal.to_string().starts_with("another process has this database open: /"));

    // By another name it is the same database.
    #[cfg(unix)]
    {
        let link = database.directory.path().join("link.db");
        std::os::unix::fs::symlink(database.path(), &link).expect("link");
        let refusal = SqliteStore::open(&link, database.options()).expect_err("locked");
        assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal:?}");
    }

    // The attempts left the first one unharmed.
    store.accept(new(1)).await.expect("accept");
    store.close().await;
    let second = database.open();
    assert!(is_there(&second, 1).await);
}

#[tokio::test]
async fn a_closed_store_has_written_what_waited_and_takes_no_more() {
    let database = Database::new();
    let store = database.open();
    let accepting = store.accept(new(1));
    store.accept(new(2)).await.expect("accept");
    store.close().await;
    let error = accepting.await.expect_err("closed");
    assert!(matches!(error, flowker_core::ports::StoreError::Unavailable { .. }), "{error:?}");
    // The log is in the database, and empty.
    let log = fs::metadata(database.directory.path().join("flowker.db-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0);
    assert!(is_there(&store, 2).await);
    assert!(!is_there(&store, 1).await);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let database = Database::new();
    let store = database.open();
    store.accept(new(1)).await.expect("accept");
    let files = fs::read_dir(database.directory.path()).expect("list");
    let mut names = Vec::new();
    for file in files {
        let file = file.expect("list");
        let mode = file.metadata().expect("metadata").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file:?}");
        names.push(file.file_name());
    }
    names.sort();
    assert_eq!(names, ["flowker.db", "flowker.db-shm", "flowker.db-wal", "flowker.db.lock"]);
}

#[tokio::test]
async fn the_database_of_a_newer_release_is_refused() {
    let database = Database::new();
    drop(database.open());
    let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
                 VALUES (9999, 'newer', '2030-01-01T00:00:00Z', '1')";
    look(&database.path()).execute(newer, []).expect("insert");
    let refusal = SqliteStore::open(&database.path(), database.options()).expect_err("newer");
    assert!(matches!(refusal, OpenError::Schema { .. }), "{refusal:?}");
    assert!(refusal.source().expect("a cause").to_string().contains("9999"), "{refusal:?}");
}

#[test]
fn what_is_no_database_is_refused_and_kept() {
    let database = Database::new();
    let text = "something that somebody still needs".repeat(100);
    fs::write(database.path(), &text).expect("write");
    let refusal = SqliteStore::open(&database.path(), database.options()).expect_err("no database");
    assert!(matches!(refusal, OpenError::Database { .. }), "{refusal:?}");
    assert_eq!(fs::read_to_string(database.path()).expect("read"), text);
}

#[test]
fn a_missing_directory_is_named() {
    let database = Database::new();
    let path = database.directory.path().join("nowhere").join("flowker.db");
    let refusal = SqliteStore::open(&path, database.options()).expect_err("no directory");
    assert_eq!(refusal.to_string(), format!("cannot use {}", path.display()));
}

#[tokio::test]
async fn people_can_look_while_it_runs() {
    let database = Database::new();
    let store = database.open();
    store.accept(new(1)).await.expect("accept");
    store
        .accept(NewExecution { owner: None, claim: Some(claim("k")), ..new(2) })
        .await
        .expect("accept");
    store.accept(new(3)).await.expect("accept");
    store.append(end(3)).await.expect("append");
    let db = look(&database.path());
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = db.prepare(sql).expect("prepare");
        let rows = statement.query_map([], |row| row.get(0)).expect("query");
        rows.collect::<Result<_, _>>().expect("text")
    };
    assert_eq!(
        texts("SELECT id || ' ' || status || ' ' || input FROM v_executions ORDER BY id"),
        [
            r#"00000000-0000-0000-0000-000000000001 running {"amount":1.50}"#,
            r#"00000000-0000-0000-0000-000000000002 pending {"amount":1.50}"#,
            r#"00000000-0000-0000-0000-000000000003 completed {"amount":1.50}"#,
        ]
    );
    assert_eq!(
        texts("SELECT node || ' ' || at || ' ' || output FROM v_journal"),
        [r#"a 1970-01-01T00:00:00.000Z {"of":"a"}"#]
    );
    assert_eq!(
        texts("SELECT key || ' ' || expires_at FROM v_idempotency_keys"),
        ["k 1970-01-01T00:01:00.000Z"]
    );
    for view in ["v_workflows", "v_workflow_versions", "v_routes", "v_provider_configs"] {
        assert_eq!(texts(&format!("SELECT 'x' FROM {view}")), [""; 0], "{view}");
    }
}

#[test]
fn migrations_are_numbered_without_a_gap() {
    let mut versions = migrations();
    versions.sort_unstable();
    let expected: Vec<_> = (1..).take(versions.len()).collect();
    assert_eq!(versions, expected);
}

/// The committed schema is the one that all migrations lead to, so that every change of it shows in
/// a review. With `UPDATE_DOCS=1` it is written.
#[test]
fn the_schema_in_the_reference_is_the_real_one() {
    let database = Database::new();
    drop(database.open());
    let head = "-- What all migrations of the SQLite store lead to. Generated: run its tests with\n\
                -- `UPDATE_DOCS=1` to write it anew.\n\n";
    let actual = head.to_owned() + &schema(&look(&database.path())).expect("schema");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schema-sqlite.sql");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &actual).expect("write");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(actual == committed, "{} is out of date: run with UPDATE_DOCS=1", path.display());
}
