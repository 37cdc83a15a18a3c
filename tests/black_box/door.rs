//! Routes, credentials and what an unknown caller sees.

use flowker_tests::{Flow, Home, Request, Server, until};
use serde_json::json;

fn hook(path: &str) -> Flow {
    Flow::at("PUT", path).output("o", json!({ "webhook": "{{ workflow._webhook }}" }))
}

#[test]
fn a_webhook_is_reached_by_its_method_and_path() {
    let server = Server::start();
    server.deploy(&hook("orders/paid"));
    let spellings = [
        "orders/paid",
        "orders%2Fpaid",
        "orders%2fpaid",
        "orders/paid/",
        "/orders/paid",
        "orders/p%61id?x=1",
    ];
    for path in spellings {
        let answer = server.send(Request::put(&format!("/v1/webhooks/{path}"))).expect(201);
        let results = server.complete(&answer.text("executionId"));
        assert_eq!(results["finalOutput"]["webhook"]["path"], "orders/paid", "{path}: {results}");
    }
    for (method, path) in [
        ("POST", "orders/paid"),
        ("GET", "orders/paid"),
        ("put", "orders/paid"),
        ("BREW", "orders/paid"),
        ("PUT", "orders/Paid"),
        ("PUT", "orders"),
        ("PUT", "orders/paid/x"),
        ("PUT", "orders%252Fpaid"),
    ] {
        let answer = server.send(Request::new(method, &format!("/v1/webhooks/{path}")));
        let _ = answer.expect_error(404, "FLK-0361");
    }
}

#[test]
fn a_run_sees_how_it_was_called_and_no_credentials() {
    let server = Server::start();
    server.deploy(&hook("orders/paid"));
    let delivery = Request::put("/v1/webhooks/orders/paid?a=1&b=x+y&a=2")
        .header("X-Shop", "one")
        .header("x-shop", "two")
        .header("Authorization", "Bearer secret-1")
        .header("Cookie", "secret-2")
        .header("X-Webhook-Token", "secret-3")
        .json(&json!({ "_webhook": "forged" }));
    let results = server.complete(&server.send(delivery).expect(201).text("executionId"));
    let webhook = &results["finalOutput"]["webhook"];
    assert_eq!(webhook["method"], "PUT");
    assert_eq!(webhook["remote_ip"], "127.0.0.1");
    assert_eq!(webhook["query"], json!({ "a": "2", "b": "x y" }));
    assert_eq!(webhook["headers"]["X-Shop"], "two");
    assert!(webhook["headers"]["X-Request-Id"].is_string(), "{webhook}");
    let text = webhook.to_string();
    assert!(!text.contains("secret-") && !text.contains(flowker_tests::server::API_KEY), "{text}");
    assert!(!server.output().contains("secret-"), "credentials are not logged");
}

#[test]
fn a_route_with_a_token_asks_for_it() {
    let server = Server::start();
    let flow = Flow::at("PUT", "orders/paid").with("verify_token", json!("s3cret"));
    server.deploy(&flow.output("o", json!({})));
    let delivery = || Request::put("/v1/webhooks/orders/paid");
    let _ = server.send(delivery()).expect_error(401, "FLK-0362");
    let token = |value: &str| delivery().header("X-Webhook-Token", value);
    let _ = server.send(token("other")).expect_error(401, "FLK-0362");
    let _ = server
        .send(token("s3cret").header("X-Webhook-Token", "s3cret"))
        .expect_error(401, "FLK-0362");
    let in_query = Request::put("/v1/webhooks/orders/paid?verify_token=s3cret&token=s3cret");
    let _ = server.send(in_query).expect_error(401, "FLK-0362");
    let _ = server.send(token("s3cret")).expect(201);
}

#[test]
fn everything_but_the_infrastructure_asks_for_the_api_key() {
    let server = Home::new().set("API_KEY", "first-key,second-key").start();
    let guarded = [
        "/v1/workflows",
        "/v1/executions",
        "/v1/webhooks/x",
        "/v1/catalog/providers",
        "/v1/nothing",
    ];
    for path in guarded {
        let get = || Request::get(path).anonymous();
        let _ = server.send(get()).expect_error(401, "UNAUTHORIZED");
        let _ = server.send(get().header("X-API-Key", "wrong")).expect_error(401, "UNAUTHORIZED");
        let twice = get().header("X-API-Key", "first-key").header("X-API-Key", "first-key");
        let _ = server.send(twice).expect_error(401, "UNAUTHORIZED");
        for key in ["first-key", "second-key"] {
            let answer = server.send(get().header("X-API-Key", key));
            assert_ne!(answer.status, 401, "{path}: {answer:?}");
        }
    }
    for path in ["/health", "/health/live", "/health/ready", "/readyz", "/version"] {
        let _ = server.send(Request::get(path).anonymous()).expect(200);
    }
}

#[test]
fn unknown_paths_and_wrong_methods_are_told_apart() {
    let server = Server::start();
    for path in ["/", "/nothing", "/v1", "/v1/nothing"] {
        let answer = server.send(Request::get(path)).expect(404);
        assert_eq!(answer.json()["code"], json!(404), "{answer:?}");
        assert_eq!(answer.text("title"), "request_failed");
    }
    let answer = server.send(Request::new("DELETE", "/v1/workflows")).expect(405);
    let allow = answer.header("Allow").unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    assert_eq!(answer.json()["code"], json!(405), "{answer:?}");
    let problem = Request::get("/v1/executions/x").header("Accept", "application/problem+json");
    let answer = server.send(problem).expect(400);
    assert_eq!(answer.header("Content-Type"), Some("application/problem+json"));
    assert_eq!(
        (&answer.json()["status"], answer.text("code")),
        (&json!(400), "FLK-0002".to_owned())
    );
}

#[test]
fn two_workflows_cannot_have_one_route() {
    let server = Server::start();
    let holder = server.deploy(&hook("orders/paid").named("the holder"));
    let second = server.create(&hook("/orders/paid/").named("the second"));
    let refused = server.activate(&second).expect_error(409, "FLK-0360");
    let message = refused.text("message");
    assert!(message.contains(&holder) || message.contains("the holder"), "{message}");
    assert!(message.contains("orders/paid"), "{message}");
    let status = server.send(Request::get(&format!("/v1/workflows/{second}"))).expect(200);
    assert_eq!(status.text("status"), "draft");

    let deactivate = Request::post(&format!("/v1/workflows/{holder}/deactivate"));
    let _ = server.send(deactivate).expect(200);
    let _ = server.activate(&second).expect(200);
    let answer = server.send(Request::put("/v1/webhooks/orders/paid")).expect(201);
    assert_eq!(answer.text("workflowId"), second);
}

#[test]
fn a_deactivated_route_is_gone_at_once() {
    let server = Server::start();
    let workflow_id = server.deploy(&hook("orders/paid"));
    let delivery = || Request::put("/v1/webhooks/orders/paid").key("k");
    let _ = server.send(delivery()).expect(201);
    let deactivate = Request::post(&format!("/v1/workflows/{workflow_id}/deactivate"));
    let _ = server.send(deactivate).expect(200);
    let _ = server.send(delivery()).expect_error(404, "FLK-0361");

    let delete = Request::new("DELETE", &format!("/v1/workflows/{workflow_id}"));
    let _ = server.send(delete).expect(204);
    let gone = Request::get(&format!("/v1/workflows/{workflow_id}"));
    let _ = server.send(gone).expect_error(404, "FLK-0100");
}

#[test]
fn routes_are_live_again_after_a_start() {
    let server = Server::start();
    server.deploy(&hook("orders/paid"));
    let server = server.kill().start();
    let answer = server.send(Request::put("/v1/webhooks/orders/paid")).expect(201);
    until("the execution has completed", || {
        (server.status(&answer.text("executionId"))["status"] == "completed").then_some(())
    });
}
