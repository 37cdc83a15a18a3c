//! Every store port, passed on with the faults of the script.

use async_trait::async_trait;
use flowker_core::actor::Actor;
use flowker_core::audit::{AuditEntry, AuditEvent, Link};
use flowker_core::dashboard::{Counts, Series, SeriesQuery, Span};
use flowker_core::execution::{Entry, Execution, Fence, Owned, Summary};
use flowker_core::id::{
    ApiKeyId, AuditEventId, ExecutionId, ProviderConfigId, ReplicaId, WorkflowId,
};
use flowker_core::idempotency::IdempotencyKey;
use flowker_core::ports::{
    Acceptance, Activation, ApiKey, ApiKeyPage, ApiKeyQuery, ApiKeyStore, ApiKeyWritten, Append,
    AuditLog, AuditPage, AuditQuery, Backlog, CancelAnswer, ConfigWritten, DashboardStore,
    ExecutionPage, ExecutionQuery, ExecutionStore, IdempotencyStore, KnownKey, NewExecution,
    ProviderConfig, ProviderConfigPage, ProviderConfigQuery, ProviderConfigStore, SharedValues,
    StoreError, Transition, UnusedWritten, WorkflowPage, WorkflowQuery, WorkflowStore,
    WorkflowWritten,
};
use flowker_core::time::Timestamp;
use flowker_core::workflow::{Definition, Lifecycle, Route, WebhookPath, Workflow};

use super::{FaultyStore, Method};

#[async_trait]
impl ExecutionStore for FaultyStore {
    async fn accept(&self, new: NewExecution) -> Result<Acceptance, StoreError> {
        self.pass_on(Method::Accept, self.inner.executions.accept(new)).await
    }

    async fn append(&self, append: Append) -> Result<(), StoreError> {
        self.pass_on(Method::Append, self.inner.executions.append(append)).await
    }

    async fn adopt(
        &self,
        owner: ReplicaId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Owned>, StoreError> {
        self.pass_on(Method::Adopt, self.inner.executions.adopt(owner, limit, now)).await
    }

    async fn release(
        &self,
        id: ExecutionId,
        fence: Fence,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.pass_on(Method::Release, self.inner.executions.release(id, fence, due)).await
    }

    async fn keep_alive(&self, owner: ReplicaId) -> Result<(), StoreError> {
        self.pass_on(Method::KeepAlive, self.inner.executions.keep_alive(owner)).await
    }

    async fn owned(&self, owner: ReplicaId) -> Result<Vec<(ExecutionId, Fence)>, StoreError> {
        self.pass_on(Method::Owned, self.inner.executions.owned(owner)).await
    }

    async fn backlog(&self, count_max: usize) -> Result<Backlog, StoreError> {
        self.pass_on(Method::Backlog, self.inner.executions.backlog(count_max)).await
    }

    async fn load(&self, id: ExecutionId, fence: Fence) -> Result<Option<Owned>, StoreError> {
        self.pass_on(Method::Load, self.inner.executions.load(id, fence)).await
    }

    async fn cancel(
        &self,
        id: ExecutionId,
        at: Timestamp,
        actor: &Actor,
    ) -> Result<CancelAnswer, StoreError> {
        self.pass_on(Method::Cancel, self.inner.executions.cancel(id, at, actor)).await
    }

    async fn get(&self, id: ExecutionId) -> Result<Option<Summary>, StoreError> {
        self.pass_on(Method::GetExecution, self.inner.executions.get(id)).await
    }

    async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        self.pass_on(Method::Execution, self.inner.executions.execution(id)).await
    }

    async fn journal(&self, id: ExecutionId) -> Result<Vec<Entry>, StoreError> {
        self.pass_on(Method::Journal, self.inner.executions.journal(id)).await
    }

    async fn list(&self, query: ExecutionQuery) -> Result<ExecutionPage, StoreError> {
        self.pass_on(Method::ListExecutions, self.inner.executions.list(query)).await
    }
}

#[async_trait]
impl IdempotencyStore for FaultyStore {
    async fn find(
        &self,
        workflow_id: WorkflowId,
        key: &IdempotencyKey,
    ) -> Result<Option<KnownKey>, StoreError> {
        self.pass_on(Method::FindKey, self.inner.keys.find(workflow_id, key)).await
    }

    async fn purge_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.pass_on(Method::PurgeExpired, self.inner.keys.purge_expired(limit)).await
    }
}

#[async_trait]
impl WorkflowStore for FaultyStore {
    async fn create(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        self.pass_on(Method::CreateWorkflow, self.inner.workflows.create(workflow, event)).await
    }

    async fn get(&self, id: WorkflowId) -> Result<Option<Workflow>, StoreError> {
        self.pass_on(Method::GetWorkflow, self.inner.workflows.get(id)).await
    }

    async fn list(&self, query: WorkflowQuery) -> Result<WorkflowPage, StoreError> {
        self.pass_on(Method::ListWorkflows, self.inner.workflows.list(query)).await
    }

    async fn update(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        self.pass_on(Method::UpdateWorkflow, self.inner.workflows.update(workflow, event)).await
    }

    async fn activate(
        &self,
        activation: Activation,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        self.pass_on(Method::Activate, self.inner.workflows.activate(activation, event)).await
    }

    async fn transition(
        &self,
        transition: Transition,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError> {
        self.pass_on(Method::Transition, self.inner.workflows.transition(transition, event)).await
    }

    async fn delete(
        &self,
        id: WorkflowId,
        revision: u64,
        event: AuditEvent,
    ) -> Result<bool, StoreError> {
        self.pass_on(Method::DeleteWorkflow, self.inner.workflows.delete(id, revision, event)).await
    }

    async fn version(
        &self,
        id: WorkflowId,
        version: u32,
    ) -> Result<Option<Definition>, StoreError> {
        self.pass_on(Method::Version, self.inner.workflows.version(id, version)).await
    }

    async fn routes(&self) -> Result<Vec<Route>, StoreError> {
        self.pass_on(Method::Routes, self.inner.workflows.routes()).await
    }

    async fn route(&self, method: &str, path: &WebhookPath) -> Result<Option<Route>, StoreError> {
        self.pass_on(Method::Route, self.inner.workflows.route(method, path)).await
    }

    async fn routes_revision(&self) -> Result<u64, StoreError> {
        self.pass_on(Method::RoutesRevision, self.inner.workflows.routes_revision()).await
    }
}

#[async_trait]
impl ProviderConfigStore for FaultyStore {
    async fn create(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        self.pass_on(Method::CreateConfig, self.inner.configs.create(config, event)).await
    }

    async fn get(&self, id: ProviderConfigId) -> Result<Option<ProviderConfig>, StoreError> {
        self.pass_on(Method::GetConfig, self.inner.configs.get(id)).await
    }

    async fn list(&self, query: ProviderConfigQuery) -> Result<ProviderConfigPage, StoreError> {
        self.pass_on(Method::ListConfigs, self.inner.configs.list(query)).await
    }

    async fn update(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<ConfigWritten, StoreError> {
        self.pass_on(Method::UpdateConfig, self.inner.configs.update(config, event)).await
    }

    async fn update_unused(
        &self,
        config: ProviderConfig,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        let write = self.inner.configs.update_unused(config, event);
        self.pass_on(Method::UpdateUnusedConfig, write).await
    }

    async fn delete_unused(
        &self,
        id: ProviderConfigId,
        event: AuditEvent,
    ) -> Result<UnusedWritten, StoreError> {
        let write = self.inner.configs.delete_unused(id, event);
        self.pass_on(Method::DeleteUnusedConfig, write).await
    }

    async fn delete(&self, id: ProviderConfigId, event: AuditEvent) -> Result<bool, StoreError> {
        self.pass_on(Method::DeleteConfig, self.inner.configs.delete(id, event)).await
    }
}

#[async_trait]
impl ApiKeyStore for FaultyStore {
    async fn create(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError> {
        self.pass_on(Method::CreateApiKey, self.inner.api_keys.create(key, event)).await
    }

    async fn get(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.pass_on(Method::GetApiKey, self.inner.api_keys.get(id)).await
    }

    async fn list(&self, query: ApiKeyQuery) -> Result<ApiKeyPage, StoreError> {
        self.pass_on(Method::ListApiKeys, self.inner.api_keys.list(query)).await
    }

    async fn update(&self, key: ApiKey, event: AuditEvent) -> Result<ApiKeyWritten, StoreError> {
        self.pass_on(Method::UpdateApiKey, self.inner.api_keys.update(key, event)).await
    }

    async fn unrevoked(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.pass_on(Method::UnrevokedApiKeys, self.inner.api_keys.unrevoked()).await
    }

    async fn keys_revision(&self) -> Result<u64, StoreError> {
        self.pass_on(Method::ApiKeysRevision, self.inner.api_keys.keys_revision()).await
    }
}

#[async_trait]
impl SharedValues for FaultyStore {
    async fn keep(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.pass_on(Method::KeepShared, self.inner.shared.keep(name, value)).await
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.pass_on(Method::ReadShared, self.inner.shared.read(name)).await
    }
}

#[async_trait]
impl AuditLog for FaultyStore {
    async fn append(&self, event: AuditEvent) -> Result<(), StoreError> {
        self.pass_on(Method::AppendAudit, self.inner.audit.append(event)).await
    }

    async fn seal(&self, limit: usize) -> Result<usize, StoreError> {
        self.pass_on(Method::SealAudit, self.inner.audit.seal(limit)).await
    }

    async fn get(&self, id: AuditEventId) -> Result<Option<AuditEntry>, StoreError> {
        self.pass_on(Method::GetAudit, self.inner.audit.get(id)).await
    }

    async fn search(&self, query: AuditQuery) -> Result<AuditPage, StoreError> {
        self.pass_on(Method::SearchAudit, self.inner.audit.search(query)).await
    }

    async fn sequence(&self, id: AuditEventId) -> Result<Option<u64>, StoreError> {
        self.pass_on(Method::AuditSequence, self.inner.audit.sequence(id)).await
    }

    async fn chain(&self, from: u64, limit: usize) -> Result<Vec<Link>, StoreError> {
        self.pass_on(Method::AuditChain, self.inner.audit.chain(from, limit)).await
    }
}

#[async_trait]
impl DashboardStore for FaultyStore {
    async fn workflows_by_status(&self) -> Result<Vec<(Lifecycle, u64)>, StoreError> {
        self.pass_on(Method::WorkflowsByStatus, self.inner.dashboards.workflows_by_status()).await
    }

    async fn count_executions(&self, span: Span) -> Result<Counts, StoreError> {
        self.pass_on(Method::CountExecutions, self.inner.dashboards.count_executions(span)).await
    }

    async fn series(&self, query: SeriesQuery) -> Result<Series, StoreError> {
        self.pass_on(Method::Series, self.inner.dashboards.series(query)).await
    }
}
