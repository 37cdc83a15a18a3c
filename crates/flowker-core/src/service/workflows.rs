//! Workflows: editing drafts, and their way from draft to active and back.

mod templates;

pub use self::templates::check_template_params;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::masking;
use super::validate::{self, ExecutorNode};
use crate::actor::Actor;
use crate::audit::{AuditEvent, EventType};
use crate::catalog::Catalog;
use crate::code::Code;
use crate::id::WorkflowId;
use crate::members::Members;
use crate::ports::{
    Activation, Clock, IdSource, ProviderConfigStore, Transition, WorkflowPage, WorkflowQuery,
    WorkflowStore, WorkflowWritten,
};
use crate::refusal::{Fault, Refusal};
use crate::routing::RouteTable;
use crate::workflow::{Definition, Lifecycle, NewRoute, Plan, Violation, Workflow};

/// Manages workflows.
#[derive(Debug)]
pub struct Workflows {
    /// Keeps them.
    pub store: Arc<dyn WorkflowStore>,
    /// Keeps what their nodes refer to.
    pub configs: Arc<dyn ProviderConfigStore>,
    /// What their nodes can do.
    pub catalog: Arc<Catalog>,
    /// Told when routes come or go.
    pub routes: Arc<RouteTable>,
    /// When they are changed.
    pub clock: Arc<dyn Clock>,
    /// Their ids.
    pub ids: Arc<dyn IdSource>,
}

/// What a caller writes of a workflow.
#[derive(Debug)]
struct Draft {
    name: String,
    description: Option<String>,
    definition: Definition,
    /// `None`: leave it as it is.
    metadata: Option<Map<String, Value>>,
}

impl Draft {
    fn read(body: Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut members = Members::of(body, "", &mut faults);
        let draft = Self {
            name: members.string("name").unwrap_or_default(),
            description: members.string("description"),
            definition: Definition::read(&mut members),
            metadata: members.object("metadata"),
        };
        if faults.is_empty() { Ok(draft) } else { Err(faults) }
    }
}

impl Workflows {
    /// Stores a new draft. It may be empty or unable to run, but its executor nodes must be readable
    /// and refer to executors and active provider configurations that exist.
    pub async fn create(&self, body: Value, actor: &Actor) -> Result<Workflow, Refusal> {
        let draft = Draft::read(body).map_err(unreadable)?;
        validate::refuse(validate::draft_structure(&draft.name, &draft.definition))?;
        self.check_executors(&draft.definition).await?;
        self.store_new(draft, EventType::WorkflowCreated, actor).await
    }

    /// Replaces a draft: name, description and graph. Metadata is added to what is there.
    pub async fn update(
        &self,
        id: WorkflowId,
        body: Value,
        actor: &Actor,
    ) -> Result<Workflow, Refusal> {
        let draft = Draft::read(body).map_err(unreadable)?;
        let stored = self.get(id).await?;
        if stored.status != Lifecycle::Draft {
            let message =
                format!("The workflow is {}; only a draft can be changed.", stored.status.as_str());
            return Err(Refusal::new(Code::WorkflowNotEditable, message));
        }
        let definition = masking::unmask_definition(draft.definition, &stored.definition);
        self.check_executors(&definition).await?;
        validate::refuse(validate::draft_structure(&draft.name, &definition))?;
        let mut metadata = stored.metadata;
        metadata.extend(draft.metadata.unwrap_or_default());
        let workflow = Workflow {
            name: draft.name,
            description: draft.description,
            definition,
            metadata,
            revision: stored.revision + 1,
            updated_at: self.clock.now(),
            ..stored
        };
        let event = self.event(EventType::WorkflowUpdated, &workflow, actor);
        written(self.store.update(workflow, event).await?)
    }

    /// Stores a copy under another name, as a draft and without the metadata, whatever the status of
    /// the original.
    pub async fn clone_of(
        &self,
        id: WorkflowId,
        body: Value,
        actor: &Actor,
    ) -> Result<Workflow, Refusal> {
        let mut faults = Vec::new();
        let name = Members::of(body, "", &mut faults).string("name").unwrap_or_default();
        if !faults.is_empty() {
            return Err(unreadable(faults));
        }
        let Workflow { description, definition, .. } = self.get(id).await?;
        validate::refuse(validate::name(&name))?;
        let draft = Draft { name, description, definition, metadata: None };
        self.store_new(draft, EventType::WorkflowCloned, actor).await
    }

    /// Reads one.
    pub async fn get(&self, id: WorkflowId) -> Result<Workflow, Refusal> {
        self.store.get(id).await?.ok_or_else(|| Refusal::plain(Code::WorkflowNotFound))
    }

    /// Reads one page of a list.
    pub async fn list(&self, query: WorkflowQuery) -> Result<WorkflowPage, Refusal> {
        Ok(self.store.list(query).await?)
    }

    /// Makes a draft active, if it can run: freezes it as the next version and puts its webhooks
    /// into service.
    pub async fn activate(&self, id: WorkflowId, actor: &Actor) -> Result<Workflow, Refusal> {
        let workflow = self.get(id).await?;
        let plan = self.check_runnable(&workflow).await?;
        expect_status(&workflow, Lifecycle::Draft, "activated")?;
        let routes = plan.webhooks().map(|(node, webhook)| NewRoute {
            method: webhook.method.clone(),
            path: webhook.path.clone(),
            node_id: plan.node(node).id.clone(),
        });
        let activation = Activation {
            id,
            revision: workflow.revision,
            routes: routes.collect(),
            configs: workflow.definition.provider_configs(),
            at: self.clock.now(),
        };
        let event = self.event(EventType::WorkflowActivated, &workflow, actor);
        let activated = written(self.store.activate(activation, event).await?)?;
        self.follow_routes().await;
        Ok(activated)
    }

    /// Takes an active workflow out of service. Executions that run go on to their end.
    pub async fn deactivate(&self, id: WorkflowId, actor: &Actor) -> Result<Workflow, Refusal> {
        let workflow = self.get(id).await?;
        expect_status(&workflow, Lifecycle::Active, "deactivated")?;
        let event = self.event(EventType::WorkflowDeactivated, &workflow, actor);
        let deactivated = self.transition(&workflow, Lifecycle::Inactive, event).await?;
        self.follow_routes().await;
        Ok(deactivated)
    }

    /// Makes an inactive workflow a draft again, so that it can be changed.
    pub async fn to_draft(&self, id: WorkflowId, actor: &Actor) -> Result<Workflow, Refusal> {
        let workflow = self.get(id).await?;
        expect_status(&workflow, Lifecycle::Inactive, "made a draft")?;
        let event = self.event(EventType::WorkflowDrafted, &workflow, actor);
        self.transition(&workflow, Lifecycle::Draft, event).await
    }

    /// Removes a workflow that is not active. Its executions stay.
    pub async fn delete(&self, id: WorkflowId, actor: &Actor) -> Result<(), Refusal> {
        let workflow = self.get(id).await?;
        if workflow.status == Lifecycle::Active {
            let message = "The workflow is active; deactivate it before it is deleted.";
            return Err(Refusal::new(Code::WorkflowNotEditable, message));
        }
        let event = AuditEvent::workflow_deleted(self.ids.next_id(), id, actor);
        if self.store.delete(id, workflow.revision, event).await? {
            Ok(())
        } else {
            Err(overtaken())
        }
    }

    async fn store_new(
        &self,
        draft: Draft,
        kind: EventType,
        actor: &Actor,
    ) -> Result<Workflow, Refusal> {
        let now = self.clock.now();
        let workflow = Workflow {
            id: WorkflowId::from_uuid(self.ids.next_id()),
            name: draft.name,
            description: draft.description,
            status: Lifecycle::Draft,
            revision: 1,
            version: 0,
            definition: draft.definition,
            metadata: draft.metadata.unwrap_or_default(),
            created_at: now,
            updated_at: now,
        };
        let event = self.event(kind, &workflow, actor);
        written(self.store.create(workflow, event).await?)
    }

    async fn transition(
        &self,
        workflow: &Workflow,
        to: Lifecycle,
        event: AuditEvent,
    ) -> Result<Workflow, Refusal> {
        let Workflow { id, revision, .. } = *workflow;
        let transition = Transition { id, revision, to, at: self.clock.now() };
        written(self.store.transition(transition, event).await?)
    }

    fn event(&self, kind: EventType, workflow: &Workflow, actor: &Actor) -> AuditEvent {
        AuditEvent::of_workflow(self.ids.next_id(), kind, workflow.id, &workflow.name, actor)
    }

    /// Checks what a draft's executor nodes say and refer to.
    async fn check_executors(&self, definition: &Definition) -> Result<(), Refusal> {
        let nodes = ExecutorNode::all(definition);
        validate::refuse(validate::executors(&nodes, &self.catalog))?;
        // Else the number of nodes is refused, and they are not each worth a question.
        if validate::size(definition).is_empty() {
            validate::refuse(self.check_provider_configs(&nodes).await?)?;
        }
        validate::refuse(validate::mappings(&nodes))
    }

    async fn check_runnable(&self, workflow: &Workflow) -> Result<Plan, Refusal> {
        let Workflow { name, definition, .. } = workflow;
        let plan = validate::runnable(name, definition, &self.catalog);
        let plan = plan.map_err(validate::refusal)?;
        let nodes = ExecutorNode::all(definition);
        validate::refuse(self.check_provider_configs(&nodes).await?)?;
        Ok(plan)
    }

    async fn check_provider_configs(
        &self,
        nodes: &[ExecutorNode],
    ) -> Result<Vec<Violation>, Refusal> {
        Ok(validate::provider_configs(nodes, &self.catalog, &*self.configs).await?)
    }

    /// Lets this replica serve at once what was just changed. A failure changes nothing about that:
    /// the table is read again soon, and acceptance asks the store in any case.
    async fn follow_routes(&self) {
        let _ = self.routes.refresh().await;
    }
}

/// Everything that creating and activating a workflow would say about its document, without a store:
/// provider configurations are not looked up. Empty if there is nothing to say.
pub fn check_document(document: Value, catalog: &Catalog) -> Vec<Violation> {
    match Draft::read(document) {
        Ok(draft) => {
            validate::runnable(&draft.name, &draft.definition, catalog).err().unwrap_or_default()
        }
        Err(faults) => {
            let code = Code::BodyUnreadable;
            faults.into_iter().map(|fault| Violation { code, fault }).collect()
        }
    }
}

fn unreadable(faults: Vec<Fault>) -> Refusal {
    Refusal::of_members(Code::BodyUnreadable, faults)
}

fn overtaken() -> Refusal {
    Refusal::new(
        Code::Conflict,
        "The workflow was changed by someone else meanwhile. Read it again.",
    )
}

fn expect_status(workflow: &Workflow, status: Lifecycle, what: &str) -> Result<(), Refusal> {
    if workflow.status == status {
        return Ok(());
    }
    let (is, must_be) = (workflow.status.as_str(), status.as_str());
    let message = format!("The workflow is {is}; only one that is {must_be} can be {what}.");
    Err(Refusal::new(Code::TransitionNotAllowed, message))
}

fn written(written: WorkflowWritten) -> Result<Workflow, Refusal> {
    match written {
        WorkflowWritten::Done(workflow) => Ok(workflow),
        WorkflowWritten::NameTaken => {
            let message = "another workflow has this name; choose another";
            Err(Refusal::of_member(Code::WorkflowNameTaken, "name", message))
        }
        WorkflowWritten::Stale => Err(overtaken()),
        WorkflowWritten::RouteTaken { route, holder } => {
            let message = format!(
                "The webhook {} /{} of the node {:?} is taken by the workflow {holder}.",
                route.method,
                route.path.as_str(),
                route.node_id
            );
            Err(Refusal::new(Code::RouteTaken, message))
        }
        WorkflowWritten::ConfigUnusable(id) => {
            let message = format!(
                "The provider configuration {id} was removed or disabled meanwhile. Name another."
            );
            Err(Refusal::new(Code::ProviderConfigUnusable, message))
        }
    }
}

#[cfg(test)]
mod tests;
