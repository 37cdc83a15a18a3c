//! A store, a provider, a clock, and as many replicas as a test wants.

use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flowker_core::catalog::Catalog;
use flowker_core::execution::{
    Event, Execution, FailureCode, Fence, Outcome, Owned, Status, Summary,
};
use flowker_core::id::{ExecutionId, ReplicaId};
use flowker_core::plans::Plans;
use flowker_core::ports::{
    Acceptance, Activation, Clock, Dispatcher, ExecutionStore, NewExecution, Precondition,
    Provider, ProviderConfigStore, Untraced, WorkflowStore, WorkflowWritten,
};
use flowker_core::workflow::Workflow;
use flowker_testkit::{FaultyStore, MemoryStore, RecordingProvider, Stores, TokioClock, sample};
use serde_json::Value;

use crate::{Deps, Engine, Limits};

/// Longer than anything that a test waits for.
const LONG: Duration = Duration::from_hours(1);

pub struct World {
    pub clock: Arc<TokioClock>,
    pub store: Arc<FaultyStore>,
    pub provider: Arc<RecordingProvider>,
    n_replicas: AtomicU64,
    n_executions: AtomicU64,
}

/// An engine, and who it is. Dropped, it is as after a crash.
pub struct Replica {
    pub engine: Engine,
    pub id: ReplicaId,
}

impl Deref for Replica {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl World {
    /// A world with one active workflow, which is `document`, and one provider configuration.
    pub async fn of(document: &str) -> Self {
        let clock = TokioClock::new();
        let memory = MemoryStore::new(clock.clone());
        let store = FaultyStore::new(Stores::of(&memory));
        let provider = RecordingProvider::new(clock.clone());
        memory_setup(&*memory, &*memory, document).await;
        let (n_replicas, n_executions) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { clock, store, provider, n_replicas, n_executions }
    }

    /// A world whose workflow is executors in a row, the settings of each beside its id.
    pub async fn chain(executors: &[(&str, &str)]) -> Self {
        Self::of(&chain(executors, "")).await
    }

    /// One more replica, at work.
    pub async fn replica(&self, limits: Limits) -> Replica {
        let replica = self.engine(limits);
        replica.start().await.unwrap();
        replica
    }

    /// One more replica, not at work yet.
    pub fn engine(&self, limits: Limits) -> Replica {
        let id = sample::replica(self.n_replicas.fetch_add(1, Ordering::Relaxed) + 1);
        let provider: Arc<dyn Provider> = self.provider.clone();
        let engine = Engine::new(
            Deps {
                executions: self.store.clone(),
                plans: Arc::new(Plans::new(self.store.clone())),
                configs: self.store.clone(),
                catalog: Arc::new(Catalog::new([provider]).expect("one provider")),
                clock: self.clock.clone(),
                replica: id,
                tracer: Arc::new(Untraced),
                rng: fastrand::Rng::with_seed(7),
            },
            limits,
        );
        Replica { engine, id }
    }

    /// Accepts an execution with the input `{"n": …}` as `replica` would, and hands it over.
    pub async fn start(&self, replica: &Replica) -> ExecutionId {
        let n = self.n_executions.load(Ordering::Relaxed) + 1;
        self.start_with(replica, &format!(r#"{{"n":{n}}}"#)).await
    }

    pub async fn start_with(&self, replica: &Replica, input: &str) -> ExecutionId {
        let execution = Arc::new(self.new_execution(input));
        let id = execution.id;
        let owner = replica.has_room().then_some(replica.id);
        self.accept(execution.clone(), owner).await;
        if owner.is_some() {
            replica.dispatch(Owned { execution, fence: Fence::FIRST, journal: Vec::new() });
        }
        id
    }

    /// Accepts an execution that nobody owns.
    pub async fn start_unowned(&self) -> ExecutionId {
        let execution = Arc::new(self.new_execution("{}"));
        self.accept(execution.clone(), None).await;
        execution.id
    }

    pub fn new_execution(&self, input: &str) -> Execution {
        let n = self.n_executions.fetch_add(1, Ordering::Relaxed) + 1;
        Execution {
            input: input.to_owned().into(),
            accepted_at: self.clock.now(),
            ..sample::execution(n)
        }
    }

    pub async fn accept(&self, execution: Arc<Execution>, owner: Option<ReplicaId>) {
        let precondition = Precondition::None;
        let new =
            NewExecution { execution, precondition, claim: None, owner, actor: sample::actor() };
        assert_eq!(self.store.accept(new).await.unwrap(), Acceptance::Accepted);
    }

    /// Waits for the end of an execution.
    pub async fn end(&self, id: ExecutionId) -> Summary {
        let ended = async {
            loop {
                match ExecutionStore::get(&*self.store, id).await {
                    Ok(Some(summary)) if summary.status.is_terminal() => return summary,
                    Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        tokio::time::timeout(LONG, ended).await.expect("the execution ends")
    }

    /// Waits for the end, which must be a completed one, and answers the output.
    pub async fn output(&self, id: ExecutionId) -> Value {
        let summary = self.end(id).await;
        match &*summary.outcome.expect("an end has an outcome") {
            Outcome::Completed { output } => Value::Object(output.clone()),
            other => panic!("not completed: {other:?}\n{}", self.journal(id).await),
        }
    }

    /// Waits for the end, which must be a failed one.
    pub async fn failure(&self, id: ExecutionId) -> (FailureCode, String) {
        let summary = self.end(id).await;
        assert_eq!(summary.status, Status::Failed);
        match &*summary.outcome.expect("an end has an outcome") {
            Outcome::Failed(failure) => (failure.code, failure.message.clone()),
            other => panic!("not failed: {other:?}"),
        }
    }

    /// The journal in short: `1 completed a, 2 adopted`. Numbers are fences.
    pub async fn journal(&self, id: ExecutionId) -> String {
        let mut text = String::new();
        for entry in self.store.journal(id).await.unwrap() {
            let (what, node) = match &entry.event {
                Event::Adopted => ("adopted", ""),
                Event::Started { node, .. } => ("started", node.as_str()),
                Event::Interrupted { node } => ("interrupted", node.as_str()),
                Event::RetryAt { node, .. } => ("retry", node.as_str()),
                Event::Completed { node, .. } => ("completed", node.as_str()),
                Event::Failed { node, .. } => ("failed", node.as_str()),
            };
            let comma = if text.is_empty() { "" } else { ", " };
            write!(text, "{comma}{} {what}", entry.fence.0).unwrap();
            if !node.is_empty() {
                write!(text, " {node}").unwrap();
            }
        }
        text
    }

    /// When the calls of a node began, in milliseconds after the first one.
    pub fn call_times(&self, node: &str) -> Vec<u128> {
        let calls = self.provider.calls_of(node);
        calls.iter().map(|it| it.at.since(calls[0].at).as_millis()).collect()
    }
}

async fn memory_setup(
    workflows: &dyn WorkflowStore,
    configs: &dyn ProviderConfigStore,
    document: &str,
) {
    let workflow = Workflow { definition: sample::definition(document), ..sample::workflow(1) };
    let (id, revision) = (workflow.id, workflow.revision);
    workflows.create(workflow, sample::event()).await.unwrap();
    let activation = Activation {
        id,
        revision,
        routes: Vec::new(),
        configs: Vec::new(),
        at: flowker_testkit::TestClock::START,
    };
    let active = workflows.activate(activation, sample::event()).await.unwrap();
    assert!(matches!(active, WorkflowWritten::Done(_)));
    configs.create(sample::config(1), sample::event()).await.unwrap();
}

/// Executors in a row behind the trigger `start`, the settings of each beside its id, and further
/// members of the whole.
pub fn chain(executors: &[(&str, &str)], more: &str) -> String {
    let nodes: Vec<_> =
        executors.iter().map(|(id, more)| sample::executor_node(id, more)).collect();
    let ids = std::iter::once("start").chain(executors.iter().map(|(id, _)| *id));
    let ids: Vec<_> = ids.collect();
    let edges: Vec<_> = ids.windows(2).map(|pair| (pair[0], pair[1])).collect();
    graph(&nodes, &edges, more)
}

/// A graph of the trigger `start`, nodes and edges, and further members of the whole.
pub fn graph(nodes: &[String], edges: &[(&str, &str)], more: &str) -> String {
    let edges = edges.iter().map(|(source, target)| {
        let (source, handle) = source.split_once('/').unwrap_or((source, ""));
        format!(
            r#"{{"id": "{source}/{handle}-{target}", "source": "{source}", "target": "{target}",
                "sourceHandle": "{handle}"}}"#
        )
    });
    let edges: Vec<_> = edges.collect();
    let trigger = sample::trigger_node("hook");
    let nodes: Vec<_> = std::iter::once(&trigger).chain(nodes).map(String::as_str).collect();
    format!(r#"{{"nodes": [{}], "edges": [{}]{more}}}"#, nodes.join(","), edges.join(","))
}

/// A node that calls nobody.
pub fn node(id: &str, kind: &str, data: &str) -> String {
    format!(r#"{{"id": "{id}", "type": "{kind}", "position": {{"x": 0, "y": 0}}, "data": {data}}}"#)
}

/// Waits until a condition holds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LONG, holds).await.unwrap_or_else(|_| panic!("waited for: {what}"));
}
