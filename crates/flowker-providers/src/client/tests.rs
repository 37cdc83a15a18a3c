mod faults;
mod reach;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use flowker_core::ports::{CallFailure, FailureKind, SuccessCodes};
use http::{HeaderMap, Method};
use url::Url;

use super::*;
use crate::downstream::{Downstream, Received, Reply, bytes, client, client_with};

/// A POST with a body and a credential.
fn post(url: &str) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer s3cret".parse().unwrap());
    headers.insert("idempotency-key", "k".parse().unwrap());
    Outgoing {
        method: Method::POST,
        url: Url::parse(url).unwrap(),
        headers,
        body: Some(bytes("{}")),
        follows_redirects: true,
        success: SuccessCodes::Any2xx,
        deadline: Deadline::after(Duration::from_secs(30)),
    }
}

fn failed(outcome: Result<Answer, SendError>) -> (FailureKind, String) {
    let failure = CallFailure::from(outcome.expect_err("a failure"));
    (failure.kind, failure.message)
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let downstream = Downstream::start(|_| Reply::json("{}")).await;
    let client = client();
    for _ in 0..3 {
        client.send(post(&downstream.url("/"))).await.unwrap();
    }
    assert_eq!((downstream.received().len(), downstream.n_connections()), (3, 1));
}

#[tokio::test]
async fn refusals_keep_the_connection_too() {
    let downstream = Downstream::start(|_| Reply::answer("503 Busy", "later")).await;
    let client = client();
    for _ in 0..3 {
        client.send(post(&downstream.url("/"))).await.unwrap_err();
    }
    assert_eq!(downstream.n_connections(), 1);
}

#[tokio::test]
async fn redirects_are_followed() {
    let script = |request: &Received| match request.target.as_str() {
        "/old" => Reply::answer("307 \r\nLocation: /new?a=1", ""),
        "/made" => Reply::answer("303 \r\nLocation: result", ""),
        _ => Reply::json("{}"),
    };
    let check = async |path: &str, wanted: &str| {
        let downstream = Downstream::start(script).await;
        client().send(post(&downstream.url(path))).await.unwrap();
        let last = downstream.received().pop().unwrap();
        let credentials = last.header("authorization").unwrap_or_default();
        let shown = format!("{} {} {} {credentials}", last.method, last.target, last.body);
        assert_eq!(shown, wanted);
    };
    check("/old", "POST /new?a=1 {} Bearer s3cret").await;
    check("/made", "GET /result  Bearer s3cret").await;
}

#[tokio::test]
async fn another_origin_gets_no_credentials() {
    let target = Downstream::start(|_| Reply::json("{}")).await;
    let location = format!("308 \r\nLocation: {}", target.url("/"));
    let origin = Downstream::start(move |_| Reply::answer(&location, "")).await;
    client().send(post(&origin.url("/"))).await.unwrap();
    let request = target.only();
    assert_eq!((request.method.as_str(), request.body.as_str()), ("POST", "{}"));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("idempotency-key").as_deref(), Some("k"));
}

#[tokio::test]
async fn redirects_end() {
    let downstream = Downstream::start(|_| Reply::answer("302 \r\nLocation: /again", "")).await;
    let (kind, message) = failed(client().send(post(&downstream.url("/"))).await);
    assert_eq!((kind, message.as_str()), (FailureKind::Permanent, "redirected more than 10 times"));
    assert_eq!(downstream.received().len(), 11);
}

#[tokio::test]
async fn a_redirect_status_that_counts_as_success_is_the_answer() {
    let downstream = Downstream::start(|_| Reply::answer("302 \r\nLocation: /again", "")).await;
    let success = SuccessCodes::These([302].into());
    let request = Outgoing { success, ..post(&downstream.url("/")) };
    assert_eq!(client().send(request).await.unwrap().status, 302);
}

#[tokio::test]
async fn a_redirect_to_a_blocked_address_is_refused() {
    let downstream =
        Downstream::start(|_| Reply::answer("302 \r\nLocation: http://169.254.169.254/", "")).await;
    let (kind, message) = failed(client().send(post(&downstream.url("/"))).await);
    assert_eq!(kind, FailureKind::Permanent);
    assert!(message.starts_with("egress denied: the address 169.254.169.254"), "{message}");
}

/// The POST had its effect; nobody may believe that a second one would be the first.
#[tokio::test]
async fn a_lost_answer_behind_a_redirect_is_no_reason_to_believe_that_nothing_happened() {
    let script = |request: &Received| match request.method.as_str() {
        "POST" => Reply::answer("303 \r\nLocation: /result", ""),
        _ => Reply::answer("503 ", ""),
    };
    let downstream = Downstream::start(script).await;
    let (kind, message) = failed(client().send(post(&downstream.url("/"))).await);
    assert_eq!(kind, FailureKind::Unknown);
    assert_eq!(
        message,
        "carried out, and the redirect to its answer failed: answered 503 Service Unavailable"
    );
}

#[tokio::test]
async fn large_bodies_travel_both_ways() {
    let downstream = Downstream::start(|request| Reply::answer("200", &request.body)).await;
    let body = "0123456789".repeat(300_000);
    let request = Outgoing { body: Some(bytes(&body)), ..post(&downstream.url("/")) };
    assert_eq!(client().send(request).await.unwrap().body, body);
}

#[test]
fn nothing_secret_is_printed() {
    let request = Outgoing { headers: HeaderMap::new(), ..post("http://h/p?api_key=s3cret") };
    assert_eq!(format!("{request:?}"), r#"Outgoing { method: POST, host: Some("h"), .. }"#);
}
