//! From a template to a transaction, and what an active workflow keeps.

use flowker_tests::{Reply, Request, Server, Stub};
use serde_json::{Value, json};

fn configure(server: &Server, provider_id: &str, config: &Value) -> String {
    let body = json!({"name": provider_id, "providerId": provider_id, "config": config});
    server.send(Request::post("/v1/provider-configurations").json(&body)).expect(201).text("id")
}

/// An active workflow from the template, and the configurations that it uses.
fn from_template(server: &Server, stub: &Stub) -> (String, [String; 2]) {
    let tracer = json!({"base_url": stub.url(), "api_key": "k"});
    let tracer = configure(server, "tracer", &tracer);
    let midaz = json!({
        "onboarding_base_url": stub.url(), "transaction_base_url": stub.url(),
        "organization_id": "org", "ledger_id": "led",
    });
    let midaz = configure(server, "midaz", &midaz);
    let params = json!({
        "workflowName": "payments", "tracerProviderConfigId": tracer,
        "midazProviderConfigId": midaz,
    });
    let body = json!({"templateId": "tracer-midaz-validation", "params": params});
    let made = server.send(Request::post("/v1/workflows/from-template").json(&body)).expect(201);
    let workflow_id = made.text("workflowId");
    let _ = server.activate(&workflow_id).expect(200);
    (workflow_id, [tracer, midaz])
}

#[test]
fn a_template_makes_a_workflow_that_asks_and_then_pays() {
    let (stub, server) = (Stub::start(), Server::start());
    from_template(&server, &stub);
    let decide =
        |decision: &str| Reply::status(200).body(&format!(r#"{{"decision":"{decision}"}}"#));
    stub.replies("/v1/validations", [decide("ALLOW"), decide("DENY")]);
    let payload = json!({
        "requestId": "r-1", "transactionType": "PIX", "amount": "10.50", "currency": "BRL",
        "transactionTimestamp": "2025-01-01T00:00:00Z", "account": {"accountId": "a"},
        "transaction": {"asset": "BRL", "value": "10.50"}, "transactionDescription": "rent",
    });
    let trigger = || {
        let delivery = Request::post("/v1/webhooks/validate-and-transact").json(&payload);
        let execution_id = server.send(delivery).expect(201).text("executionId");
        server.complete(&execution_id);
    };
    trigger();
    let shown = |idx: usize| {
        let call = &stub.calls()[idx];
        (format!("{} {}", call.method, call.target), call.text())
    };
    let (line, body) = shown(0);
    assert_eq!(line, "POST /v1/validations");
    assert!(body.contains(r#""amount":"10.50""#) && !body.contains("rent"), "{body}");
    assert_eq!(stub.calls()[0].header("X-API-Key"), Some("k"));
    let midaz = "POST /v1/organizations/org/ledgers/led/transactions/json".to_owned();
    let sent = r#"{"description":"rent","send":{"asset":"BRL","value":"10.50"}}"#.to_owned();
    assert_eq!(shown(1), (midaz, sent));
    trigger();
    assert_eq!(stub.n_calls(), 3, "what Tracer refuses is not paid");
}

#[test]
fn what_an_active_workflow_uses_stays_unless_forced() {
    let (stub, server) = (Stub::start(), Server::start());
    let (workflow_id, [tracer, midaz]) = from_template(&server, &stub);
    let one = |id: &str| format!("/v1/provider-configurations/{id}");
    let remove = |target: &str| server.send(Request::new("DELETE", target));
    let refused = remove(&one(&tracer)).expect_error(409, "FLK-0351").json();
    let told = refused["fields"]["workflows[0]"].as_str().expect("a workflow");
    assert!(told.contains(&workflow_id) && told.contains("payments"), "{told}");
    let disable = Request::post(&format!("{}/disable", one(&midaz)));
    let _ = server.send(disable).expect_error(409, "FLK-0351");
    let _ = remove(&format!("{}?force=true", one(&midaz))).expect(204);
    let deactivate = Request::post(&format!("/v1/workflows/{workflow_id}/deactivate"));
    let _ = server.send(deactivate).expect(200);
    let _ = remove(&one(&tracer)).expect(204);
}

#[test]
fn a_configuration_is_tested_with_what_calls_carry() {
    let (stub, server) = (Stub::start(), Server::start());
    let config = json!({"base_url": stub.url(), "api_key": "k"});
    let id = configure(&server, "tracer", &config);
    let path = format!("/v1/provider-configurations/{id}/test");
    let report = server.send(Request::post(&path)).expect(200).json();
    assert_eq!(report["overallStatus"], "passed", "{report}");
    let calls = stub.calls();
    let keys: Vec<_> = calls.iter().map(|call| call.header("X-API-Key")).collect();
    assert_eq!(keys, [None, Some("k"), Some("k")]);
    stub.replies("/", [Reply::status(200), Reply::status(401)]);
    let report = server.send(Request::post(&path)).expect(200).json();
    assert_eq!(report["overallStatus"], "partial", "{report}");
    assert_eq!(report["stages"][2]["status"], "skipped", "{report}");
}
