//! Steps that fail, hang, are repeated, cancelled, or must not be repeated.

use std::time::Duration;

use flowker_tests::{Flow, Home, Reply, Request, Server, Stub};
use serde_json::{Value, json};

/// Retries that follow each other at once.
fn quick(max_attempts: u32) -> Value {
    json!({ "maxAttempts": max_attempts, "initialDelayMs": 1, "maxDelayMs": 5 })
}

fn trigger(server: &Server) -> String {
    let delivery = Request::put("/v1/webhooks/orders/paid").json(&json!({ "order": "o-1" }));
    server.send(delivery).expect(201).text("executionId")
}

fn act(server: &Server, execution_id: &str, action: &str) -> flowker_tests::Answer {
    server.send(Request::post(&format!("/v1/executions/{execution_id}/{action}")))
}

fn orders_paid(server: &Server, stub: &Stub) -> Flow {
    Flow::at("PUT", "orders/paid").call("charge", &server.provider(stub), "/charge")
}

#[test]
fn transient_failures_are_retried_with_one_key() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(&orders_paid(&server, &stub).with("retry", quick(4)));
    stub.replies("/charge", [503, 500, 429].map(Reply::status));
    let execution_id = trigger(&server);
    let results = server.complete(&execution_id);

    let calls = stub.calls();
    assert_eq!(calls.len(), 4, "{calls:?}");
    assert!(calls.iter().all(|it| it.key() == format!("{execution_id}:charge")), "{calls:?}");
    assert!(calls.iter().all(|it| it.body == calls[0].body), "{calls:?}");
    let attempts: Vec<_> = calls.iter().filter_map(|it| it.header("X-Attempt")).collect();
    assert_eq!(attempts, ["1", "2", "3", "4"]);
    assert_eq!(results["stepResults"][0]["output"]["body"]["nonce"], json!(calls[3].nonce));
}

#[test]
fn a_receiver_says_when_to_come_back() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(&orders_paid(&server, &stub).with("retry", quick(2)));
    stub.replies("/charge", [Reply::status(503).header("Retry-After", "1")]);
    server.complete(&trigger(&server));
    let calls = stub.calls();
    let pause = calls[1].at - calls[0].at;
    assert!(Duration::from_millis(990) <= pause, "Retry-After replaces the delay: {pause:?}");
}

#[test]
fn failures_end_the_run_and_tell_why() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(&orders_paid(&server, &stub).with("retry", quick(2)).call(
        "never",
        &server.provider(&Stub::start()),
        "/never",
    ));
    let check = |replies: &[u16], n_calls: usize| {
        let before = stub.n_calls();
        stub.replies("/charge", replies.iter().map(|it| Reply::status(*it)));
        let execution_id = trigger(&server);
        let status = server.wait_for_end(&execution_id);
        assert_eq!(status["status"], "failed", "{status}");
        assert_eq!(status["failureCode"], "step_failed", "{status}");
        let message = status["errorMessage"].as_str().unwrap();
        assert!(message.contains("executor call failed"), "{message}");
        assert!(message.contains("charge"), "{message}");
        assert!(message.contains(&replies[0].to_string()), "{message}");
        assert_eq!(stub.n_calls() - before, n_calls, "{replies:?}");
        let results = server.results(&execution_id);
        let steps = results["stepResults"].as_array().unwrap();
        assert_eq!(steps.len(), 1, "what comes after is not run: {results}");
        assert_eq!(
            (&steps[0]["status"], &steps[0]["nodeId"]),
            (&json!("failed"), &json!("charge"))
        );
        assert_eq!(results["finalOutput"], Value::Null);
    };
    check(&[503, 503], 2);
    check(&[400], 1);
    check(&[409], 1);
}

#[test]
fn a_node_says_which_statuses_are_success() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(&orders_paid(&server, &stub).with("successStatusCodes", json!([200, 404])));
    stub.replies("/charge", [Reply::status(404)]);
    let results = server.complete(&trigger(&server));
    assert_eq!(results["stepResults"][0]["output"]["status"], 404);
}

#[test]
fn calls_and_runs_that_take_too_long_fail() {
    let (stub, server) = (Stub::start(), Server::start());
    let call = orders_paid(&server, &stub).with("timeout", json!(1)).with("retry", quick(1));
    server.deploy(&call);
    let run =
        Flow::at("PUT", "orders/slow").call("slow", &server.provider_named(&stub, "slow"), "/slow");
    server.deploy(&run.timeout_seconds(1));
    stub.hold("/charge");
    stub.hold("/slow");

    let call = trigger(&server);
    let run = server.send(Request::put("/v1/webhooks/orders/slow")).expect(201).text("executionId");
    let call = server.wait_for_end(&call);
    assert_eq!((&call["status"], &call["failureCode"]), (&json!("failed"), &json!("step_failed")));
    let run = server.wait_for_end(&run);
    assert_eq!((&run["status"], &run["failureCode"]), (&json!("failed"), &json!("timed_out")));
    assert_eq!(stub.n_calls(), 2);
}

#[test]
fn a_step_that_must_not_be_repeated_fails_as_uncertain() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(&orders_paid(&server, &stub).with("onUncertain", json!("fail")));
    stub.hold("/charge");
    let execution_id = trigger(&server);
    stub.wait_for_calls(1);
    let home = server.kill();
    stub.release("/charge");
    stub.next_life();

    let server = home.start();
    let status = server.wait_for_end(&execution_id);
    assert_eq!(
        (&status["status"], &status["failureCode"]),
        (&json!("failed"), &json!("uncertain"))
    );
    assert_eq!(stub.n_calls(), 1, "it was not repeated");
}

#[test]
fn executions_are_cancelled_once_and_retried_when_they_have_ended() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(
        &orders_paid(&server, &stub).output("o", json!({ "order": "{{ workflow.order }}" })),
    );
    stub.hold("/charge");
    let execution_id = trigger(&server);
    stub.wait_for_calls(1);

    let results = format!("/v1/executions/{execution_id}/results");
    let _ = server.send(Request::get(&results)).expect_error(422, "FLK-0502");
    let _ = act(&server, &execution_id, "retry").expect_error(409, "FLK-0520");
    let cancelled = act(&server, &execution_id, "cancel").expect(200);
    assert_eq!(cancelled.text("status"), "cancelled");
    let _ = act(&server, &execution_id, "cancel").expect_error(409, "FLK-0520");
    assert_eq!(server.wait_for_end(&execution_id)["status"], "cancelled");
    let _ = server.send(Request::get(&results)).expect(200);

    stub.release("/charge");
    let retried = act(&server, &execution_id, "retry").expect(201);
    assert_eq!(retried.text("retryOf"), execution_id);
    let retried_id = retried.text("executionId");
    assert_ne!(retried_id, execution_id);
    assert_eq!(server.complete(&retried_id)["finalOutput"], json!({ "order": "o-1" }));
    assert_eq!(stub.calls().last().unwrap().key(), format!("{retried_id}:charge"));
    assert_eq!(server.status(&execution_id)["status"], "cancelled", "what ended stays ended");
}

#[test]
fn this_machine_is_called_only_if_the_operator_allows_it() {
    let (stub, server) = (Stub::start(), Home::new().unset("SSRF_ALLOW_PRIVATE").start());
    server.deploy(&orders_paid(&server, &stub).with("retry", quick(2)));
    let status = server.wait_for_end(&trigger(&server));
    assert_eq!(status["status"], "failed", "{status}");
    assert_eq!(stub.n_calls(), 0, "nothing was sent");

    let stub = Stub::start();
    let server =
        Home::new().unset("SSRF_ALLOW_PRIVATE").set("OUTBOUND_ALLOW", "127.0.0.1/32").start();
    server.deploy(&orders_paid(&server, &stub));
    server.complete(&trigger(&server));
    assert_eq!(stub.n_calls(), 1);
}
