//! What a contract suite is run against.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::id::ReplicaId;
use flowker_core::ports::{
    ApiKeyStore, Archive, AuditLog, DashboardStore, ExecutionStore, IdempotencyStore,
    ProviderConfigStore, SharedValues, WorkflowStore,
};

use crate::clock::TestClock;

/// All store ports of one adapter, over the same data.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Executions and journals.
    pub executions: Arc<dyn ExecutionStore>,
    /// Idempotency keys.
    pub keys: Arc<dyn IdempotencyStore>,
    /// Workflows, versions, routes.
    pub workflows: Arc<dyn WorkflowStore>,
    /// Provider configurations.
    pub configs: Arc<dyn ProviderConfigStore>,
    /// API keys.
    pub api_keys: Arc<dyn ApiKeyStore>,
    /// What processes share.
    pub shared: Arc<dyn SharedValues>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Figures.
    pub dashboards: Arc<dyn DashboardStore>,
}

impl Stores {
    /// The ports of an adapter that implements all of them with one type.
    pub fn of<S>(store: &Arc<S>) -> Self
    where
        S: ExecutionStore
            + IdempotencyStore
            + WorkflowStore
            + ProviderConfigStore
            + ApiKeyStore
            + SharedValues
            + AuditLog
            + DashboardStore
            + 'static,
    {
        Self {
            executions: store.clone(),
            keys: store.clone(),
            workflows: store.clone(),
            configs: store.clone(),
            api_keys: store.clone(),
            shared: store.clone(),
            audit: store.clone(),
            dashboards: store.clone(),
        }
    }
}

/// An empty store, and what a suite needs around it. Made anew for each test.
pub struct Subject {
    /// The store.
    pub stores: Stores,
    /// The clock that the store was given: retention, due moments and lapses follow it.
    pub clock: Arc<TestClock>,
    /// How an owner is made to lapse.
    pub lapse: Box<dyn LapseOwner>,
    /// Kept until the test is over: a directory, a database.
    pub guard: Box<dyn Any + Send>,
}

impl Subject {
    /// The same store after `owner` has lapsed. Others may have lapsed with it.
    pub async fn lapse_owner(self, owner: ReplicaId) -> Self {
        let Self { stores, clock, lapse, guard } = self;
        let stores = lapse.lapse_owner(stores, owner).await;
        Self { stores, clock, lapse, guard }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("stores", &self.stores).finish_non_exhaustive()
    }
}

/// An empty store that can be archived. Made anew for each test.
#[derive(Debug)]
pub struct ArchiveSubject {
    /// The store behind its other ports.
    pub subject: Subject,
    /// The same store.
    pub archive: Arc<dyn Archive>,
}

/// Makes an owner lapse, by whatever proves to the adapter that an owner is dead.
#[async_trait]
pub trait LapseOwner: Send + Sync {
    /// Makes `owner` lapse and answers the stores to go on with.
    ///
    /// Where a lapse is a matter of time, it lets the time pass and answers the same stores. Where
    /// a lock proves the death, it drops them and opens the data again: no suite keeps another
    /// reference to them. Other owners may lapse too; what was stored must still be there.
    async fn lapse_owner(&self, stores: Stores, owner: ReplicaId) -> Stores;
}
