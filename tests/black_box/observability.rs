//! What an operator sees of a running server: metrics, traces, log lines.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use flowker_tests::{Flow, Home, Reply, Request, Server, Stub, until};
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
