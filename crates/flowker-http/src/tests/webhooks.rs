//! Webhooks from the socket to the store.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use flowker_core::execution::Status;
use flowker_core::json;
use flowker_core::ports::{Acceptance, MockDispatcher, MockExecutionStore, NewExecution};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

use super::wire::{PEER, ask, connect, exchange, read_all, request};
use super::world::{EXECUTION, WORKFLOW, World, summary};
use crate::server::serve;

const LINE: &str = "POST /v1/webhooks/orders/paid";
const JSON: &str = "Content-Type: application/json";

/// A world whose store keeps what it accepts.
fn keeping() -> (World, Arc<Mutex<Vec<NewExecution>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let mut world = World::new();
    world.executions = MockExecutionStore::new();
    let keep = Arc::clone(&kept);
    world.executions.expect_accept().returning(move |new| {
        keep.lock().unwrap().push(new);
        Ok(Acceptance::Accepted)
    });
    (world, kept)
}

fn input(kept: &Mutex<Vec<NewExecution>>) -> Value {
    let kept = kept.lock().unwrap();
    json::parse(&kept.last().expect("an execution").execution.input).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn an_accepted_webhook_is_answered_with_its_execution() {
    let answer = ask(&World::new().door(), LINE, &[JSON], "{}").await;
    assert_eq!(answer.status, 201);
    let expected = serde_json::json!({
        "executionId": EXECUTION.to_string(), "workflowId": WORKFLOW.to_string(),
        "status": "running", "startedAt": "2023-11-14T22:13:20.123Z",
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("x-webhook-workflow-id"), Some(&*WORKFLOW.to_string()));
    assert_eq!(answer.header("x-webhook-execution-id"), Some(&*EXECUTION.to_string()));
    assert_eq!(answer.header("idempotent-replayed"), None);
    assert_eq!(answer.header("preference-applied"), None);
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_the_caller_is_kept_and_a_bad_one_dropped() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (world, kept) = keeping();
    let door = world.door();
    let parent = format!("Traceparent: {PARENT}");
    let check = async |headers: &[&str], expected: Option<String>| {
        assert_eq!(ask(&door, LINE, headers, "").await.status, 201, "{headers:?}");
        let trace = kept.lock().unwrap().last().expect("an execution").execution.trace.clone();
        assert_eq!(trace.map(|it| it.to_string()), expected, "{headers:?}");
    };
    check(&[&parent], Some(PARENT.to_owned())).await;
    check(&[&parent, "Tracestate: a=1", "tracestate: b=2"], Some(format!("{PARENT} a=1,b=2")))
        .await;
    check(&[&parent, "tracestate: none"], Some(PARENT.to_owned())).await;
    check(&[&parent, &parent], None).await;
    check(&["traceparent: 00-0-0-00", "tracestate: a=1"], None).await;
    check(&["tracestate: a=1"], None).await;
}

#[tokio::test(start_paused = true)]
async fn a_replay_says_so_and_is_200_once_it_is_over() {
    for (status, expected) in [(Status::Running, 201), (Status::Failed, 200)] {
        let mut world = World::new();
        world.executions = MockExecutionStore::new();
        let known = summary(status);
        let answer = move |_| Ok(Acceptance::Replayed(known.clone()));
        world.executions.expect_accept().returning(answer);
        let answer = ask(&world.door(), LINE, &[JSON, "Idempotency-Key: k"], "{}").await;
        assert_eq!(answer.status, expected);
        assert_eq!(answer.header("idempotent-replayed"), Some("true"));
        // Nobody asked to wait for the end, so it is not told.
        assert_eq!(answer.json().get("errorMessage"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_the_end() {
    let check =
        async |end: Option<Status>, prefer: &str, applied: &str, status: u16, told: &str| {
            let mut world = World::new();
            world.dispatcher = MockDispatcher::new();
            world.dispatcher.expect_has_room().return_const(true);
            world.dispatcher.expect_dispatch().return_const(());
            let end = end.map(summary);
            world.dispatcher.expect_wait_for_end().returning(move |_, _| end.clone());
            let answer = ask(&world.door(), LINE, &[JSON, prefer], "{}").await;
            assert_eq!(answer.header("preference-applied"), Some(applied), "{prefer}");
            let mut told_members = answer.json();
            let members = told_members.as_object_mut().expect("an object");
            members.retain(|name, _| {
                ["finalOutput", "errorMessage", "failureCode"].contains(&&**name)
            });
            assert_eq!((answer.status, &*told_members.to_string()), (status, told), "{prefer}");
        };
    let output = r#"{"finalOutput":{"total":7}}"#;
    check(Some(Status::Completed), "Prefer: wait=5", "wait=5", 200, output).await;
    let failure = r#"{"errorMessage":"no","failureCode":"step_failed"}"#;
    check(Some(Status::Failed), "Prefer: wait=99", "wait=30", 200, failure).await;
    check(Some(Status::Cancelled), "Prefer: wait=5", "wait=5", 200, "{}").await;
    check(None, "Prefer: wait=5", "wait=5", 201, "{}").await;
}

#[tokio::test(start_paused = true)]
async fn the_input_tells_of_the_request() {
    let (mut world, kept) = keeping();
    world.limits.trusted_proxies = vec!["192.0.2.0/24".parse().expect("a net")];
    let headers = [
        JSON,
        "X-Request-Id: two words",
        "X-Forwarded-For: 198.51.100.9",
        "Cookie: c",
        "X-A: 1",
        "X-A: 2",
    ];
    let line = "POST /v1/webhooks/orders%2Fpaid?a=b+c&a=d&e";
    let answer = ask(&world.door(), line, &headers, r#"{"n": 12345678901234567890.10}"#).await;
    assert_eq!(answer.status, 201);
    let input = input(&kept);
    assert_eq!(input["n"].to_string(), "12345678901234567890.10");
    let webhook = &input["_webhook"];
    assert_eq!(webhook["method"], "POST");
    assert_eq!(webhook["path"], "orders/paid");
    assert_eq!(webhook["query"].to_string(), r#"{"a":"d","e":""}"#);
    assert_eq!(webhook["remote_ip"], "198.51.100.9");
    assert_eq!(webhook["headers"]["X-A"], "2");
    assert_eq!(webhook["headers"]["X-Request-Id"].as_str(), answer.header("x-request-id"));
    assert_ne!(answer.header("x-request-id"), Some("two words"));
    for name in ["Cookie", "X-Api-Key", "Content-Length"] {
        assert_eq!(webhook["headers"].get(name), None, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_are_decompressed_under_a_cap() {
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let send = |body: Vec<u8>| {
        let length = format!("Content-Length: {}", body.len());
        let mut bytes = request(LINE, &[JSON, "Content-Encoding: gzip", &length], "");
        bytes.extend(body);
        bytes
    };
    let (world, kept) = keeping();
    let answer = exchange(&world.door(), &send(gzip(br#"{"a":1}"#))).await.only();
    assert_eq!((answer.status, input(&kept)["a"].to_string()), (201, "1".to_owned()));
    let bomb = send(gzip(&vec![b' '; 1_048_577]));
    let exchanged = exchange(&World::new().door(), &bomb).await;
    assert!(exchanged.was_closed());
    let answer = exchanged.only();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("FLK-0363")));
}

#[tokio::test(start_paused = true)]
async fn a_body_has_a_cap_and_a_time() {
    let chunked = request(LINE, &[JSON, "Transfer-Encoding: chunked"], "");
    let endless = [&chunked[..], b"100001\r\n", &vec![b' '; 0x10_0001]].concat();
    let exchanged = exchange(&World::new().door(), &endless).await;
    assert!(exchanged.was_closed());
    assert_eq!(exchanged.only().json()["code"], "FLK-0363");
    let slow = connect(&World::new().door(), async |mut stream: DuplexStream| {
        stream.write_all(&chunked).await.unwrap();
        for _ in 0..29 {
            stream.write_all(b"1\r\n \r\n").await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        read_all(&mut stream, false).await
    })
    .await;
    assert!((Duration::from_millis(900)..Duration::from_secs(2)).contains(&slow.closed_after));
    let answer = slow.only();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (408, Some("FLK-0902")));
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_after_the_body_still_gets_its_execution() {
    let (world, kept) = keeping();
    let door = world.door();
    connect(&door, async |mut stream: DuplexStream| {
        stream.write_all(&request(LINE, &[JSON], r#"{"a":1}"#)).await.unwrap();
        stream.shutdown().await.unwrap();
    })
    .await;
    door.requests.close();
    door.requests.wait().await;
    assert_eq!(input(&kept)["a"].to_string(), "1");
}

/// Hands out a request, and then says that the connection was reset.
struct Reset(Vec<u8>);

impl AsyncRead for Reset {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let n = self.0.len().min(buf.remaining());
        buf.put_slice(&self.0.drain(..n).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Reset {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_behind_the_body_does_not_undo_the_request() {
    let (world, kept) = keeping();
    let door = world.door();
    serve(&door, Reset(request(LINE, &[JSON], r#"{"a":1}"#)), PEER).await;
    door.requests.close();
    door.requests.wait().await;
    assert_eq!(input(&kept)["a"].to_string(), "1");
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_within_the_body_starts_nothing() {
    let (world, kept) = keeping();
    let door = world.door();
    connect(&door, async |mut stream: DuplexStream| {
        let whole = request(LINE, &[JSON], r#"{"a":1}"#);
        stream.write_all(&whole[..whole.len() - 1]).await.unwrap();
        stream.shutdown().await.unwrap();
        // Whatever the server says to that is of no interest.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    door.requests.close();
    door.requests.wait().await;
    assert!(kept.lock().unwrap().is_empty());
}
