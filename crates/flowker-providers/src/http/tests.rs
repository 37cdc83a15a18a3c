use flowker_core::schema::Schema;
use serde_json::json;

use super::*;
use crate::downstream::{Downstream, Reply, client};
use crate::fixture::call;

fn check(schema: &Value, value: &Value, n_faults: usize) {
    let faults = Schema::compile(schema).unwrap().check(value);
    assert_eq!(faults.len(), n_faults, "{value}: {faults:?}");
}

#[test]
fn configurations() {
    let check = |value: Value, n_faults: usize| check(&schema::config(), &value, n_faults);
    let base_url = "https://a.test";
    check(json!({"base_url": base_url}), 0);
    check(json!({"base_url": base_url, "anything": {"else": 1}}), 0);
    check(json!({}), 1);
    check(json!({"base_url": 7}), 1);
    check(json!({"base_url": base_url, "headers": {"a": 1}}), 1);
    check(json!({"base_url": base_url, "timeout_ms": 99}), 1);
    check(json!({"base_url": base_url, "auth_type": "magic"}), 1);
    check(json!({"base_url": base_url, "auth_type": "bearer"}), 1);
    check(json!({"base_url": base_url, "auth_type": "bearer", "bearer_token": "t"}), 0);
    check(json!({"base_url": base_url, "auth_type": "basic"}), 2);
}

#[test]
fn nodes() {
    let check = |value: Value, n_faults: usize| check(&schema::node(), &value, n_faults);
    check(json!({}), 0);
    check(json!({"method": "GET", "url": "https://a.test/x", "body": [1]}), 0);
    check(json!({"timeout_seconds": 30, "success_status_codes": [200, 404]}), 0);
    check(json!({"method": "BREW"}), 1);
    check(json!({"timeout_seconds": 301}), 1);
    check(json!({"success_status_codes": [99]}), 1);
    check(json!({"auth": {"type": "bearer", "config": {"token": "t"}}}), 1);
    check(json!({"tiemout": 1}), 1);
}

async fn outcome(extra: Value, reply: fn() -> Reply) -> (Result<Value, CallFailure>, Vec<String>) {
    let downstream = Downstream::start(move |_| reply()).await;
    let provider = HttpProvider::new(Arc::new(Caller::new(Arc::new(client()))));
    let mut call = call("http", json!({"base_url": downstream.url("/v1")}));
    let extra = json::to_text(&extra).replace("ORIGIN", &downstream.url(""));
    let Ok(Value::Object(extra)) = json::parse(extra.as_bytes()) else { panic!("an object") };
    call.extra = extra;
    let outcome = provider.call(call).await;
    let shown = downstream.received().into_iter();
    (outcome, shown.map(|it| format!("{} {}", it.target, it.body)).collect())
}

#[tokio::test]
async fn settings_of_its_own() {
    let sent = async |extra: Value| outcome(extra, || Reply::json("{}")).await.1;
    assert_eq!(sent(json!({})).await, [r#"/v1 {"order":1}"#]);
    assert_eq!(sent(json!({"body": "a=1"})).await, ["/v1 a=1"]);
    assert_eq!(sent(json!({"body": {"a": 1.50}})).await, [r#"/v1 {"a":1.5}"#]);
    assert_eq!(sent(json!({"url": "ORIGIN/v2?x=1"})).await, [r#"/v2?x=1 {"order":1}"#]);
}

#[tokio::test]
async fn a_url_elsewhere_is_refused() {
    let (outcome, sent) = outcome(json!({"url": "http://b.test/"}), || Reply::json("{}")).await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Permanent);
    assert_eq!(sent, Vec::<String>::new());
}

#[tokio::test]
async fn success_status_codes() {
    let (found, _) =
        outcome(json!({"success_status_codes": [404]}), || Reply::answer("404", "")).await;
    assert_eq!(found.unwrap()["status"], 404);
}

#[test]
fn a_time_of_its_own() {
    let read = |extra: Value| timeout(extra.as_object().unwrap());
    assert_eq!(read(json!({"timeout_seconds": 7})), Some(Duration::from_secs(7)));
    assert_eq!(read(json!({})), None);
}
