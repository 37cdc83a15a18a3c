//! What the door tells of its requests.

use flowker_core::metric::SECONDS;
use flowker_testkit::exposition;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use super::wire::{ask, exchange, request};
use super::world::World;
use crate::{METRICS, ROUTES};

fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new().set_buckets(SECONDS).expect("bounds").build_recorder()
}

#[tokio::test(start_paused = true)]
async fn requests_are_told_by_route_and_status_and_acceptances_by_answer() {
    let recorder = recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let door = World::new().door();
    let json = ["Content-Type: application/json"];
    for (line, headers, body) in [
        ("POST /v1/webhooks/orders/paid", &json[..], "{}"),
        ("POST /v1/webhooks/orders/paid", &json, "[]"),
        ("POST /v1/webhooks/orders/lost-7", &json, "{}"),
        ("POST /v1/webhooks/orders/paid", &["Idempotency-Key: \""], ""),
        ("BREW /v1/webhooks/orders/paid", &[], ""),
        ("GET /v1/workflows/not-an-id", &[], ""),
        ("GET /nowhere/secret-7", &[], ""),
    ] {
        ask(&door, line, headers, body).await;
    }
    let stranger = b"GET /v1/executions HTTP/1.1\r\nHost: flowker\r\nConnection: close\r\n\r\n";
    assert_eq!(exchange(&door, stranger).await.only().status, 401);

    let text = recorder.handle().render();
    let faults = exposition::faults(&text, METRICS);
    assert_eq!(faults, Vec::<String>::new());
    let request = |method: &str, route: &str, status: u16, count: u64| {
        format!(
            "http_server_request_duration_seconds_count{{http_request_method=\"{method}\",\
             http_route=\"{route}\",http_response_status_code=\"{status}\"}} {count}"
        )
    };
    let answer = |answer: &str, code: &str| {
        format!("flowker_acceptances_total{{answer=\"{answer}\",code=\"{code}\"}} 1")
    };
    let webhooks = "/v1/webhooks/{*path}";
    for line in [
        request("POST", webhooks, 201, 1),
        request("POST", webhooks, 400, 2),
        request("POST", webhooks, 404, 1),
        request("_OTHER", webhooks, 404, 1),
        request("GET", "/v1/workflows/{id}", 400, 1),
        request("GET", "/v1/executions", 401, 1),
        request("GET", "none", 404, 1),
        answer("accepted", ""),
        answer("refused", "FLK-0001"),
        answer("refused", "FLK-0511"),
        "flowker_acceptances_total{answer=\"route_gone\",code=\"FLK-0361\"} 2".to_owned(),
        "http_server_active_requests 0".to_owned(),
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
    for made_up in ["BREW", "secret-7", "lost-7", "not-an-id"] {
        assert!(!text.contains(made_up), "{made_up} is a label");
    }
}

#[tokio::test(start_paused = true)]
async fn peers_that_take_too_long_are_counted() {
    let recorder = recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let door = World::new().door();
    assert!(exchange(&door, b"").await.answers.is_empty());
    assert!(exchange(&door, b"P").await.answers.is_empty());
    assert!(exchange(&door, b"GET /version HTTP/1.1\r\nHo").await.answers.is_empty());
    // It is answered, and no other request follows.
    let whole = exchange(&door, b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(whole.answers.len(), 1);
    let text = recorder.handle().render();
    for line in [
        "flowker_connections_timed_out_total{phase=\"idle\"} 2",
        "flowker_connections_timed_out_total{phase=\"head\"} 2",
        "flowker_connections_timed_out_total{phase=\"write\"} 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_need_a_key_and_no_room() {
    let door = World::new().limited(|limits| limits.requests_max = 0).door();
    let refused = ask(&door, "GET /v1/workflows", &[], "").await;
    assert_eq!(refused.status, 503, "there is no room");
    let told = ask(&door, "GET /metrics", &[], "").await;
    assert_eq!((told.status, told.body.as_slice()), (200, &b"flowker_build_info 1\n"[..]));
    assert_eq!(told.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for path in ["/metrics", "/METRICS/", "/metrics/x"] {
        let stranger = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = exchange(&door, stranger.as_bytes()).await.only();
        assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("UNAUTHORIZED")));
    }
    let head = exchange(&door, &request("HEAD /metrics", &["Connection: close"], "")).await.only();
    assert_eq!((head.status, head.header("content-length")), (200, Some("21")));
}

#[test]
fn every_route_has_a_template() {
    for (_, template, endpoint) in ROUTES {
        let canonical = endpoint.template();
        assert!(ROUTES.iter().any(|(_, it, of)| *it == canonical && of == endpoint), "{template}");
    }
}
