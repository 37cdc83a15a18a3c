use serde_json::{Value, json};

use super::*;

/// Described in `docs/reference/workflows.md`.
const REFERENCE: &str = include_str!("../../../../../docs/reference/workflows.md");

fn compile(nodes: Value, edges: Value) -> Result<Plan, Vec<Violation>> {
    let document =
        Value::Object([("nodes".into(), nodes), ("edges".into(), edges)].into_iter().collect());
    Plan::compile(&Definition::from_document(document).expect("a definition"))
}

/// The codes and paths of all violations, in their order.
fn check(nodes: Value, edges: Value, expected: &[&str]) {
    let shown = format!("{nodes} {edges}");
    let found = compile(nodes, edges).err().unwrap_or_default();
    let found = found.iter().map(|it| format!("{} {}", it.code, it.fault.path));
    assert_eq!(found.collect::<Vec<_>>(), expected, "{shown}");
}

/// Of a node `t` that is a trigger, and one of the given type and data.
fn check_node(kind: &str, data: impl Into<Value>, expected: &[&str]) {
    let data = data.into();
    let node = json!({"id": "n", "type": kind, "data": data});
    check(json!([{"id": "t", "type": "trigger"}, node]), json!([]), expected);
}

fn executor(id: &str, sources: &[&str]) -> Value {
    let mapping = |source: &&str| json!({"source": source, "target": "x"});
    let mapping: Vec<_> = sources.iter().map(mapping).collect();
    json!({"id": id, "type": "executor", "data": {"executorId": "http", "inputMapping": mapping}})
}

fn edge(source: &str, target: &str) -> Value {
    json!({"id": format!("{source}-{target}"), "source": source, "target": target})
}

fn edge_if(source: &str, target: &str, condition: &str) -> Value {
    let mut edge = edge(source, target);
    edge["condition"] = json!(condition);
    edge
}

#[test]
fn ids_are_unique_known_and_not_reserved() {
    let node = |id: &str| json!({"id": id, "type": "action"});
    check(json!([]), json!([]), &[]);
    check(json!([node("a"), node("b"), node("a")]), json!([]), &["FLK-0118 nodes[2].id"]);
    check(
        json!([node("a")]),
        json!([{"id": "e", "source": "a", "target": "x"}, {"id": "e", "source": "x", "target": "y"}]),
        &[
            "FLK-0115 edges[0].target",
            "FLK-0115 edges[1].source",
            "FLK-0115 edges[1].target",
            "FLK-0118 edges[1].id",
        ],
    );
    check(json!([{"type": "action"}]), json!([]), &["FLK-0119 nodes[0].id"]);
    check(
        json!([node("workflow"), node("output")]),
        json!([]),
        &["FLK-0119 nodes[0].id", "FLK-0119 nodes[1].id"],
    );
    check(json!([{"id": "a", "type": "Action"}]), json!([]), &["FLK-0119 nodes[0].type"]);
    check(json!([{"id": "a"}]), json!([]), &["FLK-0119 nodes[0].type"]);
}

#[test]
fn conditions_are_read() {
    let invalid = &["FLK-0105 nodes[1].data.condition"];
    check_node("conditional", json!({"condition": "workflow.a > 1"}), &[]);
    check_node("conditional", json!({"condition": "workflow.a >"}), invalid);
    check_node("conditional", json!({"condition": ""}), invalid);
    check_node("conditional", json!({"condition": true}), invalid);
    check_node("conditional", json!({}), invalid);
    let nodes = || json!([{"id": "a", "type": "trigger"}, {"id": "b", "type": "action"}]);
    check(nodes(), json!([edge_if("a", "b", "workflow.ok")]), &[]);
    // A blank one is none.
    check(nodes(), json!([edge_if("a", "b", "  ")]), &[]);
    check(nodes(), json!([edge_if("a", "b", "a == ")]), &["FLK-0105 edges[0].condition"]);
}

#[test]
fn webhooks_are_read() {
    let check = |edits: &[(&str, Value)], expected: &[&str]| {
        let mut data = json!({"triggerType": "webhook", "method": "POST", "path": "/a"});
        for (member, value) in edits {
            data[*member] = value.clone();
        }
        let paths: Vec<_> =
            expected.iter().map(|it| format!("FLK-0211 nodes[1].data.{it}")).collect();
        check_node("trigger", data, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    };
    check(&[], &[]);
    check(&[("method", json!("delete"))], &[]);
    check(&[("method", json!("HEAD"))], &["method"]);
    check(&[("method", json!(null)), ("path", json!(null))], &["method", "path"]);
    check(&[("path", json!(7))], &["path"]);
    check(&[("verify_token", json!(7))], &["verify_token"]);
    check(&[("rateLimit", json!({"requestsPerSecond": 5}))], &[]);
    check(
        &[("rateLimit", json!({"burst": 0}))],
        &["rateLimit.requestsPerSecond", "rateLimit.burst"],
    );
    check(&[("rateLimit", json!({"requestsPerSecond": 0}))], &["rateLimit.requestsPerSecond"]);
    check(&[("schema", json!({"type": "object"}))], &[]);
    check(&[("schema", json!({"type": "thing"}))], &["schema"]);
    check(&[("signature", json!({"scheme": "guess"}))], &["signature.scheme"]);
    // One that is started by hand only may hold anything.
    check(&[("triggerType", json!("manual")), ("method", json!(7))], &[]);
}

#[test]
fn settings_of_executors_are_read() {
    let settings = |edits: Value, expected: &[&str]| {
        let mut data = json!({"executorId": "http"});
        for (member, value) in edits.as_object().expect("an object") {
            data[member] = value.clone();
        }
        let code = "WORKFLOW_INVALID_EXECUTOR_CONFIG nodes[1].data";
        let paths: Vec<_> = expected.iter().map(|it| format!("{code}.{it}")).collect();
        check_node("executor", data, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    };
    settings(json!({}), &[]);
    settings(json!({"executorId": ""}), &["executorId"]);
    settings(json!({"executorId": 1}), &["executorId"]);
    // Not asked about here: there is a code of its own for what is no id.
    settings(json!({"providerConfigId": 1}), &[]);
    settings(json!({"timeout": 600, "path": "/{{ workflow.a }}", "method": "GET"}), &[]);
    settings(json!({"timeout": 601}), &["timeout"]);
    settings(json!({"path": "{{", "endpointName": "{{ a..b }}"}), &["path", "endpointName"]);
    settings(json!({"headers": {"A": "{{"}, "query": []}), &["headers.A", "query"]);
    settings(
        json!({"retry": {"maxAttempts": 0, "maxDelayMs": -1}}),
        &["retry.maxAttempts", "retry.maxDelayMs"],
    );
    settings(json!({"successStatusCodes": [200, 404]}), &[]);
    settings(json!({"successStatusCodes": [200, 200]}), &["successStatusCodes"]);
    settings(json!({"successStatusCodes": []}), &["successStatusCodes"]);
    settings(json!({"onUncertain": "fail"}), &[]);
    settings(json!({"onUncertain": "never"}), &["onUncertain"]);
    settings(json!({"anything": [1], "Timeout": 5}), &[]);
}

#[test]
fn mappings_transforms_and_outputs_are_read() {
    let executor = |member: &str, value: Value, expected: &[&str]| {
        check_node("executor", json!({"executorId": "http", member: value}), expected);
    };
    executor("inputMapping", json!([{"source": "a", "target": "b"}]), &[]);
    executor(
        "inputMapping",
        json!([{"source": "a", "target": "b..c"}, {"source": "", "target": "c"}, {"source": "[", "target": "c"}]),
        &[
            "FLK-0140 nodes[1].data.inputMapping[0].target",
            "FLK-0140 nodes[1].data.inputMapping[2].source",
        ],
    );
    executor(
        "outputMapping",
        json!([{"source": "a", "target": "b", "transformation": {"type": "guess"}}]),
        &["FLK-0141 nodes[1].data.outputMapping[0].transformation.type"],
    );
    executor("transforms", json!([{"operation": "pass", "spec": {"a": 1}}]), &[]);
    executor(
        "transforms",
        json!([{"operation": "pass", "spec": {}}]),
        &["FLK-0142 nodes[1].data.transforms[0].spec"],
    );
    check_node(
        "action",
        json!({"actionType": "set_output", "output": {"a": "{{ x", "b": ["{{ workflow.a }}", "{{ }}"]}}),
        &["FLK-0142 nodes[1].data.output.a", "FLK-0142 nodes[1].data.output.b[1]"],
    );
    // What does not set the output may say anything.
    check_node("action", json!({"actionType": "note", "output": "{{ x"}), &[]);
}

#[test]
fn violations_come_in_the_order_of_the_checks() {
    check(
        json!([
            {"id": "x", "type": "executor", "data": {
                "inputMapping": [{"source": "[", "target": "a"}],
                "transforms": [{"operation": "guess", "spec": {"a": 1}}]}},
            {"id": "t", "type": "trigger", "data": {"triggerType": "webhook", "method": "POST"}},
            {"id": "c", "type": "conditional"},
            {"id": "k", "type": "loop"},
            {"id": "x", "type": "action"},
        ]),
        json!([edge("c", "c"), edge("t", "gone"), edge_if("t", "x", "=")]),
        &[
            "FLK-0115 edges[1].target",
            "FLK-0117 nodes[2]",
            "FLK-0118 nodes[4].id",
            "FLK-0119 nodes[3].type",
            "FLK-0105 edges[2].condition",
            "FLK-0105 nodes[2].data.condition",
            "FLK-0211 nodes[1].data.path",
            "WORKFLOW_INVALID_EXECUTOR_CONFIG nodes[0].data.executorId",
            "FLK-0140 nodes[0].data.inputMapping[0].source",
            "FLK-0142 nodes[0].data.transforms[0].operation",
        ],
    );
}

#[test]
fn circles_are_found_through_edges_reads_and_edge_conditions() {
    // What the message says of who waits for whom.
    let circle = |nodes: Value, edges: Value, at: &str, message: &str| {
        let shown = format!("{nodes} {edges}");
        let violations = compile(nodes, edges).expect_err("a circle");
        let [violation] = violations.as_slice() else { panic!("{shown}: {violations:?}") };
        assert_eq!(violation.code.as_str(), "FLK-0117", "{shown}");
        assert_eq!(violation.fault.path, at, "{shown}");
        assert!(violation.fault.message.starts_with(message), "{shown}: {violation:?}");
    };
    let plain = |id| executor(id, &[]);
    // Edges alone.
    circle(json!([plain("a")]), json!([edge("a", "a")]), "nodes[0]", "the node a waits for itself");
    circle(
        json!([plain("t"), plain("a"), plain("b")]),
        json!([edge("t", "a"), edge("a", "b"), edge("b", "a")]),
        "nodes[1]",
        "the nodes a, b wait for each other",
    );
    // Reads alone.
    circle(
        json!([executor("a", &["a.body"])]),
        json!([]),
        "nodes[0]",
        "the node a waits for itself",
    );
    circle(
        json!([executor("a", &["b.body"]), executor("b", &["workflow.x", "a.body"])]),
        json!([]),
        "nodes[0]",
        "the nodes a, b wait",
    );
    // A read against an edge.
    circle(
        json!([executor("a", &["b.body"]), plain("b")]),
        json!([edge("a", "b")]),
        "nodes[0]",
        "the nodes a, b wait",
    );
    // The condition of an edge that reads what the edge leads to, or what comes after it.
    circle(
        json!([plain("a"), plain("b")]),
        json!([edge_if("a", "b", "exists(b.body)")]),
        "nodes[1]",
        "the node b waits for itself",
    );
    circle(
        json!([plain("a"), plain("b"), plain("c")]),
        json!([edge_if("a", "b", "c.body.ok"), edge("b", "c")]),
        "nodes[1]",
        "the nodes b, c wait",
    );
    // A circle that others only lead to is told without them.
    circle(
        json!([executor("x", &["a.body"]), plain("a"), plain("b")]),
        json!([edge("a", "b"), edge("b", "a")]),
        "nodes[1]",
        "the nodes a, b wait",
    );
}

#[test]
fn every_kind_of_expression_makes_a_node_wait() {
    let check = |kind: &str, data: Value| {
        let nodes = json!([{"id": "n", "type": kind, "data": data}, executor("a", &[]), executor("b", &[])]);
        let plan = compile(nodes, json!([])).expect("a plan");
        assert_eq!(plan.node(NodeIdx(0)).reads, BTreeSet::from([NodeIdx(1)]), "{data}");
        assert_eq!(plan.order(), [NodeIdx(1), NodeIdx(2), NodeIdx(0)], "{data}");
        assert_eq!(plan.visible_to(NodeIdx(0)), &BTreeSet::from([NodeIdx(1)]), "{data}");
    };
    check("conditional", json!({"condition": "workflow.x OR a.body.y == 'b.body'"}));
    check("action", json!({"actionType": "set_output", "output": {"y": ["x {{ a.body }}"]}}));
    let executor = |member: &str, value: Value| {
        check("executor", json!({"executorId": "http", member: value}));
    };
    executor("path", json!("/x/{{ a.body.id }}"));
    executor("endpointName", json!("/x/{{ a.body.id }}"));
    executor("headers", json!({"b": "{{ a.body.id }}"}));
    executor("query", json!({"b": "{{ a.body.id }}"}));
    executor("inputMapping", json!([{"source": "a.body", "target": "b"}]));
    executor("transforms", json!([{"operation": "shift", "spec": {"b": "a.body"}}]));
    // What a later operation reads is what an earlier one made.
    executor(
        "transforms",
        json!([
            {"operation": "shift", "spec": {"b": "a.body"}},
            {"operation": "shift", "spec": {"x": "b"}},
        ]),
    );
    executor(
        "transforms",
        json!([{"operation": "concat", "spec": {"sources": [{"path": "a.body"}], "targetPath": "x"}}]),
    );
}

#[test]
fn a_node_sees_what_leads_to_it_and_what_it_waits_for() {
    // t → a → b → d, t → c → d; e stands alone and reads c; f is reached if e says so.
    let nodes = json!([
        {"id": "t", "type": "trigger"}, executor("a", &[]), executor("b", &[]), executor("c", &[]),
        executor("d", &[]), executor("e", &["c.body"]), executor("f", &[]),
    ]);
    let edges = json!([
        edge("t", "a"),
        edge("a", "b"),
        edge("b", "d"),
        edge("t", "c"),
        edge("c", "d"),
        edge_if("a", "f", "e.body.ok"),
    ]);
    let plan = compile(nodes, edges).expect("a plan");
    let visible = |id: &str| -> Vec<&str> {
        let idx = plan.find(id).expect("a node");
        plan.visible_to(idx).iter().map(|idx| plan.node(*idx).id.as_str()).collect()
    };
    assert_eq!(visible("t"), [""; 0]);
    assert_eq!(visible("a"), ["t"]);
    assert_eq!(visible("c"), ["t"]);
    assert_eq!(visible("d"), ["t", "a", "b", "c"]);
    assert_eq!(visible("e"), ["t", "c"]);
    assert_eq!(visible("f"), ["t", "a", "c", "e"]);
    let place = |id: &str| {
        let idx = plan.find(id).expect("a node");
        plan.order().iter().position(|it| *it == idx)
    };
    for node in plan.nodes() {
        for before in visible(&node.id) {
            assert!(place(before) < place(&node.id), "{before} before {}", node.id);
        }
    }
}

#[test]
fn a_plan_knows_its_triggers_steps_and_edges() {
    let plan = compile(
        json!([
            {"id": "x", "type": "action", "name": "Note"},
            {"id": "by-hand", "type": "trigger"},
            {"id": "hook", "type": "trigger",
             "data": {"triggerType": "webhook", "method": "put", "path": "/a/", "verify_token": ""}},
            {"id": "y", "type": "action"},
        ]),
        json!([edge("by-hand", "x"), {"id": "e", "source": "x", "target": "y", "sourceHandle": "true"}]),
    )
    .expect("a plan");
    assert_eq!(plan.first_trigger(), Some(NodeIdx(1)));
    assert_eq!(plan.n_steps(), 2);
    let names: Vec<_> = plan.nodes().iter().map(|node| node.step_name.as_str()).collect();
    assert_eq!(names, ["Note", "trigger_by-hand", "trigger_hook", "action_y"]);
    let hooks: Vec<_> = plan.webhooks().collect();
    let [(idx, webhook)] = hooks.as_slice() else { panic!("{hooks:?}") };
    assert_eq!((*idx, &*webhook.method, webhook.path.as_str()), (NodeIdx(2), "PUT", "a"));
    // An empty token is none, as an empty path suffix is.
    assert_eq!(webhook.token, None);
    assert_eq!(plan.node(NodeIdx(3)).incoming, [EdgeIdx(1)]);
    assert_eq!(plan.edge(EdgeIdx(1)).handle.as_deref(), Some("true"));
    assert_eq!(plan.find("nobody"), None);
}

#[test]
fn an_executor_node_keeps_its_settings_and_hands_on_the_rest() {
    let data = json!({
        "executorId": "http", "providerConfigId": "p", "method": "", "path": "", "endpointName": "/e",
        "TIMEOUT": 7, "retry": {"maxAttempts": 2, "initialDelayMs": 100}, "onUncertain": "fail",
        "successStatusCodes": [404, 200], "inputMapping": [], "outputMapping": {}, "transforms": null,
        "accountId": "a-1", "headers": {"A": "b"},
    });
    let node = json!({"nodes": [{"id": "n", "type": "executor", "data": data}]});
    let definition = Definition::from_document(node).expect("a definition");
    let (executor, violations) = Executor::read(0, &definition.nodes[0]);
    assert_eq!(violations, []);
    assert_eq!(executor.provider_config_id.as_deref(), Some("p"));
    assert_eq!(executor.method, None);
    assert_eq!(executor.path.as_ref().and_then(|path| path.as_literal()), Some("/e"));
    assert_eq!(executor.timeout, Some(std::time::Duration::from_secs(7)));
    assert_eq!(executor.retry.max_attempts, 2);
    assert_eq!(executor.retry.max_delay, Retry::default().max_delay);
    assert_eq!(executor.on_uncertain, OnUncertain::Fail);
    assert_eq!(executor.success_status_codes, Some(BTreeSet::from([200, 404])));
    assert!(matches!(executor.input, Input::Payload), "{:?}", executor.input);
    assert_eq!(executor.output, None);
    assert_eq!(Value::Object(executor.extra), json!({"accountId": "a-1"}));
}

#[test]
fn delays_double_up_to_a_bound() {
    let retry = Retry::default();
    let delays: Vec<_> =
        (0..=6).chain([u32::MAX]).map(|it| retry.delay_max(it).as_secs()).collect();
    assert_eq!(delays, [1, 1, 2, 4, 8, 8, 8, 8]);
}

#[test]
fn the_example_of_the_reference_can_run() {
    let (_, example) = REFERENCE.split_once("```json\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let document = crate::json::parse(example.as_bytes()).expect("JSON");
    let definition = Definition::from_document(document).expect("a definition");
    let plan = Plan::compile(&definition).expect("a plan");
    assert_eq!(plan.webhooks().count(), 1);
    assert!(plan.nodes().iter().all(|node| REFERENCE.contains(&format!("`{}`", node.id))));
}
