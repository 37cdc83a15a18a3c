//! Overload, drain and stop, over real sockets where they matter.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::wire::{ask, connect, read_all, request};
use super::world::{Ready, World};
use crate::{Server, Shutdown, Stopped};

#[tokio::test(start_paused = true)]
async fn beyond_its_room_the_service_sheds_at_once_but_for_health() {
    let door = World::new().limited(|limits| limits.requests_max = 0).door();
    let answer = ask(&door, "POST /v1/webhooks/orders/paid", &[], "").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("FLK-0900")));
    assert_eq!(answer.header("retry-after"), Some("1"));
    for path in ["/health", "/readyz", "/version"] {
        assert_eq!(ask(&door, &format!("GET {path}"), &[], "").await.status, 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn draining_shows_in_readiness_only() {
    let world = World::new();
    let shutdown = world.shutdown.clone();
    let door = world.door();
    let webhook = "POST /v1/webhooks/orders/paid";
    shutdown.drain();
    let answer = ask(&door, "GET /readyz", &[], "").await;
    assert_eq!((answer.status, answer.json()["checks"].to_string()), (503, "{}".to_owned()));
    assert_eq!(ask(&door, "GET /health", &[], "").await.status, 200);
    assert_eq!(ask(&door, webhook, &[], "").await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn health_and_readiness_tell_what_the_store_says() {
    let check = async |readiness: Ready, line: &str, status: u16, checks: &str| {
        let mut world = World::new();
        world.readiness = readiness;
        let answer = ask(&world.door(), line, &[], "").await;
        assert_eq!(
            (answer.status, &*answer.json()["checks"].to_string()),
            (status, checks),
            "{line}"
        );
        let verdict = if status == 200 { "healthy" } else { "unhealthy" };
        assert_eq!(answer.json()["status"], verdict);
        assert_eq!(answer.json()["version"], "dev");
    };
    let up = r#"{"sqlite":{"latency_ms":3,"status":"up"}}"#;
    check(Ready::Up, "GET /readyz", 200, up).await;
    check(Ready::Up, "GET /health/ready", 200, up).await;
    let down = r#"{"sqlite":{"error":"disk full","status":"down"}}"#;
    check(Ready::Down("disk full"), "GET /readyz", 503, down).await;
    let silent = r#"{"database":{"error":"no answer within 2 s","status":"down"}}"#;
    check(Ready::Silent, "GET /readyz", 503, silent).await;
    let healthy = r#"{"database":{"message":"sqlite answers","status":"healthy"}}"#;
    check(Ready::Up, "GET /health", 200, healthy).await;
    check(Ready::Up, "GET /health/live", 200, healthy).await;
    let unhealthy = r#"{"database":{"message":"disk full","status":"unhealthy"}}"#;
    check(Ready::Down("disk full"), "GET /health", 503, unhealthy).await;
    let mut world = World::new();
    world.version = Some("1.2.3".to_owned());
    let answer = ask(&world.door(), "GET /version", &[], "").await;
    assert_eq!(
        answer.json().to_string(),
        r#"{"requestDate":"2023-11-14T22:13:20.123Z","version":"1.2.3"}"#
    );
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// A world in which `/readyz` says that it has begun, and goes on when it is let.
fn held() -> (World, CancellationToken, CancellationToken) {
    let (begun, release) = (CancellationToken::new(), CancellationToken::new());
    let mut world = World::new();
    world.readiness = Ready::Held { begun: begun.clone(), release: release.clone() };
    (world, begun, release)
}

/// Asks for `/readyz` and reads until the server closes.
async fn ask_ready(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(&request("GET /readyz", &[], "")).await.expect("the socket takes it");
    let mut answer = Vec::new();
    // A cut connection ends with an error or without a byte.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_stop_lets_requests_finish_and_closes_idle_connections() {
    let (world, begun, release) = held();
    let (limits, shutdown) = (world.limits.clone(), Shutdown::new());
    let (listener, address) = listen().await;
    let server = Server::new(world.app(), limits).run(listener, shutdown.clone());
    let client = async {
        let mut silent = TcpStream::connect(address).await.expect("a connection");
        let stop = async {
            begun.cancelled().await;
            shutdown.stop();
            // Only then is the request let go on.
            assert_eq!(silent.read(&mut [0]).await.expect("an end"), 0);
            release.cancel();
        };
        let (answer, ()) = tokio::join!(ask_ready(address), stop);
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    };
    let (stopped, ()) = tokio::join!(server, client);
    assert_eq!(stopped, Stopped { connections_cut: 0, requests_cut: 0 });
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    for at_once in [false, true] {
        let (mut world, begun, _release) = held();
        if !at_once {
            world.limits.stop_timeout = Duration::ZERO;
        }
        let (limits, shutdown) = (world.limits.clone(), Shutdown::new());
        let (listener, address) = listen().await;
        let server = Server::new(world.app(), limits).run(listener, shutdown.clone());
        let stop = async {
            begun.cancelled().await;
            if at_once { shutdown.cut() } else { shutdown.stop() }
        };
        let (stopped, answer, ()) = tokio::join!(server, ask_ready(address), stop);
        assert_eq!(stopped, Stopped { connections_cut: 1, requests_cut: 1 }, "{at_once}");
        assert_eq!(answer, "");
    }
}

#[tokio::test]
async fn an_address_has_its_share_of_connections() {
    let world = World::new().limited(|limits| limits.connections_per_ip_max = NonZeroUsize::new(1));
    let (limits, shutdown) = (world.limits.clone(), Shutdown::new());
    let (listener, address) = listen().await;
    let server = Server::new(world.app(), limits).run(listener, shutdown.clone());
    let client = async {
        let mut first = TcpStream::connect(address).await.expect("a connection");
        let mut second = TcpStream::connect(address).await.expect("a connection");
        assert_eq!(second.read(&mut [0]).await.expect("an end"), 0);
        first.write_all(&request("GET /version", &[], "")).await.expect("the socket takes it");
        let mut start = [0; 15];
        first.read_exact(&mut start).await.expect("an answer");
        assert_eq!(&start, b"HTTP/1.1 200 OK");
        shutdown.stop();
    };
    tokio::join!(server, client);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_arrives_after_the_stop_is_refused() {
    let world = World::new();
    let shutdown = world.shutdown.clone();
    let exchange = connect(&world.door(), async |mut stream: DuplexStream| {
        let whole = request("POST /v1/webhooks/orders/paid", &[], "");
        let (start, end) = whole.split_at(whole.len() / 2);
        stream.write_all(start).await.expect("the stream takes it");
        // The head is begun when the server waits for its end.
        tokio::time::sleep(Duration::from_millis(1)).await;
        shutdown.stop();
        stream.write_all(end).await.expect("the stream takes it");
        read_all(&mut stream, false).await
    })
    .await;
    assert!(exchange.was_closed());
    let answer = exchange.only();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("FLK-0900")));
}
