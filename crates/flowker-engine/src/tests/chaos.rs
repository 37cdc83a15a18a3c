//! Replicas that crash, drain and come back, a store and a receiver that fail, all at random: what
//! must hold whatever happens.

use std::collections::HashMap;
use std::time::Duration;

use flowker_core::execution::{Event, Status};
use flowker_core::id::ExecutionId;
use flowker_core::ports::{ExecutionStore, FailureKind};
use flowker_testkit::{Answer, Fault, Gate, Method, When, sample};
use serde_json::json;
use tokio::time::{self, Instant};

use super::world::{Replica, World, graph, node};
use crate::Limits;

const SEEDS: u64 = 30;
const N_REPLICAS: usize = 3;
const N_ACTIONS: usize = 120;
const ATTEMPTS_MAX: usize = 10;
const TROUBLED: [&str; 4] = ["a", "b", "join", "last"];

/// Branches, a join, a conditional node, a wait between attempts, and a row behind it all.
fn document() -> String {
    let patient = format!(r#", "retry": {{"maxAttempts": {ATTEMPTS_MAX}}}"#);
    let mut nodes: Vec<_> = ["a", "b", "join", "big", "small", "last"]
        .map(|id| sample::executor_node(id, &patient))
        .into();
    nodes.push(node("ask", "conditional", r#"{"condition": "workflow.n > 5"}"#));
    let edges = [
        ("start", "a"),
        ("start", "b"),
        ("a", "join"),
        ("b", "join"),
        ("join", "ask"),
        ("ask/true", "big"),
        ("ask/false", "small"),
        ("big", "last"),
        ("small", "last"),
    ];
    graph(&nodes, &edges, "")
}

struct Chaos {
    world: World,
    rng: fastrand::Rng,
    replicas: Vec<Replica>,
    started: Vec<ExecutionId>,
    /// How often calls of each troubled node were made to fail: never so often that attempts run
    /// out.
    n_failures: [usize; TROUBLED.len()],
    /// Where calls are held.
    gates: Vec<Gate>,
}

impl Chaos {
    async fn with_seed(seed: u64) -> Self {
        let world = World::of(&document()).await;
        let rng = fastrand::Rng::with_seed(seed);
        let mut replicas = Vec::new();
        for _ in 0..N_REPLICAS {
            replicas.push(world.replica(limits()).await);
        }
        let n_failures = [0; TROUBLED.len()];
        Self { world, rng, replicas, started: Vec::new(), n_failures, gates: Vec::new() }
    }

    async fn act(&mut self) {
        let which = self.rng.usize(..N_REPLICAS);
        match self.rng.u8(..10) {
            0 => self.replicas[which] = self.world.replica(limits()).await,
            1 => {
                let deadline = Instant::now() + Duration::from_millis(self.rng.u64(..500));
                self.replicas[which].drain(deadline).await;
                self.replicas[which] = self.world.replica(limits()).await;
            }
            2 | 3 => self.inject(),
            4 => self.fail(),
            5 => {
                let gate = Gate::new();
                let answer = Answer::Hold(gate.clone(), json!({}));
                self.world.provider.script(TROUBLED[self.rng.usize(..TROUBLED.len())], [answer]);
                self.gates.push(gate);
            }
            6 if !self.gates.is_empty() => {
                self.gates.swap_remove(self.rng.usize(..self.gates.len())).open();
            }
            6..=8 => {
                let id = self.world.start(&self.replicas[which]).await;
                self.started.push(id);
            }
            _ => time::sleep(Duration::from_millis(self.rng.u64(..3_000))).await,
        }
    }

    fn fail(&mut self) {
        let which = self.rng.usize(..TROUBLED.len());
        if self.n_failures[which] + 1 < ATTEMPTS_MAX {
            self.n_failures[which] += 1;
            let kind = self.rng.choice([FailureKind::Transient, FailureKind::Unknown]);
            let answer = Answer::fail(kind.expect("two kinds"), "no");
            self.world.provider.script(TROUBLED[which], [answer]);
        }
    }

    fn inject(&mut self) {
        let methods = [
            Method::Append,
            Method::Append,
            Method::Load,
            Method::Release,
            Method::Adopt,
            Method::Owned,
        ];
        let method = *self.rng.choice(&methods).expect("some methods");
        let nth = self.world.store.n_calls(method) + self.rng.u64(1..4);
        let faults = [Fault::Unavailable, Fault::Full, Fault::CallLost, Fault::AnswerLost];
        let fault = self.rng.choice(&faults).expect("some faults").clone();
        self.world.store.inject(method, When::Call(nth), fault);
    }

    /// Every execution has one end, every step one result, and no call follows its result.
    async fn check(&self, seed: u64) {
        for (n, id) in (1..).zip(&self.started) {
            let summary = self.world.end(*id).await;
            let about = format!("seed {seed}, execution {n}: {}", self.world.journal(*id).await);
            assert_eq!(summary.status, Status::Completed, "{about}");
            let mut done = HashMap::new();
            for entry in self.world.store.journal(*id).await.unwrap() {
                if let Event::Completed { node, .. } = &entry.event {
                    assert!(done.insert(node.clone(), entry.at).is_none(), "{node} in {about}");
                }
            }
            let branch = if 5 < n { "big" } else { "small" };
            let mut nodes: Vec<_> = done.keys().map(String::as_str).collect();
            nodes.sort_unstable();
            let mut expected = ["a", "b", "join", "ask", branch, "last"];
            expected.sort_unstable();
            assert_eq!(nodes, expected, "{about}");
            for call in self.world.provider.calls() {
                let key = &call.call.idempotency_key;
                if let Some(node) = key.strip_prefix(&format!("{id}:")) {
                    assert!(call.at <= done[node], "{node} was called again in {about}");
                }
            }
        }
    }
}

fn limits() -> Limits {
    Limits {
        executions_max: 4,
        parked_max: 4,
        calls_max: 3,
        adopt_max: 3,
        // Failures and losses are at random here, and none of them may end an execution.
        breaker_failures: u32::MAX,
        quarantine_losses: usize::MAX,
        ..Limits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_and_nothing_that_is_done_is_repeated() {
    for seed in 0..SEEDS {
        let mut chaos = Chaos::with_seed(seed).await;
        for _ in 0..N_ACTIONS {
            chaos.act().await;
        }
        chaos.world.store.heal();
        chaos.gates.iter().for_each(Gate::open);
        chaos.check(seed).await;
    }
}
