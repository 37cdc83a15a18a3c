//! Which adapter stands behind which port.

use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::access::ApiKeyTable;
use flowker_core::catalog::Catalog;
use flowker_core::id::ReplicaId;
use flowker_core::net::OutboundPolicy;
use flowker_core::plans::Plans;
use flowker_core::ports::{Clock, IdSource, ProviderConfigStore, WorkflowStore};
use flowker_core::routing::RouteTable;
use flowker_core::service::{ApiKeys, Audit, Dashboards, Executions, ProviderConfigs, Workflows};
use flowker_core::trigger::{Starter, Trigger};
use flowker_engine::Engine;
use flowker_http::{Access, App, GovernorRates, Readiness, StoreHealth};
use flowker_providers::{
    AccessManager, ClientLimits, HttpClient, IssuerTokens, access_client, native_roots, providers,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing::warn;
use url::Url;

use crate::access;
use crate::config::Config;
use crate::metrics::{self, Told};
use crate::sealed::SealedConfigs;
use crate::store::{Ports, Store};
use crate::system::{RisingIds, SystemClock, SystemSecrets};
use crate::telemetry::Telemetry;
use crate::transfer;

/// Everything that runs, put together.
pub struct Wired {
    /// Where everything is kept.
    pub store: Store,
    /// What drives executions.
    pub engine: Arc<Engine>,
    /// What requests are matched with.
    pub routes: Arc<RouteTable>,
    /// What the server serves.
    pub app: App,
    /// What was measured.
    pub metrics: PrometheusHandle,
}

/// Opens the store and puts everything together. Nothing runs yet.
pub async fn wire(config: &Config, telemetry: &Telemetry) -> anyhow::Result<Wired> {
    // First: whatever is made from here on measures itself.
    let metrics = metrics::start()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids: Arc<dyn IdSource> = Arc::new(RisingIds);
    let store = Store::open(config, &clock).await?;
    transfer::expect_whole(&*store.archive()).await?;
    let Ports { executions, keys, workflows, configs, api_keys, shared, audit, dashboards } =
        store.ports();
    let configs: Arc<dyn ProviderConfigStore> =
        Arc::new(SealedConfigs::new(configs, config.secrets_key));
    let policy = OutboundPolicy {
        allow_private: config.ssrf_allow_private,
        allow: config.outbound_allow.clone(),
    };
    let catalog = Arc::new(catalog(policy)?);
    let plans = Arc::new(Plans::new(Arc::clone(&workflows)));
    let routes = Arc::new(RouteTable::new(Arc::clone(&workflows), Arc::clone(&plans)));
    let replica = ReplicaId::from_uuid(ids.next_id());
    let engine = Arc::new(Engine::new(
        flowker_engine::Deps {
            executions: Arc::clone(&executions),
            plans: Arc::clone(&plans),
            configs: Arc::clone(&configs),
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            replica,
            tracer: telemetry.tracer(),
            rng: fastrand::Rng::new(),
        },
        flowker_engine::Limits {
            executions_max: config.max_executions,
            calls_max: config.max_calls,
            calls_per_config_max: config.max_calls_per_provider_configuration,
            ..flowker_engine::Limits::default()
        },
    ));
    let starter = Arc::new(Starter {
        executions: Arc::clone(&executions),
        dispatcher: Arc::clone(&engine) as _,
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        replica,
        retention: config.idempotency_retention,
        wait_max: config.wait_max,
    });
    let table = access::api_keys(config, Arc::clone(&api_keys), &*shared).await?;
    let app = App {
        trigger: Trigger::new(
            Arc::clone(&routes),
            Arc::new(GovernorRates::new()),
            Arc::clone(&clock),
            Arc::clone(&starter),
        ),
        workflows: Workflows {
            store: Arc::clone(&workflows),
            configs: Arc::clone(&configs),
            catalog: Arc::clone(&catalog),
            routes: Arc::clone(&routes),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
        },
        executions: Executions {
            store: executions,
            keys,
            workflows: Arc::clone(&workflows),
            plans,
            starter,
            clock: Arc::clone(&clock),
        },
        provider_configs: ProviderConfigs {
            store: configs,
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
        },
        audit: Audit { log: audit, ids: Arc::clone(&ids) },
        dashboards: Dashboards { store: dashboards, clock: Arc::clone(&clock) },
        catalog,
        api_keys: ApiKeys {
            store: api_keys,
            table: table.clone(),
            clock: Arc::clone(&clock),
            ids,
            secrets: Arc::new(SystemSecrets),
        },
        access: asked_of_callers(config, table, &clock),
        cors: config.cors.clone(),
        injects_faults: config.injects_faults,
        cursor_key: access::cursor_key(&*shared).await?,
        clock: Arc::clone(&clock),
        tracer: telemetry.tracer(),
        metrics: Arc::new(Told::new(metrics.clone(), Arc::clone(&engine), store.clone())),
        readiness: Arc::new(Probe { store: store.clone(), workflows, clock }),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        deployment_mode: config.deployment_mode.clone(),
    };
    Ok(Wired { store, engine, routes, app, metrics })
}

/// What the door asks of callers.
fn asked_of_callers(
    config: &Config,
    keys: Option<Arc<ApiKeyTable>>,
    clock: &Arc<dyn Clock>,
) -> Access {
    // Not the client of workflows: who can write a workflow must not choose whom we ask.
    let manager = config.access_manager.as_ref().map(|address| {
        let client = Arc::new(access_client(&[address], native_roots().0));
        Arc::new(AccessManager::new(client, address)) as _
    });
    let tokens = config.tokens.clone().map(|settings| {
        let issuer = Url::parse(&settings.issuer).ok();
        let hosts: Vec<_> = issuer.iter().chain(&settings.jwks_url).collect();
        let client = Arc::new(access_client(&hosts, native_roots().0));
        Arc::new(IssuerTokens::new(client, settings, Arc::clone(clock))) as _
    });
    Access { keys, tokens, manager }
}

fn catalog(policy: OutboundPolicy) -> anyhow::Result<Catalog> {
    let (roots, n_unusable) = native_roots();
    if roots.is_empty() {
        warn!(n_unusable, "the system has no usable root certificates: no https call will succeed");
    }
    let client = HttpClient::new(policy, ClientLimits::default(), roots);
    Ok(Catalog::new(providers(Arc::new(client)))?)
}

/// The catalog for looking things up in, from which nothing will be called.
pub fn catalog_for_checks() -> anyhow::Result<Catalog> {
    catalog(OutboundPolicy::default())
}

/// Asks the store for something small.
#[derive(Debug)]
struct Probe {
    store: Store,
    workflows: Arc<dyn WorkflowStore>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Readiness for Probe {
    async fn check(&self) -> StoreHealth {
        let began = self.clock.now();
        let error = match self.workflows.routes_revision().await {
            Ok(_) if self.store.has_failed() => Some("writing failed".to_owned()),
            Ok(_) => None,
            // Its cause is for the log: whoever asks for health needs no credentials.
            Err(error) => Some(error.to_string()),
        };
        StoreHealth { store: self.store.name(), latency: self.clock.now().since(began), error }
    }
}
