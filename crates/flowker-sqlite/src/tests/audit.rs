//! The audit log in the hands of somebody who may write to the file.

use flowker_core::audit::Verdict;
use flowker_core::id::AuditEventId;
use flowker_core::ports::{AuditLog, AuditQuery, Direction};
use flowker_core::service::Audit;
use flowker_testkit::SequentialIds;

use super::*;

const N_EVENTS: u64 = 12;

/// A store with sealed entries, and the ids of these in their order.
async fn sealed(database: &Database) -> (SqliteStore, Vec<AuditEventId>) {
    let store = database.open();
    for n in 0..N_EVENTS {
        database.clock.set(Timestamp::from_micros(i64::try_from(n).expect("few")));
        append(&store).await;
    }
    let n_sealed = AuditLog::seal(&store, 100).await.expect("seal");
    assert_eq!(n_sealed as u64, N_EVENTS);
    let query = AuditQuery { direction: Direction::Ascending, limit: 100, ..AuditQuery::default() };
    let page = store.search(query).await.expect("search");
    (store, page.items.iter().map(|it| it.event.id).collect())
}

async fn append(store: &SqliteStore) {
    AuditLog::append(store, sample::event()).await.expect("append");
}

async fn verify(store: &SqliteStore, id: AuditEventId) -> Verdict {
    let audit = Audit { log: Arc::new(store.clone()), ids: Arc::new(SequentialIds::default()) };
    audit.verify(id, None).await.expect("a verdict")
}

#[tokio::test]
async fn sealed_entries_are_neither_changed_nor_removed() {
    let database = Database::new();
    let (store, ids) = sealed(&database).await;
    for statement in [
        "UPDATE audit_entries SET actor_id = 'nobody' WHERE sequence = 5",
        "DELETE FROM audit_entries WHERE sequence = 5",
        "DELETE FROM audit_entries",
    ] {
        let error = look(&database.path()).execute_batch(statement).expect_err(statement);
        assert!(error.to_string().contains("append-only"), "{statement}: {error}");
    }
    let expected = Verdict { first_invalid: None, n_checked: N_EVENTS };
    assert_eq!(verify(&store, ids[11]).await, expected);
}

/// Damages the log behind the triggers' back, and expects that the first bad entry is named.
async fn check(damage: &str, first_invalid: u64) {
    let database = Database::new();
    let (store, ids) = sealed(&database).await;
    let db = look(&database.path());
    db.execute_batch(
        "DROP TRIGGER audit_entries_are_not_changed; DROP TRIGGER audit_entries_are_not_removed",
    )
    .expect("whoever owns the file may");
    db.execute_batch(damage).expect(damage);
    assert_eq!(verify(&store, ids[11]).await.first_invalid, Some(first_invalid), "{damage}");
    let sound = Verdict { first_invalid: None, n_checked: 2 };
    assert_eq!(verify(&store, ids[1]).await, sound, "{damage}: what stands before it");
}

#[tokio::test]
async fn the_first_bad_entry_is_named() {
    for (damage, first_invalid) in [
        ("UPDATE audit_entries SET actor_id = 'nobody' WHERE sequence = 5", 5),
        ("UPDATE audit_entries SET event_type = 'WORKFLOW_DELETED' WHERE sequence = 5", 5),
        ("UPDATE audit_entries SET event_type = 'NOTHING' WHERE sequence = 5", 5),
        ("UPDATE audit_entries SET metadata = CAST('{}' AS BLOB) WHERE sequence = 5", 5),
        ("UPDATE audit_entries SET at = at + 1 WHERE sequence = 5", 5),
        ("UPDATE audit_entries SET actor_ip = '10.0.0.1' WHERE 5 <= sequence", 5),
        ("UPDATE audit_entries SET hash = zeroblob(32) WHERE sequence = 5", 5),
        ("DELETE FROM audit_entries WHERE sequence = 5", 5),
        ("DELETE FROM audit_entries WHERE sequence BETWEEN 5 AND 11", 5),
        (
            "DELETE FROM audit_entries WHERE sequence = 5;
             UPDATE audit_entries SET sequence = -sequence WHERE 5 < sequence;
             UPDATE audit_entries SET sequence = -sequence - 1 WHERE sequence < 0",
            5,
        ),
        // Two change places.
        (
            "UPDATE audit_entries SET sequence = -5 WHERE sequence = 5;
             UPDATE audit_entries SET sequence = 5 WHERE sequence = 8;
             UPDATE audit_entries SET sequence = 8 WHERE sequence = -5",
            5,
        ),
    ] {
        check(damage, first_invalid).await;
    }
}

/// Without a checkpoint nobody can tell a chain that was cut from one that never went on; as soon as
/// it grows, everybody can.
#[tokio::test]
async fn a_chain_that_was_cut_does_not_grow_on_unnoticed() {
    let database = Database::new();
    let (store, ids) = sealed(&database).await;
    look(&database.path())
        .execute_batch(
            "DROP TRIGGER audit_entries_are_not_removed;
             DELETE FROM audit_entries WHERE 10 < sequence",
        )
        .expect("damage");
    assert_eq!(verify(&store, ids[9]).await.first_invalid, None);
    append(&store).await;
    AuditLog::seal(&store, 10).await.expect("seal");
    let query = AuditQuery { limit: 1, ..AuditQuery::default() };
    let last = store.search(query).await.expect("search").items.remove(0);
    assert_eq!(last.sequence, N_EVENTS + 1);
    assert_eq!(verify(&store, last.event.id).await.first_invalid, Some(11));
}

#[tokio::test]
async fn retention_leaves_the_audit_log_alone() {
    let database = Database::new();
    let store = database.open();
    store.accept(new(1)).await.expect("accept");
    ExecutionStore::append(&store, end(1)).await.expect("append");
    AuditLog::seal(&store, 10).await.expect("seal");
    database.clock.advance(Duration::from_hours(1_000));
    assert_eq!(store.purge_executions(Duration::from_hours(1), 10).await.expect("purge"), 1);
    assert_eq!(store.chain(1, 10).await.expect("chain").len(), 2);
}
