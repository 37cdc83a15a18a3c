//! A process in small: mocks behind the use-cases, with answers that a test may replace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use flowker_core::access::{ApiKeyTable, KeyDigest};
use flowker_core::catalog::Catalog;
use flowker_core::execution::{Outcome, Status, Summary};
use flowker_core::id::{ExecutionId, ReplicaId, WorkflowId};
use flowker_core::plans::Plans;
use flowker_core::ports::{
    Acceptance, Authorizer, ExecutorDescriptor, MockApiKeyStore, MockAuditLog, MockClock,
    MockDashboardStore, MockDispatcher, MockExecutionStore, MockIdSource, MockIdempotencyStore,
    MockProvider, MockProviderConfigStore, MockSecrets, MockWorkflowStore, Probe, ProbeFailure,
    Probed, Provider, ProviderDescriptor, TokenVerifier, Untraced,
};
use flowker_core::routing::RouteTable;
use flowker_core::service::{ApiKeys, Audit, Dashboards, Executions, ProviderConfigs, Workflows};
use flowker_core::time::Timestamp;
use flowker_core::trigger::{Starter, Trigger};
use flowker_core::workflow::{Definition, Lifecycle, NewRoute, Route, WebhookPath, Workflow};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::answer::Door;
use crate::{
    Access, App, Cors, Exposition, GovernorRates, Limits, Readiness, Shutdown, StoreHealth,
};

pub(super) const KEY: &str = "secret";
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_123_000);
pub(super) const WORKFLOW: WorkflowId = WorkflowId::from_uuid(Uuid::from_u128(0xA));
pub(super) const EXECUTION: ExecutionId = ExecutionId::from_uuid(Uuid::from_u128(0xE));

/// What a test may replace before it opens the door.
pub(super) struct World {
    pub workflows: MockWorkflowStore,
    pub executions: MockExecutionStore,
    pub keys: MockIdempotencyStore,
    pub configs: MockProviderConfigStore,
    pub audit: MockAuditLog,
    pub dashboards: MockDashboardStore,
    pub dispatcher: MockDispatcher,
    pub readiness: Ready,
    pub api_keys: MockApiKeyStore,
    /// Whether callers are asked for a key: the configured one, or one of the store.
    pub asks_for_keys: bool,
    pub tokens: Option<Arc<dyn TokenVerifier>>,
    pub manager: Option<Arc<dyn Authorizer>>,
    pub cors: Cors,
    pub injects_faults: bool,
    pub version: Option<String>,
    pub limits: Limits,
    pub shutdown: Shutdown,
}

#[derive(Clone, Debug)]
pub(super) enum Ready {
    Up,
    Down(&'static str),
    Silent,
    /// Says that it has begun, and answers when it is let.
    Held {
        begun: CancellationToken,
        release: CancellationToken,
    },
}

#[async_trait]
impl Readiness for Ready {
    async fn check(&self) -> StoreHealth {
        let error = match self {
            Self::Up => None,
            Self::Down(error) => Some((*error).to_owned()),
            Self::Silent => std::future::pending().await,
            Self::Held { begun, release } => {
                begun.cancel();
                release.cancelled().await;
                None
            }
        };
        StoreHealth { store: "sqlite", latency: Duration::from_millis(3), error }
    }
}

/// A process that always tells the same.
#[derive(Debug)]
struct Told(&'static str);

#[async_trait]
impl Exposition for Told {
    async fn render(&self) -> String {
        self.0.to_owned()
    }
}

impl World {
    /// One active workflow with a webhook at `POST orders/paid`, and a store that accepts.
    pub(super) fn new() -> Self {
        let mut workflows = MockWorkflowStore::new();
        workflows.expect_route().returning(|method, path| {
            let live = method == "POST" && *path == WebhookPath::registered("orders/paid");
            Ok(live.then(route))
        });
        workflows.expect_version().returning(|_, _| Ok(Some(definition())));
        let mut executions = MockExecutionStore::new();
        executions.expect_accept().returning(|_| Ok(Acceptance::Accepted));
        let mut keys = MockIdempotencyStore::new();
        keys.expect_find().returning(|_, _| Ok(None));
        let mut dispatcher = MockDispatcher::new();
        dispatcher.expect_has_room().return_const(true);
        dispatcher.expect_dispatch().return_const(());
        let mut audit = MockAuditLog::new();
        audit.expect_append().returning(|_| Ok(()));
        Self {
            workflows,
            executions,
            keys,
            configs: MockProviderConfigStore::new(),
            audit,
            dashboards: MockDashboardStore::new(),
            dispatcher,
            readiness: Ready::Up,
            api_keys: MockApiKeyStore::new(),
            asks_for_keys: true,
            tokens: None,
            manager: None,
            cors: Cors::default(),
            injects_faults: false,
            version: None,
            limits: Limits::default(),
            shutdown: Shutdown::new(),
        }
    }

    /// With limits changed.
    pub(super) fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(super) fn door(self) -> Arc<Door> {
        let (limits, shutdown) = (self.limits.clone(), self.shutdown.clone());
        Arc::new(Door::new(self.app(), limits, shutdown))
    }

    pub(super) fn app(self) -> App {
        let mut clock = MockClock::new();
        clock.expect_now().return_const(NOW);
        let clock = Arc::new(clock);
        let mut ids = MockIdSource::new();
        let n_ids = AtomicU32::new(0);
        ids.expect_next_id().returning(move || {
            Uuid::from_u128(0xE + u128::from(n_ids.fetch_add(1, Ordering::Relaxed)))
        });
        let ids = Arc::new(ids);
        let workflows = Arc::new(self.workflows);
        let executions = Arc::new(self.executions);
        let configs = Arc::new(self.configs);
        let catalog = Arc::new(catalog());
        let plans = Arc::new(Plans::new(workflows.clone()));
        let routes = Arc::new(RouteTable::new(workflows.clone(), plans.clone()));
        let mut secrets = MockSecrets::new();
        secrets.expect_next_secret().returning(|| Ok([7; 32]));
        let api_keys = Arc::new(self.api_keys);
        let table = ApiKeyTable::new(api_keys.clone(), [KeyDigest::of(KEY.as_bytes())]);
        let table = self.asks_for_keys.then(|| Arc::new(table));
        let starter = Arc::new(Starter {
            executions: executions.clone(),
            dispatcher: Arc::new(self.dispatcher),
            clock: clock.clone(),
            ids: ids.clone(),
            replica: ReplicaId::from_uuid(Uuid::from_u128(1)),
            retention: Duration::from_hours(7 * 24),
            wait_max: Duration::from_secs(30),
        });
        let rates = Arc::new(GovernorRates::new());
        App {
            trigger: Trigger::new(routes.clone(), rates, clock.clone(), starter.clone()),
            workflows: Workflows {
                store: workflows.clone(),
                configs: configs.clone(),
                catalog: catalog.clone(),
                routes,
                clock: clock.clone(),
                ids: ids.clone(),
            },
            executions: Executions {
                store: executions,
                keys: Arc::new(self.keys),
                workflows,
                plans,
                starter,
                clock: clock.clone(),
            },
            provider_configs: ProviderConfigs {
                store: configs,
                catalog: catalog.clone(),
                clock: clock.clone(),
                ids: ids.clone(),
            },
            audit: Audit { log: Arc::new(self.audit), ids: ids.clone() },
            dashboards: Dashboards { store: Arc::new(self.dashboards), clock: clock.clone() },
            catalog,
            api_keys: ApiKeys {
                store: api_keys,
                table: table.clone(),
                clock: clock.clone(),
                ids,
                secrets: Arc::new(secrets),
            },
            access: Access { keys: table, tokens: self.tokens, manager: self.manager },
            cors: self.cors,
            injects_faults: self.injects_faults,
            cursor_key: [7; 32],
            clock,
            readiness: Arc::new(self.readiness),
            tracer: Arc::new(Untraced),
            metrics: Arc::new(Told("flowker_build_info 1\n")),
            version: self.version,
            deployment_mode: "local".to_owned(),
        }
    }
}

fn catalog() -> Catalog {
    let mut provider = MockProvider::new();
    provider.expect_descriptor().returning(|| ProviderDescriptor {
        id: "http",
        name: "HTTP",
        description: "Any HTTP service",
        version: "v1",
        config_schema: json!({"type": "object"}),
        executors: vec![ExecutorDescriptor {
            id: "http.request",
            name: "HTTP Request",
            category: "HTTP",
            version: "v1",
            schema: json!({"type": "object"}),
        }],
    });
    provider.expect_probe().returning(|config, probe| match (probe, &*config.name) {
        (_, "nowhere") => Err(ProbeFailure::NoAddress),
        (_, "inside") => Err(ProbeFailure::Forbidden("it is private".to_owned())),
        (Probe::Authentication, _) => Err(ProbeFailure::NoCredentials),
        _ => Ok(Probed {
            status: if probe == Probe::EndToEnd { 500 } else { 200 },
            url: "https://service.test/".to_owned(),
            content_type: Some("text/plain".to_owned()),
            body_bytes: 7,
            n_headers: 0,
        }),
    });
    Catalog::new([Arc::new(provider) as Arc<dyn Provider>]).expect("a catalog")
}

pub(super) fn definition() -> Definition {
    let document = json!({
        "nodes": [
            {"id": "t", "type": "trigger", "data":
                {"triggerType": "webhook", "method": "POST", "path": "orders/paid"}},
            {"id": "o", "type": "action", "data": {"actionType": "set_output", "output": {"a": 1}}},
        ],
        "edges": [{"id": "e", "source": "t", "target": "o"}],
    });
    Definition::from_document(document).expect("a definition")
}

fn route() -> Route {
    let key = NewRoute {
        method: "POST".to_owned(),
        path: WebhookPath::registered("orders/paid"),
        node_id: "t".to_owned(),
    };
    Route { key, workflow_id: WORKFLOW, version: 1 }
}

pub(super) fn workflow(n: u128) -> Workflow {
    Workflow {
        id: WorkflowId::from_uuid(Uuid::from_u128(n)),
        name: format!("workflow {n}"),
        description: None,
        status: Lifecycle::Draft,
        revision: 1,
        version: 0,
        definition: definition(),
        metadata: Map::new(),
        created_at: NOW,
        updated_at: NOW,
    }
}

/// An execution as it stands, with its end if `status` is one.
pub(super) fn summary(status: Status) -> Summary {
    use flowker_core::execution::{Failure, FailureCode};
    let output = Map::from_iter([("total".to_owned(), Value::from(7))]);
    let outcome = match status {
        Status::Pending | Status::Running => None,
        Status::Completed => Some(Outcome::Completed { output }),
        Status::Failed => Some(Outcome::Failed(Failure::new(FailureCode::StepFailed, "no"))),
        Status::Cancelled => Some(Outcome::Cancelled),
    };
    Summary {
        id: EXECUTION,
        workflow_id: WORKFLOW,
        status,
        current_step: 1,
        total_steps: 2,
        started_at: NOW,
        completed_at: outcome.as_ref().map(|_| NOW),
        outcome: outcome.map(Arc::new),
        retry_of: None,
    }
}
