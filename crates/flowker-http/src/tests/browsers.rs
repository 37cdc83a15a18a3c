//! Pages of other origins, and faults that tests ask for.

use std::time::Duration;

use tokio::time::Instant;

use super::wire::{ask, bare};
use super::world::World;
use crate::Cors;

const PREFLIGHT: [&str; 2] = ["Origin: https://a.test", "Access-Control-Request-Method: POST"];

fn world(origins: &str) -> World {
    let mut world = World::new();
    world.cors = Cors::parse(origins).expect("origins");
    world
}

#[tokio::test(start_paused = true)]
async fn a_preflight_needs_no_credentials() {
    let check = async |origins: &str, line: &str, allowed: Option<&str>, may_send: bool| {
        let answer = bare(&world(origins).door(), line, &PREFLIGHT).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{origins} {line}");
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origins} {line}");
        assert!(answer.header("x-request-id").is_some());
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let methods = answer.header("access-control-allow-methods");
        assert_eq!(methods, may_send.then_some("GET,POST,PUT,PATCH,DELETE,OPTIONS"));
        let headers = answer.header("access-control-allow-headers").unwrap_or_default();
        assert_eq!(headers.contains("X-API-Key,Idempotency-Key,X-Webhook-Token"), may_send);
        assert_eq!(answer.header("access-control-max-age"), may_send.then_some("3600"));
    };
    for line in [
        "OPTIONS /v1/workflows",
        "OPTIONS /v1/webhooks/orders/paid",
        "OPTIONS /v1/nothing",
        "OPTIONS /health",
    ] {
        check("", line, None, false).await;
        check("*", line, Some("*"), true).await;
        check("https://a.test,https://b.test", line, Some("https://a.test"), true).await;
        check("https://b.test", line, None, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_says_which_pages_may_read_it() {
    let check = async |origins: &str, origin: &str, allowed: Option<&str>, varies: bool| {
        let door = world(origins).door();
        for (line, status) in
            [("GET /health", 200), ("GET /v1/workflows", 401), ("GET /nowhere", 404)]
        {
            let answer = bare(&door, line, &[&format!("Origin: {origin}")]).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin} {line}");
            assert_eq!(answer.header("vary").is_some(), varies, "{origin} {line}");
        }
    };
    check("", "https://a.test", None, false).await;
    check("*", "https://a.test", Some("*"), false).await;
    check("https://a.test", "https://a.test", Some("https://a.test"), true).await;
    check("https://a.test", "http://a.test", None, true).await;
    check("https://a.test", "https://a.test.evil", None, true).await;
    check("https://a.test", "null", None, true).await;
}

#[tokio::test(start_paused = true)]
async fn options_without_a_preflight_reach_webhooks_and_routes() {
    let door = world("*").door();
    let hook =
        ask(&door, "OPTIONS /v1/webhooks/orders/paid", &["Origin: https://a.test"], "").await;
    assert_eq!((hook.status, hook.json()["code"].as_str()), (404, Some("FLK-0361")));
    let other = ask(&door, "OPTIONS /v1/workflows", &["Origin: https://a.test"], "").await;
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, HEAD, POST")));
    let stranger = bare(&door, "OPTIONS /v1/workflows", &["Origin: https://a.test"]).await;
    assert_eq!(stranger.status, 401);
    let request_alone = ["Access-Control-Request-Method: POST"];
    assert_eq!(bare(&door, "OPTIONS /v1/workflows", &request_alone).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn faults_are_injected_only_where_they_are_turned_on() {
    let check = async |injects_faults: bool, word: &str, expected: &str| {
        let mut world = World::new();
        world.injects_faults = injects_faults;
        let door = world.door();
        // Before credentials are looked at, and on routes that ask for none.
        for (line, otherwise) in
            [("GET /version", "200"), ("GET /v1/workflows", "401 UNAUTHORIZED")]
        {
            let header = format!("X-Test-Fault-Injection: {word}");
            let began = Instant::now();
            let answer = bare(&door, line, &["Connection: close", &header]).await;
            let took = began.elapsed();
            let shown = match answer.status {
                200 => "200".to_owned(),
                status => {
                    format!("{status} {}", answer.json()["code"].as_str().unwrap_or_default())
                }
            };
            let expected = if expected.is_empty() { otherwise } else { expected };
            assert_eq!(shown, expected, "{line} {word}");
            assert_eq!(Duration::from_millis(100) <= took, expected.starts_with("504"), "{took:?}");
        }
    };
    check(true, "timeout", "504 FLK-0800").await;
    check(true, "unavailable", "503 FLK-0801").await;
    for word in ["Timeout", "other", "timeout,unavailable"] {
        check(true, word, "").await;
    }
    check(false, "timeout", "").await;
    check(false, "unavailable", "").await;
}

#[tokio::test(start_paused = true)]
async fn every_answer_carries_a_request_id() {
    let door = world("*").door();
    for line in [
        "GET /health",
        "GET /nowhere",
        "GET /v1/workflows",
        "OPTIONS *",
        "TRACE /v1/webhooks/a",
        "POST /health",
        "POST /v1/webhooks/%",
    ] {
        let answer = bare(&door, line, &["X-Request-ID: caller-1"]).await;
        assert_eq!(answer.header("x-request-id"), Some("caller-1"), "{line}");
        let answer = bare(&door, line, &[]).await;
        let id = answer.header("x-request-id").expect(line);
        assert!(uuid::Uuid::parse_str(id).is_ok(), "{line}: {id}");
    }
}
