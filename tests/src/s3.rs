//! Objects go into a bucket of a real service that speaks like S3, and come out as they were.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::flow::Flow;
use crate::http::{Request, exchange};
use crate::server::{Home, Server};

const BUCKET: &str = "flowker-orders";

/// Makes a bucket at `service`, and puts and gets objects by workflows of a server that is started
/// for it. Panics at the first thing that is not as it should be.
pub fn run(service: SocketAddr) {
    let made = exchange(service, &Request::put(&format!("/{BUCKET}")).to_bytes(service));
    assert_eq!(made.expect("the service answers").status, 200, "the bucket is made");
    let server = Home::new().set("SSRF_ALLOW_PRIVATE", "true").start();
    let config_id = provider(&server, service, BUCKET);
    reaches(&server, &config_id);
    let workflows = [
        object("s3.put-object", &config_id).with("headers", json!({"X-Amz-Meta-Team": "a b"})),
        object("s3.get-object", &config_id),
    ];
    for flow in &workflows {
        server.deploy(flow);
    }
    let [put, get] = workflows.map(|flow| flow.delivery());
    let ask =
        |request: &Request, document: Value| outcome(&server, request.clone().json(&document));

    let exact = flowker_core::json::parse(br#"{"n": 12345678901234567890.10}"#).expect("JSON");
    ask(&put, with_body("orders/a b+c é.json", exact.clone()));
    let got = ask(&get, json!({"key": "orders/a b+c é.json"}));
    assert_eq!(got["body"], exact);
    assert_eq!(got["headers"]["Content-Type"], "application/json");
    assert_eq!(got["headers"]["X-Amz-Meta-Team"], "a b");

    ask(&put, json!({"key": "text", "body": "a,b\n", "content_type": "text/csv"}));
    let got = ask(&get, json!({"key": "text"}));
    assert_eq!(
        (&got["body"], &got["headers"]["Content-Type"]),
        (&json!("a,b\n"), &json!("text/csv"))
    );

    let bytes = json!({"key": "bytes", "body": "AP/+", "encoding": "base64"});
    ask(&put, bytes);
    let got = ask(&get, json!({"key": "bytes", "encoding": "base64"}));
    assert_eq!(got["body"], "AP/+");

    let missing = outcome_of(&server, get.clone().json(&json!({"key": "missing"})));
    let message = missing["errorMessage"].as_str().unwrap_or_default();
    assert!(message.contains("404 Not Found (NoSuchKey)"), "{missing}");
    server.expect_sound();
    eprintln!("objects went in and came out as they were");
}

fn with_body(key: &str, body: Value) -> Value {
    let mut document = json!({"key": key});
    document["body"] = body;
    document
}

fn provider(server: &Server, service: SocketAddr, bucket: &str) -> String {
    let body = json!({
        "name": bucket,
        "providerId": "s3",
        "config": {
            "region": "us-east-1", "bucket": bucket, "endpoint": format!("http://{service}"),
            "access_key_id": "testing", "secret_access_key": "testing",
        },
    });
    let created = server.send(Request::post("/v1/provider-configurations").json(&body));
    created.expect(201).text("id")
}

fn reaches(server: &Server, config_id: &str) {
    let path = format!("/v1/provider-configurations/{config_id}/test");
    let report = server.send(Request::post(&path)).expect(200).json();
    assert_eq!(report["overallStatus"], "passed", "{report}");
}

/// A workflow whose input names an object.
fn object(executor_id: &str, config_id: &str) -> Flow {
    let data = json!({"executorId": executor_id, "providerConfigId": config_id});
    Flow::at("POST", executor_id).node("object", "executor", data)
}

/// The answer of S3 that a workflow got.
fn outcome(server: &Server, request: Request) -> Value {
    let status = outcome_of(server, request);
    assert_eq!(status["status"], "completed", "{status}");
    status["finalOutput"]["object"].clone()
}

fn outcome_of(server: &Server, request: Request) -> Value {
    let begun = server.send(request).expect(201);
    let execution_id = begun.text("executionId");
    let status = server.wait_for_end(&execution_id);
    if status["status"] == "completed" { server.results(&execution_id) } else { status }
}
