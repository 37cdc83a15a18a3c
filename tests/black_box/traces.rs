//! Traces as a collector gets them, and what happens without one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use flowker_tests::{Call, Flow, Home, Request, Stub, wait};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use rustix::process::Signal;
use serde_json::json;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn delivery(flow: &Flow) -> Request {
    let parent = format!("00-{TRACE}-{CALLER}-01");
    flow.delivery().header("traceparent", parent).json(&json!({ "card": "secret-number" }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn decode(calls: &[Call]) -> Vec<ExportTraceServiceRequest> {
    let batches = calls.iter().map(|call| {
        assert_eq!((call.method.as_str(), call.target.as_str()), ("POST", "/v1/traces"));
        assert_eq!(call.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(call.header("x-tenant"), Some("acme"));
        ExportTraceServiceRequest::decode(call.body.as_slice()).expect("OTLP")
    });
    batches.collect()
}

/// The text of an attribute.
fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|it| it.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[test]
fn one_trace_leads_from_the_request_to_the_call() {
    let (stub, collector) = (Stub::start(), Stub::start());
    let home = Home::new()
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .set("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme")
        .set("OTEL_SERVICE_NAME", "orders")
        .set("LOG_LEVEL", "error");
    let server = home.start();
    let flow = Flow::at("PUT", "orders/paid").call("charge", &server.provider(&stub), "/charge");
    server.deploy(&flow);
    let sent = server.send(delivery(&flow).header("Authorization", "Bearer secret-token"));
    server.complete(&sent.expect(201).text("executionId"));
    server.signal(Signal::TERM);
    let (finished, _home) = server.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.output());

    let batches = decode(&collector.calls());
    let text = format!("{batches:?}");
    for secret in ["secret-number", "secret-token", flowker_tests::server::API_KEY] {
        assert!(!text.contains(secret), "{secret} was exported");
    }
    assert!(text.contains(r#"StringValue("orders")"#), "the service is named");
    let spans = batches.into_iter().flat_map(|it| it.resource_spans);
    let spans = spans.flat_map(|it| it.scope_spans).flat_map(|it| it.spans);
    let ours: BTreeMap<_, _> = spans
        .filter(|span| hex(&span.trace_id) == TRACE)
        .map(|span| (span.name.clone(), span))
        .collect();
    let names: Vec<_> = ours.keys().map(String::as_str).collect();
    let request = "PUT /v1/webhooks/{*path}";
    assert_eq!(names, [request, "accept", "attempt", "execution"]);
    let parent = |name: &str| hex(&ours[name].parent_span_id);
    let id = |name: &str| hex(&ours[name].span_id);
    assert_eq!(parent(request), CALLER);
    assert_eq!(parent("accept"), id(request));
    assert_eq!(parent("execution"), id(request));
    assert_eq!(parent("attempt"), id("execution"));
    let call = &stub.calls()[0];
    let expected = format!("00-{TRACE}-{}-01", id("attempt"));
    assert_eq!(call.header("traceparent"), Some(expected.as_str()));
    // SERVER, INTERNAL and CLIENT.
    let kinds = [request, "execution", "attempt"].map(|name| ours[name].kind);
    assert_eq!(kinds, [2, 1, 3]);
    let told = |name: &str, key: &str| attribute(&ours[name], key);
    assert_eq!(told(request, "http.response.status_code").as_deref(), Some("201"));
    assert_eq!(told("attempt", "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(told("attempt", "server.address").as_deref(), Some("127.0.0.1"));
    assert_eq!(told("attempt", "node.id").as_deref(), Some("charge"));
}

#[test]
fn after_a_kill_the_execution_goes_on_in_its_trace() {
    let (stub, collector) = (Stub::start(), Stub::start());
    let home = Home::new()
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .set("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme");
    let server = home.start();
    let flow = Flow::at("PUT", "orders/paid").call("charge", &server.provider(&stub), "/charge");
    server.deploy(&flow);
    stub.hold("/charge");
    let execution_id = server.send(delivery(&flow)).expect(201).text("executionId");
    stub.wait_for_calls(1);
    let home = server.kill();
    stub.release("/charge");
    stub.next_life();
    let server = home.start();
    server.complete(&execution_id);
    server.signal(Signal::TERM);
    assert_eq!(server.finish().0.code, Some(0));

    let batches = decode(&collector.calls());
    let spans = batches.into_iter().flat_map(|it| it.resource_spans);
    let spans = spans.flat_map(|it| it.scope_spans).flat_map(|it| it.spans);
    let attempts: Vec<_> = spans
        .filter(|span| span.name == "attempt" && hex(&span.trace_id) == TRACE)
        .map(|span| format!("00-{TRACE}-{}-01", hex(&span.span_id)))
        .collect();
    let calls = stub.wait_for_calls(2);
    let sent: Vec<_> = calls.iter().filter_map(|call| call.header("traceparent")).collect();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0], sent[1]);
    assert!(sent.iter().all(|it| it.starts_with(&format!("00-{TRACE}-"))), "{sent:?}");
    assert!(attempts.iter().any(|it| it == sent[1]), "{attempts:?} lacks {sent:?}");
}

#[test]
fn a_collector_that_is_away_or_silent_holds_up_nobody() {
    let silent = Stub::start();
    silent.hold("/v1/traces");
    for endpoint in ["http://127.0.0.1:1".to_owned(), silent.url()] {
        let server = Home::new().set("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).start();
        let flow = Flow::at("PUT", "orders/paid").output("o", json!({ "a": 1 }));
        server.deploy(&flow);
        for _ in 0..50 {
            let sent = server.send(delivery(&flow)).expect(201);
            server.complete(&sent.text("executionId"));
        }
        server.expect_sound();
        let began: Instant = wait::now();
        server.signal(Signal::TERM);
        let (finished, _home) = server.finish();
        assert_eq!(finished.code, Some(0), "{}", finished.output());
        // The last batch is given 2 s.
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

#[test]
fn a_collector_is_needed_where_traces_are_asked_for() {
    let finished = Home::new().set("ENABLE_TELEMETRY", "true").run(&["serve"]);
    assert_eq!(finished.code, Some(64), "{}", finished.output());
    assert!(finished.stderr.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{}", finished.stderr);
}
