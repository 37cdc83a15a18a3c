//! What runs next, for graphs written as text.

mod failures;
mod graph;
mod ownership;
mod random;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use self::graph::{input, plan};
use super::*;
use crate::execution::{Entry, Event, Failure, FailureCode, Fence, IllegalEntry, StepRun};
use crate::workflow::Plan;

/// A run driven by hand: what the engine does, without time and without calls.
#[derive(Debug)]
pub(super) struct Run {
    plan: Arc<Plan>,
    state: RunState,
    journal: Vec<Entry>,
    fence: Fence,
    in_flight: BTreeSet<NodeIdx>,
}

impl Run {
    /// A run that begins at the node `start`.
    fn new(graph: &str) -> Self {
        Self::of(plan(graph), "start")
    }

    fn of(plan: Arc<Plan>, start: &str) -> Self {
        let idx = plan.find(start).expect("the graph has the start node");
        let state = RunState::new(Arc::clone(&plan), idx, input());
        let (journal, in_flight) = (Vec::new(), BTreeSet::new());
        Self { plan, state, journal, fence: Fence::FIRST, in_flight }
    }

    fn id(&self, idx: NodeIdx) -> &str {
        &self.plan.node(idx).id
    }

    fn idx(&self, id: &str) -> NodeIdx {
        self.plan.find(id).unwrap_or_else(|| panic!("the graph has no {id}"))
    }

    fn next(&self) -> Next {
        advance(&self.state, &self.in_flight)
    }

    /// Ids of the nodes that may begin.
    fn starts(&self) -> Vec<&str> {
        match self.next() {
            Next::Start(starts) => starts.iter().map(|it| self.id(it.node)).collect(),
            Next::Finish(outcome) => panic!("it has ended: {outcome:?}"),
        }
    }

    /// A second passes with every entry.
    fn now(&self) -> Timestamp {
        let n_entries = i64::try_from(self.journal.len()).expect("few entries");
        Timestamp::from_micros(n_entries * 1_000_000)
    }

    fn write(&mut self, event: Event) {
        let entry = Entry { fence: self.fence, at: self.now(), event };
        self.state.apply(&entry).unwrap_or_else(|error| panic!("{entry:?}: {error}"));
        self.journal.push(entry);
    }

    /// Begins a node. One that calls nobody ends at once.
    fn begin(&mut self, id: &str) {
        let idx = self.idx(id);
        match self.state.decide(idx) {
            Some(result) => self.end(id, result),
            None => assert!(self.in_flight.insert(idx), "{id} is in flight"),
        }
    }

    /// Begins all that may begin, until nothing more can without an answer.
    fn begin_all(&mut self) {
        loop {
            let Next::Start(starts) = self.next() else { return };
            let Some(start) = starts.first() else { return };
            let id = self.id(start.node).to_owned();
            self.begin(&id);
        }
    }

    fn end(&mut self, id: &str, result: Result<Value, Failure>) {
        self.in_flight.remove(&self.idx(id));
        let (node, run) = (id.to_owned(), StepRun { started_at: self.now(), ..run() });
        self.write(match result {
            Ok(output) => Event::Completed { node, run, output: Arc::new(output) },
            Err(failure) => Event::Failed { node, run, failure },
        });
    }

    /// Lets a call come back with `{"v": 1}`.
    fn complete(&mut self, id: &str) {
        self.end(id, Ok(json!({ "v": 1 })));
    }

    fn fail(&mut self, id: &str) {
        self.end(id, Err(Failure::new(FailureCode::StepFailed, format!("{id} broke"))));
    }

    /// Ids of the steps that were journaled, in order.
    fn steps(&self) -> Vec<&str> {
        let ended = self.journal.iter().filter_map(|entry| match &entry.event {
            Event::Completed { node, .. } | Event::Failed { node, .. } => Some(node.as_str()),
            _ => None,
        });
        ended.collect()
    }

    fn outcome(&self) -> Outcome {
        match self.next() {
            Next::Finish(outcome) => outcome,
            Next::Start(starts) => panic!("it goes on with {starts:?}"),
        }
    }
}

fn run() -> StepRun {
    StepRun { attempt: 1, started_at: Timestamp::default(), duration: Duration::ZERO }
}

/// Runs a graph whose calls come back in the definition's order, and all succeed but those of
/// `failing`. Shows the steps in order, and then the end.
fn check(graph: &str, failing: &[&str], expected_steps: &str, expected_end: &Value) {
    let mut run = Run::new(graph);
    run.begin_all();
    while let Some(idx) = run.in_flight.first().copied() {
        let id = run.id(idx).to_owned();
        if failing.contains(&&*id) {
            run.fail(&id);
        } else {
            run.complete(&id);
        }
        run.begin_all();
    }
    assert_eq!(run.steps().join(" "), expected_steps, "{graph}");
    let end = match run.outcome() {
        Outcome::Completed { output } => Value::Object(output),
        Outcome::Failed(failure) => Value::String(failure.message),
        Outcome::Cancelled => panic!("nobody cancelled it"),
    };
    assert_eq!(&end, expected_end, "{graph}");
}

/// All outputs by node id, as an end without `set_output` shows them.
fn outputs(of: &[&str]) -> Value {
    let mut all = json!({ "workflow": { "flag": true, "n": 5, "text": "hello" } });
    for id in of {
        all[id] = json!({ "v": 1 });
    }
    all
}

#[test]
fn a_line_runs_from_end_to_end() {
    check("start: trigger", &[], "", &outputs(&[]));
    check(
        "start: trigger
         a: call
         b: call
         start -> a
         a -> b",
        &[],
        "a b",
        &outputs(&["a", "b"]),
    );
    check(
        "b: call
         a: call
         start: trigger
         a -> b
         start -> a",
        &[],
        "a b",
        &outputs(&["a", "b"]),
    );
}

#[test]
fn a_condition_chooses_a_branch_and_all_its_edges() {
    let graph = |condition: &str| {
        format!(
            "start: trigger
             c: if {condition}
             yes: call
             too: call
             no: call
             neither: call
             start -> c
             c -true-> yes
             c -true-> too
             c -false-> no
             c -> neither"
        )
    };
    check(&graph("workflow.flag"), &[], "c yes too", &outputs(&["yes", "too"]));
    check(&graph("workflow.n < 5"), &[], "c no", &outputs(&["no"]));
}

#[test]
fn an_edge_with_a_false_condition_is_dead() {
    let graph = |condition: &str| {
        format!(
            "start: trigger
             a: call
             b: call
             last: call
             start -> a
             a -> b if {condition}
             b -> last"
        )
    };
    check(&graph("a.v == 1"), &[], "a b last", &outputs(&["a", "b", "last"]));
    check(&graph("a.v == 2"), &[], "a", &outputs(&["a"]));
}

#[test]
fn a_dead_branch_is_dead_to_its_end() {
    check(
        "start: trigger
         c: if workflow.flag
         a: call
         b: if workflow.flag
         d: call
         start -> c
         c -false-> a
         a -> b
         b -true-> d
         b -false-> d",
        &[],
        "c",
        &outputs(&[]),
    );
}

#[test]
fn a_join_runs_once_after_all_that_leads_to_it() {
    let diamond = "start: trigger
                   a: call
                   b: call
                   join: call
                   start -> a
                   start -> b
                   a -> join
                   b -> join
                   a -again-> join";
    check(diamond, &[], "a b join", &outputs(&["a", "b", "join"]));
    for (first, second) in [("a", "b"), ("b", "a")] {
        let mut run = Run::new(diamond);
        run.begin_all();
        run.complete(first);
        assert_eq!(run.starts(), [""; 0], "the join waits for {second}");
        run.complete(second);
        assert_eq!(run.starts(), ["join"]);
    }
}

#[test]
fn a_join_runs_if_one_of_its_edges_is_taken() {
    let graph = |condition: &str| {
        format!(
            "start: trigger
             c: if {condition}
             a: call
             b: call
             join: call
             start -> c
             c -true-> a
             c -false-> b
             a -> join
             b -> join"
        )
    };
    check(&graph("workflow.flag"), &[], "c a join", &outputs(&["a", "join"]));
    check(&graph("NOT workflow.flag"), &[], "c b join", &outputs(&["b", "join"]));
}

#[test]
fn branches_that_are_ready_begin_together_in_the_definitions_order() {
    let mut run = Run::new(
        "b: call
         start: trigger
         a: call
         c: call
         start -> c
         start -> a
         start -> b",
    );
    assert_eq!(run.starts(), ["b", "a", "c"]);
    run.begin("a");
    assert_eq!(run.starts(), ["b", "c"], "what is in flight is not begun again");
}

#[test]
fn a_node_waits_for_what_it_reads_without_an_edge() {
    let graph = "start: trigger
                 reader: call {{ slow.v }}
                 slow: call
                 quick: call
                 start -> reader
                 start -> slow
                 start -> quick";
    let mut run = Run::new(graph);
    assert_eq!(run.starts(), ["slow", "quick"]);
    run.begin_all();
    run.complete("quick");
    assert_eq!(run.starts(), [""; 0]);
    run.complete("slow");
    assert_eq!(run.starts(), ["reader"]);
}

#[test]
fn an_edge_condition_waits_for_what_it_reads() {
    let mut run = Run::new(
        "start: trigger
         a: call
         other: call
         b: call
         start -> a
         start -> other
         a -> b if other.v == 1",
    );
    run.begin_all();
    run.complete("a");
    assert_eq!(run.starts(), [""; 0]);
    run.complete("other");
    assert_eq!(run.starts(), ["b"]);
}

#[test]
fn reading_a_node_that_did_not_run_is_a_missing_path() {
    check(
        "start: trigger
         c: if workflow.flag
         dead: call
         test: if exists(dead.v)
         yes: call
         no: call
         start -> c
         c -false-> dead
         start -> test
         test -true-> yes
         test -false-> no",
        &[],
        "c test no",
        &outputs(&["no"]),
    );
}

/// What conditions and actions produce is shown as steps, and is not for expressions to read.
#[test]
fn only_outputs_of_executors_can_be_read() {
    check(
        "start: trigger
         c: if workflow.flag
         o: set {\"x\": 1}
         l: log
         a: call
         test: if exists(a.v) AND NOT exists(c.result) AND NOT exists(o.output) AND exists(output.x)
         yes: call
         start -> a
         start -> c
         start -> l
         start -> o
         test -true-> yes
         start -> test
         c -true-> test
         o -> test",
        &[],
        "c o l a test yes",
        &json!({ "x": 1 }),
    );
}

#[test]
fn a_handle_means_nothing_but_to_a_conditional_node() {
    check(
        "start: trigger
         a: call
         b: call
         start -true-> a
         a -any-> b",
        &[],
        "a b",
        &outputs(&["a", "b"]),
    );
}

/// What leads to a node and what it waits for is settled when it runs, dead branches included: so
/// what it sees does not depend on how fast others are.
#[test]
fn a_node_waits_for_what_a_dead_branch_would_have_read() {
    let graph = "start: trigger
                 c: if workflow.flag
                 dead: call {{ slow.v }}
                 join: call
                 set: set {\"seen\": \"{{ output.x }}\"}
                 first: call
                 early: set {\"x\": 1}
                 slow: call
                 start -> c
                 c -false-> dead
                 c -true-> join
                 dead -> join
                 join -> set
                 start -> first
                 first -> early
                 early -> slow";
    let mut run = Run::new(graph);
    for (id, before) in [("first", "c"), ("slow", "c first early"), ("join", "c first early slow")]
    {
        run.begin_all();
        assert_eq!(run.steps().join(" "), before);
        assert_eq!(run.in_flight, BTreeSet::from([run.idx(id)]));
        run.complete(id);
    }
    run.begin_all();
    let seen = run.state.output(run.idx("set")).map(|it| &it["output"]);
    assert_eq!(seen, Some(&json!({ "seen": 1 })), "in whatever order they came back");
}

/// A condition on one of several edges sees the others' branches settled.
#[test]
fn an_edge_condition_does_not_depend_on_how_fast_other_branches_are() {
    let graph = "start: trigger
                 slow: call
                 set: set {\"x\": 1}
                 quick: call
                 join: call
                 start -> slow
                 slow -> set
                 set -> join if workflow.n == 0
                 start -> quick
                 quick -> join if output.x == 1";
    for order in [["slow", "quick"], ["quick", "slow"]] {
        let mut run = Run::new(graph);
        for id in order {
            run.begin_all();
            run.complete(id);
        }
        run.begin_all();
        assert!(run.in_flight.contains(&run.idx("join")), "{order:?}");
    }
}

#[test]
fn a_run_starts_at_the_trigger_that_was_called() {
    let graph = "one: trigger
                 two: trigger
                 a: call
                 b: call
                 both: call
                 one -> a
                 two -> b
                 a -> both
                 b -> both";
    for (start, expected) in [("one", ["a", "both"]), ("two", ["b", "both"])] {
        let mut run = Run::of(plan(graph), start);
        assert_eq!(run.starts(), expected[..1]);
        run.begin_all();
        run.complete(expected[0]);
        run.begin_all();
        run.complete("both");
        assert_eq!(run.steps(), expected);
        assert!(matches!(run.outcome(), Outcome::Completed { .. }));
    }
}

#[test]
fn a_trigger_within_a_graph_is_passed_without_a_step() {
    check(
        "start: trigger
         a: call
         middle: trigger
         b: call
         start -> a
         a -> middle
         middle -> b",
        &[],
        "a b",
        &outputs(&["a", "b"]),
    );
}

#[test]
fn what_nothing_leads_to_does_not_run() {
    check(
        "start: trigger
         a: call
         alone: call
         after: call
         start -> a
         alone -> after",
        &[],
        "a",
        &outputs(&["a"]),
    );
}

#[test]
fn the_last_set_output_in_the_definitions_order_is_the_output() {
    let graph = |first: &str, second: &str| {
        format!(
            "start: trigger
             one: set {{\"is\": \"one\"}}
             two: set {{\"is\": \"two\", \"n\": \"{{{{ workflow.n }}}}\"}}
             log: log
             start -> {first}
             {first} -> {second}
             {second} -> log"
        )
    };
    let expected = json!({ "is": "two", "n": 5 });
    check(&graph("one", "two"), &[], "one two log", &expected);
    check(&graph("two", "one"), &[], "two one log", &expected);
    check(
        "start: trigger
         c: if workflow.flag
         one: set {\"is\": \"one\"}
         two: set {\"is\": \"two\"}
         start -> c
         c -true-> one
         c -false-> two",
        &[],
        "c one",
        &json!({ "is": "one" }),
    );
}

/// A step that failed leaves its place in the outputs empty.
#[test]
fn only_executors_that_are_done_are_in_the_whole() {
    let plan = plan(
        "start: trigger
         a: call
         c: if workflow.flag
         l: log
         start -> a
         a -> c
         c -true-> l",
    );
    let mut run = Run::of(plan, "start");
    run.begin_all();
    run.complete("a");
    run.begin_all();
    let whole: BTreeMap<_, _> = run.state.final_output().into_iter().collect();
    let keys: Vec<_> = whole.keys().map(String::as_str).collect();
    assert_eq!(keys, ["a", "workflow"], "neither conditions nor actions");
    assert_eq!(whole["workflow"].get("_webhook"), None);
}
