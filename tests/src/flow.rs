//! Workflows of tests, written down in a line or two.

use serde_json::{Map, Value, json};

use crate::http::Request;

/// A workflow under construction: each node is reached from the one before it.
#[derive(Clone, Debug)]
pub struct Flow {
    method: String,
    path: String,
    name: String,
    nodes: Vec<Value>,
    edges: Vec<Value>,
    settings: Option<Value>,
    /// Where the edge to the next node comes from: a node, and its handle.
    before: Option<(String, Option<&'static str>)>,
}

impl Flow {
    /// A workflow that is reached at a webhook. Its trigger node is `start`.
    pub fn at(method: &str, path: &str) -> Self {
        let data = json!({ "triggerType": "webhook", "method": method, "path": path });
        let name = format!("{method} {path}");
        let flow = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            name,
            nodes: Vec::new(),
            edges: Vec::new(),
            settings: None,
            before: None,
        };
        flow.node("start", "trigger", data)
    }

    /// A request to its webhook, without a body.
    pub fn delivery(&self) -> Request {
        Request::new(&self.method, &format!("/v1/webhooks/{}", self.path))
    }

    /// Gives it another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Adds a call of a provider configuration by POST.
    #[must_use]
    pub fn call(self, id: &str, provider: &str, path: &str) -> Self {
        let data = json!({
            "executorId": "http", "providerConfigId": provider, "method": "POST", "path": path,
        });
        self.node(id, "executor", data)
    }

    /// Adds a condition; the next node is reached if it holds.
    #[must_use]
    pub fn condition(self, id: &str, condition: &str) -> Self {
        self.node(id, "conditional", json!({ "condition": condition }))
    }

    /// Adds an action that sets the output.
    #[must_use]
    pub fn output(self, id: &str, output: Value) -> Self {
        let data = Map::from_iter([
            ("actionType".to_owned(), json!("set_output")),
            ("output".to_owned(), output),
        ]);
        self.node(id, "action", Value::Object(data))
    }

    /// Adds a node of any type, and an edge to it from the node before it.
    #[must_use]
    pub fn node(mut self, id: &str, kind: &str, data: Value) -> Self {
        let mut node = json!({ "id": id, "type": kind, "position": { "x": 0, "y": 0 } });
        node["data"] = data;
        self.nodes.push(node);
        let handle = (kind == "conditional").then_some("true");
        match self.before.replace((id.to_owned(), handle)) {
            None => self,
            Some((source, handle)) => self.edge(&source, id, handle),
        }
    }

    /// Lets the next node be reached from this one instead.
    #[must_use]
    pub fn after(mut self, id: &str, handle: Option<&'static str>) -> Self {
        self.before = Some((id.to_owned(), handle));
        self
    }

    /// Adds one more edge.
    #[must_use]
    pub fn edge(mut self, source: &str, target: &str, handle: Option<&str>) -> Self {
        let id = format!("e{}", self.edges.len());
        let mut edge = json!({ "id": id, "source": source, "target": target });
        if let Some(handle) = handle {
            edge["sourceHandle"] = json!(handle);
        }
        self.edges.push(edge);
        self
    }

    /// Sets a member of the data of the node that was added last.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        if let Some(node) = self.nodes.last_mut() {
            node["data"][member] = value;
        }
        self
    }

    /// Bounds a run, in seconds.
    #[must_use]
    pub fn timeout_seconds(mut self, seconds: u32) -> Self {
        self.settings = Some(json!({ "executionTimeoutSeconds": seconds }));
        self
    }

    /// The body of a request that creates it.
    pub fn to_json(&self) -> Value {
        let mut document = json!({ "name": self.name, "edges": self.edges });
        // Not through `json!`, which would serialize every value once more.
        document["nodes"] = Value::Array(self.nodes.clone());
        if let Some(settings) = &self.settings {
            document["settings"] = settings.clone();
        }
        document
    }
}
