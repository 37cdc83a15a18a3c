//! What the server needs of the rest of the process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowker_core::catalog::Catalog;
use flowker_core::ports::{Clock, Tracer};
use flowker_core::service::{ApiKeys, Audit, Dashboards, Executions, ProviderConfigs, Workflows};
use flowker_core::trigger::Trigger;

use crate::access::Access;
use crate::cors::Cors;

/// The use-cases behind the routes, and what the door asks of its callers.
#[derive(Debug)]
pub struct App {
    /// Webhooks.
    pub trigger: Trigger,
    /// Workflows and their lifecycle.
    pub workflows: Workflows,
    /// Executions.
    pub executions: Executions,
    /// Provider configurations.
    pub provider_configs: ProviderConfigs,
    /// The audit log.
    pub audit: Audit,
    /// Figures.
    pub dashboards: Dashboards,
    /// What workflows can be built from.
    pub catalog: Arc<Catalog>,
    /// API keys.
    pub api_keys: ApiKeys,
    /// Who may call.
    pub access: Access,
    /// From which origins browsers may call.
    pub cors: Cors,
    /// Whether requests may ask for a failure. For tests only.
    pub injects_faults: bool,
    /// What page cursors are signed with. The same on all replicas.
    pub cursor_key: [u8; 32],
    /// Tells the time in answers.
    pub clock: Arc<dyn Clock>,
    /// Whether the store is there.
    pub readiness: Arc<dyn Readiness>,
    /// What puts requests into traces.
    pub tracer: Arc<dyn Tracer>,
    /// What the process tells about itself.
    pub metrics: Arc<dyn Exposition>,
    /// The version that is reported. `None` reports what the contract has for an unknown one.
    pub version: Option<String>,
    /// Reported by `/readyz`, such as `local`.
    pub deployment_mode: String,
}

/// Tells the metrics of the process.
#[async_trait]
pub trait Exposition: fmt::Debug + Send + Sync {
    /// All of them as they stand now, in the text format that Prometheus reads.
    async fn render(&self) -> String;
}

/// Tells whether what the service depends on is there.
#[async_trait]
pub trait Readiness: fmt::Debug + Send + Sync {
    /// Asks the store for something small. The server waits 2 seconds for it.
    async fn check(&self) -> StoreHealth;
}

/// How a store answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// Which store, such as `sqlite`.
    pub store: &'static str,
    /// How long the answer took.
    pub latency: Duration,
    /// Why it is not usable; `None` if it is. Shown to callers without credentials.
    pub error: Option<String>,
}
