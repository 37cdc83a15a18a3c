//! What the expressions of a node can see.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::state::RunState;
use crate::path::Scope;
use crate::workflow::{Kind, NodeIdx};

/// The key under which a run's input stands.
pub const INPUT: &str = "workflow";

/// The key under which the output of the last `set_output` node stands.
pub const OUTPUT: &str = "output";

/// The input, and the outputs of the nodes before one node.
///
/// Only what certainly came before the node is visible: what leads to it, and what it waits for.
/// So what an expression sees does not depend on how fast other branches are.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    state: &'a RunState,
    visible: &'a BTreeSet<NodeIdx>,
}

impl<'a> Context<'a> {
    /// What a node sees that has `visible` before it.
    pub fn new(state: &'a RunState, visible: &'a BTreeSet<NodeIdx>) -> Self {
        Self { state, visible }
    }

    /// The output of the visible `set_output` node that comes last in the definition.
    pub fn set_output(&self) -> Option<&'a Value> {
        let outputs = self.visible.iter().rev().filter(|idx| {
            matches!(&self.state.plan().node(**idx).kind, Kind::Action(action) if action.output.is_some())
        });
        outputs.copied().find_map(|idx| self.state.output(idx)?.get(OUTPUT))
    }

    /// Visible outputs of executor nodes, by node id.
    fn outputs(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let (state, visible) = (self.state, self.visible);
        visible.iter().filter_map(move |idx| {
            let node = state.plan().node(*idx);
            matches!(node.kind, Kind::Executor(_)).then_some(())?;
            Some((node.id.as_str(), state.output(*idx)?))
        })
    }

    /// The whole as an object, with `input` in the place of the run's own input.
    pub(super) fn with_input(&self, input: Value) -> Map<String, Value> {
        let mut whole = Map::new();
        whole.insert(INPUT.to_owned(), input);
        whole.extend(self.outputs().map(|(id, output)| (id.to_owned(), output.clone())));
        if let Some(output) = self.set_output() {
            whole.insert(OUTPUT.to_owned(), output.clone());
        }
        whole
    }
}

impl Scope for Context<'_> {
    fn member(&self, key: &str) -> Option<&Value> {
        match key {
            INPUT => Some(self.state.input()),
            OUTPUT => self.set_output(),
            id => {
                let idx = self.state.plan().find(id)?;
                let node = self.state.plan().node(idx);
                let shows = matches!(node.kind, Kind::Executor(_)) && self.visible.contains(&idx);
                shows.then(|| self.state.output(idx)).flatten()
            }
        }
    }

    fn whole(&self) -> Value {
        Value::Object(self.with_input(self.state.input().clone()))
    }
}
