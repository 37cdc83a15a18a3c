//! Requests that try to be understood in two ways, or to make us wait, and the right answers.

use std::fmt::Write as _;

use super::wire::{exchange, request};
use super::world::World;
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX};

/// Sends bytes over a new connection; `expected` is each answer's status, then what became of the
/// connection: `open` or `closed`.
async fn check(name: &str, bytes: impl AsRef<[u8]>, expected: &str) {
    let exchange = exchange(&World::new().door(), bytes.as_ref()).await;
    let mut shown = String::new();
    for answer in &exchange.answers {
        write!(shown, "{} ", answer.status).unwrap();
    }
    shown.push_str(if exchange.was_closed() { "closed" } else { "open" });
    assert_eq!(shown, expected, "{name}: {:?}", exchange.answers);
}

/// A request line and lines of headers, nothing added.
fn bare(line: &str, headers: &[&str]) -> String {
    let mut text = format!("{line}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text
}

#[tokio::test(start_paused = true)]
async fn lengths_and_codings() {
    const WEBHOOK: &str = "POST /v1/webhooks/orders/paid";
    let json = "Content-Type: application/json";
    let chunked = |coding: &str| {
        let mut bytes = request(WEBHOOK, &[json, coding], "");
        bytes.extend(b"2\r\n{}\r\n0\r\n\r\n");
        bytes
    };
    check("chunked", chunked("Transfer-Encoding: chunked"), "201 open").await;
    check("chunked, shouted", chunked("transfer-encoding: CHUNKED"), "201 open").await;
    check("gzip, chunked", chunked("Transfer-Encoding: gzip, chunked"), "501 closed").await;
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked";
    check("chunked twice", chunked(twice), "400 closed").await;
    check("chunked, chunked", chunked("Transfer-Encoding: chunked, chunked"), "400 closed").await;
    check("not chunked", chunked("Transfer-Encoding: gzip"), "400 closed").await;
    let both = "Content-Length: 999\r\nTransfer-Encoding: chunked";
    check("length and chunked", chunked(both), "201 closed").await;
    let huge = request(WEBHOOK, &["Content-Length: 9223372036854775807"], "");
    check("a huge length", huge, "413 closed").await;
    let beyond = request(WEBHOOK, &["Content-Length: 18446744073709551616"], "");
    check("a length beyond 64 bits", beyond, "400 closed").await;
    let signed = request(WEBHOOK, &["Content-Length: +2"], "");
    check("a signed length", signed, "400 closed").await;
    let differing = request(WEBHOOK, &["Content-Length: 2\r\nContent-Length: 3"], "");
    check("two lengths", differing, "400 closed").await;
}

#[tokio::test(start_paused = true)]
async fn expectations() {
    let over = ["Expect: 100-continue", "Content-Length: 1048577"];
    // No 100 before the refusal: it would invite what is refused.
    check("over the cap", request("POST /v1/webhooks/orders/paid", &over, ""), "413 closed").await;
    let unknown = request("GET /v1/workflows/x", &["Expect: banana"], "");
    check("unknown", unknown, "417 closed").await;
    let known = request("POST /v1/webhooks/nowhere", &["Expect: 100-continue"], "{}");
    check("no such route", known, "404 closed").await;
    let json = ["Content-Type: application/json", "Expect: 100-Continue"];
    let good = request("POST /v1/webhooks/orders/paid", &json, "{}");
    check("wanted", good, "100 201 open").await;
}

#[tokio::test(start_paused = true)]
async fn hosts() {
    let get = "GET /version HTTP/1.1";
    check("none", bare(get, &[]), "400 closed").await;
    check("two", bare(get, &["Host: a", "Host: a"]), "400 closed").await;
    check("with a user", bare(get, &["Host: a@b"]), "400 closed").await;
    check("with a path", bare(get, &["Host: a/b"]), "400 closed").await;
    check("empty", bare(get, &["Host:"]), "400 closed").await;
    check("a list", bare(get, &["Host: a, b"]), "400 closed").await;
    check("good", bare(get, &["Host: [::1]:4021"]), "200 open").await;
    check("HTTP/1.0 without", bare("GET /version HTTP/1.0", &[]), "200 closed").await;
    let absolute = "GET http://evil/version HTTP/1.1";
    check("absolute", bare(absolute, &["Host: other"]), "200 open").await;
    check(
        "absolute, with a user",
        bare("GET http://a@b/version HTTP/1.1", &["Host: b"]),
        "400 closed",
    )
    .await;
    check("absolute, odd scheme", bare("GET ftp://b/version HTTP/1.1", &["Host: b"]), "400 closed")
        .await;
}

#[tokio::test(start_paused = true)]
async fn methods() {
    check("CONNECT", bare("CONNECT x:1 HTTP/1.1", &["Host: x:1"]), "405 open").await;
    check("OPTIONS *", bare("OPTIONS * HTTP/1.1", &["Host: x"]), "204 open").await;
    check("GET *", bare("GET * HTTP/1.1", &["Host: x"]), "400 closed").await;
    check("TRACE", bare("TRACE /health HTTP/1.1", &["Host: x"]), "405 open").await;
    check("lower case", bare("get /health HTTP/1.1", &["Host: x"]), "405 open").await;
    check("unknown", bare("BREW /health HTTP/1.1", &["Host: x"]), "405 open").await;
    let long = format!("{} /health HTTP/1.1", "A".repeat(300));
    check("long", bare(&long, &["Host: x"]), "405 open").await;
    check("TRACE a webhook", request("TRACE /v1/webhooks/orders/paid", &[], ""), "405 open").await;
    // A method of a webhook is what is registered, to the letter.
    check("post a webhook", request("post /v1/webhooks/orders/paid", &[], ""), "404 open").await;
    check("OPTIONS a webhook", request("OPTIONS /v1/webhooks/orders/paid", &[], ""), "404 open")
        .await;
    check("no method", "\u{1}\u{2} / HTTP/1.1\r\n\r\n", "400 closed").await;
    check("HTTP/3", bare("GET / HTTP/3.0", &["Host: x"]), "400 closed").await;
}

#[tokio::test(start_paused = true)]
async fn targets() {
    for target in [
        "/v1/webhooks/a%",
        "/v1/webhooks/%zz",
        "/v1/webhooks/%2",
        "/v1/webhooks/%00",
        "/v1/webhooks/%C0%AF",
        "/v1/webhooks/%FF",
        "/v1/webhooks/../x",
        "/v1/webhooks/%2e%2E/x",
        "/v1/webhooks/a/.",
        "/v1/./workflows",
        "/v1/workflows/..%2fx",
        "/health%0A",
        "/a\\b",
        "/\u{fc}",
        "/health?\u{fc}",
        "/health?a\\b",
    ] {
        check(target, request(&format!("POST {target}"), &[], ""), "400 closed").await;
    }
    for target in
        ["/v1/webhooks/orders%2Fpaid", "/v1/webhooks//orders/paid/", "/V1/Webhooks/orders/paid"]
    {
        check(target, request(&format!("POST {target}"), &[], ""), "201 open").await;
    }
    // Decoded once: what is left is data, and no such path is registered.
    for target in
        ["/v1/webhooks/orders%252Fpaid", "/v1/webhooks/orders//paid", "/v1/webhooks/Orders/paid"]
    {
        check(target, request(&format!("POST {target}"), &[], ""), "404 open").await;
    }
    check("a fragment", request("POST /v1/webhooks/orders/paid#x", &[], ""), "201 open").await;
}

#[tokio::test(start_paused = true)]
async fn sizes() {
    let target = |len: usize| format!("GET /version?{}", "a".repeat(len - "/version?".len()));
    check("a long target", request(&target(TARGET_BYTES_MAX), &[], ""), "200 open").await;
    check("too long a target", request(&target(TARGET_BYTES_MAX + 1), &[], ""), "414 closed").await;
    check("30 KB of target", request(&target(30_000), &[], ""), "431 closed").await;
    let headers = |count: usize| vec!["A: b"; count - 2];
    check("many headers", request("GET /version", &headers(HEADERS_MAX), ""), "200 open").await;
    check("too many", request("GET /version", &headers(HEADERS_MAX + 1), ""), "431 closed").await;
    // Together with `Host: flowker` and `X-API-Key: secret`.
    let filler = |bytes: usize| format!("A: {}", "b".repeat(bytes - 1 - 11 - 15));
    let large = filler(HEADER_BYTES_MAX);
    check("large headers", request("GET /version", &[&large], ""), "200 open").await;
    let larger = filler(HEADER_BYTES_MAX + 1);
    check("too large", request("GET /version", &[&larger], ""), "431 closed").await;
    let huge = filler(100_000);
    check("huge", request("GET /version", &[&huge], ""), "431 closed").await;
}

#[tokio::test(start_paused = true)]
async fn keys_and_credentials() {
    const WEBHOOK: &str = "POST /v1/webhooks/orders/paid";
    let long = format!("Idempotency-Key: {}", "k".repeat(10_000));
    for header in [
        "Idempotency-Key: a\r\nIdempotency-Key: a",
        "Idempotency-Key: \u{fc}",
        "Idempotency-Key: \"unterminated",
        "Idempotency-Key: \"\"",
        long.as_str(),
    ] {
        check(header, request(WEBHOOK, &[header], ""), "400 open").await;
    }
    check("a blank key", request(WEBHOOK, &["Idempotency-Key:   "], ""), "201 open").await;
    let forged = ["X-Forwarded-For: 127.0.0.1", "traceparent: 00-0-0-00", "X-Tenant-Id: other"];
    check("forged headers", request(WEBHOOK, &forged, ""), "201 open").await;
    check("two API keys", request(WEBHOOK, &["X-API-Key: secret"], ""), "401 open").await;
}

#[tokio::test(start_paused = true)]
async fn what_follows_on_the_same_connection() {
    let good = request("GET /version", &[], "");
    check("two good ones", [good.clone(), good.clone()].concat(), "200 200 open").await;
    let framing = request("GET /version", &["Host: again"], "");
    check("behind an unclear one", [framing, good.clone()].concat(), "400 closed").await;
    let unknown = request("GET /nothing", &[], "");
    check("behind a 404", [unknown, good.clone()].concat(), "404 200 open").await;
    // An unread body is no request, even if it looks like one.
    let inner = String::from_utf8(good.clone()).unwrap();
    let refused = request("POST /v1/webhooks/nowhere", &[], &inner);
    check("inside an unread body", refused, "404 open").await;
}
