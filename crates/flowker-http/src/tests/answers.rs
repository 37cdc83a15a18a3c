//! Statuses, titles and bodies of failures.

use flowker_core::code::Code;
use flowker_core::ports::{MockExecutionStore, StoreError};
use flowker_core::refusal::Refusal;
use http::Method;
use http::header::HeaderValue;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::wire::{ask, exchange};
use super::world::World;
use crate::error::{Failure, default_title, status};
use crate::limits::MANAGEMENT_BODY_BYTES_MAX;
use crate::route::ROUTES;
use crate::{problem, route};

/// The contract's table and what the design adds to it: status and title of every code.
const TABLE: &[(u16, &str, &[&str])] = &[
    (
        400,
        "Bad Request",
        &[
            "FLK-0001",
            "FLK-0002",
            "FLK-0110",
            "FLK-0111",
            "FLK-0113",
            "FLK-0114",
            "FLK-0115",
            "FLK-0140",
            "FLK-0141",
            "FLK-0142",
            "FLK-0150",
            "FLK-0151",
            "FLK-0201",
            "FLK-0242",
            "FLK-0295",
            "FLK-0296",
            "FLK-0298",
            "FLK-0299",
            "FLK-0302",
            "FLK-0304",
            "FLK-0305",
            "FLK-0308",
            "FLK-0309",
            "FLK-0310",
            "FLK-0509",
            "FLK-0511",
            "FLK-0610",
            "FLK-0703",
            "INVALID_CURSOR",
            "WORKFLOW_INVALID_EXECUTOR_CONFIG",
        ],
    ),
    (401, "Unauthorized", &["FLK-0362", "FLK-0364", "UNAUTHORIZED"]),
    (403, "Forbidden", &["FORBIDDEN"]),
    (
        404,
        "Not Found",
        &[
            "FLK-0100", "FLK-0104", "FLK-0200", "FLK-0210", "FLK-0230", "FLK-0240", "FLK-0250",
            "FLK-0290", "FLK-0294", "FLK-0361", "FLK-0500", "FLK-0600", "FLK-0700",
        ],
    ),
    (408, "Request Timeout", &["FLK-0902"]),
    (
        409,
        "Conflict",
        &[
            "FLK-0101", "FLK-0251", "FLK-0291", "FLK-0350", "FLK-0351", "FLK-0360", "FLK-0520",
            "FLK-0701",
        ],
    ),
    (413, "Payload Too Large", &["FLK-0363", "FLK-0506"]),
    (415, "Unsupported Media Type", &["FLK-0903"]),
    (
        422,
        "Unprocessable Entity",
        &[
            "FLK-0102", "FLK-0103", "FLK-0105", "FLK-0112", "FLK-0116", "FLK-0117", "FLK-0118",
            "FLK-0119", "FLK-0211", "FLK-0252", "FLK-0292", "FLK-0293", "FLK-0340", "FLK-0341",
            "FLK-0366", "FLK-0501", "FLK-0502", "FLK-0510", "FLK-0702", "FLK-0704",
        ],
    ),
    (429, "Too Many Requests", &["FLK-0365"]),
    (500, "Internal Server Error", &["FLK-9999"]),
    (503, "Service Unavailable", &["FLK-0801", "FLK-0900", "FLK-0901", "FLK-0904"]),
    (504, "Gateway Timeout", &["FLK-0800"]),
];

#[test]
fn every_code_has_the_status_and_title_of_the_table() {
    for code in Code::ALL {
        let row = TABLE.iter().find(|(_, _, codes)| codes.contains(&code.as_str()));
        let (expected, title, _) = row.unwrap_or_else(|| panic!("{code} is not in the table"));
        let status = status(*code);
        assert_eq!((status.as_u16(), default_title(status)), (*expected, *title), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_guarded_row_refuses_strangers_alike() {
    let door = World::new().door();
    let key = "X-API-Key: secret\r\n";
    for (method, template, _) in ROUTES {
        let path = template.replace("{id}", "x").replace("{*path}", "x");
        for credentials in ["", "X-API-Key: wrong\r\n", &[key, key].concat(), "X-API-Key:\r\n"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{credentials}\r\n");
            let answer = exchange(&door, request.as_bytes()).await.only();
            if route::needs_key(template) {
                assert_eq!(answer.status, 401, "{method} {path} {credentials:?}");
                assert_eq!(answer.json()["code"], "UNAUTHORIZED");
            } else {
                assert_eq!(answer.status, 200, "{method} {path}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_do_not_learn_which_paths_there_are() {
    let door = World::new().door();
    for path in ["/v1", "/v1/nothing", "/V1/webhooks/orders/paid", "/v1/workflows/"] {
        let request = format!("PUT {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let answer = exchange(&door, request.as_bytes()).await.only();
        assert_eq!(answer.status, 401, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_keys_every_route_is_open() {
    let mut world = World::new();
    world.asks_for_keys = false;
    let request = "POST /v1/webhooks/orders/paid HTTP/1.1\r\nHost: x\r\n\r\n";
    let answer = exchange(&world.door(), request.as_bytes()).await.only();
    assert_eq!(answer.status, 201);
}

#[tokio::test(start_paused = true)]
async fn failures_without_a_code_show_their_status() {
    let door = World::new().door();
    let answer = ask(&door, "GET /v1/nothing", &["X-Request-Id: r-1"], "").await;
    assert_eq!(answer.header("x-request-id"), Some("r-1"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let expected = json!({
        "code": 404, "title": "request_failed", "message": "there is nothing at this path",
        "requestId": "r-1",
    });
    assert_eq!(answer.json(), reparsed(&expected));
    let answer = ask(&door, "DELETE /v1/executions/x/results/", &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(answer.json()["code"].to_string(), "405");
    let over = format!("Content-Length: {}", MANAGEMENT_BODY_BYTES_MAX + 1);
    let answer = ask(&door, "POST /v1/workflows", &[&over], "").await;
    assert_eq!((answer.status, answer.json()["title"].as_str()), (413, Some("request_failed")));
    assert_eq!(answer.header("connection"), Some("close"));
}

/// Numbers compare by their text, which is kept: so both sides must have come through the parser.
fn reparsed(value: &Value) -> Value {
    flowker_core::json::parse(value.to_string().as_bytes()).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_read_names_the_member() {
    let door = World::new().door();
    let json = "Content-Type: application/json";
    for (headers, body, path) in [
        (&[json][..], "", "body"),
        (&[], "{}", "body"),
        (&["Content-Type: text/plain"], "{}", "body"),
        (&[json], r#"{"a": {"b": [1, tru]}}"#, "a.b[1]"),
    ] {
        let answer = ask(&door, "POST /v1/workflows", headers, body).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("FLK-0001")),
            "{body}"
        );
        let fields = answer.json()["fields"].as_object().cloned().unwrap_or_default();
        assert_eq!(fields.keys().collect::<Vec<_>>(), [path], "{body}");
    }
    let zstd = [json, "Content-Encoding: zstd"];
    let answer = ask(&door, "POST /v1/workflows", &zstd, "{}").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (415, Some("FLK-0903")));
}

#[tokio::test(start_paused = true)]
async fn problem_json_is_sent_to_who_asks_for_it() {
    let door = World::new().door();
    let check = async |accept: &str, is_problem: bool| {
        let headers = [&*format!("Accept: {accept}"), "X-Request-Id: r-1"];
        let answer = ask(&door, "POST /v1/webhooks/nowhere", &headers, "").await;
        let media_type = answer.header("content-type");
        let expected = if is_problem { "application/problem+json" } else { "application/json" };
        assert_eq!(media_type, Some(expected), "{accept}");
        answer.json()
    };
    check("application/json", false).await;
    check("*/*", false).await;
    check("application/problem+json;q=0", false).await;
    check("application/problem+json; q=0.0, application/json", false).await;
    check("text/html, Application/Problem+JSON;q=0.5", true).await;
    let expected = json!({
        "type": "about:blank", "status": 404, "title": "Not Found", "code": "FLK-0361",
        "detail": "No active workflow has a webhook for POST /nowhere.", "requestId": "r-1",
    });
    assert_eq!(check("application/problem+json", true).await, reparsed(&expected));
}

#[tokio::test]
async fn refusals_carry_their_members_and_headers() {
    let id = HeaderValue::from_static("r-1");
    let refusal = Refusal::of_members(
        Code::QueryInvalid,
        vec![
            flowker_core::refusal::Fault::new("limit", "too large"),
            flowker_core::refusal::Fault::new("limit", "said once"),
            flowker_core::refusal::Fault::new("", "the whole"),
        ],
    )
    .retry_after(std::time::Duration::from_millis(1_001));
    let response = problem::response(&Failure::titled(refusal, "Invalid"), &id, false);
    assert_eq!(response.headers()["retry-after"], "2");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let expected = json!({
        "code": "FLK-0304", "title": "Invalid", "message": "limit: too large", "requestId": "r-1",
        "fields": {"limit": "too large", "body": "the whole"},
    });
    assert_eq!(flowker_core::json::parse(&body).unwrap(), expected);
    let challenged = Failure::from(Refusal::plain(Code::WebhookTokenWrong));
    let response = problem::response(&challenged, &id, false);
    let challenge = "WebhookToken header=\"X-Webhook-Token\"";
    assert_eq!(response.headers()["www-authenticate"], challenge);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_told_apart_from_a_bug() {
    let mut world = World::new();
    world.executions = MockExecutionStore::new();
    world.executions.expect_accept().returning(|_| Err(StoreError::unknown("lost")));
    let answer = ask(&world.door(), "POST /v1/webhooks/orders/paid", &[], "").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("FLK-0901")));
    assert_eq!(answer.header("retry-after"), Some("1"));
    // A mock without expectations panics when it is called.
    let mut world = World::new();
    world.executions = MockExecutionStore::new();
    let answer =
        ask(&world.door(), "POST /v1/webhooks/orders/paid", &["X-Request-Id: r"], "").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (500, Some("FLK-9999")));
    assert_eq!(answer.json()["requestId"], "r");
    assert!(!String::from_utf8_lossy(&answer.body).contains("MockExecutionStore"));
}

#[tokio::test(start_paused = true)]
async fn head_is_answered_wherever_get_is_without_a_body() {
    let door = World::new().door();
    for (method, template, _) in ROUTES.iter().filter(|(method, _, _)| *method == Method::GET) {
        let path = template.replace("{id}", "x").replace("{*path}", "x");
        if path.ends_with("workflows") || path.ends_with("executions") || path.ends_with("ons") {
            continue; // Lists ask the store, which these mocks do not have.
        }
        let get = ask(&door, &format!("{method} {path}"), &[], "").await;
        let head = ask(&door, &format!("HEAD {path}"), &[], "").await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        if !path.starts_with("/health") && !path.starts_with("/v1/webhooks") {
            assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        }
    }
}
