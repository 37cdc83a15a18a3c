use flowker_core::schema::Schema;
use serde_json::json;

use super::*;
use crate::downstream::{Downstream, Reply, client};
use crate::fixture::call;

fn check(schema: &Value, value: &Value, wanted: &[&str]) {
    let faults = Schema::compile(schema).unwrap().check(value);
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, wanted, "{value}: {faults:?}");
}

#[test]
fn configurations() {
    let check = |value: Value, wanted: &[&str]| check(&schema::config(), &value, wanted);
    check(json!({"base_url": "https://a.test", "api_key": "k", "more": 1}), &[]);
    check(json!({"base_url": "https://a.test", "api_key": ""}), &["api_key"]);
    check(json!({}), &["", ""]);
}

#[test]
fn transactions() {
    let valid = json!({
        "requestId": "018f", "transactionType": "PIX", "amount": "10.50", "currency": "BRL",
        "transactionTimestamp": "2025-01-01T00:00:00Z",
        "account": {"accountId": "a", "type": "checking", "status": "active"},
        "merchant": {"category": "5411", "country": "BR"},
        "anything": 1,
    });
    let check = |member: &str, value: Value, wanted: &[&str]| {
        let mut changed = valid.clone();
        changed[member] = value;
        check(&schema::validate_transaction(), &changed, wanted);
    };
    check("subType", json!("x"), &[]);
    check("subType", json!("x".repeat(51)), &["subType"]);
    check("transactionType", json!("CASH"), &["transactionType"]);
    check("amount", json!(10.5), &["amount"]);
    check("amount", json!("10."), &["amount"]);
    check("currency", json!("brl"), &["currency"]);
    check("account", json!({"accountId": "a", "type": "loan"}), &["account", "account.type"]);
    check("merchant", json!({"category": "54"}), &["merchant.category"]);
    check("metadata", json!({"k".repeat(65): 1}), &["metadata"]);
}

#[test]
fn lists() {
    let check = |value: Value, wanted: &[&str]| check(&schema::list_validations(), &value, wanted);
    check(json!({}), &[]);
    check(json!({"decision": "DENY", "limit": 100, "sortOrder": "ASC"}), &[]);
    check(json!({"limit": 101, "sortBy": "amount"}), &["limit", "sortBy"]);
    check(json!({"other": 1}), &[""]);
}

#[tokio::test]
async fn the_key_travels_unless_the_configuration_says_otherwise() {
    let check = async |more: Value, key: Option<&str>, authorization: Option<&str>| {
        let downstream = Downstream::start(|_| Reply::json("{}")).await;
        let mut config = json!({"base_url": downstream.url("/"), "api_key": "k"});
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        let provider = TracerProvider::new(Arc::new(Caller::new(Arc::new(client()))));
        provider.call(call("tracer", config)).await.unwrap();
        let request = downstream.only();
        assert_eq!(request.header("x-api-key").as_deref(), key, "{more}");
        assert_eq!(request.header("authorization").as_deref(), authorization, "{more}");
    };
    check(json!({}), Some("k"), None).await;
    check(json!({"auth_type": "none"}), Some("k"), None).await;
    check(json!({"auth_type": "api_key", "prefix": "p-"}), Some("p-k"), None).await;
    check(json!({"auth_type": "bearer", "bearer_token": "t"}), None, Some("Bearer t")).await;
}

#[test]
fn the_fields_that_travel_are_those_of_the_schema() {
    let schema = schema::list_validations();
    let mut named: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    let mut sent = schema::LIST_FIELDS.to_vec();
    named.sort_unstable();
    sent.sort_unstable();
    assert_eq!(named, sent);
}

#[tokio::test]
async fn lists_are_asked_for_in_the_query() {
    let check = async |executor_id: &str, change: fn(&mut Call), wanted: &str| {
        let downstream = Downstream::start(|_| Reply::json("{}")).await;
        let config = json!({"base_url": downstream.url("/"), "api_key": "k"});
        let mut call = call("tracer", config);
        call.executor_id = executor_id.to_owned();
        call.path = Some("v1/validations".to_owned());
        call.document = json!({"decision": "DENY", "limit": 5, "cursor": null, "order": 1});
        change(&mut call);
        let provider = TracerProvider::new(Arc::new(Caller::new(Arc::new(client()))));
        provider.call(call).await.unwrap();
        let request = downstream.only();
        assert_eq!(format!("{} {} {}", request.method, request.target, request.body), wanted);
    };
    let list = LIST_VALIDATIONS;
    let document = r#"{"cursor":null,"decision":"DENY","limit":5,"order":1}"#;
    check(list, |_| {}, "GET /v1/validations?decision=DENY&limit=5 ").await;
    let node = |call: &mut Call| {
        call.method = Some("get".to_owned());
        call.extra.insert("limit".to_owned(), json!(7));
        call.query = crate::fixture::pairs(&[("decision", "ALLOW")]);
    };
    check(list, node, "GET /v1/validations?decision=ALLOW&limit=7 ").await;
    // A node that says otherwise gets what it says.
    let post = |call: &mut Call| call.method = Some("POST".to_owned());
    check(list, post, &format!("POST /v1/validations {document}")).await;
    let other = "tracer.validate-transaction";
    check(other, |_| {}, &format!("POST /v1/validations {document}")).await;
}
