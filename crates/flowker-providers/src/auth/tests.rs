mod oidc;

use serde_json::{Value, json};

use super::*;
use crate::caller::Caller;
use crate::downstream::{Downstream, Reply, client};
use crate::fixture::call;

/// A configuration with these members and a base URL.
fn config(base_url: &str, mut members: Value) -> Value {
    members["base_url"] = base_url.into();
    members
}

async fn check(members: Value, wanted: &str) {
    let downstream = Downstream::start(|_| Reply::json("{}")).await;
    let caller = Caller::new(Arc::new(client()));
    let call = call("http", config(&downstream.url("/?q=1"), members.clone()));
    let output = caller.call(&call).await.unwrap();
    let request = downstream.only();
    let credentials: Vec<_> = ["authorization", "x-api-key", "x-key"]
        .into_iter()
        .filter_map(|name| Some(format!(" {name}: {}", request.header(name)?)))
        .collect();
    let shown = format!("{}{}", request.target, credentials.concat());
    assert_eq!(shown, wanted, "{members}");
    assert_eq!(output["url"], downstream.url("/?q=1"), "the envelope tells no key");
}

#[tokio::test]
async fn credentials_that_are_known() {
    check(json!({}), "/?q=1").await;
    check(json!({"api_key": "k", "bearer_token": "t"}), "/?q=1").await;
    check(json!({"auth_type": "none", "api_key": "k"}), "/?q=1").await;
    check(json!({"auth_type": "api_key", "api_key": "k"}), "/?q=1 x-api-key: k").await;
    check(
        json!({"auth_type": "api_key", "api_key": "k", "header_name": "X-Key", "prefix": "Key "}),
        "/?q=1 x-key: Key k",
    )
    .await;
    check(
        json!({"auth_type": "api_key", "api_key": "k&", "location": "query", "prefix": "p"}),
        "/?q=1&api_key=pk%26",
    )
    .await;
    check(
        json!({
            "auth_type": "api_key", "api_key": "k", "location": "query", "query_param_name": "key",
        }),
        "/?q=1&key=k",
    )
    .await;
    check(json!({"auth_type": "bearer", "bearer_token": "t"}), "/?q=1 authorization: Bearer t")
        .await;
    check(
        json!({"auth_type": "basic", "username": "Aladdin", "password": "open sesame"}),
        "/?q=1 authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    )
    .await;
    check(
        json!({
            "auth_type": "bearer", "bearer_token": "t", "headers": {"Authorization": "mine"},
        }),
        "/?q=1 authorization: Bearer t",
    )
    .await;
}

#[test]
fn configurations_without_credentials() {
    let check = |members: Value, wanted: &str| {
        let Err(error) = Auth::read(members.as_object().unwrap()) else { panic!("{members}") };
        let error = error.to_string();
        assert!(error.starts_with("the provider configuration"), "{error}");
        assert!(error.contains(wanted), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    };
    check(json!({"auth_type": "magic"}), "auth_type is none of");
    check(json!({"auth_type": 7}), "auth_type is none of");
    check(json!({"auth_type": "api_key"}), "no api_key");
    check(json!({"auth_type": "api_key", "api_key": ""}), "no api_key");
    check(json!({"auth_type": "api_key", "api_key": "s3cret\n"}), "api_key is not valid");
    check(json!({"auth_type": "api_key", "api_key": "k", "location": "body"}), "location");
    check(json!({"auth_type": "api_key", "api_key": "k", "header_name": "a b"}), "header_name");
    check(json!({"auth_type": "bearer"}), "no bearer_token");
    check(json!({"auth_type": "bearer", "bearer_token": "s3créts3cret"}), "bearer_token");
    check(json!({"auth_type": "basic", "username": "u"}), "no password");
    let service = json!({"auth_type": "oidc_client_credentials", "client_secret": "s3cret"});
    check(service.clone(), "no issuer_url");
    let with = |name: &str, value: &str| {
        let mut members = service.clone();
        members["client_id"] = "c".into();
        members[name] = value.into();
        members
    };
    check(with("issuer_url", "nowhere"), "issuer_url is not valid");
    check(with("token_url", "nowhere"), "token_url is not valid");
    check(with("token_endpoint_auth_method", "private_key_jwt"), "token_endpoint_auth_method");
    check(json!({"auth_type": "oidc_user", "username": "u"}), "no password");
}
