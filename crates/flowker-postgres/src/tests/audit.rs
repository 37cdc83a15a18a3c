//! The audit log in the hands of somebody who may write to the database, and sealers that race.

use std::sync::Arc;

use flowker_core::audit::Verdict;
use flowker_core::id::AuditEventId;
use flowker_core::ports::{AuditLog, AuditQuery, Direction};
use flowker_core::service::Audit;
use flowker_testkit::{SequentialIds, sample};

use crate::testing::TestDatabase;
use crate::{Options, PostgresStore};

const N_EVENTS: u64 = 12;

async fn append(store: &PostgresStore) {
    AuditLog::append(store, sample::event()).await.expect("append");
}

/// A store with sealed entries, and the ids of these in their order.
async fn sealed(database: &TestDatabase) -> (PostgresStore, Vec<AuditEventId>) {
    let store = database.store(&Options::default());
    for _ in 0..N_EVENTS {
        append(&store).await;
    }
    assert_eq!(store.seal(100).await.expect("seal") as u64, N_EVENTS);
    let query = AuditQuery { direction: Direction::Ascending, limit: 100, ..AuditQuery::default() };
    let page = store.search(query).await.expect("search");
    (store, page.items.iter().map(|it| it.event.id).collect())
}

async fn verify(store: &PostgresStore, id: AuditEventId) -> Verdict {
    let audit = Audit { log: Arc::new(store.clone()), ids: Arc::new(SequentialIds::default()) };
    audit.verify(id, None).await.expect("a verdict")
}

#[tokio::test]
async fn sealed_entries_are_neither_changed_nor_removed() {
    let database = TestDatabase::new().await;
    let (store, ids) = sealed(&database).await;
    let client = database.client().await;
    for statement in [
        "UPDATE audit_entries SET actor_id = 'nobody' WHERE sequence = 5",
        "DELETE FROM audit_entries WHERE sequence = 5",
        "TRUNCATE audit_entries",
    ] {
        let error = client.batch_execute(statement).await.expect_err(statement);
        let message = error.as_db_error().expect("the server refuses").message();
        assert!(message.contains("append-only"), "{statement}: {message}");
    }
    let expected = Verdict { first_invalid: None, n_checked: N_EVENTS };
    assert_eq!(verify(&store, ids[11]).await, expected);
}

#[tokio::test]
async fn the_first_bad_entry_is_named() {
    for damage in [
        "UPDATE audit_entries SET actor_id = 'nobody' WHERE sequence = 5",
        "UPDATE audit_entries SET event_type = 'WORKFLOW_DELETED' WHERE sequence = 5",
        "UPDATE audit_entries SET event_type = 'NOTHING' WHERE sequence = 5",
        "UPDATE audit_entries SET metadata = '{}' WHERE sequence = 5",
        "UPDATE audit_entries SET at = at + interval '1 microsecond' WHERE sequence = 5",
        "UPDATE audit_entries SET actor_ip = '10.0.0.1' WHERE 5 <= sequence",
        "UPDATE audit_entries SET hash = '' WHERE sequence = 5",
        "DELETE FROM audit_entries WHERE sequence = 5",
        "DELETE FROM audit_entries WHERE sequence = 5;
         UPDATE audit_entries SET sequence = -sequence WHERE 5 < sequence;
         UPDATE audit_entries SET sequence = -sequence - 1 WHERE sequence < 0",
        // Two change places.
        "UPDATE audit_entries SET sequence = -5 WHERE sequence = 5;
         UPDATE audit_entries SET sequence = 5 WHERE sequence = 8;
         UPDATE audit_entries SET sequence = 8 WHERE sequence = -5",
    ] {
        let database = TestDatabase::new().await;
        let (store, ids) = sealed(&database).await;
        let client = database.client().await;
        let unguarded = format!("DROP TRIGGER audit_entries_are_kept ON audit_entries; {damage}");
        client.batch_execute(&unguarded).await.expect("whoever owns the table may");
        assert_eq!(verify(&store, ids[11]).await.first_invalid, Some(5), "{damage}");
        let sound = Verdict { first_invalid: None, n_checked: 2 };
        assert_eq!(verify(&store, ids[1]).await, sound, "{damage}: what stands before it");
    }
}

/// What commits late is sealed late: nobody waits for it, and it is not lost.
#[tokio::test]
async fn an_event_that_commits_late_is_sealed_behind_those_that_overtook_it() {
    let database = TestDatabase::new().await;
    let store = database.store(&Options::default());
    let late = database.client().await;
    let insert = "BEGIN;
        INSERT INTO audit_pending (id, at, event)
        VALUES ('0192d3a0-0000-7000-8000-000000000001', flowker_now(),
                '{\"type\":\"WORKFLOW_CREATED\",\"resourceId\":\"late\",\"actorType\":\"user\",
                  \"actorId\":\"a\",\"actorIp\":\"10.0.0.1\"}')";
    late.batch_execute(insert).await.expect("an event");
    append(&store).await;
    assert_eq!(store.seal(10).await.expect("seal"), 1, "it is not waited for");
    late.batch_execute("COMMIT").await.expect("commit");
    assert_eq!(store.seal(10).await.expect("seal"), 1);
    let query = AuditQuery { limit: 10, ..AuditQuery::default() };
    let page = store.search(query).await.expect("search");
    let shown: Vec<_> = page.items.iter().map(|it| (it.sequence, &*it.event.resource_id)).collect();
    assert_eq!(shown[0], (2, "late"));
    assert_eq!(verify(&store, page.items[0].event.id).await.first_invalid, None);
}

#[tokio::test]
async fn a_second_sealer_leaves_it_to_the_first() {
    let database = TestDatabase::new().await;
    let store = database.store(&Options::default());
    append(&store).await;
    let first = database.client().await;
    first.batch_execute("BEGIN; SELECT 1 FROM audit_head FOR UPDATE").await.expect("a lock");
    assert_eq!(store.seal(10).await.expect("seal"), 0, "at once");
    first.batch_execute("COMMIT").await.expect("commit");
    assert_eq!(store.seal(10).await.expect("seal"), 1);
}
