//! What a journal amounts to: the state of an execution as a fold over its entries.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::context::{Context, OUTPUT};
use super::journal::{Entry, Event, Fence};
use super::{Failure, FailureCode};
use crate::time::Timestamp;
use crate::workflow::{EdgeIdx, Kind, NodeIdx, OnUncertain, Plan};

/// A journal that this version of the workflow cannot have written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEntry {
    /// It names a node that the version lacks.
    #[error("the journal names the unknown node {0:?}")]
    UnknownNode(String),
    /// It says that a step ended that had ended before, or that could not have run.
    #[error("the journal lets the step {0:?} end where it cannot")]
    Ended(String),
}

/// How a node stands.
#[derive(Clone, Debug)]
pub(super) enum NodeState {
    /// It has not ended.
    Open(Open),
    /// It is done.
    Done(Arc<Value>),
    /// It failed.
    Failed(Failure),
    /// No branch that was taken leads to it.
    Dead,
}

/// A node that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// The attempt that comes next, from 1.
    pub attempt: u32,
    /// When it may begin, if it has to wait.
    pub due: Option<Timestamp>,
    /// The owner that said it began the attempt that comes next.
    pub begun_under: Option<Fence>,
    /// Whether what leads to it and what it waits for is settled, so that it may run.
    pub ready: bool,
}

/// How an edge stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EdgeState {
    Open,
    Taken,
    Dead,
    /// Its condition cannot be evaluated, which fails the node that it leads to.
    Broken(String),
}

/// The state of an execution: its input, and a fold over its journal.
///
/// The same entries give the same state, in one piece or one at a time, on any replica.
#[derive(Clone, Debug)]
pub struct RunState {
    plan: Arc<Plan>,
    input: Arc<Value>,
    pub(super) nodes: Vec<NodeState>,
    edges: Vec<EdgeState>,
    clock: OwnedClock,
    /// Owners that said they began an attempt, since the last progress.
    marks: BTreeSet<Fence>,
    n_steps: u32,
    output_bytes: usize,
}

/// Adds up how long an execution was owned: its deadline stands still while nobody owns it.
#[derive(Clone, Copy, Debug, Default)]
struct OwnedClock {
    /// Under owners before the last one.
    before: Duration,
    /// The last owner's first sign of work, and its last one.
    last: Option<(Timestamp, Timestamp)>,
    fence: Option<Fence>,
}

impl OwnedClock {
    fn see(&mut self, fence: Fence, at: Timestamp) {
        match &mut self.last {
            // A step that ends later may have begun earlier, and clocks go back.
            Some((first, last)) if self.fence == Some(fence) => {
                *first = (*first).min(at);
                *last = (*last).max(at);
            }
            _ => {
                if let Some((first, last)) = self.last {
                    self.before += last.since(first);
                }
                self.last = Some((at, at));
                self.fence = Some(fence);
            }
        }
    }
}

impl RunState {
    /// The state at acceptance: the start node is done, nothing else has run.
    pub fn new(plan: Arc<Plan>, start: NodeIdx, input: Arc<Value>) -> Self {
        let open = Open { attempt: 1, due: None, begun_under: None, ready: false };
        let mut nodes = vec![NodeState::Open(open); plan.nodes().len()];
        if let Some(node) = nodes.get_mut(start.0) {
            *node = NodeState::Done(Arc::new(Value::Null));
        }
        let edges = vec![EdgeState::Open; plan.edges().len()];
        let (clock, marks) = (OwnedClock::default(), BTreeSet::new());
        let mut state =
            Self { plan, input, nodes, edges, clock, marks, n_steps: 0, output_bytes: 0 };
        state.settle();
        state
    }

    /// Folds a journal, oldest entry first.
    ///
    /// # Errors
    ///
    /// [`IllegalEntry`] if the journal is not one of this version of the workflow.
    pub fn replay<'a>(
        mut self,
        journal: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Self, IllegalEntry> {
        for entry in journal {
            self.apply(entry)?;
        }
        Ok(self)
    }

    /// Folds one more entry.
    ///
    /// # Errors
    ///
    /// [`IllegalEntry`] as in [`replay`](Self::replay); the state is then as it was.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), IllegalEntry> {
        match &entry.event {
            Event::Adopted => {
                // Before the first sign of work there is no deadline that an owner could use up.
                if self.clock.last.is_some() {
                    self.clock.see(entry.fence, entry.at);
                }
                return Ok(());
            }
            Event::Started { node, attempt } => {
                let open = self.open(node)?;
                open.attempt = *attempt;
                open.due = None;
                open.begun_under = Some(entry.fence);
                self.marks.insert(entry.fence);
            }
            Event::Interrupted { node } => {
                self.open(node)?;
                self.marks.remove(&entry.fence);
            }
            Event::RetryAt { node, attempt, due, .. } => {
                let open = self.open(node)?;
                open.attempt = attempt.saturating_add(1);
                open.due = Some(*due);
                open.begun_under = None;
                self.marks.clear();
            }
            Event::Completed { node, run, output } => {
                self.end(node, NodeState::Done(Arc::clone(output)))?;
                self.clock.see(entry.fence, run.started_at);
            }
            Event::Failed { node, run, failure } => {
                self.end(node, NodeState::Failed(failure.clone()))?;
                self.clock.see(entry.fence, run.started_at);
            }
        }
        self.clock.see(entry.fence, entry.at);
        Ok(())
    }

    /// Notes that a step began, for the deadline. Only the first call of a run has an effect: later
    /// owners count from their adoption.
    pub fn begin(&mut self, fence: Fence, at: Timestamp) {
        if self.clock.last.is_none() {
            self.clock.see(fence, at);
        }
    }

    /// When the run's time is up, if it is owned until then. `None` before its first step.
    pub fn deadline(&self) -> Option<Timestamp> {
        let (first, _) = self.clock.last?;
        let timeout = Duration::from_secs(self.plan.settings().execution_timeout_seconds.into());
        Some(first.plus(timeout.saturating_sub(self.clock.before)))
    }

    /// How many owners before `fence` were lost, one after the other, with an attempt begun and
    /// without any progress since.
    pub fn losses(&self, fence: Fence) -> usize {
        self.marks.range(..fence).count()
    }

    /// The version of the workflow that runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The input of the run.
    pub fn input(&self) -> &Value {
        &self.input
    }

    /// How many steps have ended.
    pub const fn n_steps(&self) -> u32 {
        self.n_steps
    }

    /// Roughly how many bytes the outputs of all steps take.
    pub const fn output_bytes(&self) -> usize {
        self.output_bytes
    }

    /// What a node produced, if it is done.
    pub fn output(&self, idx: NodeIdx) -> Option<&Value> {
        match self.nodes.get(idx.0)? {
            NodeState::Done(output) => Some(output),
            NodeState::Open(_) | NodeState::Failed(_) | NodeState::Dead => None,
        }
    }

    /// What the expressions of a node see.
    pub fn context(&self, idx: NodeIdx) -> Context<'_> {
        Context::new(self, self.plan.visible_to(idx))
    }

    /// Whether an attempt of a node that must not be repeated was begun by an earlier owner, so
    /// that nobody knows whether it had an effect.
    pub fn is_uncertain(&self, idx: NodeIdx, fence: Fence) -> bool {
        let NodeState::Open(Open { begun_under: Some(begun), .. }) = &self.nodes[idx.0] else {
            return false;
        };
        let Kind::Executor(executor) = &self.plan.node(idx).kind else { return false };
        executor.on_uncertain == OnUncertain::Fail && *begun < fence
    }

    /// Carries out a node that calls nobody: what it produces, or why it fails.
    ///
    /// `None` for a node that has to call a provider, unless an edge to it is broken.
    pub fn decide(&self, idx: NodeIdx) -> Option<Result<Value, Failure>> {
        if let Some(failure) = self.broken_edge(idx) {
            return Some(Err(failure));
        }
        let node = self.plan.node(idx);
        let failed = |what: &dyn std::fmt::Display| {
            let message = format!("FLK-0504: node {:?}: {what}", node.id);
            Failure::new(FailureCode::StepFailed, message)
        };
        match &node.kind {
            Kind::Executor(_) => None,
            Kind::Trigger(_) => Some(Ok(Value::Null)),
            Kind::Conditional { text, condition } => {
                let result = condition.eval(&self.context(idx)).map_err(|error| failed(&error));
                Some(result.map(|result| {
                    Value::Object(Map::from_iter([
                        ("condition".to_owned(), Value::String(text.clone())),
                        ("result".to_owned(), Value::Bool(result)),
                        ("branchTaken".to_owned(), Value::String(result.to_string())),
                    ]))
                }))
            }
            Kind::Action(action) => {
                let mut data = action.data.clone();
                if let Some(output) = &action.output {
                    match output.render(&self.context(idx)) {
                        Ok(output) => data.insert(OUTPUT.to_owned(), output),
                        Err(error) => return Some(Err(failed(&error))),
                    };
                }
                Some(Ok(Value::Object(data)))
            }
        }
    }

    /// What a run produced whose nodes are all settled: the output of the last `set_output` node in
    /// the definition's order, else everything by node id, the input without what the door added.
    pub fn final_output(&self) -> Map<String, Value> {
        let all = self.plan.all();
        let context = Context::new(self, &all);
        if let Some(Value::Object(output)) = context.set_output() {
            return output.clone();
        }
        let mut input = self.input().clone();
        if let Value::Object(members) = &mut input {
            members.remove("_webhook");
        }
        context.with_input(input)
    }

    fn open(&mut self, id: &str) -> Result<&mut Open, IllegalEntry> {
        let idx = self.plan.find(id).ok_or_else(|| IllegalEntry::UnknownNode(id.to_owned()))?;
        match &mut self.nodes[idx.0] {
            NodeState::Open(open) if open.ready => Ok(open),
            _ => Err(IllegalEntry::Ended(id.to_owned())),
        }
    }

    fn end(&mut self, id: &str, ended: NodeState) -> Result<(), IllegalEntry> {
        self.open(id)?;
        if let NodeState::Done(output) = &ended {
            self.output_bytes = self.output_bytes.saturating_add(weight(output));
        }
        let idx = self.plan.find(id).ok_or_else(|| IllegalEntry::UnknownNode(id.to_owned()))?;
        self.nodes[idx.0] = ended;
        self.n_steps = self.n_steps.saturating_add(1);
        self.marks.clear();
        self.settle();
        Ok(())
    }

    /// Carries what has ended forward: along edges that are taken, and along edges that are dead.
    ///
    /// Nodes come in an order in which everything that a node waits for comes before it, so one
    /// pass is enough.
    fn settle(&mut self) {
        let plan = Arc::clone(&self.plan);
        for idx in plan.order() {
            let is_waiting = matches!(&self.nodes[idx.0], NodeState::Open(open) if !open.ready);
            if is_waiting && self.is_all_settled_before(*idx) {
                self.settle_node(&plan, *idx);
            }
        }
    }

    /// Whether everything is settled that a node waits for, and so all that it can see.
    ///
    /// Asked before the node is found dead as well: otherwise a node behind it would see what the
    /// dead one waited for, or not, depending on who is faster.
    fn is_all_settled_before(&self, idx: NodeIdx) -> bool {
        let node = self.plan.node(idx);
        let mut edges = node.incoming.iter().map(|edge| self.plan.edge(*edge));
        node.reads.iter().all(|read| self.is_settled(*read))
            && edges.all(|edge| {
                self.is_settled(edge.source) && edge.reads.iter().all(|it| self.is_settled(*it))
            })
    }

    fn is_settled(&self, idx: NodeIdx) -> bool {
        !matches!(self.nodes[idx.0], NodeState::Open(_))
    }

    fn settle_node(&mut self, plan: &Plan, idx: NodeIdx) {
        let node = plan.node(idx);
        for edge in &node.incoming {
            self.edges[edge.0] = self.settle_edge(plan, *edge);
        }
        if node.incoming.iter().all(|edge| self.edges[edge.0] == EdgeState::Dead) {
            self.nodes[idx.0] = NodeState::Dead;
        } else if matches!(node.kind, Kind::Trigger(_)) && self.broken_edge(idx).is_none() {
            // A trigger in the middle of a graph does nothing and leaves no step.
            self.nodes[idx.0] = NodeState::Done(Arc::new(Value::Null));
        } else if let NodeState::Open(open) = &mut self.nodes[idx.0] {
            open.ready = true;
        }
    }

    /// How an edge stands, once everything is settled that its target waits for.
    fn settle_edge(&self, plan: &Plan, idx: EdgeIdx) -> EdgeState {
        let edge = plan.edge(idx);
        let NodeState::Done(source) = &self.nodes[edge.source.0] else { return EdgeState::Dead };
        let is_conditional = matches!(plan.node(edge.source).kind, Kind::Conditional { .. });
        if is_conditional
            && edge.handle.as_deref() != source.get("branchTaken").and_then(Value::as_str)
        {
            return EdgeState::Dead;
        }
        let Some(condition) = &edge.condition else { return EdgeState::Taken };
        match condition.eval(&self.context(edge.target)) {
            Ok(true) => EdgeState::Taken,
            Ok(false) => EdgeState::Dead,
            Err(error) => EdgeState::Broken(error.to_string()),
        }
    }

    fn broken_edge(&self, idx: NodeIdx) -> Option<Failure> {
        let node = self.plan.node(idx);
        node.incoming.iter().find_map(|edge| match &self.edges[edge.0] {
            EdgeState::Broken(reason) => {
                let message = format!("FLK-0504: edge {:?}: {reason}", self.plan.edge(*edge).id);
                Some(Failure::new(FailureCode::StepFailed, message))
            }
            EdgeState::Open | EdgeState::Taken | EdgeState::Dead => None,
        })
    }
}

/// Roughly how many bytes a value takes as text, without writing it.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| weight(item) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + weight(value) + 4).sum::<usize>() + 2
        }
    }
}
