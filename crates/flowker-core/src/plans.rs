//! Compiled versions of workflows, read once and kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::WorkflowId;
use crate::ports::{StoreError, WorkflowStore};
use crate::workflow::Plan;

/// How many versions are kept that nobody uses at the moment. Versions in use are kept anyway, by
/// those who use them.
const IDLE_MAX: usize = 1_024;

/// Reads frozen versions and keeps what they compile to. A version never changes, so nothing here
/// grows stale.
#[derive(Debug)]
pub struct Plans {
    store: Arc<dyn WorkflowStore>,
    kept: Mutex<HashMap<(WorkflowId, u32), Arc<Plan>>>,
}

/// A stored version that does not compile.
#[derive(Debug, thiserror::Error)]
#[error("a stored version does not compile: {0}")]
struct Uncompilable(String);

/// A version that is not there.
#[derive(Debug, thiserror::Error)]
#[error("there is no such version")]
struct Missing;

impl Plans {
    /// Reads from `store`.
    pub fn new(store: Arc<dyn WorkflowStore>) -> Self {
        Self { store, kept: Mutex::default() }
    }

    /// A version, compiled.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] for a version that is missing or that this release cannot run.
    pub async fn get(&self, id: WorkflowId, version: u32) -> Result<Arc<Plan>, StoreError> {
        let key = (id, version);
        if let Some(plan) = self.lock().get(&key) {
            return Ok(Arc::clone(plan));
        }
        let what = |id: &dyn fmt::Display| format!("version {version} of workflow {id}");
        let definition = self.store.version(id, version).await?;
        let definition = definition.ok_or_else(|| StoreError::corrupt(what(&id), Missing))?;
        let plan = Plan::compile(&definition).map_err(|violations| {
            let first = violations.first().map_or_else(String::new, |it| {
                format!("{} {}: {}", it.code, it.fault.path, it.fault.message)
            });
            StoreError::corrupt(what(&id), Uncompilable(first))
        })?;
        let plan = Arc::new(plan);
        let mut kept = self.lock();
        if IDLE_MAX <= kept.len() {
            kept.retain(|_, plan| 1 < Arc::strong_count(plan));
        }
        kept.insert(key, Arc::clone(&plan));
        Ok(plan)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(WorkflowId, u32), Arc<Plan>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
