//! The table that webhook requests are matched with.
//!
//! A cache of hints: acceptance checks again what it says, so a stale entry starts nothing, and a
//! miss is looked up in the store before it is believed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::plans::Plans;
use crate::ports::{StoreError, WorkflowStore};
use crate::time::Timestamp;
use crate::workflow::{Kind, NodeIdx, Plan, Route, Webhook, WebhookPath};

/// How long a miss is believed.
const MISS_LIFE: Duration = Duration::from_secs(1);

/// How many misses are remembered. A caller that tries paths at random costs no more than this.
const MISSES_MAX: usize = 1_024;

type Key = (String, WebhookPath);

/// A live route and the version that it starts.
#[derive(Debug)]
pub struct LiveRoute {
    /// What was registered, and for whom.
    pub route: Route,
    /// The version.
    pub plan: Arc<Plan>,
    /// The trigger node at which a run starts.
    pub start: NodeIdx,
}

impl LiveRoute {
    /// What is asked of callers. `None` if the version's node is no webhook: then the store holds a
    /// route that no activation wrote.
    pub fn webhook(&self) -> Option<&Webhook> {
        match &self.plan.node(self.start).kind {
            Kind::Trigger(trigger) => trigger.webhook.as_ref(),
            Kind::Executor(_) | Kind::Conditional { .. } | Kind::Action(_) => None,
        }
    }
}

#[derive(Debug, Default)]
struct Live {
    /// The store's number for this set; `None` before the first read.
    revision: Option<u64>,
    routes: HashMap<Key, Arc<LiveRoute>>,
}

/// Follows the store's routes.
#[derive(Debug)]
pub struct RouteTable {
    store: Arc<dyn WorkflowStore>,
    plans: Arc<Plans>,
    live: RwLock<Arc<Live>>,
    misses: Mutex<HashMap<Key, Timestamp>>,
}

/// A route that cannot be served, and why. The others are.
#[derive(Debug)]
pub struct UnusableRoute {
    /// The route.
    pub route: Route,
    /// Why.
    pub error: StoreError,
}

impl RouteTable {
    /// An empty table.
    pub fn new(store: Arc<dyn WorkflowStore>, plans: Arc<Plans>) -> Self {
        Self { store, plans, live: RwLock::default(), misses: Mutex::default() }
    }

    /// Reads the routes again if any came or went since the last time.
    pub async fn refresh(&self) -> Result<Vec<UnusableRoute>, StoreError> {
        let revision = self.store.routes_revision().await?;
        let before = self.live();
        if before.revision == Some(revision) {
            return Ok(Vec::new());
        }
        let mut routes = HashMap::new();
        let mut unusable = Vec::new();
        for route in self.store.routes().await? {
            let key = (route.key.method.clone(), route.key.path.clone());
            match before.routes.get(&key).filter(|known| known.route == route) {
                Some(known) => {
                    routes.insert(key, Arc::clone(known));
                }
                None => match self.compile(route.clone()).await {
                    Ok(live) => {
                        routes.insert(key, Arc::new(live));
                    }
                    Err(error) => unusable.push(UnusableRoute { route, error }),
                },
            }
        }
        let live = Arc::new(Live { revision: Some(revision), routes });
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
        self.misses.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(unusable)
    }

    /// Finds the route of a request.
    pub async fn find(
        &self,
        method: &str,
        path: &WebhookPath,
        now: Timestamp,
    ) -> Result<Option<Arc<LiveRoute>>, StoreError> {
        let key = (method.to_owned(), path.clone());
        if let Some(live) = self.live().routes.get(&key) {
            return Ok(Some(Arc::clone(live)));
        }
        if self.was_missed(&key, now) {
            return Ok(None);
        }
        self.find_in_store(method, path, now).await
    }

    /// Finds the route of a request whose entry in the table turned out to be stale.
    pub async fn find_in_store(
        &self,
        method: &str,
        path: &WebhookPath,
        now: Timestamp,
    ) -> Result<Option<Arc<LiveRoute>>, StoreError> {
        let Some(route) = self.store.route(method, path).await? else {
            self.remember_miss((method.to_owned(), path.clone()), now);
            return Ok(None);
        };
        Ok(Some(Arc::new(self.compile(route).await?)))
    }

    async fn compile(&self, route: Route) -> Result<LiveRoute, StoreError> {
        let plan = self.plans.get(route.workflow_id, route.version).await?;
        let start = plan.find(&route.key.node_id).ok_or_else(|| {
            StoreError::corrupt(
                format!("route {} {}", route.key.method, route.key.path.as_str()),
                "its version lacks the trigger node",
            )
        })?;
        Ok(LiveRoute { route, plan, start })
    }

    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn was_missed(&self, key: &Key, now: Timestamp) -> bool {
        let misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        misses.get(key).is_some_and(|at| now.since(*at) < MISS_LIFE && *at <= now)
    }

    fn remember_miss(&self, key: Key, now: Timestamp) {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        if MISSES_MAX <= misses.len() {
            misses.clear();
        }
        misses.insert(key, now);
    }
}
