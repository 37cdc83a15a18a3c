//! Laws of all runs: random graphs, random failures, random order, random crashes.

use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::*;
use crate::path::Scope;
use crate::workflow::{Kind, OnUncertain};

const NODES_MAX: usize = 10;
const EDGES_MAX: usize = 18;

/// A node, before it is known which nodes come before it.
#[derive(Clone, Debug)]
struct NodeSeed {
    kind: u8,
    expression: u8,
    other: usize,
    parent: usize,
    fate: Fate,
}

/// What becomes of the calls of a node.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Done,
    DoneAfterRetries(u32),
    Failed,
}

#[derive(Clone, Debug)]
struct EdgeSeed {
    ends: (usize, usize),
    handle: u8,
    expression: u8,
    other: usize,
}

/// A graph whose nodes wait only for nodes with smaller numbers, written in any order.
#[derive(Clone, Debug)]
struct GraphSeed {
    nodes: Vec<NodeSeed>,
    edges: Vec<EdgeSeed>,
    order: Vec<usize>,
}

fn graph_seed() -> impl Strategy<Value = GraphSeed> {
    let fate = prop_oneof![
        20 => Just(Fate::Done),
        4 => (1_u32..3).prop_map(Fate::DoneAfterRetries),
        1 => Just(Fate::Failed),
    ];
    let node = (0_u8..24, 0_u8..24, any::<usize>(), any::<usize>(), fate).prop_map(
        |(kind, expression, other, parent, fate)| NodeSeed {
            kind,
            expression,
            other,
            parent,
            fate,
        },
    );
    let edge = ((0..NODES_MAX, 0..NODES_MAX), 0_u8..4, 0_u8..24, any::<usize>())
        .prop_map(|(ends, handle, expression, other)| EdgeSeed { ends, handle, expression, other });
    (2..NODES_MAX).prop_flat_map(move |n_nodes| {
        let nodes = proptest::collection::vec(node.clone(), n_nodes);
        let edges = proptest::collection::vec(edge.clone(), 1..EDGES_MAX);
        let order = Just((0..n_nodes).collect::<Vec<_>>()).prop_shuffle();
        (nodes, edges, order).prop_map(|(nodes, edges, order)| GraphSeed { nodes, edges, order })
    })
}

/// A condition that reads `other`, or something that is there, or not, or of the wrong type.
fn condition(expression: u8, other: &str) -> String {
    match expression {
        0 | 1 => "workflow.flag".to_owned(),
        2 => "workflow.flag == false".to_owned(),
        3 => "workflow.text > 1".to_owned(),
        4 | 5 => "exists(output.x)".to_owned(),
        6 | 7 => "output.x != 'n3'".to_owned(),
        8 => format!("exists({other}.v)"),
        9 => format!("{other}.v >= 3 AND exists({other}.v)"),
        _ => format!("NOT {other}.v < 3 OR NOT exists({other}.v)"),
    }
}

impl GraphSeed {
    /// The name of a node that stands before the `n`-th.
    fn before(n: usize, other: usize) -> String {
        let before = other % n;
        if before == 0 { "start".to_owned() } else { format!("n{before}") }
    }

    fn node_line(&self, n: usize) -> String {
        if n == 0 {
            return "start: trigger".to_owned();
        }
        let NodeSeed { kind, expression, other, .. } = self.nodes[n];
        let other = Self::before(n, other);
        match kind {
            0..8 => format!("n{n}: call"),
            8..10 => format!("n{n}: call {{{{ {other}.v }}}}"),
            10 => format!("n{n}: call once"),
            11..17 => format!("n{n}: if {}", condition(expression, &other)),
            17 if expression < 6 => format!(r#"n{n}: set {{"x": "{{{{ output.x }}}}"}}"#),
            17 if expression < 12 => format!(r#"n{n}: set {{"x": "{{{{ {other}.v }}}}"}}"#),
            17..22 => format!(r#"n{n}: set {{"x": "n{n}"}}"#),
            22 => format!("n{n}: log"),
            _ => format!("n{n}: trigger"),
        }
    }

    fn edge_line(&self, edge: &EdgeSeed) -> Option<String> {
        let EdgeSeed { ends, handle, expression, other } = *edge;
        let (source, target) = (ends.0.min(ends.1), ends.0.max(ends.1));
        if source == target || self.nodes.len() <= target {
            return None;
        }
        let name = |n: usize| if n == 0 { "start".to_owned() } else { format!("n{n}") };
        let is_conditional = source != 0 && (11..17).contains(&self.nodes[source].kind);
        let arrow = match handle {
            0..5 if is_conditional => "-true->",
            5.. if is_conditional => "-false->",
            _ => "->",
        };
        let ends = format!("{} {arrow} {}", name(source), name(target));
        Some(if expression < 12 {
            format!("{ends} if {}", condition(expression, &Self::before(target, other)))
        } else {
            ends
        })
    }

    /// Every node but the first has an edge that leads to it; some have more.
    fn all_edges(&self) -> Vec<EdgeSeed> {
        let parents = self.nodes.iter().enumerate().skip(1).map(|(n, node)| EdgeSeed {
            ends: (node.parent % n, n),
            handle: u8::from(node.parent % 2 == 0) * 9,
            expression: u8::MAX,
            other: 0,
        });
        parents.chain(self.edges.iter().cloned()).collect()
    }

    fn text(&self) -> String {
        let mut lines: Vec<_> = self.order.iter().map(|n| self.node_line(*n)).collect();
        let mut seen = BTreeSet::new();
        for line in self.all_edges().iter().filter_map(|edge| self.edge_line(edge)) {
            let ends = line.split(" if ").next().expect("a text has a first part").to_owned();
            if seen.insert(ends) {
                lines.push(line);
            }
        }
        lines.join("\n")
    }

    fn fate(&self, id: &str) -> Fate {
        let n = id.strip_prefix('n').and_then(|n| n.parse::<usize>().ok());
        n.map_or(Fate::Done, |n| self.nodes[n].fate)
    }
}

/// Everything about a state that can be told from outside.
pub(super) fn picture(state: &RunState) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {} {} {}",
        state.nodes,
        advance(state, &BTreeSet::new()),
        state.deadline(),
        state.final_output(),
        state.losses(Fence(u64::MAX)),
        state.n_steps(),
        state.output_bytes(),
    )
}

/// Decides what a run does next, where it has a choice. Used up, it takes the first of everything
/// and lets nothing go wrong, so that every run comes to its end.
struct Choices<'a>(std::slice::Iter<'a, u16>);

impl Choices<'_> {
    fn one_of(&mut self, n: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % n
    }

    fn one_in(&mut self, n: u16) -> bool {
        self.0.next().is_some_and(|it| it % n == n - 1)
    }
}

/// A run under the hands of several owners, one after the other.
struct Drive<'a> {
    seed: &'a GraphSeed,
    run: Run,
    choices: Choices<'a>,
    crashes: bool,
    /// How much of the journal is durable: steps that call nobody wait for company.
    n_saved: usize,
    n_attempts: BTreeMap<NodeIdx, u32>,
    /// Calls that came back, by node: what a receiver has seen answered.
    n_answered: BTreeMap<NodeIdx, u32>,
}

#[derive(Debug)]
struct Ended {
    outcome: Outcome,
    failed: BTreeSet<String>,
    is_uncertain: bool,
}

impl<'a> Drive<'a> {
    fn new(seed: &'a GraphSeed, choices: &'a [u16], crashes: bool) -> Self {
        Self {
            seed,
            run: Run::new(&seed.text()),
            choices: Choices(choices.iter()),
            crashes,
            n_saved: 0,
            n_attempts: BTreeMap::new(),
            n_answered: BTreeMap::new(),
        }
    }

    fn drive(mut self) -> Result<Ended, TestCaseError> {
        // Far more than all attempts of all nodes under all owners.
        for _ in 0..1_000 {
            if self.crashes && self.choices.one_in(8) {
                self.crash()?;
            }
            let starts = match self.run.next() {
                Next::Start(starts) => starts,
                Next::Finish(outcome) => {
                    prop_assert!(self.run.in_flight.is_empty(), "it ends with calls in flight");
                    return self.ended(outcome);
                }
            };
            let n_choices = starts.len() + self.run.in_flight.len();
            prop_assert!(0 < n_choices, "it waits for nothing");
            let choice = self.choices.one_of(n_choices);
            match starts.get(choice) {
                Some(start) => self.begin(*start)?,
                None => self.answer(choice - starts.len()),
            }
            self.compare()?;
        }
        Err(TestCaseError::fail("it does not end"))
    }

    fn begin(&mut self, start: Start) -> Result<(), TestCaseError> {
        let (idx, id) = (start.node, self.run.id(start.node).to_owned());
        prop_assert!(!self.run.in_flight.contains(&idx), "{} is in flight", id);
        prop_assert!(!self.run.steps().contains(&&*id), "{} has ended before", id);
        if self.run.state.is_uncertain(idx, self.run.fence) {
            self.run.end(&id, Err(Failure::new(FailureCode::Uncertain, format!("{id} unknown"))));
            return Ok(());
        }
        if self.run.state.decide(idx).is_some() {
            // Not saved: it can be decided again.
            self.run.begin(&id);
            return Ok(());
        }
        let attempt = self.n_attempts.get(&idx).map_or(1, |n| n + 1);
        prop_assert_eq!(start.attempt, attempt, "attempt of {}", id);
        let Kind::Executor(executor) = &self.run.plan.node(idx).kind else {
            return Err(TestCaseError::fail(format!("{id} calls nobody and decides nothing")));
        };
        if executor.on_uncertain == OnUncertain::Fail || Fence::FIRST < self.run.fence {
            self.run.write(Event::Started { node: id.clone(), attempt });
        }
        // What a call rests on is durable before the call is made.
        self.save();
        self.run.begin(&id);
        Ok(())
    }

    /// Lets one of the calls in flight come back.
    fn answer(&mut self, choice: usize) {
        let idx = self.run.in_flight.iter().nth(choice).copied().expect("as many as were counted");
        let id = self.run.id(idx).to_owned();
        let attempt = self.n_attempts.get(&idx).map_or(1, |n| n + 1);
        match self.seed.fate(&id) {
            Fate::Failed => self.run.fail(&id),
            Fate::DoneAfterRetries(n) if attempt <= n => {
                self.run.in_flight.remove(&idx);
                let (due, message) = (Timestamp::default(), "busy".to_owned());
                self.run.write(Event::RetryAt { node: id, attempt, due, message });
                self.n_attempts.insert(idx, attempt);
                self.save();
                return;
            }
            Fate::Done | Fate::DoneAfterRetries(_) => {
                // The output tells what the node saw, so that no difference is lost.
                let mut hasher = DefaultHasher::new();
                self.run.state.context(idx).whole().to_string().hash(&mut hasher);
                let seen = hasher.finish();
                self.run.end(&id, Ok(json!({ "v": seen % 7, "seen": seen.to_string() })));
            }
        }
        *self.n_answered.entry(idx).or_default() += 1;
        self.save();
    }

    fn save(&mut self) {
        self.n_saved = self.run.journal.len();
    }

    /// The owner is lost with all that it had not saved, and another takes over.
    fn crash(&mut self) -> Result<(), TestCaseError> {
        let fresh = Run::of(Arc::clone(&self.run.plan), "start");
        self.run.journal.truncate(self.n_saved);
        self.run.in_flight.clear();
        let replayed = fresh.state.replay(&self.run.journal);
        self.run.state = replayed.map_err(|error| TestCaseError::fail(error.to_string()))?;
        self.run.fence = self.run.fence.next();
        self.run.write(Event::Adopted);
        self.save();
        Ok(())
    }

    /// A journal that is read in one piece gives the state that grew entry by entry.
    fn compare(&self) -> Result<(), TestCaseError> {
        let fresh = Run::of(Arc::clone(&self.run.plan), "start");
        let replayed = fresh.state.replay(&self.run.journal);
        let replayed = replayed.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(picture(&replayed), picture(&self.run.state));
        Ok(())
    }

    fn ended(self, outcome: Outcome) -> Result<Ended, TestCaseError> {
        let steps = self.run.steps();
        let different: BTreeSet<_> = steps.iter().collect();
        prop_assert_eq!(different.len(), steps.len(), "a node ran twice: {:?}", steps);
        for (idx, n) in &self.n_answered {
            prop_assert_eq!(*n, 1, "{} was answered for good more than once", self.run.id(*idx));
        }
        let mut failed = BTreeSet::new();
        let mut is_uncertain = false;
        for entry in &self.run.journal {
            if let Event::Failed { node, failure, .. } = &entry.event {
                failed.insert(node.clone());
                is_uncertain |= failure.code == FailureCode::Uncertain;
            }
        }
        prop_assert_eq!(!failed.is_empty(), matches!(outcome, Outcome::Failed(_)));
        Ok(Ended { outcome, failed, is_uncertain })
    }
}

fn choices() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 0..160)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1024,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever fails and whoever is lost, a run ends, and no step that was journaled runs again.
    #[test]
    fn every_run_ends(seed in graph_seed(), choices in choices()) {
        Drive::new(&seed, &choices, true).drive()?;
    }

    /// How a run ends does not depend on which branch is faster, nor on who is lost on the way.
    #[test]
    fn the_end_does_not_depend_on_timing(
        seed in graph_seed(),
        choices in choices(),
        crashes in any::<bool>(),
    ) {
        let one = Drive::new(&seed, &[], false).drive()?;
        let other = Drive::new(&seed, &choices, crashes).drive()?;
        // A call that must not be repeated and lost its answer is a failure of its own.
        prop_assume!(!other.is_uncertain);
        prop_assert_eq!(one.outcome.status(), other.outcome.status(), "{}", seed.text());
        // The first failure stops the others, so which of them are there may differ; what is
        // reported of the same ones must not.
        if one.failed == other.failed {
            prop_assert_eq!(one.outcome, other.outcome, "{}", seed.text());
        }
    }
}
