//! What holds for this adapter beyond the contracts of the ports.

mod audit;
mod contract;
mod corrupt;
mod failure;
mod file;
mod group;
mod inspect;
mod metrics;
mod plans;
mod retention;
mod uses;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flowker_core::execution::{Entry, Event, Execution, Fence, Outcome, StepRun};
use flowker_core::id::{ExecutionId, ReplicaId, WorkflowId};
use flowker_core::idempotency::{Fingerprint, IdempotencyKey};
use flowker_core::ports::{
    Append, Claim, ExecutionStore, NewExecution, Precondition, WorkflowStore,
};
use flowker_core::time::Timestamp;
use flowker_core::workflow::{Definition, Lifecycle, Workflow};
use flowker_testkit::{TestClock, sample};
use serde_json::{Map, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Options, SqliteStore};

/// A database in a directory of its own, which goes with it.
struct Database {
    directory: TempDir,
    clock: Arc<TestClock>,
}

impl Database {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = TestClock::new();
        clock.set(Timestamp::from_micros(0));
        Self { directory, clock }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("flowker.db")
    }

    fn options(&self) -> Options {
        Options::new(Arc::clone(&self.clock) as _)
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path(), self.options()).expect("open")
    }
}

/// Looks at a database like an operator does.
fn look(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).expect("open")
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

const REPLICA: u128 = 9_000;

fn execution(n: u128) -> Execution {
    Execution {
        id: ExecutionId::from_uuid(id(n)),
        workflow_id: WorkflowId::from_uuid(id(7)),
        version: 1,
        start_node: "start".to_owned(),
        input: Bytes::from_static(br#"{"amount":1.50}"#),
        total_steps: 2,
        accepted_at: Timestamp::from_micros(0),
        retry_of: None,
        trace: None,
    }
}

/// The `n`-th execution, owned, without a key and without a workflow.
fn new(n: u128) -> NewExecution {
    NewExecution {
        execution: Arc::new(execution(n)),
        precondition: Precondition::None,
        claim: None,
        owner: Some(ReplicaId::from_uuid(id(REPLICA))),
        actor: sample::actor(),
    }
}

fn claim(key: &str) -> Claim {
    Claim {
        key: IdempotencyKey::from_stored(key.to_owned()),
        fingerprint: Fingerprint::of(&[key.as_bytes()]),
        retention: Duration::from_mins(1),
    }
}

fn done(node: &str, fence: Fence) -> Entry {
    let at = Timestamp::from_micros(5);
    let run = StepRun { attempt: 1, started_at: at, duration: Duration::from_micros(3) };
    let output = Arc::new(json!({ "of": node }));
    Entry { fence, at, event: Event::Completed { node: node.to_owned(), run, output } }
}

/// The end of the `n`-th execution, with one step before it.
fn end(n: u128) -> Append {
    Append {
        id: execution(n).id,
        fence: Fence::FIRST,
        position: 0,
        entries: vec![done("a", Fence::FIRST)],
        end: Some((Outcome::Completed { output: Map::new() }, Timestamp::from_micros(6))),
    }
}

fn workflow(name: &str) -> Workflow {
    Workflow {
        id: WorkflowId::from_uuid(id(7)),
        name: name.to_owned(),
        description: None,
        status: Lifecycle::Draft,
        revision: 1,
        version: 0,
        definition: Definition::default(),
        metadata: Map::new(),
        created_at: Timestamp::from_micros(1),
        updated_at: Timestamp::from_micros(1),
    }
}

async fn is_there(store: &SqliteStore, n: u128) -> bool {
    ExecutionStore::get(store, execution(n).id).await.expect("get").is_some()
}
