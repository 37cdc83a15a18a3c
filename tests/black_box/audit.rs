//! The audit log as an auditor reads it: real actors, real addresses, and what they can check.

use std::time::Duration;

use flowker_core::json;
use flowker_tests::wait::until_within;
use flowker_tests::{Database, Flow, Home, Request, Server};
use serde_json::{Value, json};

/// Within which time a change is promised to be listed, and some for a machine that is busy.
const LISTED: Duration = Duration::from_secs(10);

fn home() -> Home {
    Home::new().set("TRUSTED_PROXIES", "127.0.0.1/32")
}

/// From an auditor's desk.
fn from(request: Request) -> Request {
    request.header("X-Forwarded-For", "203.0.113.9")
}

fn list(server: &Server, query: &str) -> Vec<Value> {
    let answer = server.send(Request::get(&format!("/v1/audit-events?limit=100&{query}")));
    answer.expect(200).json()["items"].as_array().expect("items").clone()
}

/// The words for all that happened, the oldest first, when there are so many.
fn words(server: &Server, n: usize) -> Vec<String> {
    let entries = until_within(LISTED, "all events are listed", || {
        let entries = list(server, "sortOrder=ASC");
        (n <= entries.len()).then_some(entries)
    });
    entries.iter().map(|it| it["eventType"].as_str().expect("a word").to_owned()).collect()
}

fn export(server: &Server) -> Vec<Value> {
    let answer = server.send(Request::get("/v1/audit-events/export")).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| json::parse(line).expect("a line is JSON")).collect()
}

fn verify(server: &Server, entry: &Value, query: &str) -> Value {
    let id = entry["eventId"].as_str().expect("an id");
    let path = format!("/v1/audit-events/{id}/verify{query}");
    server.send(Request::get(&path)).expect(200).json()
}

#[test]
fn who_did_what_from_where_is_on_record() {
    record(home());
}

#[test]
fn who_did_what_from_where_is_on_record_in_postgres() {
    let database = Database::new();
    record(home().set("DATABASE_URL", &database.url()));
}

fn record(home: Home) {
    let server = home.start();
    let flow = Flow::at("PUT", "orders/paid").output("o", json!({}));
    let workflow_id = server.deploy(&flow);
    let delivery = || from(Request::put("/v1/webhooks/orders/paid").key("k"));
    let execution_id = server.send(delivery()).expect(201).text("executionId");
    server.complete(&execution_id);
    let _ = server.send(delivery()).expect(200);
    let stranger = from(Request::get("/v1/workflows").anonymous());
    let _ = server.send(stranger).expect_error(401, "UNAUTHORIZED");
    let before = [
        "WORKFLOW_CREATED",
        "WORKFLOW_ACTIVATED",
        "EXECUTION_STARTED",
        "EXECUTION_COMPLETED",
        "ACCESS_DENIED",
    ];
    assert_eq!(words(&server, 5), before, "and a replay is no event");

    let of_execution = list(&server, &format!("resourceId={execution_id}&sortOrder=ASC"));
    let [started, completed] = of_execution.as_slice() else { panic!("{of_execution:?}") };
    let caller = json!({ "type": "api_key", "id": "default", "ipAddress": "203.0.113.9" });
    assert_eq!(started["actor"], caller);
    let system = json!({ "type": "system", "id": "flowker", "ipAddress": "0.0.0.0" });
    assert_eq!(completed["actor"], system);
    assert_eq!(completed["metadata"], json!({ "workflow.id": workflow_id }));
    let denied = list(&server, "eventType=ACCESS_DENIED").remove(0);
    assert_eq!(denied["actor"]["ipAddress"], "203.0.113.9");
    assert_eq!(
        (&denied["resourceId"], &denied["result"]),
        (&json!("/v1/workflows"), &json!("FAILED"))
    );

    let exported = export(&server);
    assert_eq!(exported, list(&server, "sortOrder=ASC"));
    let last = exported.last().expect("an entry");
    let verdict = verify(&server, last, "");
    assert_eq!((&verdict["isValid"], &verdict["totalChecked"]), (&json!(true), &json!(5)));

    // What was answered is on record, even if the process dies at once.
    let deactivate = Request::post(&format!("/v1/workflows/{workflow_id}/deactivate"));
    let _ = server.send(deactivate).expect(200);
    let server = server.kill().start();
    let words = words(&server, 6);
    assert_eq!(words[..5], before);
    assert_eq!(words[5], "WORKFLOW_DEACTIVATED");
    let since = format!(
        "?fromSequence={}&fromHash={}",
        last["sequence"],
        last["hash"].as_str().expect("a hash")
    );
    let newest = list(&server, "").remove(0);
    let verdict = verify(&server, &newest, &since);
    assert_eq!((&verdict["isValid"], &verdict["totalChecked"]), (&json!(true), &json!(2)));
    let forged = format!("?fromSequence={}&fromHash={}", last["sequence"], "0".repeat(64));
    assert_eq!(verify(&server, &newest, &forged)["firstInvalidId"], last["sequence"]);
}
