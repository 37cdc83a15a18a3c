use flowker_core::schema::Schema;
use serde_json::json;

use super::*;
use crate::downstream::{Downstream, Received, Reply, client};
use crate::fixture::{call, pairs};

fn check(schema: &Value, value: &Value, wanted: &[&str]) {
    let faults = Schema::compile(schema).unwrap().check(value);
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, wanted, "{value}: {faults:?}");
}

#[test]
fn configurations() {
    let valid = json!({
        "onboarding_base_url": "https://a.test", "transaction_base_url": "https://b.test",
        "organization_id": "o", "ledger_id": "l", "more": 1,
    });
    let check = |member: &str, value: Value, wanted: &[&str]| {
        let mut changed = valid.clone();
        changed[member] = value;
        check(&schema::config(), &changed, wanted);
    };
    check("more", json!(2), &[]);
    check("ledger_id", json!(""), &["ledger_id"]);
    check("auth", json!({"issuer_url": "https://i.test"}), &["auth", "auth"]);
    let auth = json!({"issuer_url": "https://i.test", "client_id": "c", "client_secret": "s"});
    check("auth", auth, &[]);
    check("auth", json!("token"), &["auth"]);
}

#[test]
fn transactions() {
    let check = |value: Value, wanted: &[&str]| {
        check(&schema::create_transaction(), &value, wanted);
    };
    let send = json!({
        "asset": "BRL", "value": "10.50",
        "source": {"from": [{"accountAlias": "@a", "amount": {"asset": "BRL", "value": "10.50"}}]},
        "distribute": {"to": [{"accountAlias": "@b", "share": {"percentage": 100}}]},
    });
    check(json!({"send": send, "pending": true, "metadata": {"k": 1}}), &[]);
    check(json!({"send": {"asset": "BRL", "value": 10.5}}), &["send.value"]);
    check(json!({"send": {"asset": "BRL"}}), &["send"]);
    let nameless = json!({"asset": "BRL", "value": "1", "source": {"from": [{}]}});
    check(json!({"send": nameless}), &["send.source.from[0]"]);
    check(json!({"description": "d".repeat(257), "send": send}), &["description"]);
    check(json!({}), &[""]);
}

#[test]
fn accounts() {
    check(&schema::create_account(), &json!({"assetCode": "BRL", "type": "deposit"}), &[]);
    check(&schema::create_account(), &json!({"assetCode": "BRL"}), &[""]);
    check(&schema::get_account(), &json!({"accountId": "a"}), &[]);
    check(&schema::get_account(), &json!({}), &[""]);
    check(&schema::get_account_balance(), &json!({"accountId": "a", "limit": 101}), &["limit"]);
}

fn config(base: &str) -> Value {
    json!({
        "onboarding_base_url": format!("{base}/onboarding/"),
        "transaction_base_url": format!("{base}/transaction"),
        "organization_id": "org", "ledger_id": "led",
        "headers": {"X-Tenant": "acme"},
    })
}

fn provider() -> MidazProvider {
    MidazProvider::new(Arc::new(Caller::new(Arc::new(client()))))
}

/// Makes a call, and tells what arrived.
async fn sent(executor_id: &str, change: impl FnOnce(&mut Call)) -> (String, Received) {
    let downstream = Downstream::start(|_| Reply::json("{}")).await;
    let mut call = call("midaz", config(&downstream.url("")));
    call.executor_id = executor_id.to_owned();
    change(&mut call);
    provider().call(call).await.unwrap();
    let received = downstream.only();
    (format!("{} {} {}", received.method, received.target, received.body), received)
}

#[tokio::test]
async fn operations() {
    let check = async |executor_id: &str, document: Value, wanted: &str| {
        let (shown, received) = sent(executor_id, |call| call.document = document).await;
        assert_eq!(shown, wanted);
        assert_eq!(received.header("idempotency-key").as_deref(), Some("018f-1:pay"));
        assert_eq!(received.header("x-tenant"), None);
        assert_eq!(received.header("authorization"), None);
    };
    let ledger = "v1/organizations/org/ledgers/led";
    check(
        "midaz.create-transaction",
        json!({"send": {"value": "1.50"}}),
        &format!(r#"POST /transaction/{ledger}/transactions/json {{"send":{{"value":"1.50"}}}}"#),
    )
    .await;
    check(
        "midaz.create-account",
        json!({"type": "deposit"}),
        &format!(r#"POST /onboarding/{ledger}/accounts {{"type":"deposit"}}"#),
    )
    .await;
    check(
        "midaz.get-account",
        json!({"accountId": "a/b ?"}),
        &format!("GET /onboarding/{ledger}/accounts/a%2Fb%20%3F "),
    )
    .await;
    check(
        "midaz.get-account-balance",
        json!({"accountId": "a", "limit": 5, "cursor": "c&d", "other": 1}),
        &format!("GET /transaction/{ledger}/accounts/a/balances?limit=5&cursor=c%26d "),
    )
    .await;
}

#[tokio::test]
async fn parameters_come_from_the_configuration_then_the_node_then_the_document() {
    let members = |value: Value| value.as_object().unwrap().clone();
    let (shown, _) = sent("midaz.get-account", |call| {
        call.document = json!({"accountId": "document", "ledger_id": "document"});
        call.extra = members(json!({"accountId": "node", "ledger_id": "node"}));
    })
    .await;
    assert_eq!(shown, "GET /onboarding/v1/organizations/org/ledgers/led/accounts/node ");
}

#[tokio::test]
async fn of_the_nodes_settings_those_that_choose_the_endpoint_play_no_part() {
    let (shown, received) = sent("midaz.get-account", |call| {
        call.document = json!({"accountId": "a"});
        call.method = Some("DELETE".to_owned());
        call.path = Some("/elsewhere".to_owned());
        call.headers = pairs(&[("X-Trace", "t")]);
    })
    .await;
    assert_eq!(shown, "GET /onboarding/v1/organizations/org/ledgers/led/accounts/a ");
    assert_eq!(received.header("x-trace").as_deref(), Some("t"));
}

#[tokio::test]
async fn calls_that_cannot_be_made() {
    let check = async |executor_id: &str, change: fn(&mut Call), wanted: &str| {
        let mut call = call("midaz", config("http://a.test"));
        call.executor_id = executor_id.to_owned();
        change(&mut call);
        let failure = provider().call(call).await.unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Permanent, wanted));
    };
    let account = "accountId is no text in the provider configuration, the node's data or the request document";
    check("midaz.get-account", |_| {}, account).await;
    check("midaz.get-account", |call| call.document = json!({"accountId": 7}), account).await;
    let dots = "accountId is \"..\", which no path can hold";
    check("midaz.get-account", |call| call.document = json!({"accountId": ".."}), dots).await;
    check("midaz.burn", |_| {}, "midaz has no operation \"midaz.burn\"").await;
    let change = |call: &mut Call| call.config = crate::fixture::call("midaz", json!({})).config;
    let no_base = "the provider configuration has no onboarding_base_url";
    check("midaz.create-account", change, no_base).await;
    let change = |call: &mut Call| {
        let config = json!({"onboarding_base_url": "ftp://a.test"});
        call.config = crate::fixture::call("midaz", config).config;
    };
    let no_url =
        "the provider configuration's onboarding_base_url is no absolute http or https URL";
    check("midaz.create-account", change, no_url).await;
}

#[tokio::test]
async fn auth_signs_in_with_client_credentials() {
    let issuer = Downstream::start(|request| match request.target.as_str() {
        "/.well-known/openid-configuration" => {
            let host = request.header("host").unwrap();
            Reply::json(&format!(r#"{{"token_endpoint":"http://{host}/token"}}"#))
        }
        _ => Reply::json(r#"{"access_token":"t0k","expires_in":300}"#),
    })
    .await;
    let auth = json!({
        "issuer_url": issuer.url("/"), "client_id": "c", "client_secret": "s", "scopes": ["a", "b"],
        "headers": {"X-Tenant": "evil"},
    });
    let (_, received) = sent("midaz.create-account", |call| {
        let mut config = (*call.config).clone();
        config.config.insert("auth".to_owned(), auth);
        call.config = Arc::new(config);
    })
    .await;
    assert_eq!(received.header("authorization").as_deref(), Some("Bearer t0k"));
    assert_eq!(received.header("x-tenant"), None);
    let asked = issuer.received().pop().unwrap();
    assert_eq!(asked.body, "grant_type=client_credentials&scope=a+b");
    assert_eq!(asked.header("authorization").as_deref(), Some("Basic Yzpz"));
}
