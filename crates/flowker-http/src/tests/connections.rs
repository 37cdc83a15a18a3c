//! How long a connection lasts, and what HTTP/2 makes of the same rules.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::wire::{Exchange, PEER, connect, read_all, request};
use super::world::{KEY, World};
use crate::answer::Door;
use crate::server::serve;

/// Writes pieces with pauses between, in seconds, and reads until the server closes. Answers after
/// how many seconds it did.
async fn dribble(pieces: &[(&[u8], u64)]) -> (u64, Exchange) {
    connect(&World::new().door(), async |mut stream: DuplexStream| {
        let started = Instant::now();
        for (piece, pause) in pieces {
            if stream.write_all(piece).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(*pause)).await;
        }
        let exchange = read_all(&mut stream, false).await;
        (started.elapsed().as_secs(), exchange)
    })
    .await
}

async fn check(name: &str, pieces: &[(&[u8], u64)], n_answers: usize, seconds: u64) {
    let (closed_after, exchange) = dribble(pieces).await;
    assert_eq!((exchange.answers.len(), closed_after), (n_answers, seconds), "{name}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_caller_is_given_up_and_a_slow_head_sooner() {
    let whole = request("GET /version", &[], "");
    check("nothing", &[], 0, 75).await;
    check("the preface, cut", &[(b"PRI * HTTP", 0)], 0, 10).await;
    check("half a head", &[(b"GET / HTTP/1.1\r\n", 0)], 0, 10).await;
    check("a late half", &[(b"", 60), (b"GET / HTTP/1.1\r\n", 0)], 0, 70).await;
    // What comes within the time does not stretch it.
    let bytes: Vec<(&[u8], u64)> = vec![(b"G", 6), (b"ET", 3), (b" ", 0)];
    check("a dribble", &bytes, 0, 10).await;
    check("silence behind an answer", &[(&whole, 0)], 1, 75).await;
    check("half a head behind an answer", &[(&whole, 60), (b"GET", 0)], 1, 70).await;
    check("answers in time", &[(&whole, 70), (&whole, 70), (&whole, 0)], 3, 140 + 75).await;
    // Its beginning came together with the request before it: hyper's own timer ends that.
    let together = [&whole[..], b"GET /"].concat();
    let (closed_after, exchange) = dribble(&[(&together, 0)]).await;
    assert_eq!(exchange.answers.len(), 1);
    assert!(closed_after <= 85, "{closed_after}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_takes_nothing_in_is_cut() {
    let door = World::new().door();
    let (mut ours, theirs) = tokio::io::duplex(64);
    let client = async {
        ours.write_all(&request("GET /version", &[], "")).await.unwrap();
        ours
    };
    let started = Instant::now();
    let (_ours, ()) = tokio::join!(client, serve(&door, theirs, PEER));
    assert_eq!(started.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_still_sending_gets_its_answer_first() {
    let (answers, closed_after) =
        connect(&World::new().door(), async |mut stream: DuplexStream| {
            let head = request("POST /v1/webhooks/nowhere", &["Content-Length: 1000000"], "");
            stream.write_all(&head).await.unwrap();
            let exchange = read_all(&mut stream, false).await;
            // The server reads on for a while, so that its answer is not lost to a reset.
            let started = Instant::now();
            while stream.write_all(&[b'x'; 1000]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            (exchange.answers, started.elapsed())
        })
        .await;
    assert_eq!(answers[0].status, 404);
    assert!((1..=2).contains(&closed_after.as_secs()), "{closed_after:?}");
}

/// Sends one request over HTTP/2.
async fn ask_h2(door: &Arc<Door>, request: Request<Empty<Bytes>>) -> Response<Incoming> {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let client = async {
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(ours)).await.expect("a handshake");
        tokio::select! {
            response = sender.send_request(request) => response.expect("a response"),
            ended = connection => panic!("the connection ended: {ended:?}"),
        }
    };
    tokio::select! {
        response = client => response,
        () = serve(door, theirs, PEER) => panic!("the server ended"),
    }
}

fn get(uri: &str) -> http::request::Builder {
    Request::get(uri).header("x-api-key", KEY)
}

fn empty(builder: http::request::Builder) -> Request<Empty<Bytes>> {
    builder.body(Empty::new()).expect("a request")
}

#[tokio::test(start_paused = true)]
async fn http2_is_spoken_without_an_upgrade() {
    let door = World::new().door();
    let response = ask_h2(&door, empty(get("http://flowker/v1/nothing"))).await;
    assert_eq!((response.version(), response.status().as_u16()), (Version::HTTP_2, 404));
    assert!(response.headers().contains_key("x-request-id"));
    let check = async |builder: http::request::Builder, status: u16| {
        let response = ask_h2(&door, empty(builder)).await;
        assert_eq!(response.status().as_u16(), status);
    };
    check(get("http://flowker/version"), 200).await;
    check(get("http://flowker/version").header("host", "FLOWKER"), 200).await;
    check(get("http://flowker/version").header("host", "other"), 400).await;
    check(get("http://a@b/version"), 400).await;
    check(Request::get("http://flowker/v1/workflows/x"), 401).await;
    let many =
        |n: usize| (0..n - 1).fold(get("http://flowker/version"), |it, _| it.header("a", "b"));
    check(many(100), 200).await;
    check(many(101), 431).await;
    let large = "b".repeat(16 * 1024);
    check(get("http://flowker/version").header("a", large), 431).await;
    let head = Request::head("http://flowker/version");
    let response = ask_h2(&door, empty(head)).await;
    assert_ne!(response.headers()["content-length"], "0");
    assert!(response.into_body().frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_idle_http2_connection_is_ended() {
    let door = World::new().door();
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let client = async {
        let (sender, connection) =
            http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(ours))
                .await
                .expect("a handshake");
        let _ = connection.await;
        drop(sender);
    };
    let started = Instant::now();
    tokio::join!(client, serve(&door, theirs, PEER));
    let seconds = started.elapsed().as_secs();
    assert!((75..=85).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn http2_that_does_not_answer_pings_is_ended() {
    let door = World::new().door();
    let closed_after = connect(&door, async |mut stream: DuplexStream| {
        let started = Instant::now();
        // The preface and empty settings, then nothing.
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        started.elapsed().as_secs()
    })
    .await;
    assert!((28..=32).contains(&closed_after), "{closed_after}");
}
