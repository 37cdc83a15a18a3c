mod verify;

use std::sync::Arc;

use flowker_core::ports::SuccessCodes;
use flowker_core::schema::Schema;
use serde_json::json;

use self::verify::{SECRET, verify};
use super::*;
use crate::downstream::{Downstream, Received, Reply, client};
use crate::fixture::{call, pairs};

fn provider() -> S3Provider {
    S3Provider::new(Arc::new(Caller::new(Arc::new(client()))))
}

fn config(endpoint: &str) -> Value {
    json!({
        "region": "eu-west-1", "bucket": "orders", "endpoint": endpoint,
        "access_key_id": "AKID", "secret_access_key": SECRET,
        "headers": {"X-Tenant": "acme"},
    })
}

fn members(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("{value} has no members") };
    members
}

/// A bucket that takes nothing whose signature is wrong.
fn bucket(
    reply: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> impl Future<Output = Downstream> {
    Downstream::start(move |request| match verify(request) {
        Ok(()) => reply(request),
        Err(reason) => {
            Reply::answer("403 Forbidden", format!("<Error><Code>{reason}</Code></Error>"))
        }
    })
}

/// Makes a call to such a bucket, and tells what arrived.
async fn sent(executor_id: &str, change: impl FnOnce(&mut Call)) -> (Value, Received) {
    let service = bucket(|_| Reply::answer("200 OK\r\nETag: \"e\"", "stored")).await;
    let mut call = call("s3", config(&service.url("/base")));
    call.executor_id = executor_id.to_owned();
    change(&mut call);
    let output = provider().call(call).await.unwrap();
    (output, service.only())
}

fn path(request: &Received) -> String {
    let (path, _) = request.target.split_once('?').unwrap();
    format!("{} {path}", request.method)
}

#[test]
fn configurations() {
    let check = |change: Value, wanted: &[&str]| {
        let mut value = config("https://s3.test");
        value.as_object_mut().unwrap().extend(members(change));
        let faults = Schema::compile(&schema::config()).unwrap().check(&value);
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, wanted, "{faults:?}");
    };
    check(json!({"path_style": false, "session_token": "t", "more": 1}), &[]);
    check(json!({"region": "", "path_style": 1}), &["path_style", "region"]);
    assert_eq!(Schema::compile(&schema::config()).unwrap().check(&json!({})).len(), 4);
}

#[test]
fn nodes() {
    let check = |schema: &Value, value: Value, n_faults: usize| {
        let faults = Schema::compile(schema).unwrap().check(&value);
        assert_eq!(faults.len(), n_faults, "{value}: {faults:?}");
    };
    let put = schema::put_object();
    check(&put, json!({"key": "k", "content_type": "text/csv", "body": [1]}), 0);
    check(&put, json!({"key": "k".repeat(1025)}), 1);
    check(&put, json!({"body": "b"}), 1);
    check(&schema::get_object(), json!({"key": "k", "encoding": "hex"}), 1);
}

#[test]
fn buckets() {
    let check = |change: Value, wanted: &str| {
        let mut config = members(config("https://s3.test"));
        config.extend(members(change));
        config.retain(|_, value| !value.is_null());
        let shown = match Target::read(&config) {
            Ok(target) => target.address().to_string(),
            Err(failure) => failure.message,
        };
        assert_eq!(shown, wanted);
    };
    check(json!({}), "https://s3.test/orders/");
    check(json!({"path_style": false}), "https://orders.s3.test/");
    check(json!({"endpoint": null}), "https://orders.s3.eu-west-1.amazonaws.com/");
    let in_path = json!({"endpoint": null, "path_style": true});
    check(in_path, "https://s3.eu-west-1.amazonaws.com/orders/");
    check(json!({"bucket": "a/../b"}), "https://s3.test/a%2F..%2Fb/");
    let no_host =
        "the provider configuration's bucket cannot stand in a host's name; set path_style";
    check(json!({"bucket": "a/../b", "path_style": false}), no_host);
    check(json!({"endpoint": "https://127.0.0.1", "path_style": false}), no_host);
    let no_url = "the provider configuration's endpoint is no absolute http or https URL";
    check(json!({"endpoint": "s3.test"}), no_url);
    check(json!({"endpoint": "ftp://s3.test"}), no_url);
    check(json!({"region": null}), "the provider configuration has no region");
    check(json!({"secret_access_key": ""}), "the provider configuration has no secret_access_key");
}

#[tokio::test]
async fn what_is_put() {
    let check = async |extra: Value, document: Value, wanted: [&str; 3]| {
        let change = |call: &mut Call| (call.extra, call.document) = (members(extra), document);
        let (output, request) = sent(PUT_OBJECT, change).await;
        let content_type = request.header("content-type").unwrap();
        assert_eq!([&*path(&request), &*content_type, &*request.body], wanted);
        assert_eq!(output["headers"]["Etag"], "\"e\"");
        assert_eq!(request.header("idempotency-key").as_deref(), Some("018f-1:pay"));
        assert_eq!(request.header("x-tenant"), None);
    };
    let none = json!({});
    let document = json!({"key": "a/b c.json", "body": {"n": 1}});
    let json_type = "application/json";
    check(none.clone(), document, ["PUT /base/orders/a/b%20c.json", json_type, r#"{"n":1}"#]).await;
    let text = json!({"key": "k", "body": "a,b", "content_type": "text/csv"});
    check(none.clone(), text, ["PUT /base/orders/k", "text/csv", "a,b"]).await;
    let text = json!({"key": "k", "body": "é"});
    check(none.clone(), text, ["PUT /base/orders/k", "text/plain; charset=utf-8", "é"]).await;
    let bytes = json!({"key": "k", "body": "aGk=", "encoding": "base64"});
    let octets = "application/octet-stream";
    check(none.clone(), bytes, ["PUT /base/orders/k", octets, "hi"]).await;
    check(none, json!({"key": "k"}), ["PUT /base/orders/k", octets, ""]).await;
    // A node that has a key means the whole document, even one that has members of such names.
    let document = json!({"key": "other", "body": 1});
    let whole = r#"{"body":1,"key":"other"}"#;
    check(json!({"key": "/é"}), document.clone(), ["PUT /base/orders//%C3%A9", json_type, whole])
        .await;
    check(json!({"key": "k", "body": [2]}), document, ["PUT /base/orders/k", json_type, "[2]"])
        .await;
}

#[tokio::test]
async fn what_is_got() {
    let check = async |extra: Value, content_type: &'static str, wanted: Value| {
        let head = format!("200 OK\r\nContent-Type: {content_type}");
        let service = bucket(move |_| Reply::answer(&head, "{\"a\":1.0}")).await;
        let mut call = call("s3", config(&service.url("")));
        (call.executor_id, call.extra) = (GET_OBJECT.to_owned(), members(extra));
        let output = provider().call(call).await.unwrap();
        assert_eq!(output["body"], wanted);
        // Without the signature: outputs are stored and shown.
        assert_eq!(output["url"], service.url("/orders/k"));
        let request = service.only();
        assert_eq!((path(&request).as_str(), request.body.as_str()), ("GET /orders/k", ""));
    };
    check(json!({"key": "k"}), "application/json", json!({"a": 1.0})).await;
    check(json!({"key": "k"}), "text/plain", json!("{\"a\":1.0}")).await;
    let base64 = json!({"key": "k", "encoding": "base64"});
    check(base64, "application/json", json!("eyJhIjoxLjB9")).await;
}

#[tokio::test]
async fn query_and_headers_that_matter_to_s3_are_signed() {
    let (_, request) = sent(PUT_OBJECT, |call| {
        call.document = json!({"key": "k", "body": "b"});
        call.query = pairs(&[("versionId", "3/L 4")]);
        call.headers =
            pairs(&[("X-Amz-Meta-Team", " a "), ("X-Trace", "t"), ("Content-Type", "text/html")]);
    })
    .await;
    assert!(request.target.contains("versionId=3%2FL%204"), "{}", request.target);
    let signed = "X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-meta-team";
    assert!(request.target.contains(signed), "{}", request.target);
    assert_eq!(request.header("x-amz-meta-team").as_deref(), Some("a"));
    assert_eq!(request.header("x-trace").as_deref(), Some("t"));
    assert_eq!(request.header("content-type").as_deref(), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn a_session_token_is_signed_too() {
    let (_, request) = sent(GET_OBJECT, |call| {
        call.document = json!({"key": "k"});
        let mut config = (*call.config).clone();
        config.config.insert("session_token".to_owned(), json!("t/k"));
        call.config = Arc::new(config);
    })
    .await;
    assert!(request.target.contains("X-Amz-Security-Token=t%2Fk"), "{}", request.target);
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let service = bucket(|_| Reply::answer("200", "")).await;
    let mut config = config(&service.url(""));
    config["secret_access_key"] = json!("other");
    let mut call = call("s3", config);
    (call.executor_id, call.document) = (GET_OBJECT.to_owned(), json!({"key": "k"}));
    let failure = provider().call(call).await.unwrap_err();
    let wanted = "answered 403 Forbidden (SignatureDoesNotMatch)";
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Permanent, wanted));
}

#[tokio::test]
async fn failures() {
    let check = async |head: &'static str, code: &str, kind: FailureKind, wanted: &str| {
        let body = format!("<?xml?><Error><Code>{code}</Code><Key>k</Key></Error>");
        let service = bucket(move |_| Reply::answer(head, &body)).await;
        let mut call = call("s3", config(&service.url("")));
        (call.executor_id, call.document) = (GET_OBJECT.to_owned(), json!({"key": "k"}));
        let failure = provider().call(call).await.unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (kind, wanted));
        failure.retry_after
    };
    let (permanent, transient) = (FailureKind::Permanent, FailureKind::Transient);
    check("403", "AccessDenied", permanent, "answered 403 Forbidden (AccessDenied)").await;
    check("404", "NoSuchKey", permanent, "answered 404 Not Found (NoSuchKey)").await;
    check("400", "RequestTimeout", transient, "answered 400 Bad Request (RequestTimeout)").await;
    check("409", "OperationAborted", transient, "answered 409 Conflict (OperationAborted)").await;
    // What S3 says that is not known here might be anything.
    check("400", "s3cret", permanent, "answered 400 Bad Request").await;
    check("500", "s3cret", transient, "answered 500 Internal Server Error").await;
    let busy = "503\r\nRetry-After: 7";
    let wanted = "answered 503 Service Unavailable (SlowDown)";
    let retry_after = check(busy, "SlowDown", transient, wanted).await;
    assert_eq!(retry_after, Some(std::time::Duration::from_secs(7)));
}

#[tokio::test]
async fn a_node_may_say_that_a_missing_object_is_fine() {
    let service = bucket(|_| Reply::answer("404", "")).await;
    let mut call = call("s3", config(&service.url("")));
    (call.executor_id, call.document) = (GET_OBJECT.to_owned(), json!({"key": "k"}));
    call.success = SuccessCodes::These([200, 404].into());
    assert_eq!(provider().call(call).await.unwrap()["status"], 404);
}

#[tokio::test]
async fn calls_that_cannot_be_made() {
    let check = async |executor_id: &str, document: Value, wanted: &str| {
        let mut call = call("s3", config("http://a.test"));
        (call.executor_id, call.document) = (executor_id.to_owned(), document);
        let failure = provider().call(call).await.unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Permanent, wanted));
    };
    let no_key = "neither the node's data nor the request document has a key that is text";
    check(GET_OBJECT, json!({}), no_key).await;
    check(GET_OBJECT, json!([1]), no_key).await;
    check(GET_OBJECT, json!({"key": 7}), no_key).await;
    check(GET_OBJECT, json!({"key": ""}), "the key is empty").await;
    let long = "the key has 1025 bytes; at most 1024 are allowed";
    check(GET_OBJECT, json!({"key": "k".repeat(1025)}), long).await;
    check(GET_OBJECT, json!({"key": "a\nb"}), "the key holds a control character").await;
    let dots = "the key has a part that is . or .., which no URL can hold";
    check(GET_OBJECT, json!({"key": "a/../b"}), dots).await;
    check(GET_OBJECT, json!({"key": "."}), dots).await;
    let no_encoding = "encoding is neither text nor base64";
    check(GET_OBJECT, json!({"key": "k", "encoding": "hex"}), no_encoding).await;
    let body = |body: Value| json!({"key": "k", "body": body, "encoding": "base64"});
    check(PUT_OBJECT, body(json!("?")), "the body is no base64").await;
    check(PUT_OBJECT, body(json!(7)), "the body is no text, and so no base64").await;
    let large = "x".repeat(S3Provider::OBJECT_BYTES_MAX + 1);
    let too_large = "the object has 5242881 bytes; at most 5242880 are put";
    check(PUT_OBJECT, json!({"key": "k", "body": large}), too_large).await;
    check("s3.delete", json!({"key": "k"}), "s3 has no operation \"s3.delete\"").await;
    let header = "the value of the header content-type holds a line break or another character that headers cannot carry";
    check(PUT_OBJECT, json!({"key": "k", "content_type": "a\r\nb"}), header).await;
}

#[tokio::test]
async fn a_test_lists_the_bucket() {
    let service = Downstream::start(|request| match verify(request) {
        Ok(()) => Reply::answer("200", "<ListBucketResult/>"),
        Err(_) => Reply::answer("403", ""),
    })
    .await;
    let config = call("s3", config(&service.url(""))).config;
    let mut statuses = Vec::new();
    for probe in Probe::ALL {
        let probed = provider().probe(&config, probe).await.unwrap();
        assert_eq!(probed.url, service.url("/orders/"));
        statuses.push(probed.status);
    }
    assert_eq!(statuses, [403, 200, 200]);
    let nowhere = call("s3", json!({"region": "r"})).config;
    let outcome = provider().probe(&nowhere, Probe::Connectivity).await;
    assert_eq!(outcome, Err(ProbeFailure::NoAddress));
}
