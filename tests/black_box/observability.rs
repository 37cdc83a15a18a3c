//! What an operator sees of a running server: metrics, traces, log lines.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use flowker_core::json;
use flowker_tests::{Call, Flow, Home, Reply, Request, Server, Stub, until};
use rustix::process::Signal;
use serde_json::json;

/// A page of the documentation.
fn page(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn metrics(server: &Server) -> String {
    let answer = server.send(Request::get("/metrics")).expect(200);
    String::from_utf8(answer.body).expect("the text format is UTF-8")
}

#[track_caller]
fn expect_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|it| it == *line), "{line} is not in\n{text}");
    }
}

#[test]
fn metrics_tell_what_happened_and_are_all_documented() {
    let (stub, server) = (Stub::start(), Server::start());
    let flow = Flow::at("PUT", "orders/paid").call("charge", &server.provider(&stub), "/charge");
    server.deploy(&flow);
    stub.replies("/charge", [Reply::status(503).header("Retry-After", "0")]);
    let sent = server.send(flow.delivery().key("order-1")).expect(201);
    server.complete(&sent.text("executionId"));
    let _ = server.send(flow.delivery().key("order-1")).expect(200);
    let _ = server.send(Request::get("/metrics").anonymous()).expect_error(401, "UNAUTHORIZED");

    // The engine counts an end when it has been told that it is stored.
    let text = until("the end is counted", || {
        let text = metrics(&server);
        text.contains("flowker_executions_finished_total{outcome=\"completed\",code=\"\"} 1")
            .then_some(text)
    });
    expect_lines(
        &text,
        &[
            "flowker_acceptances_total{answer=\"accepted\",code=\"\"} 1",
            "flowker_acceptances_total{answer=\"replayed\",code=\"\"} 1",
            "flowker_step_retries_total{provider=\"http\"} 1",
            "flowker_steps_finished_total{provider=\"http\",outcome=\"completed\"} 1",
            "flowker_store_up 1",
            "flowker_queue_depth 0",
            "flowker_oldest_unstarted_age_seconds 0",
            "flowker_outbound_connects_total{outcome=\"denied\"} 0",
        ],
    );
    let unsigned = json!({ "scheme": "github", "secrets": ["It's a Secret to Everybody"] });
    let signed = Flow::at("PUT", "orders/signed").with("signature", unsigned);
    server.deploy(&signed.clone().output("o", json!({})));
    let _ = server.send(signed.delivery()).expect_error(401, "FLK-0364");
    expect_lines(
        &metrics(&server),
        &["flowker_signatures_refused_total{reason=\"header_missing\"} 1"],
    );

    let documented = page("reference/metrics.md");
    let told: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(20 < told.len(), "{told:?}");
    for name in told {
        assert!(documented.contains(&format!("| `{name}` |")), "{name} is not documented");
    }
}

#[test]
fn executions_that_nobody_has_room_for_show_in_the_queue() {
    let stub = Stub::start();
    let server = Home::new().set("MAX_EXECUTIONS", "1").start();
    let flow = Flow::at("PUT", "orders/paid").call("charge", &server.provider(&stub), "/charge");
    server.deploy(&flow);
    stub.hold("/charge");
    for _ in 0..3 {
        let _ = server.send(flow.delivery()).expect(201);
    }
    let text = until("two wait", || {
        let text = metrics(&server);
        text.contains("\nflowker_queue_depth 2\n").then_some(text)
    });
    assert!(!text.contains("\nflowker_oldest_unstarted_age_seconds 0\n"), "{text}");
    stub.release("/charge");
    until("nothing waits", || metrics(&server).contains("\nflowker_queue_depth 0\n").then_some(()));
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The trace's id and the span's id of a call.
fn trace_of(call: &Call) -> (String, String) {
    let parent = call.header("traceparent").unwrap_or_else(|| panic!("no trace: {call:?}"));
    let parts: Vec<_> = parent.split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[3]), (4, "00", "01"), "{parent}");
    (parts[1].to_owned(), parts[2].to_owned())
}

#[test]
fn a_trace_leads_from_the_caller_to_the_service_also_after_a_kill() {
    let (stub, server) = (Stub::start(), Server::start());
    let flow = Flow::at("PUT", "orders/paid").call("charge", &server.provider(&stub), "/charge");
    server.deploy(&flow);
    stub.hold("/charge");
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let delivery = flow.delivery().header("traceparent", &parent).header("tracestate", "shop=7");
    let execution_id = server.send(delivery).expect(201).text("executionId");
    stub.wait_for_calls(1);
    let home = server.kill();
    stub.release("/charge");
    stub.next_life();
    let server = home.start();
    server.complete(&execution_id);

    let calls = stub.wait_for_calls(2);
    let mut spans = BTreeSet::new();
    for call in &calls {
        let (trace, span) = trace_of(call);
        assert_eq!((trace.as_str(), call.header("tracestate")), (TRACE, Some("shop=7")));
        spans.insert(span);
    }
    assert_eq!(spans.len(), 2, "each attempt is a part of its own: {spans:?}");
    assert!(!spans.contains("00f067aa0ba902b7"), "and none is the caller's");
}

#[test]
fn a_trace_that_cannot_be_read_is_dropped_and_the_request_served() {
    let (stub, server) = (Stub::start(), Server::start());
    let flow = Flow::at("PUT", "orders/paid").call("charge", &server.provider(&stub), "/charge");
    server.deploy(&flow);
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let zeros = format!("00-{}-{}-00", "0".repeat(32), "0".repeat(16));
    let huge = format!("a={}", "x".repeat(12_000));
    let requests = [
        (flow.delivery().header("traceparent", &zeros), false),
        (flow.delivery().header("traceparent", "no trace"), false),
        (flow.delivery().header("traceparent", &parent).header("traceparent", &parent), false),
        (flow.delivery().header("tracestate", "a=1"), false),
        (flow.delivery().header("traceparent", &parent).header("tracestate", &huge), true),
    ];
    for (n_before, (request, is_kept)) in requests.into_iter().enumerate() {
        let execution_id = server.send(request).expect(201).text("executionId");
        server.complete(&execution_id);
        let call = &stub.wait_for_calls(n_before + 1)[n_before];
        assert_eq!(call.header("traceparent").is_some(), is_kept, "{call:?}");
        assert_eq!(call.header("tracestate"), None, "{call:?}");
    }
}

#[test]
fn a_failure_is_one_line_that_says_of_what_it_is() {
    let stub = Stub::start();
    let server = Home::new().set("LOG_FORMAT", "json").set("LOG_LEVEL", "warn").start();
    let flow = Flow::at("PUT", "orders/paid").call("charge", &server.provider(&stub), "/charge");
    server.deploy(&flow);
    stub.replies("/charge", [Reply::status(400)]);
    let delivery = flow.delivery().header("X-Request-Id", "order-7/1");
    let delivery = delivery.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let execution_id = server.send(delivery).expect(201).text("executionId");
    assert_eq!(server.wait_for_end(&execution_id)["status"], "failed");
    server.signal(Signal::TERM);
    let (finished, _home) = server.finish();

    let lines: Vec<_> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = json::parse(lines[0].as_bytes()).expect("a line is JSON");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "execution failed");
    assert_eq!(line["error.code"], "step_failed");
    assert!(line["error.message"].as_str().is_some_and(|it| it.contains("400")), "{line}");
    let spans = line["spans"].as_array().expect("spans");
    let [request, execution] = &spans[..] else { panic!("{line}") };
    assert_eq!(
        (&request["name"], &request["request.id"]),
        (&"request".into(), &"order-7/1".into())
    );
    assert_eq!(request["http.route"], "/v1/webhooks/{*path}");
    assert_eq!(
        (&execution["name"], &execution["execution.id"]),
        (&"execution".into(), &execution_id.into())
    );
    for span in spans {
        assert_eq!(span["trace.id"], TRACE, "{line}");
        assert_eq!(span.get("otel.kind"), None, "nothing is exported: {line}");
    }
}
