//! The audit log: filters, pages, checks, exports, and who is turned away.

use std::sync::{Arc, Mutex};

use flowker_core::actor::{Actor, ActorKind};
use flowker_core::audit::{AuditEntry, AuditEvent, EventType, Head, Link};
use flowker_core::id::WorkflowId;
use flowker_core::json;
use flowker_core::ports::{
    AccessError, AuditPage, AuditQuery, Direction, MockAuditLog, StoreError, Verdict,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use uuid::Uuid;

use super::access::{USER, manager, one_for_each_scope};
use super::wire::{ask, bare, connect, request};
use super::world::{KEY, NOW, World};
use crate::answer::Door;

/// How many entries there are: more than an export makes at a time.
const N_ENTRIES: u64 = 450;

fn id(n: u64) -> Uuid {
    Uuid::from_u64_pair(9, n)
}

fn entries() -> Vec<AuditEntry> {
    let mut head = None;
    let actor = Actor { kind: ActorKind::ApiKey, id: "ops".to_owned(), ip: [192, 0, 2, 7].into() };
    let entry = |n| {
        let workflow = WorkflowId::from_uuid(Uuid::from_u128(7));
        let kind = EventType::WorkflowCreated;
        let event = AuditEvent::of_workflow(id(n), kind, workflow, "orders", &actor);
        Head::seal(&mut head, event, NOW)
    };
    (1..=N_ENTRIES).map(entry).collect()
}

/// A door before the entries, and what is asked of them. `fails_after` says behind which entry the log
/// cannot be read any more.
fn door(fails_after: Option<u64>) -> (Arc<Door>, Arc<Mutex<Vec<AuditQuery>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut world = World::new();
    let seen = Arc::clone(&asked);
    world.audit.expect_search().returning(move |query| {
        seen.lock().unwrap().push(query.clone());
        let after = query.after.unwrap_or_default();
        if fails_after.is_some_and(|last| last <= after) {
            return Err(StoreError::unavailable("the network is down"));
        }
        let behind = entries().into_iter().filter(|it| after < it.sequence);
        let items: Vec<_> = behind.take(query.limit).collect();
        let has_more = items.last().is_some_and(|it| it.sequence < N_ENTRIES);
        Ok(AuditPage { items, has_more })
    });
    let entry = |found: Uuid| entries().into_iter().find(|it| *it.event.id.as_uuid() == found);
    world.audit.expect_get().returning(move |id| Ok(entry(*id.as_uuid())));
    let sequence = move |id: &Uuid| entry(*id).map(|it| it.sequence);
    world.audit.expect_sequence().returning(move |id| Ok(sequence(id.as_uuid())));
    world.audit.expect_chain().returning(|from, limit| {
        let links = entries().into_iter().filter(|it| from <= it.sequence).take(limit);
        Ok(links.map(|it| Link::Entry(Box::new(it))).collect())
    });
    (world.door(), asked)
}

async fn get(door: &Arc<Door>, path: &str) -> (u16, Value) {
    let answer = ask(door, &format!("GET /v1/audit-events{path}"), &[], "").await;
    (answer.status, answer.json())
}

#[tokio::test(start_paused = true)]
async fn filters_are_read_and_wrong_ones_named() {
    let (door, asked) = door(None);
    let refused = async |query: &str, expected: &str| {
        let (status, body) = get(&door, &format!("?{query}")).await;
        assert_eq!(
            format!("{status} {}", body["code"].as_str().expect("a code")),
            expected,
            "{query}"
        );
    };
    for name in ["eventType", "action", "result", "resourceType"] {
        refused(&format!("{name}=nonsense"), "400 FLK-0304").await;
    }
    refused("resourceId=7", "400 FLK-0002").await;
    refused("dateFrom=yesterday", "400 FLK-0305").await;
    refused("dateTo=2026-01-01", "400 FLK-0305").await;
    refused("dateFrom=2026-01-02T00:00:00Z&dateTo=2026-01-01T00:00:00Z", "400 FLK-0308").await;
    for limit in ["0", "101", "-1", "many"] {
        refused(&format!("limit={limit}"), "400 FLK-0304").await;
    }
    refused("sortOrder=up", "400 FLK-0304").await;
    refused("cursor=x", "400 FLK-0610").await;
    assert_eq!(asked.lock().unwrap().len(), 0, "nothing was asked of the log");

    get(&door, "").await;
    let query = "?action=DELETE&resourceType=workflow&resourceId=urn:uuid:00000000-0000-0000-0000-000000000007\
                 &dateFrom=2023-11-14T22:13:20.123Z&dateTo=2023-11-14T22:13:20.123Z&sortOrder=asc&limit=7";
    get(&door, query).await;
    let found = std::mem::take(&mut *asked.lock().unwrap());
    let defaults =
        AuditQuery { limit: 20, direction: Direction::Descending, ..AuditQuery::default() };
    let expected = AuditQuery {
        types: Some(vec![EventType::WorkflowDeleted]),
        resource_id: Some("00000000-0000-0000-0000-000000000007".to_owned()),
        from: Some(NOW),
        to: Some(NOW),
        direction: Direction::Ascending,
        after: None,
        limit: 7,
    };
    assert_eq!(found, [defaults, expected]);
}

#[tokio::test(start_paused = true)]
async fn pages_follow_each_other_in_one_order() {
    let (door, asked) = door(None);
    let (_, first) = get(&door, "?limit=2&sortOrder=ASC").await;
    let cursor = first["nextCursor"].as_str().expect("a cursor");
    let (status, second) = get(&door, &format!("?limit=2&cursor={cursor}&sortOrder=asc")).await;
    assert_eq!((status, second["items"][0]["sequence"].as_u64()), (200, Some(3)));
    assert_eq!(asked.lock().unwrap()[1].after, Some(2));
    let (status, body) = get(&door, &format!("?cursor={cursor}&sortOrder=DESC")).await;
    assert_eq!((status, body["code"].as_str()), (400, Some("FLK-0610")));
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_shown_and_checked() {
    let (door, _) = door(None);
    let (_, first) = get(&door, &format!("/{}", id(1))).await;
    let (_, second) = get(&door, &format!("/{}", id(2))).await;
    assert_eq!(first.get("previousHash"), None);
    assert_eq!(second["previousHash"], first["hash"]);
    let expected = format!(
        r#"{{"action":"CREATE","actor":{{"id":"ops","ipAddress":"192.0.2.7","type":"api_key"}},"eventId":"{}","eventType":"WORKFLOW_CREATED","hash":{},"metadata":{{"workflow.name":"orders"}},"previousHash":{},"resourceId":"00000000-0000-0000-0000-000000000007","resourceType":"workflow","result":"SUCCESS","sequence":2,"timestamp":"2023-11-14T22:13:20.123Z"}}"#,
        id(2),
        second["hash"],
        first["hash"]
    );
    assert_eq!(second, json::parse(expected.as_bytes()).expect("JSON"));

    let verify = async |n: u64, query: &str| {
        let (status, body) = get(&door, &format!("/{}/verify{query}", id(n))).await;
        let word = body.get("code").or_else(|| body.get("isValid")).cloned();
        (status, word.expect("a verdict"), body["totalChecked"].as_u64())
    };
    let valid = |n| (200, Value::from(true), Some(n));
    assert_eq!(verify(449, "").await, valid(449));
    let hash = second["hash"].as_str().expect("a hash");
    let from = |n: u64, hash: &str| format!("?fromSequence={n}&fromHash={hash}");
    assert_eq!(verify(3, &from(2, hash)).await, valid(2));
    assert_eq!(verify(3, &from(3, hash)).await, (200, Value::from(false), Some(1)));
    let wrong = |code: &str| (400, Value::from(code), None);
    assert_eq!(verify(1, &from(2, hash)).await, wrong("FLK-0304"));
    for query in ["?fromSequence=2", "?fromHash=00", "?fromSequence=0&fromHash=00", &from(2, "00")]
    {
        assert_eq!(verify(3, query).await, wrong("FLK-0304"), "{query}");
    }
    assert_eq!(verify(N_ENTRIES + 1, "").await, (404, Value::from("FLK-0600"), None));
    assert_eq!(get(&door, &format!("/{}", id(0))).await.0, 404);
    assert_eq!(get(&door, "/7").await.1["code"], "FLK-0002");
}

/// Everything that is sent until the connection ends.
async fn send(door: &Arc<Door>, line: &str) -> String {
    connect(door, async |mut stream: DuplexStream| {
        let bytes = request(line, &["Connection: close"], "");
        stream.write_all(&bytes).await.expect("the stream takes it");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("the stream ends");
        String::from_utf8(bytes).expect("text")
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn an_export_holds_every_entry_in_order() {
    let (door, asked) = door(None);
    let sent = send(&door, "GET /v1/audit-events/export?action=CREATE").await;
    let (head, body) = sent.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/x-ndjson"), "{head}");
    let entries: Vec<_> = body
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| json::parse(line.as_bytes()).expect("a line is JSON"))
        .collect();
    let sequences: Vec<_> = entries.iter().filter_map(|it| it["sequence"].as_u64()).collect();
    assert_eq!(sequences, (1..=N_ENTRIES).collect::<Vec<_>>());
    assert!(sent.ends_with("\r\n0\r\n\r\n"), "it says that it is whole");
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    assert_eq!(asked.iter().map(|it| it.after).collect::<Vec<_>>(), [None, Some(200), Some(400)]);
    assert!(asked.iter().all(|it| it.types.is_some()), "the filter holds on every page");
    let head = send(&door, "HEAD /v1/audit-events/export").await;
    assert!(head.ends_with("\r\n\r\n"), "no body: {head}");
}

#[tokio::test(start_paused = true)]
async fn an_export_that_cannot_be_finished_is_seen_to_be_cut() {
    let sent = send(&door(Some(200)).0, "GET /v1/audit-events/export").await;
    assert!(sent.starts_with("HTTP/1.1 200 OK"), "{sent}");
    assert!(sent.contains("\"sequence\":200,") && !sent.contains("\r\n0\r\n\r\n"), "no end");
    let refused = send(&door(Some(0)).0, "GET /v1/audit-events/export").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn exports_have_a_bound() {
    let (door, _) = door(None);
    let held = Arc::clone(&door.exports).acquire_many_owned(4).await.expect("room");
    let (status, body) = get(&door, "/export").await;
    assert_eq!((status, body["code"].as_str()), (503, Some("FLK-0900")));
    drop(held);
    let sent = send(&door, "GET /v1/audit-events/export").await;
    assert!(sent.starts_with("HTTP/1.1 200 OK"), "{sent}");
}

/// A log that keeps what is appended.
fn recorder() -> (MockAuditLog, Arc<Mutex<Vec<AuditEvent>>>) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let (mut audit, kept) = (MockAuditLog::new(), Arc::clone(&written));
    audit.expect_append().returning(move |event| {
        kept.lock().unwrap().push(event);
        Ok(())
    });
    (audit, written)
}

/// A door with such a log.
fn recording() -> (Arc<Door>, Arc<Mutex<Vec<AuditEvent>>>) {
    let (audit, written) = recorder();
    (World { audit, ..World::new() }.door(), written)
}

/// Sends a request without a key, or with another one.
async fn denied(door: &Arc<Door>, line: &str, header: &str) {
    let text = format!("{line} HTTP/1.1\r\nHost: flowker\r\nConnection: close\r\n{header}\r\n\r\n");
    let sent = super::wire::exchange(door, text.as_bytes()).await.only();
    assert_eq!(sent.status, 401, "{line}");
}

async fn settle(door: &Door) {
    door.requests.close();
    door.requests.wait().await;
    door.requests.reopen();
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_away_is_written_down_without_what_it_sent() {
    let (door, written) = recording();
    denied(&door, "GET /v1/workflows/secret-1?secret-2", "X-API-Key: secret-3").await;
    denied(&door, "BREW /v1/webhooks/secret-4", "A: b").await;
    denied(&door, "POST /v1/secret-5", &format!("X-API-Key: {KEY}\r\nX-API-Key: {KEY}")).await;
    settle(&door).await;
    let written = written.lock().unwrap();
    let shown: Vec<_> = written
        .iter()
        .map(|it| {
            assert_eq!((it.kind, &*it.actor.id), (EventType::AccessDenied, "anonymous"));
            assert_eq!(it.actor.ip, super::wire::PEER);
            assert_eq!(it.metadata["error.code"], "UNAUTHORIZED");
            assert!(!format!("{it:?}").contains("secret"), "{it:?}");
            format!("{} {}", it.metadata["request.method"].as_str().expect("text"), it.resource_id)
        })
        .collect();
    assert_eq!(shown, ["GET /v1/workflows/{id}", "OTHER /v1/webhooks/{*path}", "POST unknown"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_may_not_is_named_unless_nobody_vouches_for_it() {
    let (audit, written) = recorder();
    let world = World { audit, api_keys: one_for_each_scope(), ..World::new() };
    let keyed = world.door();
    keyed.app.access.keys.as_ref().expect("keys").refresh().await.expect("refresh");
    let answer = bare(&keyed, "GET /v1/workflows", &["X-API-Key: trigger"]).await;
    assert_eq!(answer.status, 403);
    settle(&keyed).await;
    let kept = written.lock().unwrap().remove(0);
    assert_eq!((kept.actor.kind, &*kept.actor.id), (ActorKind::ApiKey, "trigger"));
    assert_eq!(kept.metadata["error.code"], "FORBIDDEN");

    let check = async |answer: fn() -> Result<Verdict, AccessError>, status: u16, expected| {
        let (audit, written) = recorder();
        let manager = Some(manager(answer).0);
        let world = World { audit, manager, asks_for_keys: false, ..World::new() };
        let door = world.door();
        let answer = bare(&door, "GET /v1/workflows", &[USER]).await;
        assert_eq!(answer.status, status);
        settle(&door).await;
        let kept = written.lock().unwrap().remove(0);
        assert_eq!((kept.actor.kind, &*kept.actor.id), expected, "{status}");
        assert_eq!(kept.metadata["error.code"], status.to_string());
    };
    check(|| Ok(Verdict::Denied), 403, (ActorKind::User, "acme/u")).await;
    let refused = || Ok(Verdict::Refused { status: 401, error: json!({ "code": "AUT-1" }) });
    check(refused, 401, (ActorKind::ApiKey, "anonymous")).await;
}

#[tokio::test]
async fn a_flood_of_wrong_keys_fills_no_log() {
    let (door, written) = recording();
    let caller = || Actor { id: "anonymous".to_owned(), ..Actor::system() };
    for _ in 0..10_000 {
        let asked = (&http::Method::GET, "/v1/workflows");
        door.denials.note(&door, asked, "UNAUTHORIZED".to_owned(), caller());
    }
    settle(&door).await;
    let n_written = written.lock().unwrap().len();
    // A burst of a minute, and one more for each second that the test took.
    assert!((60..200).contains(&n_written), "{n_written} events");
    let counted: u64 = written
        .lock()
        .unwrap()
        .iter()
        .filter_map(|it| it.metadata.get("denials.unrecorded").and_then(Value::as_u64))
        .sum();
    assert!(counted + (n_written as u64) <= 10_000, "no attempt is counted twice");
}
