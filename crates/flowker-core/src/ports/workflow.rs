//! Workflows: definitions, versions, lifecycle, routes.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::audit::AuditEvent;
use crate::id::{ProviderConfigId, WorkflowId};
use crate::time::Timestamp;
use crate::workflow::{Definition, Lifecycle, NewRoute, Route, WebhookPath, Workflow};

/// What becomes of a workflow that is activated.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// Which workflow.
    pub id: WorkflowId,
    /// The revision that was read.
    pub revision: u64,
    /// Its webhooks.
    pub routes: Vec<NewRoute>,
    /// The provider configurations that its nodes name, each once.
    pub configs: Vec<ProviderConfigId>,
    /// When.
    pub at: Timestamp,
}

/// A change of status other than an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which workflow.
    pub id: WorkflowId,
    /// The revision that was read.
    pub revision: u64,
    /// [`Lifecycle::Inactive`] or [`Lifecycle::Draft`].
    pub to: Lifecycle,
    /// When.
    pub at: Timestamp,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkflowWritten {
    /// It is stored, and looks like this now.
    Done(Workflow),
    /// Another workflow has the name. Nothing was written.
    NameTaken,
    /// The stored revision is another, or the workflow is gone. Nothing was written.
    Stale,
    /// Another workflow, or another node of this one, has this route. Nothing was written.
    RouteTaken {
        /// The route.
        route: NewRoute,
        /// Who has it.
        holder: WorkflowId,
    },
    /// A provider configuration that a node names is gone or disabled. Nothing was written.
    ConfigUnusable(ProviderConfigId),
}

/// Which way a list runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    #[default]
    Descending,
}

/// What named resources are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamedSortKey {
    /// When they were made.
    #[default]
    CreatedAt,
    /// When they were last changed.
    UpdatedAt,
    /// By name, byte by byte.
    Name,
}

/// In which order named resources are listed. Ties are broken by id, in the same direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamedSort {
    /// By what.
    pub key: NamedSortKey,
    /// Which way.
    pub direction: Direction,
}

/// A place in a list of named resources: the last item that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its sort value: the name, or a moment in microseconds as decimal text.
    pub value: String,
    /// Its id.
    pub id: uuid::Uuid,
}

/// Which workflows a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowQuery {
    /// In one status only.
    pub status: Option<Lifecycle>,
    /// In which order.
    pub sort: NamedSort,
    /// Strictly after this place.
    pub after: Option<Cursor>,
    /// How many at the most.
    pub limit: usize,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowPage {
    /// In the order that was asked for.
    pub items: Vec<Workflow>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

/// Keeps workflows, their frozen versions and their routes.
///
/// Every write compares the revision that its caller read with the one that is stored, and MUST write
/// its event for the audit log together with the change, or neither. Proved by
/// `flowker_testkit::workflow_store_contract!`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait WorkflowStore: fmt::Debug + Send + Sync {
    /// Stores a new draft. Answers `Done` or `NameTaken`.
    ///
    /// - MUST let one of several racers with the same name win.
    async fn create(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError>;

    /// Reads one.
    async fn get(&self, id: WorkflowId) -> Result<Option<Workflow>, StoreError>;

    /// Reads one page of a list.
    async fn list(&self, query: WorkflowQuery) -> Result<WorkflowPage, StoreError>;

    /// Replaces what can be edited: name, description, definition, metadata, `updated_at`.
    /// `workflow.revision` is the new revision, one above the one that was read.
    ///
    /// - MUST answer `Stale` unless the stored revision is one below it.
    async fn update(
        &self,
        workflow: Workflow,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError>;

    /// Makes a workflow active: freezes its definition as the next version and registers its
    /// routes for that version.
    ///
    /// - MUST do all of it, or nothing.
    /// - MUST answer `ConfigUnusable` unless all of `activation.configs` are there and active, and from
    ///   then on, until the workflow is active no more, keep
    ///   [`update_unused`](super::ProviderConfigStore::update_unused) and [`delete_unused`](super::ProviderConfigStore::delete_unused) from
    ///   touching them, whoever races.
    /// - MUST answer `RouteTaken` if any route is held by anyone, twice in `routes` included.
    /// - MUST answer `Stale` unless the stored revision is `activation.revision`.
    async fn activate(
        &self,
        activation: Activation,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError>;

    /// Changes the status, removes all routes, and uses no provider configuration any more. Afterwards no acceptance for the workflow
    /// succeeds.
    ///
    /// - MUST answer `Stale` unless the stored revision is `transition.revision`.
    async fn transition(
        &self,
        transition: Transition,
        event: AuditEvent,
    ) -> Result<WorkflowWritten, StoreError>;

    /// Removes a workflow that is not active, if its revision is still this one; whether it was.
    /// Its versions stay for the executions that run them.
    async fn delete(
        &self,
        id: WorkflowId,
        revision: u64,
        event: AuditEvent,
    ) -> Result<bool, StoreError>;

    /// Reads a frozen version.
    ///
    /// - MUST answer what was frozen, however the workflow was changed or deleted since.
    async fn version(&self, id: WorkflowId, version: u32)
    -> Result<Option<Definition>, StoreError>;

    /// Reads all live routes.
    async fn routes(&self) -> Result<Vec<Route>, StoreError>;

    /// Reads one live route.
    async fn route(&self, method: &str, path: &WebhookPath) -> Result<Option<Route>, StoreError>;

    /// A number that grows whenever a route comes or goes, so that followers need not read them
    /// all to see that nothing changed.
    async fn routes_revision(&self) -> Result<u64, StoreError>;
}
