//! From a delivery to the results of the run that it begins.

use flowker_tests::{Flow, Request, Server, Stub, http, until};
use serde_json::json;

/// A call, a condition and an output, at PUT orders/paid.
fn three_nodes(provider: &str) -> Flow {
    Flow::at("PUT", "orders/paid")
        .call("charge", provider, "/charge")
        .condition("is_large", "workflow.amount > 100")
        .output(
            "receipt",
            json!({ "for": "{{ workflow.order }}", "by": "{{ charge.body.nonce }}" }),
        )
}

#[test]
fn a_delivery_runs_through_call_condition_and_output() {
    let (stub, server) = (Stub::start(), Server::start());
    let workflow_id = server.deploy(&three_nodes(&server.provider(&stub)));

    let body = json!({ "order": "o-1", "amount": 250 });
    let delivery = Request::put("/v1/webhooks/orders/paid").header("X-Request-Id", "req-1");
    let answer = server.send(delivery.json(&body)).expect(201);
    let execution_id = answer.text("executionId");
    assert_eq!(answer.text("workflowId"), workflow_id);
    assert_eq!(answer.text("status"), "running");
    assert!(answer.json()["startedAt"].is_string(), "{answer:?}");
    assert_eq!(answer.header("X-Webhook-Workflow-ID"), Some(&*workflow_id));
    assert_eq!(answer.header("X-Webhook-Execution-ID"), Some(&*execution_id));
    assert_eq!(answer.header("X-Request-Id"), Some("req-1"));
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.header("Idempotent-Replayed"), None);

    let results = server.complete(&execution_id);
    let calls = stub.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!((calls[0].method.as_str(), calls[0].target.as_str()), ("POST", "/charge"));
    assert_eq!(calls[0].key(), format!("{execution_id}:charge"));
    assert_eq!(calls[0].text(), r#"{"amount":250,"order":"o-1"}"#, "the input without _webhook");

    assert_eq!(results["finalOutput"], json!({ "for": "o-1", "by": calls[0].nonce }));
    let steps = results["stepResults"].as_array().unwrap();
    let numbered: Vec<_> = steps.iter().map(|it| (&it["stepNumber"], &it["nodeId"])).collect();
    let expected =
        [(1, "charge"), (2, "is_large"), (3, "receipt")].map(|it| (json!(it.0), json!(it.1)));
    assert_eq!(numbered, expected.iter().map(|it| (&it.0, &it.1)).collect::<Vec<_>>());
    assert!(steps.iter().all(|it| it["status"] == "completed"), "{results}");
    assert_eq!(steps[0]["stepName"], "executor_charge");
    assert_eq!(steps[0]["output"]["status"], 200);
    assert_eq!(steps[1]["output"]["branchTaken"], "true");

    let status = server.status(&execution_id);
    assert_eq!((&status["currentStepNumber"], &status["totalSteps"]), (&json!(3), &json!(3)));
    assert!(status["completedAt"].is_string(), "{status}");
}

#[test]
fn a_branch_that_is_not_taken_leaves_no_trace() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(&three_nodes(&server.provider(&stub)));
    let delivery =
        Request::put("/v1/webhooks/orders/paid").json(&json!({ "order": "o", "amount": 7 }));
    let results = server.complete(&server.send(delivery).expect(201).text("executionId"));
    let steps = results["stepResults"].as_array().unwrap();
    let nodes: Vec<_> = steps.iter().map(|it| it["nodeId"].as_str().unwrap()).collect();
    assert_eq!(nodes, ["charge", "is_large"]);
    // Without an output action, the outputs by node id are the output.
    assert_eq!(results["finalOutput"]["charge"]["body"]["nonce"], json!(stub.calls()[0].nonce));
    assert_eq!(results["finalOutput"]["_webhook"], json!(null));
}

#[test]
fn who_prefers_to_wait_gets_the_end_or_the_state_when_the_time_is_up() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(&three_nodes(&server.provider(&stub)));
    let delivery = |wait: &str| {
        let body = json!({ "order": "o-1", "amount": 250 });
        Request::put("/v1/webhooks/orders/paid").header("Prefer", wait).json(&body)
    };

    let answer = server.send(delivery("wait=20")).expect(200);
    assert_eq!(answer.text("status"), "completed");
    assert_eq!(answer.json()["finalOutput"]["for"], "o-1");
    assert_eq!(answer.header("Preference-Applied"), Some("wait=20"));

    stub.hold("/charge");
    let answer = server.send(delivery("wait=1")).expect(201);
    assert_eq!(answer.text("status"), "running");
    assert_eq!(answer.header("Preference-Applied"), Some("wait=1"));

    let path = format!("/v1/executions/{}", answer.text("executionId"));
    let status = server.send(Request::get(&format!("{path}?wait=1"))).expect(200);
    assert_eq!(status.text("status"), "running");
    stub.release("/charge");
    let status = server.send(Request::get(&format!("{path}?wait=20"))).expect(200);
    assert_eq!(status.text("status"), "completed");
}

#[test]
fn who_hangs_up_still_gets_the_execution() {
    let server = Server::start();
    let workflow_id = server.deploy(&Flow::at("PUT", "orders/paid").output("o", json!({ "n": 1 })));
    let delivery = Request::put("/v1/webhooks/orders/paid")
        .header("X-API-Key", flowker_tests::server::API_KEY);
    http::send_and_hang_up(server.address(), &delivery.to_bytes(server.address())).unwrap();
    let path = format!("/v1/executions?workflowId={workflow_id}&status=completed");
    until("the execution is listed as completed", || {
        let page = server.send(Request::get(&path)).expect(200).json();
        page["items"].as_array().is_some_and(|items| items.len() == 1).then_some(())
    });
}

#[test]
fn branches_run_at_once_and_their_join_runs_once() {
    let (stub, server) = (Stub::start(), Server::start());
    let provider = server.provider(&stub);
    server.deploy(
        &Flow::at("POST", "fan")
            .call("left", &provider, "/left")
            .after("start", None)
            .call("right", &provider, "/right")
            .call("join", &provider, "/join")
            .edge("left", "join", None)
            .output("done", json!({ "join": "{{ join.body.nonce }}" })),
    );
    stub.hold("/left");
    stub.hold("/right");
    let answer = server.send(Request::post("/v1/webhooks/fan")).expect(201);
    // Both have arrived and neither is answered: they run at once.
    stub.wait_for_calls(2);
    stub.release("/right");
    let execution_id = answer.text("executionId");
    until("the right branch is journaled", || {
        (server.status(&execution_id)["currentStepNumber"] == 1).then_some(())
    });
    assert_eq!(stub.n_calls(), 2, "the join waits for both");
    stub.release("/left");

    let results = server.complete(&execution_id);
    let calls = stub.calls();
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert_eq!(calls[2].target, "/join");
    assert_eq!(results["finalOutput"], json!({ "join": calls[2].nonce }));
}

#[test]
fn a_version_once_accepted_is_run_to_its_end() {
    let (stub, server) = (Stub::start(), Server::start());
    let workflow_id = server.deploy(&three_nodes(&server.provider(&stub)));
    stub.hold("/charge");
    let body = json!({ "order": "o-1", "amount": 250 });
    let answer = server.send(Request::put("/v1/webhooks/orders/paid").json(&body)).expect(201);
    stub.wait_for_calls(1);

    let act =
        |action: &str| server.send(Request::post(&format!("/v1/workflows/{workflow_id}/{action}")));
    let _ = act("deactivate").expect(200);
    let _ = act("draft").expect(200);
    let edited = Flow::at("PUT", "orders/paid").output("other", json!({ "edited": true }));
    let path = format!("/v1/workflows/{workflow_id}");
    let _ = server.send(Request::new("PUT", &path).json(&edited.to_json())).expect(200);
    let _ = act("activate").expect(200);

    let second = server.send(Request::put("/v1/webhooks/orders/paid").json(&body)).expect(201);
    assert_eq!(
        server.complete(&second.text("executionId"))["finalOutput"],
        json!({ "edited": true })
    );
    stub.release("/charge");
    let first = server.complete(&answer.text("executionId"));
    assert_eq!(first["finalOutput"]["for"], "o-1", "{first}");
}
