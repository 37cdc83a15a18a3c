use std::time::Duration;

use flowker_core::ports::SuccessCodes;
use flowker_core::trace::TraceContext;
use serde_json::json;

use super::*;
use crate::downstream::{Downstream, Reply, client};
use crate::fixture::{call, pairs};

fn caller() -> Caller {
    Caller::new(Arc::new(client()))
}

#[test]
fn urls() {
    let check = |base: &str, path: Option<&str>, wanted: &str| {
        let mut call = call("http", json!({"base_url": base}));
        call.path = path.map(str::to_owned);
        let shown = match Caller::url(&call) {
            Ok(url) => url.to_string(),
            Err(failure) => format!("{:?}: {failure}", failure.kind),
        };
        assert_eq!(shown, wanted, "{base} {path:?}");
    };
    check("https://a.test", None, "https://a.test/");
    check("https://a.test/v1", None, "https://a.test/v1");
    check("https://a.test/v1/", Some(""), "https://a.test/v1/");
    check("https://a.test", Some("x"), "https://a.test/x");
    check("https://a.test/v1", Some("x/y"), "https://a.test/v1/x/y");
    check("https://a.test/v1/", Some("/x/"), "https://a.test/v1/x/");
    check("https://a.test/v1", Some("//x//y"), "https://a.test/v1/x/y");
    check("https://a.test/v1", Some("./x/../y"), "https://a.test/v1/y");
    check("https://a.test/v1", Some("../../x"), "https://a.test/x");
    check("https://a.test/v1", Some("/x?y=1#z"), "https://a.test/v1/x%3Fy=1%23z");
    check("https://a.test/v1?key=1#z", Some("x"), "https://a.test/v1/x?key=1");
    check("https://a.test", Some("a%2Fb/50%/%zz/%4"), "https://a.test/a%2Fb/50%25/%25zz/%254");
    check("https://a.test", Some("é b\\c\r\n"), "https://a.test/%C3%A9%20b%5Cc%0D%0A");
    check("https://a.test", Some("{a}|[b]^`"), "https://a.test/%7Ba%7D%7C%5Bb%5D%5E%60");
    check("https://a.test", Some("https://b.test/"), "https://a.test/https:/b.test/");
    let none = "Permanent: the provider configuration's base_url is no absolute http or https URL";
    check("a.test/v1", None, none);
    check("/v1", None, none);
    check("ftp://a.test", None, none);
    check("", None, "Permanent: the provider configuration has no base_url");
}

#[tokio::test]
async fn what_is_sent() {
    let downstream = Downstream::start(|_| Reply::json("{}")).await;
    let headers = json!({"X-Tenant": "acme", "X-Both": "config", "ignored": 7});
    let config = json!({"base_url": downstream.url("/v1?fixed=1"), "headers": headers});
    let mut call = call("http", config);
    call.path = Some("pay".to_owned());
    call.query = pairs(&[("a", "1 & 2"), ("é", "=")]);
    call.headers = pairs(&[("x-both", "node"), ("X-Trace", "t")]);
    call.attempt = 3;
    let output = caller().call(&call).await.unwrap();
    let request = downstream.only();
    assert_eq!(request.method, "POST");
    assert_eq!(request.target, "/v1/pay?fixed=1&a=1+%26+2&%C3%A9=%3D");
    assert_eq!(request.body, r#"{"order":1}"#);
    let check = |name: &str, value: &str| {
        assert_eq!(request.header(name).as_deref(), Some(value), "{name}");
    };
    check("x-tenant", "acme");
    check("x-both", "node");
    check("x-trace", "t");
    check("content-type", "application/json");
    check("content-length", "11");
    check("idempotency-key", "018f-1:pay");
    check("x-attempt", "3");
    check("user-agent", AGENT_SENT);
    check("host", &downstream.address.to_string());
    assert_eq!(request.header("ignored"), None);
    assert_eq!(output["url"], downstream.url("/v1/pay?fixed=1&a=1+%26+2&%C3%A9=%3D"));
    assert_eq!((&output["status"], &output["body"]), (&json!(200), &json!({})));
}

#[tokio::test]
async fn a_trace_is_sent_on_unless_the_call_has_headers_of_its_own_for_that() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let downstream = Downstream::start(|_| Reply::json("{}")).await;
    let check = async |trace: Option<&str>, own: &[(&str, &str)], wanted: [Option<&str>; 2]| {
        let mut call = call("http", json!({"base_url": downstream.url("/")}));
        call.trace = trace.and_then(TraceContext::from_stored);
        call.headers = pairs(own);
        caller().call(&call).await.unwrap();
        let request = downstream.received().pop().unwrap();
        let sent = ["traceparent", "tracestate"].map(|name| request.header(name));
        assert_eq!(sent.each_ref().map(Option::as_deref), wanted, "{trace:?} {own:?}");
    };
    let both = format!("{PARENT} a=1,b=x y");
    check(None, &[], [None, None]).await;
    check(Some(PARENT), &[], [Some(PARENT), None]).await;
    check(Some(&both), &[], [Some(PARENT), Some("a=1,b=x y")]).await;
    check(Some(&both), &[("Traceparent", "mine")], [Some("mine"), None]).await;
    check(Some(&both), &[("tracestate", "mine=1")], [None, Some("mine=1")]).await;
}

const AGENT_SENT: &str = concat!("flowker/", env!("CARGO_PKG_VERSION"));

#[tokio::test]
async fn what_a_node_cannot_decide() {
    let downstream = Downstream::start(|_| Reply::json("{}")).await;
    let mut call = call("http", json!({"base_url": downstream.url("/")}));
    call.headers = pairs(&[
        ("Idempotency-Key", "mine"),
        ("X-Attempt", "9"),
        ("Host", "evil.test"),
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Upgrade", "websocket"),
        ("Content-Type", "text/plain"),
        ("User-Agent", "me"),
    ]);
    caller().call(&call).await.unwrap();
    let request = downstream.only();
    let check = |name: &str, value: Option<&str>| {
        assert_eq!(request.header(name).as_deref(), value, "{name}");
    };
    check("idempotency-key", Some("018f-1:pay"));
    check("x-attempt", Some("1"));
    check("host", Some(&downstream.address.to_string()));
    check("content-length", Some("11"));
    check("transfer-encoding", None);
    check("connection", None);
    check("upgrade", None);
    check("content-type", Some("text/plain"));
    check("user-agent", Some("me"));
}

#[tokio::test]
async fn methods_and_bodies() {
    let check = async |method: Option<&str>, document: Value, wanted: &str| {
        let downstream = Downstream::start(|_| Reply::answer("200", "")).await;
        let mut call = call("http", json!({"base_url": downstream.url("/")}));
        call.method = method.map(str::to_owned);
        call.document = document;
        caller().call(&call).await.unwrap();
        let request = downstream.only();
        let content_type = request.header("content-type").unwrap_or_default();
        assert_eq!(format!("{} {} {content_type}", request.method, request.body), wanted);
    };
    check(None, json!([]), "POST [] application/json").await;
    check(Some("get"), json!({"a": 1}), "GET {\"a\":1} application/json").await;
    check(Some("DELETE"), json!({}), "DELETE {} application/json").await;
    check(Some("PATCH"), json!("text"), "PATCH \"text\" application/json").await;
    check(Some("PROPFIND"), Value::Null, "PROPFIND  ").await;
}

#[tokio::test]
async fn numbers_keep_their_digits() {
    let digits = r#"{"a":12345678901234567890.10,"b":1E+400}"#;
    let downstream = Downstream::start(|request| Reply::json(&request.body)).await;
    let mut call = call("http", json!({"base_url": downstream.url("/")}));
    call.document = json::parse(digits.as_bytes()).unwrap();
    let output = caller().call(&call).await.unwrap();
    assert_eq!(downstream.only().body, digits);
    assert_eq!(json::to_text(&output["body"]), digits);
}

#[tokio::test]
async fn calls_that_cannot_be_made() {
    let downstream = Downstream::start(|_| Reply::json("{}")).await;
    let check = async |change: fn(&mut Call), wanted: &str| {
        let mut call = call("http", json!({"base_url": downstream.url("/")}));
        change(&mut call);
        let failure = caller().call(&call).await.unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Permanent, wanted));
    };
    let no_method = "the method is no HTTP method that can be sent";
    check(|call| call.method = Some("CONNECT".to_owned()), no_method).await;
    check(|call| call.method = Some("trace".to_owned()), no_method).await;
    check(|call| call.method = Some("GET /".to_owned()), no_method).await;
    check(|call| call.method = Some(String::new()), no_method).await;
    let no_value = "the value of the header X-A holds a line break or another character that headers cannot carry";
    check(|call| call.headers = pairs(&[("X-A", "a\r\nX-B: c")]), no_value).await;
    check(|call| call.headers = pairs(&[("X-A", "a\nb")]), no_value).await;
    check(|call| call.headers = pairs(&[("X-A", "é")]), no_value).await;
    check(|call| call.headers = pairs(&[("X-A", "\0")]), no_value).await;
    check(|call| call.headers = pairs(&[("X A", "")]), "\"X A\" is no header name").await;
    check(|call| call.headers = pairs(&[("", "")]), "\"\" is no header name").await;
    assert_eq!(downstream.n_connections(), 0);
}

#[test]
fn timeouts() {
    let check = |node: Option<u64>, config: Value, wanted_ms: u64| {
        let mut call = call("http", config);
        call.timeout = node.map(Duration::from_secs);
        let url = Url::parse("http://a.test/").unwrap();
        let request = build::request(&call, url, None).unwrap();
        assert_eq!(request.deadline.limit(), Duration::from_millis(wanted_ms));
    };
    check(None, json!({}), 30_000);
    check(None, json!({"timeout_ms": 250}), 250);
    check(None, json!({"timeout_ms": 250, "timeout_seconds": 7}), 7_000);
    check(Some(2), json!({"timeout_ms": 250, "timeout_seconds": 7}), 2_000);
    check(None, json!({"timeout_seconds": 0.5}), 500);
    check(None, json!({"timeout_seconds": 1e300}), 30_000);
    check(None, json!({"timeout_seconds": 100_000}), 600_000);
    for odd in [json!(0), json!(-1), json!("7"), json!(null)] {
        check(None, json!({"timeout_seconds": odd}), 30_000);
    }
}

#[tokio::test]
async fn success_is_what_the_node_says() {
    let check = async |head: &'static str, success: SuccessCodes, is_success: bool| {
        let downstream = Downstream::start(move |_| Reply::answer(head, "")).await;
        let mut call = call("http", json!({"base_url": downstream.url("/")}));
        call.success = success;
        assert_eq!(caller().call(&call).await.is_ok(), is_success, "{head}");
    };
    let these = |codes: &[u16]| SuccessCodes::These(codes.iter().copied().collect());
    check("206", SuccessCodes::Any2xx, true).await;
    check("299", SuccessCodes::Any2xx, true).await;
    check("404", SuccessCodes::Any2xx, false).await;
    check("404", these(&[200, 404]), true).await;
    check("204", these(&[200, 404]), false).await;
}
