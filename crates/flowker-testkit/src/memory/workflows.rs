//! Workflows in memory.

use async_trait::async_trait;
use flowker_core::archive::FrozenVersion;
use flowker_core::audit::AuditEvent;
use flowker_core::id::WorkflowId;
use flowker_core::ports::{
    Activation, StoreError, Transition, WorkflowPage, WorkflowQuery, WorkflowStore, WorkflowWritten,
};
use flowker_core::time::Timestamp;
use flowker_core::workflow::{Definition, Lifecycle, NewRoute, Route, WebhookPath, Workflow};

use super::page::{self, Named, NamedKey};
use super::{MemoryStore, State};

impl State {
    fn has_workflow_named(&self, name: &str, but: WorkflowId) -> bool {
        self.workflows.values().any(|it| it.name == name && it.id != but)
    }

    /// The workflow, if it still has the revision that the caller read.
    fn workflow_at(&mut self, id: WorkflowId, revision: u64) -> Option<&mut Workflow> {
        self.workflows.get_mut(&id).filter(|it| it.revision == revision)
    }

    fn route_conflict(&self, id: WorkflowId, routes: &[NewRoute]) -> Option<WorkflowWritten> {
        let held = routes.iter().enumerate().find_map(|(idx, route)| {
            let is_same = |it: &NewRoute| it.method == route.method && it.path == route.path;
            let holder = self.routes.values().find(|it| is_same(&it.key)).map(|it| it.workflow_id);
            let twice = routes[..idx].iter().any(is_same).then_some(id);
            holder.or(twice).map(|holder| (route.clone(), holder))
        });
        held.map(|(route, holder)| WorkflowWritten::RouteTaken { route, holder })
    }

    fn remove_routes(&mut self, id: WorkflowId) {
        let n_before = self.routes.len();
        self.routes.retain(|_, route| route.workflow_id != id);
        if self.routes.len() < n_before {
            self.routes_revision += 1;
        }
    }
}

fn change(workflow: &mut Workflow, status: Lifecycle, at: Timestamp) -> Workflow {
    workflow.status = status;
    workflow.revision += 1;
    workflow.updated_at = at;
    workflow.clone()
}

#[async_trait]
impl WorkflowStore for MemoryStore {
    async fn create(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let mut state = self.lock();
        if state.has_workflow_named(&workflow.name, workflow.id) {
            return Ok(WorkflowWritten::NameTaken);
        }
        state.workflows.insert(workflow.id, workflow.clone());
        state.audit.note(event, self.clock.now());
        Ok(WorkflowWritten::Done(workflow))
    }

    async fn get(&self, id: WorkflowId) -> Result<Option<Workflow>, StoreError> {
        Ok(self.lock().workflows.get(&id).cloned())
    }

    async fn list(&self, query: WorkflowQuery) -> Result<WorkflowPage, StoreError> {
        let key = |it: &Workflow| {
            let (id, name) = (*it.id.as_uuid(), it.name.as_str());
            let (created_at, updated_at) = (it.created_at, it.updated_at);
            NamedKey::of(query.sort, &Named { id, name, created_at, updated_at })
        };
        let after = query.after.as_ref().map(|cursor| NamedKey::read(query.sort, cursor));
        let after = after.transpose()?;
        let state = self.lock();
        let matching =
            state.workflows.values().filter(|it| query.status.is_none_or(|only| only == it.status));
        let matching = matching.cloned().collect();
        let (items, has_more) =
            page::cut(matching, key, query.sort.direction, after.as_ref(), query.limit);
        Ok(WorkflowPage { items, has_more })
    }

    async fn update(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let mut state = self.lock();
        let is_taken = state.has_workflow_named(&workflow.name, workflow.id);
        let Some(stored) = state.workflow_at(workflow.id, workflow.revision.wrapping_sub(1)) else {
            return Ok(WorkflowWritten::Stale);
        };
        if is_taken {
            return Ok(WorkflowWritten::NameTaken);
        }
        stored.name = workflow.name;
        stored.description = workflow.description;
        stored.definition = workflow.definition;
        stored.metadata = workflow.metadata;
        stored.updated_at = workflow.updated_at;
        stored.revision = workflow.revision;
        let stored = stored.clone();
        state.audit.note(event, self.clock.now());
        Ok(WorkflowWritten::Done(stored))
    }

    async fn activate(
        &self,
        activation: Activation,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let Activation { id, revision, routes, configs, at } = activation;
        let mut state = self.lock();
        let conflict = state.route_conflict(id, &routes);
        let unusable = configs.iter().find(|id| !state.is_usable(**id)).copied();
        let Some(workflow) = state.workflow_at(id, revision) else {
            return Ok(WorkflowWritten::Stale);
        };
        if let Some(unusable) = unusable {
            return Ok(WorkflowWritten::ConfigUnusable(unusable));
        }
        if let Some(conflict) = conflict {
            return Ok(conflict);
        }
        workflow.version += 1;
        let workflow = change(workflow, Lifecycle::Active, at);
        let (version, definition) = (workflow.version, workflow.definition.clone());
        let frozen = FrozenVersion { workflow_id: id, version, frozen_at: at, definition };
        state.versions.insert((id, version), frozen);
        if !routes.is_empty() {
            state.routes_revision += 1;
        }
        state.config_uses.extend(configs.into_iter().map(|config| (config, id)));
        for key in routes {
            let at = (key.method.clone(), key.path.clone());
            let route = Route { key, workflow_id: id, version: workflow.version };
            state.routes.insert(at, route);
        }
        state.audit.note(event, self.clock.now());
        Ok(WorkflowWritten::Done(workflow))
    }

    async fn transition(
        &self,
        transition: Transition,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        let Transition { id, revision, to, at } = transition;
        let mut state = self.lock();
        let Some(workflow) = state.workflow_at(id, revision) else {
            return Ok(WorkflowWritten::Stale);
        };
        let workflow = change(workflow, to, at);
        state.remove_routes(id);
        state.config_uses.retain(|(_, workflow)| *workflow != id);
        state.audit.note(event, self.clock.now());
        Ok(WorkflowWritten::Done(workflow))
    }

    async fn delete(
        &self,
        id: WorkflowId,
        revision: u64,
        event: AuditEvent,
    ) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let stored = state.workflow_at(id, revision);
        let is_deletable = stored.is_some_and(|it| it.status != Lifecycle::Active);
        if is_deletable {
            state.workflows.remove(&id);
            state.audit.note(event, self.clock.now());
        }
        Ok(is_deletable)
    }

    async fn version(
        &self,
        id: WorkflowId,
        version: u32,
    ) -> Result<Option<Definition>, StoreError> {
        Ok(self.lock().versions.get(&(id, version)).map(|it| it.definition.clone()))
    }

    async fn routes(&self) -> Result<Vec<Route>, StoreError> {
        Ok(self.lock().routes.values().cloned().collect())
    }

    async fn route(&self, method: &str, path: &WebhookPath) -> Result<Option<Route>, StoreError> {
        Ok(self.lock().routes.get(&(method.to_owned(), path.clone())).cloned())
    }

    async fn routes_revision(&self) -> Result<u64, StoreError> {
        Ok(self.lock().routes_revision)
    }
}
