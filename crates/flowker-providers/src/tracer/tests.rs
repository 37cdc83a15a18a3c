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
