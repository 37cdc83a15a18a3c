//! What a receiver can do wrong, and what it means for another attempt.

use super::*;

use FailureKind::{Permanent, Transient, Unknown};

async fn check(reply: fn() -> Reply, kind: FailureKind, message: &str) {
    let downstream = Downstream::start(move |_| reply()).await;
    let outcome = client().send(post(&downstream.url("/pay?secret=1"))).await;
    assert_eq!(failed(outcome), (kind, message.to_owned()));
    assert_eq!(downstream.received().len(), 1, "sent once");
}

fn raw(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

#[tokio::test]
async fn statuses() {
    check(|| Reply::answer("500 Oops", "x"), Transient, "answered 500 Internal Server Error").await;
    check(|| Reply::answer("503 ", "x"), Transient, "answered 503 Service Unavailable").await;
    check(|| Reply::answer("599 Odd", "x"), Transient, "answered 599").await;
    check(|| Reply::answer("408 ", "x"), Transient, "answered 408 Request Timeout").await;
    check(|| Reply::answer("425 ", "x"), Transient, "answered 425 Too Early").await;
    check(|| Reply::answer("429 ", "x"), Transient, "answered 429 Too Many Requests").await;
    check(|| Reply::answer("400 ", "x"), Permanent, "answered 400 Bad Request").await;
    check(|| Reply::answer("401 ", "x"), Permanent, "answered 401 Unauthorized").await;
    check(|| Reply::answer("409 ", "x"), Permanent, "answered 409 Conflict").await;
    check(|| Reply::answer("304 ", ""), Permanent, "answered 304 Not Modified").await;
    check(|| Reply::answer("302 ", ""), Permanent, "answered 302 Found").await;
}

#[tokio::test]
async fn lost_connections() {
    let lost =
        |how: &str| format!("the connection was lost before the whole answer was here: {how}");
    check(|| Reply::Reset(raw("")), Unknown, &lost("connection reset")).await;
    check(|| Reply::Close(raw("")), Unknown, &lost("connection closed before message completed"))
        .await;
    check(
        || Reply::Close(raw("HTTP/1.1 200 OK\r\nContent-")),
        Unknown,
        &lost("connection closed before message completed"),
    )
    .await;
    check(
        || Reply::Reset(raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")),
        Unknown,
        &lost("connection reset"),
    )
    .await;
    check(
        || Reply::Close(raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")),
        Unknown,
        &lost("unexpected end of file"),
    )
    .await;
    check(
        || Reply::Close(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")),
        Unknown,
        &lost("unexpected end of file"),
    )
    .await;
}

#[tokio::test]
async fn a_status_is_enough_of_a_refusal() {
    check(
        || Reply::Reset(raw("HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n")),
        Transient,
        "answered 500 Internal Server Error",
    )
    .await;
    check(
        || Reply::Flood(raw("HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n")),
        Permanent,
        "answered 400 Bad Request",
    )
    .await;
}

#[tokio::test]
async fn answers_that_are_none() {
    let unreadable = |how: &str| format!("the answer cannot be read: {how}");
    check(
        || Reply::Close(raw("hello\r\n\r\n")),
        Unknown,
        &unreadable("invalid HTTP version parsed"),
    )
    .await;
    check(
        || Reply::answer(&format!("200 OK{}", "\r\nX-A: 1".repeat(101)), ""),
        Unknown,
        &unreadable("message head is too large"),
    )
    .await;
    check(
        || Reply::answer(&format!("200 OK\r\nX-A: {}", "a".repeat(16 * 1024)), ""),
        Unknown,
        &unreadable("message head is too large"),
    )
    .await;
    check(
        || Reply::answer("200 OK\r\nContent-Length: 3", "ab"),
        Unknown,
        &unreadable("invalid content-length parsed"),
    )
    .await;
}

#[tokio::test]
async fn answers_that_are_too_large() {
    let message = "answered 200 with a body larger than 5242880 bytes";
    check(
        || Reply::Flood(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")),
        Permanent,
        message,
    )
    .await;
    check(
        || Reply::Hang(raw("HTTP/1.1 200 OK\r\nContent-Length: 5242881\r\n\r\n")),
        Permanent,
        message,
    )
    .await;
}

#[tokio::test]
async fn an_answer_as_large_as_it_may_be_is_read() {
    let limits = ClientLimits { response_bytes_max: 1000, ..ClientLimits::default() };
    let downstream = Downstream::start(|_| Reply::answer("200", [b'x'; 1000])).await;
    let client = client_with(limits, RootCertStore::empty());
    let answer = client.send(post(&downstream.url("/"))).await.unwrap();
    assert_eq!(answer.body.len(), 1000);
}

#[tokio::test]
async fn the_limits_are_the_clients_own() {
    let check = async |limits: ClientLimits, n_headers: usize, wanted: Option<FailureKind>| {
        let head = format!("200 OK{}", "\r\nX-A: 1".repeat(n_headers));
        let downstream = Downstream::start(move |_| Reply::answer(&head, "")).await;
        let client = client_with(limits, RootCertStore::empty());
        let outcome = client.send(post(&downstream.url("/"))).await;
        assert_eq!(outcome.err().map(|error| error.kind()), wanted, "{n_headers}");
    };
    let few = ClientLimits { headers_max: 3, ..ClientLimits::default() };
    check(few.clone(), 2, None).await;
    check(few, 3, Some(Unknown)).await;
    let many = ClientLimits { headers_max: 200, ..ClientLimits::default() };
    check(many.clone(), 199, None).await;
    check(many, 200, Some(Unknown)).await;
}

#[tokio::test]
async fn nobody_listens() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (kind, message) = failed(client().send(post(&format!("http://{address}/"))).await);
    assert_eq!(kind, Transient);
    assert_eq!(message, "there is no connection to 127.0.0.1: Connection refused (os error 111)");
}

/// Sends, waits until the request has arrived, and lets the time run out.
async fn check_silence(reply: fn() -> Reply) {
    let downstream = Downstream::start(move |_| reply()).await;
    let client = client();
    let sending = client.send(post(&downstream.url("/")));
    let waiting = async {
        downstream.has_received(1).await;
        tokio::time::pause();
    };
    let (outcome, ()) = tokio::join!(sending, waiting);
    assert_eq!(failed(outcome), (Unknown, "there is no whole answer within 30000 ms".to_owned()));
}

#[tokio::test]
async fn silence_after_the_request() {
    check_silence(|| Reply::Hang(raw(""))).await;
}

#[tokio::test]
async fn silence_within_the_answer() {
    check_silence(|| Reply::Hang(raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nslo"))).await;
}

#[tokio::test]
async fn retry_after_is_reported() {
    let check = async |head: &'static str, wanted: Option<u64>| {
        let downstream = Downstream::start(move |_| Reply::answer(head, "")).await;
        let error = client().send(post(&downstream.url("/"))).await.unwrap_err();
        let wanted = wanted.map(Duration::from_secs);
        assert_eq!(CallFailure::from(error).retry_after, wanted, "{head}");
    };
    check("429 \r\nRetry-After: 7", Some(7)).await;
    check("503 \r\nRetry-After: 0", Some(0)).await;
    check("503 ", None).await;
    check("503 \r\nRetry-After: soon", None).await;
    check("503 \r\nRetry-After: -1", None).await;
    check("503 \r\nRetry-After: 99999999999999999999999", None).await;
    let date =
        "503 \r\nDate: Wed, 21 Oct 2015 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2015 07:28:";
    check(date.to_owned().leak(), None).await;
    check(format!("{date}30 GMT").leak(), Some(30)).await;
    let past =
        "503 \r\nDate: Wed, 21 Oct 2015 07:28:00 GMT\r\nRetry-After: Tue, 20 Oct 2015 07:28:00 GMT";
    check(past, Some(0)).await;
    check("503 \r\nRetry-After: Wed, 21 Oct 2015 07:28:30 GMT", None).await;
}
