//! What is wrong with a workflow is said when it is made or activated, member by member.

use flowker_tests::{Answer, Flow, Request, Server, Stub};
use serde_json::{Value, json};

#[track_caller]
fn expect(answer: Answer, status: u16, code: &str, member: &str) {
    let fields = answer.expect_error(status, code).fields();
    assert!(fields.iter().any(|it| it == member), "{member} is not among {fields:?}");
}

#[test]
fn wrong_documents_are_refused_when_they_are_made() {
    let (stub, server) = (Stub::start(), Server::start());
    let provider = server.provider(&stub);
    let check = |document: Value, status: u16, code: &str, member: &str| {
        expect(server.send(Request::post("/v1/workflows").json(&document)), status, code, member);
        server.expect_sound();
    };
    check(json!({ "name": 1 }), 400, "FLK-0001", "name");
    check(json!({ "name": "w", "nodes": {} }), 400, "FLK-0001", "nodes");
    check(json!({ "name": "w", "nodes": [{ "id": 7 }] }), 400, "FLK-0001", "nodes[0].id");
    check(
        json!({ "name": "w", "nodes": [{ "id": "a", "position": { "x": 0.5 } }] }),
        400,
        "FLK-0001",
        "nodes[0].position.x",
    );
    check(json!({ "name": "w", "metadata": [] }), 400, "FLK-0001", "metadata");
    check(json!({}), 400, "FLK-0110", "name");
    check(json!({ "name": "n".repeat(101) }), 400, "FLK-0111", "name");

    let flow = || Flow::at("PUT", "a").call("c", &provider, "/c");
    let check = |flow: Flow, status: u16, code: &str, member: &str| {
        check(flow.to_json(), status, code, member);
    };
    check(flow().edge("c", "nowhere", None), 400, "FLK-0115", "edges[1].target");
    check(flow().with("executorId", json!("no.such")), 404, "FLK-0104", "nodes[1].data.executorId");
    check(
        flow().with("executorId", Value::Null),
        400,
        "WORKFLOW_INVALID_EXECUTOR_CONFIG",
        "nodes[1].data.executorId",
    );
    check(
        flow().with("providerConfigId", json!("p-1")),
        400,
        "FLK-0150",
        "nodes[1].data.providerConfigId",
    );
    check(
        flow().with("transforms", json!([{ "operation": "shift" }])),
        400,
        "FLK-0142",
        "nodes[1].data.transforms[0].spec",
    );
    check(
        flow().with("transforms", json!([{ "operation": "explode", "spec": { "a": "b" } }])),
        400,
        "FLK-0142",
        "nodes[1].data.transforms[0].operation",
    );
}

#[test]
fn graphs_that_cannot_run_are_refused_at_activation() {
    let server = Server::start();
    let check = |name: &str, flow: Flow, code: &str, member: &str| {
        let workflow_id = server.create(&flow.named(name));
        expect(server.activate(&workflow_id), 422, code, member);
        let path = format!("/v1/workflows/{workflow_id}");
        assert_eq!(server.send(Request::get(&path)).expect(200).text("status"), "draft");
        server.expect_sound();
    };
    let output = |flow: Flow, id: &str| flow.output(id, json!({}));
    let flow = |id: &str| output(Flow::at("PUT", "a"), id);

    check("cycle", output(flow("a"), "b").edge("b", "a", None), "FLK-0117", "nodes[1]");
    check("self-loop", flow("a").edge("a", "a", None), "FLK-0117", "nodes[1]");
    check(
        "circle of references",
        Flow::at("PUT", "a")
            .output("a", json!({ "x": "{{ b.y }}" }))
            .after("start", None)
            .output("b", json!({ "y": "{{ a.x }}" })),
        "FLK-0117",
        "nodes[1]",
    );
    check("node twice", output(flow("a"), "a"), "FLK-0118", "nodes[2].id");
    check("unknown type", flow("a").node("b", "teleport", json!({})), "FLK-0119", "nodes[2].type");
    check("reserved id", flow("workflow"), "FLK-0119", "nodes[1].id");
    check("no method", Flow::at("", "a"), "FLK-0211", "nodes[0].data.method");
    check("no path", Flow::at("PUT", ""), "FLK-0211", "nodes[0].data.path");
    check("a method of none", Flow::at("BREW", "a"), "FLK-0211", "nodes[0].data.method");
}

#[test]
fn conditions_are_parsed_at_activation() {
    let server = Server::start();
    let refused = [
        "",
        "   ",
        "\"",
        "'",
        "workflow.x ==",
        "== 1",
        "workflow.x = 1",
        "(workflow.x",
        "workflow.x)",
        "workflow.x == 1 and workflow.y",
        "workflow.x < 1 < 2",
        "workflow.x > 1e99999999999999999999",
        "workflow.x == \" AND ",
        "workflow.x AND",
        "exists(1)",
    ];
    for (idx, condition) in refused.into_iter().enumerate() {
        let flow = Flow::at("PUT", "refused").named(&format!("refused {idx}"));
        let workflow_id = server.create(&flow.condition("ask", condition));
        let answer = server.activate(&workflow_id);
        assert_eq!(answer.status, 422, "{condition:?}: {answer:?}");
        expect(answer, 422, "FLK-0105", "nodes[1].data.condition");
    }
    let nested = format!("{}workflow.x", "NOT (".repeat(10_000));
    let workflow_id = server.create(&Flow::at("PUT", "nested").condition("ask", &nested));
    expect(server.activate(&workflow_id), 422, "FLK-0105", "nodes[1].data.condition");

    let accepted = [
        (r#"workflow.x == " AND ""#, true),
        (r#"workflow.x == " AND " AND workflow.n >= 7"#, true),
        ("NOT (workflow.x == ' OR ')", true),
        ("workflow.lines[1].price < 0.3 OR missing", true),
        ("exists(workflow.nothing)", false),
        ("workflow.none == null AND exists(workflow.none)", true),
        (r#""a>=b" == workflow.signs"#, true),
    ];
    let body = json!({
        "x": " AND ", "n": 7, "none": null, "lines": [{}, { "price": 0.1 }], "signs": "a>=b",
    });
    for (idx, (condition, expected)) in accepted.into_iter().enumerate() {
        let path = format!("accepted/{idx}");
        server.deploy(&Flow::at("PUT", &path).condition("ask", condition));
        let delivery = Request::put(&format!("/v1/webhooks/{path}")).json(&body);
        let results = server.complete(&server.send(delivery).expect(201).text("executionId"));
        assert_eq!(results["stepResults"][0]["output"]["result"], json!(expected), "{condition}");
    }
}

#[test]
fn edges_with_a_condition_that_is_false_are_dead() {
    let server = Server::start();
    let mut document = Flow::at("PUT", "edges")
        .output("large", json!({ "is": "large" }))
        .after("start", None)
        .output("small", json!({ "is": "small" }))
        .to_json();
    document["edges"][0]["condition"] = json!("workflow.amount > 100");
    document["edges"][1]["condition"] = json!("workflow.amount <= 100");
    let created = server.send(Request::post("/v1/workflows").json(&document)).expect(201);
    let _ = server.activate(&created.text("workflowId")).expect(200);
    for (amount, expected) in [(101, "large"), (100, "small")] {
        let delivery = Request::put("/v1/webhooks/edges").json(&json!({ "amount": amount }));
        let results = server.complete(&server.send(delivery).expect(201).text("executionId"));
        assert_eq!(results["finalOutput"], json!({ "is": expected }));
    }
}
