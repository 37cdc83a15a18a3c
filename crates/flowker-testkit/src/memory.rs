//! A store in memory that keeps every promise of the ports but durability.

mod api_keys;
mod archive;
mod audit;
mod configs;
mod dashboard;
mod executions;
mod keys;
mod page;
mod workflows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use flowker_core::archive::FrozenVersion;
use flowker_core::id::{ApiKeyId, ExecutionId, ProviderConfigId, ReplicaId, WorkflowId};
use flowker_core::idempotency::IdempotencyKey;
use flowker_core::ports::{ApiKey, Clock, ProviderConfig};
use flowker_core::time::Timestamp;
use flowker_core::workflow::{Route, WebhookPath, Workflow};

use crate::clock::TestClock;
use crate::subject::{ArchiveSubject, LapseOwner, Stores, Subject};

/// A store in memory, for tests of what sits on top of the ports.
///
/// It behaves like one database that several replicas share: each of them gets a clone of the
/// same `Arc`, and one that is silent for longer than the lapse loses what it owns. Not durable.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    lapse: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    executions: BTreeMap<ExecutionId, executions::Row>,
    keys: BTreeMap<(WorkflowId, IdempotencyKey), keys::Row>,
    workflows: BTreeMap<WorkflowId, Workflow>,
    versions: BTreeMap<(WorkflowId, u32), FrozenVersion>,
    routes: BTreeMap<(String, WebhookPath), Route>,
    routes_revision: u64,
    configs: BTreeMap<ProviderConfigId, ProviderConfig>,
    api_keys: BTreeMap<ApiKeyId, ApiKey>,
    api_keys_revision: u64,
    /// Which active workflows use which configurations.
    config_uses: BTreeSet<(ProviderConfigId, WorkflowId)>,
    shared: BTreeMap<String, Vec<u8>>,
    audit: audit::Log,
    /// When each replica gave its last sign of life.
    seen: BTreeMap<ReplicaId, Timestamp>,
}

impl MemoryStore {
    /// How long a replica may be silent by default before it loses what it owns.
    pub const LAPSE: Duration = Duration::from_secs(10);

    /// An empty store whose owners lapse after [`LAPSE`](Self::LAPSE) by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_lapse(clock, Self::LAPSE)
    }

    /// An empty store whose owners lapse after `lapse` by `clock`.
    pub fn with_lapse(clock: Arc<dyn Clock>, lapse: Duration) -> Arc<Self> {
        Arc::new(Self { clock, lapse, state: Mutex::default() })
    }

    /// An empty store as the contract suites want it.
    pub fn subject() -> Subject {
        Self::archive_subject().subject
    }

    /// An empty store as the contract of archives wants it.
    pub fn archive_subject() -> ArchiveSubject {
        let clock = TestClock::new();
        let store = Self::new(clock.clone());
        let lapse = Box::new(ByTime { clock: Arc::clone(&clock), lapse: store.lapse });
        let subject = Subject { stores: Stores::of(&store), clock, lapse, guard: Box::new(()) };
        ArchiveSubject { subject, archive: store }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes every owner lapse by letting the time pass.
struct ByTime {
    clock: Arc<TestClock>,
    lapse: Duration,
}

#[async_trait]
impl LapseOwner for ByTime {
    async fn lapse_owner(&self, stores: Stores, _owner: ReplicaId) -> Stores {
        self.clock.advance(self.lapse + Duration::from_micros(1));
        stores
    }
}
