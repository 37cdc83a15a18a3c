//! Graphs written as text, a line for each node and each edge.
//!
//! ```text
//! start: trigger
//! a: call {{ b.v }}        an executor, and what its path reads
//! a: call once             an executor that must not be repeated
//! c: if workflow.flag
//! o: set {"x": 1}
//! l: log                   an action that does nothing
//! start -> a
//! c -true-> a if b.v > 1
//! ```

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::json;
use crate::workflow::{Definition, Edge, Node, Plan};

/// The input of all runs.
pub(super) fn input() -> Arc<Value> {
    Arc::new(json!({ "flag": true, "n": 5, "text": "hello", "_webhook": { "method": "POST" } }))
}

pub(super) fn plan(text: &str) -> Arc<Plan> {
    let plan = Plan::compile(&definition(text));
    Arc::new(plan.unwrap_or_else(|violations| panic!("{text}\n{violations:?}")))
}

fn definition(text: &str) -> Definition {
    let mut definition = Definition::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((id, what)) = line.split_once(": ") {
            definition.nodes.push(node(id, what));
        } else {
            definition.edges.push(edge(line));
        }
    }
    definition
}

fn node(id: &str, what: &str) -> Node {
    let (kind, rest) = what.split_once(' ').unwrap_or((what, ""));
    let (kind, data) = match kind {
        "trigger" => ("trigger", json!({})),
        "call" if rest == "once" => {
            ("executor", json!({ "executorId": "x", "onUncertain": "fail" }))
        }
        "call" => ("executor", json!({ "executorId": "x", "path": rest })),
        "if" => ("conditional", json!({ "condition": rest })),
        "set" => {
            let output =
                json::parse(rest.as_bytes()).unwrap_or_else(|error| panic!("{rest}: {error}"));
            ("action", json!({ "actionType": "set_output", "output": output }))
        }
        "log" => ("action", json!({ "actionType": "log" })),
        other => panic!("{other} is no kind of node"),
    };
    let Value::Object(data) = data else { unreachable!("all of them are objects") };
    Node { id: id.to_owned(), kind: kind.to_owned(), data, ..Node::default() }
}

fn edge(line: &str) -> Edge {
    let (ends, condition) = match line.split_once(" if ") {
        Some((ends, condition)) => (ends, Some(condition.to_owned())),
        None => (line, None),
    };
    let parts: Vec<_> = ends.split(' ').collect();
    let [source, arrow, target] = parts[..] else { panic!("{line} is no edge") };
    let handle = arrow.trim_start_matches('-').trim_end_matches("->").trim_end_matches('-');
    let handle = Some(handle).filter(|it| !it.is_empty() && *it != ">");
    Edge {
        id: ends.to_owned(),
        source: source.to_owned(),
        target: target.to_owned(),
        source_handle: handle.map(str::to_owned),
        condition,
        label: None,
    }
}

#[test]
fn lines_are_read_as_they_look() {
    let definition = definition("c: if a > 1\nc -true-> b if x == 1\nb -> d");
    assert_eq!(definition.nodes[0].kind, "conditional");
    assert_eq!(
        definition.nodes[0].data,
        Map::from_iter([("condition".to_owned(), json!("a > 1"))])
    );
    let [first, second] = &definition.edges[..] else { panic!("two edges") };
    assert_eq!((&*first.source, &*first.target), ("c", "b"));
    assert_eq!(first.source_handle.as_deref(), Some("true"));
    assert_eq!(first.condition.as_deref(), Some("x == 1"));
    assert_eq!((second.source_handle.as_deref(), second.condition.as_deref()), (None, None));
}
