//! The graph of a workflow as it is written and stored.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::plan::Executor;
use crate::id::ProviderConfigId;
use crate::members::Members;
use crate::refusal::Fault;

/// How long a run may take by default, in seconds (contract: 5 minutes).
const EXECUTION_TIMEOUT_SECONDS: u32 = 300;

/// The longest run that may be asked for, in seconds: 30 days.
const EXECUTION_TIMEOUT_SECONDS_MAX: u32 = 30 * 24 * 3600;

/// A graph: nodes, the edges between them, and settings of a run.
///
/// Any graph can be held; whether it can run is what [`Plan::compile`](super::Plan::compile) says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// In the order in which they were sent.
    pub nodes: Vec<Node>,
    /// In the order in which they were sent.
    pub edges: Vec<Edge>,
    /// Of each run.
    pub settings: Settings,
}

/// Settings of each run of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a run may take, in seconds from its first step's start.
    pub execution_timeout_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { execution_timeout_seconds: EXECUTION_TIMEOUT_SECONDS }
    }
}

/// One node, its type and data not looked into.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Unique within a graph that can run.
    pub id: String,
    /// `trigger`, `executor`, `conditional`, `action`, or anything in a draft.
    pub kind: String,
    /// For people.
    pub name: Option<String>,
    /// Where an editor draws it.
    pub position: Position,
    /// What the type asks for.
    pub data: Map<String, Value>,
}

/// Where an editor draws a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// To the right.
    pub x: i64,
    /// Down.
    pub y: i64,
}

/// One edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// Unique within a graph that can run.
    pub id: String,
    /// Id of the node it leaves.
    pub source: String,
    /// Id of the node it enters.
    pub target: String,
    /// Which outcome of a conditional node it belongs to: `true` or `false`.
    pub source_handle: Option<String>,
    /// A condition; false kills the edge.
    pub condition: Option<String>,
    /// For people.
    pub label: Option<String>,
}

impl Definition {
    /// Takes `nodes`, `edges` and `settings` out of a document.
    pub fn read(document: &mut Members<'_>) -> Self {
        Self {
            nodes: document.each("nodes", Node::read),
            edges: document.each("edges", Edge::read),
            settings: document.nested("settings").map(Settings::read).unwrap_or_default(),
        }
    }

    /// Reads a stored document of nothing but `nodes`, `edges` and `settings`.
    ///
    /// # Errors
    ///
    /// Every member that has the wrong type.
    pub fn from_document(document: Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let definition = Self::read(&mut Members::of(document, "", &mut faults));
        if faults.is_empty() { Ok(definition) } else { Err(faults) }
    }

    /// The provider configurations that executor nodes name, each once, in their order.
    pub fn provider_configs(&self) -> Vec<ProviderConfigId> {
        let nodes = self.nodes.iter().enumerate().filter(|(_, node)| node.kind == "executor");
        let named = nodes.filter_map(|(idx, node)| {
            let (executor, _) = Executor::read(idx, node);
            ProviderConfigId::parse(executor.provider_config_id.as_deref()?).ok()
        });
        named.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The document that [`from_document`](Self::from_document) reads.
    pub fn to_document(&self) -> Value {
        let mut document = json!({ "nodes": null, "edges": null });
        // Not through `json!`: that would serialize every value once more, and write `1E+5` anew.
        document["nodes"] = self.nodes.iter().map(Node::to_document).collect();
        document["edges"] = self.edges.iter().map(Edge::to_document).collect();
        if self.settings != Settings::default() {
            document["settings"] =
                json!({ "executionTimeoutSeconds": self.settings.execution_timeout_seconds });
        }
        document
    }
}

impl Settings {
    fn read(mut members: Members<'_>) -> Self {
        let timeout =
            members.integer_within("executionTimeoutSeconds", 1, EXECUTION_TIMEOUT_SECONDS_MAX);
        timeout.map_or_else(Self::default, |execution_timeout_seconds| Self {
            execution_timeout_seconds,
        })
    }
}

impl Node {
    fn read(mut members: Members<'_>) -> Self {
        Self {
            id: members.string("id").unwrap_or_default(),
            kind: members.string("type").unwrap_or_default(),
            name: members.string("name"),
            position: members.nested("position").map(Position::read).unwrap_or_default(),
            data: members.object("data").unwrap_or_default(),
        }
    }

    fn to_document(&self) -> Value {
        let mut document = json!({
            "id": self.id,
            "type": self.kind,
            "position": { "x": self.position.x, "y": self.position.y },
        });
        if let Some(name) = &self.name {
            document["name"] = json!(name);
        }
        if !self.data.is_empty() {
            // Not through `json!`: that would serialize every value once more.
            document["data"] = Value::Object(self.data.clone());
        }
        document
    }
}

impl Position {
    fn read(mut members: Members<'_>) -> Self {
        Self {
            x: members.integer("x").unwrap_or_default(),
            y: members.integer("y").unwrap_or_default(),
        }
    }
}

impl Edge {
    fn read(mut members: Members<'_>) -> Self {
        Self {
            id: members.string("id").unwrap_or_default(),
            source: members.string("source").unwrap_or_default(),
            target: members.string("target").unwrap_or_default(),
            source_handle: members.string("sourceHandle"),
            condition: members.string("condition"),
            label: members.string("label"),
        }
    }

    fn to_document(&self) -> Value {
        let mut document = json!({ "id": self.id, "source": self.source, "target": self.target });
        let optional = [
            ("sourceHandle", &self.source_handle),
            ("condition", &self.condition),
            ("label", &self.label),
        ];
        for (name, text) in optional {
            if let Some(text) = text {
                document[name] = json!(text);
            }
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_as_it_went() {
        let mut document = json!({
            "nodes": [
                {"id": "t", "type": "trigger", "position": {"x": -3, "y": 4}, "name": "T",
                 "data": {"path": "/a", "deep": {"n": 1.50}}},
                {"id": "o", "type": "whatever", "position": {"x": 0, "y": 0}},
            ],
            "edges": [
                {"id": "e", "source": "t", "target": "o", "sourceHandle": "true",
                 "condition": "a.b", "label": "l"},
                {"id": "f", "source": "t", "target": "o"},
            ],
            "settings": {"executionTimeoutSeconds": 7},
        });
        let exponent = crate::json::parse(b"1E+5").expect("a number");
        document["nodes"][0]["data"]["deep"]["e"] = exponent;
        let definition = Definition::from_document(document.clone()).expect("a definition");
        assert_eq!(definition.to_document(), document);
    }

    #[test]
    fn wrong_types_are_named_all_at_once() {
        let document = json!({
            "nodes": [{"id": 1, "position": {"x": 1.5}}, "n"],
            "edges": {},
            "settings": {"executionTimeoutSeconds": 0},
        });
        let faults = Definition::from_document(document).expect_err("wrong types");
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "nodes[0].id",
                "nodes[0].position.x",
                "nodes[1]",
                "edges",
                "settings.executionTimeoutSeconds"
            ]
        );
    }
}
