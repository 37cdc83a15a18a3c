//! From a definition to a plan, collecting everything that stands in the way.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{self, Kind};
use super::{EdgeIdx, NodeIdx, Plan, PlanEdge, PlanNode};
use crate::code::Code;
use crate::condition::Condition;
use crate::path::Path;
use crate::refusal::Fault;
use crate::workflow::{Definition, Edge, Node};

/// Something that keeps a graph from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What a client is told.
    pub code: Code,
    /// Which member is at fault, such as `nodes[2].data.condition`.
    pub fault: Fault,
}

/// The checks, in the order in which an activation makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    Dangling,
    Cycle,
    Duplicate,
    Node,
    Condition,
    Trigger,
    Executor,
    Transforms,
}

/// Collects violations while a graph is read.
#[derive(Default)]
pub(super) struct Checks {
    found: Vec<(Check, Violation)>,
    at: String,
}

impl Checks {
    /// Nothing yet, about to read the node at `idx`.
    pub(super) fn of_node(idx: usize) -> Self {
        Self { found: Vec::new(), at: format!("nodes[{idx}]") }
    }

    /// All that was found, in the order of the checks.
    pub(super) fn into_violations(mut self) -> Vec<Violation> {
        self.found.sort_by_key(|(check, _)| *check);
        self.found.into_iter().map(|(_, violation)| violation).collect()
    }

    /// Records a fault of the member that is being read.
    pub(super) fn fail(&mut self, check: Check, code: Code, fault: Fault) {
        let fault = fault.below(&self.at);
        self.found.push((check, Violation { code, fault }));
    }

    /// Records several.
    pub(super) fn fail_all(&mut self, check: Check, code: Code, faults: Vec<Fault>) {
        for fault in faults {
            self.fail(check, code, fault);
        }
    }
}

pub(super) fn compile(definition: &Definition) -> Result<Plan, Vec<Violation>> {
    let mut checks = Checks::default();
    let by_id = index_nodes(&definition.nodes, &mut checks);
    let edges = read_edges(&definition.edges, &by_id, &mut checks);
    let nodes = read_nodes(&definition.nodes, &edges, &by_id, &mut checks);
    let mut waits = waits(&nodes, &edges);
    forget_ambiguous(&definition.nodes, &by_id, &mut waits);
    let order = order(&waits).unwrap_or_else(|circle| {
        let names: Vec<_> = circle.iter().map(|idx| definition.nodes[idx.0].id.as_str()).collect();
        let message = match names.as_slice() {
            [name] => format!("the node {name} waits for itself; cut the edge or the reference"),
            _ => format!(
                "the nodes {} wait for each other; cut one of the edges or references between them",
                names.join(", ")
            ),
        };
        checks.at = format!("nodes[{}]", circle.first().map_or(0, |idx| idx.0));
        checks.fail(Check::Cycle, Code::GraphCyclic, Fault::new("", message));
        Vec::new()
    });
    if !checks.found.is_empty() {
        return Err(checks.into_violations());
    }
    let visible = visible(&order, &waits);
    // Without a violation every node and edge was read.
    let nodes = nodes.into_iter().flatten().collect();
    let edges = edges.into_iter().flatten().collect();
    Ok(Plan { nodes, edges, by_id, order, visible, settings: definition.settings })
}

/// Edges that leave or enter no node. Takes time in proportion to the definition, however large.
pub(super) fn dangling(definition: &Definition) -> Vec<Violation> {
    let mut checks = Checks::default();
    let by_id = index_nodes(&definition.nodes, &mut checks);
    read_edges(&definition.edges, &by_id, &mut checks);
    checks.found.retain(|(check, _)| *check == Check::Dangling);
    checks.into_violations()
}

fn index_nodes(nodes: &[Node], checks: &mut Checks) -> BTreeMap<String, NodeIdx> {
    let mut by_id = BTreeMap::new();
    for (idx, node) in nodes.iter().enumerate() {
        if let Some(NodeIdx(first)) = by_id.get(&node.id) {
            checks.at = format!("nodes[{idx}]");
            let message =
                format!("{:?} is also the id of nodes[{first}]; ids must differ", node.id);
            checks.fail(Check::Duplicate, Code::IdDuplicate, Fault::new("id", message));
        } else {
            by_id.insert(node.id.clone(), NodeIdx(idx));
        }
    }
    by_id
}

fn read_edges(
    edges: &[Edge],
    by_id: &BTreeMap<String, NodeIdx>,
    checks: &mut Checks,
) -> Vec<Option<PlanEdge>> {
    let mut seen = BTreeMap::new();
    let mut read = Vec::new();
    for (idx, edge) in edges.iter().enumerate() {
        checks.at = format!("edges[{idx}]");
        if let Some(first) = seen.insert(&edge.id, idx) {
            let message =
                format!("{:?} is also the id of edges[{first}]; ids must differ", edge.id);
            checks.fail(Check::Duplicate, Code::IdDuplicate, Fault::new("id", message));
        }
        read.push(read_edge(edge, by_id, checks));
    }
    read
}

fn read_edge(
    edge: &Edge,
    by_id: &BTreeMap<String, NodeIdx>,
    checks: &mut Checks,
) -> Option<PlanEdge> {
    let mut end = |name: &str, id: &str| {
        let idx = by_id.get(id).copied();
        if idx.is_none() {
            let message = format!("{id:?} is no node's id");
            checks.fail(Check::Dangling, Code::EdgeDangling, Fault::new(name, message));
        }
        idx
    };
    let (source, target) = (end("source", &edge.source), end("target", &edge.target));
    let condition = match edge.condition.as_deref().filter(|text| !text.trim().is_empty()) {
        None => None,
        Some(text) => match Condition::parse(text) {
            Ok(condition) => Some(condition),
            Err(error) => {
                let fault = Fault::new("condition", error);
                checks.fail(Check::Condition, Code::ConditionInvalid, fault);
                None
            }
        },
    };
    let roots = condition.iter().flat_map(Condition::paths).map(Path::root);
    let reads = roots.filter_map(|root| by_id.get(root).copied()).collect();
    Some(PlanEdge {
        id: edge.id.clone(),
        source: source?,
        target: target?,
        handle: edge.source_handle.clone(),
        condition,
        reads,
    })
}

fn read_nodes(
    nodes: &[Node],
    edges: &[Option<PlanEdge>],
    by_id: &BTreeMap<String, NodeIdx>,
    checks: &mut Checks,
) -> Vec<Option<PlanNode>> {
    let mut incoming = vec![Vec::new(); nodes.len()];
    for (idx, edge) in edges.iter().enumerate() {
        if let Some(edge) = edge {
            incoming[edge.target.0].push(EdgeIdx(idx));
        }
    }
    let mut read = Vec::new();
    for (idx, (node, incoming)) in nodes.iter().zip(incoming).enumerate() {
        checks.at = format!("nodes[{idx}]");
        read.push(node::read(node, checks).map(|kind| plan_node(node, kind, incoming, by_id)));
    }
    read
}

fn plan_node(
    node: &Node,
    kind: Kind,
    incoming: Vec<EdgeIdx>,
    by_id: &BTreeMap<String, NodeIdx>,
) -> PlanNode {
    let reads = kind.roots().iter().filter_map(|root| by_id.get(root).copied()).collect();
    let step_name = node.name.clone().unwrap_or_else(|| format!("{}_{}", node.kind, node.id));
    PlanNode { id: node.id.clone(), step_name, kind, incoming, reads }
}

/// What each node waits for: what leads to it, what it reads, and what the conditions of the edges
/// to it read.
fn waits(nodes: &[Option<PlanNode>], edges: &[Option<PlanEdge>]) -> Vec<BTreeSet<NodeIdx>> {
    let mut waits: Vec<BTreeSet<NodeIdx>> = nodes
        .iter()
        .map(|node| node.as_ref().map_or_else(BTreeSet::new, |it| it.reads.clone()))
        .collect();
    for edge in edges.iter().flatten() {
        waits[edge.target.0].insert(edge.source);
        waits[edge.target.0].extend(&edge.reads);
    }
    waits
}

/// Drops waits of and for nodes whose id another node has, too: who is meant cannot be told before
/// that is mended.
fn forget_ambiguous(
    nodes: &[Node],
    by_id: &BTreeMap<String, NodeIdx>,
    waits: &mut [BTreeSet<NodeIdx>],
) {
    for (idx, node) in nodes.iter().enumerate() {
        let Some(first) = by_id.get(&node.id).filter(|first| first.0 != idx) else { continue };
        waits[first.0].clear();
        for others in &mut *waits {
            others.remove(first);
        }
    }
}

/// Every node after all that it waits for.
///
/// # Errors
///
/// Nodes that wait for each other, in the order in which they do.
fn order(waits: &[BTreeSet<NodeIdx>]) -> Result<Vec<NodeIdx>, Vec<NodeIdx>> {
    let mut order = Vec::with_capacity(waits.len());
    let mut placed = vec![false; waits.len()];
    while order.len() < waits.len() {
        let n_before = order.len();
        for idx in 0..waits.len() {
            if !placed[idx] && waits[idx].iter().all(|it| placed[it.0]) {
                placed[idx] = true;
                order.push(NodeIdx(idx));
            }
        }
        if order.len() == n_before {
            return Err(circle(waits, &placed));
        }
    }
    Ok(order)
}

/// Follows waits among the nodes that could not be placed until one comes again: since each of
/// them waits for another of them, that must happen.
fn circle(waits: &[BTreeSet<NodeIdx>], placed: &[bool]) -> Vec<NodeIdx> {
    let mut walk: Vec<NodeIdx> = Vec::new();
    let mut next = placed.iter().position(|placed| !placed).map(NodeIdx);
    while let Some(idx) = next {
        if let Some(from) = walk.iter().position(|it| *it == idx) {
            return walk.split_off(from);
        }
        walk.push(idx);
        next = waits[idx.0].iter().find(|it| !placed[it.0]).copied();
    }
    walk
}

fn visible(order: &[NodeIdx], waits: &[BTreeSet<NodeIdx>]) -> Vec<BTreeSet<NodeIdx>> {
    let mut visible = vec![BTreeSet::new(); waits.len()];
    for idx in order {
        let mut seen = waits[idx.0].clone();
        for before in &waits[idx.0] {
            seen.extend(&visible[before.0]);
        }
        visible[idx.0] = seen;
    }
    visible
}
