//! What an execution does next, as values: deciding is pure, doing comes after.

use std::collections::BTreeSet;

use super::Outcome;
use super::state::{NodeState, RunState};
use crate::time::Timestamp;
use crate::workflow::NodeIdx;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Begin these steps. Empty: wait for one that is in flight.
    Start(Vec<Start>),
    /// Write down this end.
    Finish(Outcome),
}

/// A step that may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The node.
    pub node: NodeIdx,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Not before this moment.
    pub due: Option<Timestamp>,
}

/// Decides what an execution does next, from its state and the steps that are in flight.
///
/// - Every node whose branches and reads are settled is started, in the definition's order.
/// - The first failure stops new attempts; what is in flight ends first. The failure reported is
///   the one that comes first in the definition.
/// - With nothing left to start and nothing in flight, the run is completed.
pub fn advance(state: &RunState, in_flight: &BTreeSet<NodeIdx>) -> Next {
    let failure = state.nodes.iter().find_map(|node| match node {
        NodeState::Failed(failure) => Some(failure),
        NodeState::Open(_) | NodeState::Done(_) | NodeState::Dead => None,
    });
    let start: Vec<_> = match failure {
        Some(failure) if in_flight.is_empty() => {
            return Next::Finish(Outcome::Failed(failure.clone()));
        }
        Some(_) => Vec::new(),
        None => startable(state, in_flight).collect(),
    };
    if start.is_empty() && in_flight.is_empty() {
        return Next::Finish(Outcome::Completed { output: state.final_output() });
    }
    Next::Start(start)
}

fn startable(state: &RunState, in_flight: &BTreeSet<NodeIdx>) -> impl Iterator<Item = Start> {
    let nodes = (0..).map(NodeIdx).zip(&state.nodes);
    nodes.filter_map(|(node, it)| match it {
        NodeState::Open(open) if open.ready && !in_flight.contains(&node) => {
            Some(Start { node, attempt: open.attempt, due: open.due })
        }
        NodeState::Open(_) | NodeState::Done(_) | NodeState::Failed(_) | NodeState::Dead => None,
    })
}

#[cfg(test)]
mod tests;
