//! A graph made ready to run: every expression parsed, every reference resolved, no circle in it.

mod compile;
mod node;

pub use compile::Violation;
pub use node::{Action, Executor, Input, Kind, OnUncertain, Rate, Retry, Trigger, Webhook};

use std::collections::{BTreeMap, BTreeSet};

use super::definition::{Definition, Settings};
use crate::condition::Condition;

/// Position of a node in the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIdx(pub usize);

/// Position of an edge in the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeIdx(pub usize);

/// A graph that can run.
///
/// Invariants: ids are unique, every reference leads to a node, and nodes wait for each other in no
/// circle.
#[derive(Debug)]
pub struct Plan {
    nodes: Vec<PlanNode>,
    edges: Vec<PlanEdge>,
    by_id: BTreeMap<String, NodeIdx>,
    order: Vec<NodeIdx>,
    visible: Vec<BTreeSet<NodeIdx>>,
    settings: Settings,
}

/// A node that can run.
#[derive(Debug)]
pub struct PlanNode {
    /// Its id.
    pub id: String,
    /// Its name, or `<type>_<id>`: what results call the step.
    pub step_name: String,
    /// What it does.
    pub kind: Kind,
    /// Edges that lead to it.
    pub incoming: Vec<EdgeIdx>,
    /// Nodes whose outputs its expressions read: it waits for them, with or without an edge.
    pub reads: BTreeSet<NodeIdx>,
}

/// An edge that can be followed.
#[derive(Debug)]
pub struct PlanEdge {
    /// Its id.
    pub id: String,
    /// The node it leaves.
    pub source: NodeIdx,
    /// The node it enters.
    pub target: NodeIdx,
    /// Which outcome of a conditional source it belongs to.
    pub handle: Option<String>,
    /// False kills the edge.
    pub condition: Option<Condition>,
    /// Nodes whose outputs the condition reads.
    pub reads: BTreeSet<NodeIdx>,
}

impl Plan {
    /// Makes a graph ready to run.
    ///
    /// # Errors
    ///
    /// Every violation, in the order in which the checks of an activation stand.
    pub fn compile(definition: &Definition) -> Result<Self, Vec<Violation>> {
        compile::compile(definition)
    }

    /// The edges of a definition that leave or enter no node: what is wrong with a graph even while
    /// it is a draft.
    pub fn dangling_edges(definition: &Definition) -> Vec<Violation> {
        compile::dangling(definition)
    }

    /// All nodes, in the definition's order.
    pub fn nodes(&self) -> &[PlanNode] {
        &self.nodes
    }

    /// All edges, in the definition's order.
    pub fn edges(&self) -> &[PlanEdge] {
        &self.edges
    }

    /// One node.
    ///
    /// # Panics
    ///
    /// If `idx` is of another plan.
    pub fn node(&self, idx: NodeIdx) -> &PlanNode {
        &self.nodes[idx.0]
    }

    /// One edge.
    ///
    /// # Panics
    ///
    /// If `idx` is of another plan.
    pub fn edge(&self, idx: EdgeIdx) -> &PlanEdge {
        &self.edges[idx.0]
    }

    /// The node with this id.
    pub fn find(&self, id: &str) -> Option<NodeIdx> {
        self.by_id.get(id).copied()
    }

    /// All nodes, each after everything that it waits for.
    pub fn order(&self) -> &[NodeIdx] {
        &self.order
    }

    /// The nodes whose outputs a node's expressions can see: those that lead to it, those that it
    /// waits for, and what those could see.
    pub fn visible_to(&self, idx: NodeIdx) -> &BTreeSet<NodeIdx> {
        &self.visible[idx.0]
    }

    /// Every node.
    pub fn all(&self) -> BTreeSet<NodeIdx> {
        (0..self.nodes.len()).map(NodeIdx).collect()
    }

    /// Settings of each run.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The first trigger node: where a run starts that no webhook started.
    pub fn first_trigger(&self) -> Option<NodeIdx> {
        self.triggers().map(|(idx, _)| idx).next()
    }

    /// The trigger nodes that register a webhook.
    pub fn webhooks(&self) -> impl Iterator<Item = (NodeIdx, &Webhook)> {
        self.triggers().filter_map(|(idx, trigger)| Some((idx, trigger.webhook.as_ref()?)))
    }

    /// How many steps a run can have.
    pub fn n_steps(&self) -> u32 {
        let n_triggers = self.triggers().count();
        u32::try_from(self.nodes.len() - n_triggers).unwrap_or(u32::MAX)
    }

    fn triggers(&self) -> impl Iterator<Item = (NodeIdx, &Trigger)> {
        (0..).map(NodeIdx).zip(&self.nodes).filter_map(|(idx, node)| match &node.kind {
            Kind::Trigger(trigger) => Some((idx, trigger)),
            Kind::Executor(_) | Kind::Conditional { .. } | Kind::Action(_) => None,
        })
    }
}

#[cfg(test)]
mod tests;
