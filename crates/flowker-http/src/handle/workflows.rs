//! Workflows and their lifecycle.

use flowker_core::id::WorkflowId;
use flowker_core::ports::WorkflowQuery;
use flowker_core::time::Timestamp;
use flowker_core::workflow::{Lifecycle, Workflow};
use uuid::Uuid;

use super::{Call, Reply};
use crate::cursor::List;
use crate::error::Failure;
use crate::paging::{self, Named, NamedPage};
use crate::show;

pub(super) async fn create(call: Call) -> Result<Reply, Failure> {
    let (door, actor, document) = call.document().await?;
    let workflow = door.app.workflows.create(document.value, &actor).await?;
    Ok(Reply::created(show::workflow_created(&workflow)))
}

pub(super) async fn create_from_template(call: Call) -> Result<Reply, Failure> {
    let (door, actor, document) = call.document().await?;
    let workflow = door.app.workflows.from_template(document.value, &actor).await?;
    Ok(Reply::created(show::workflow_created(&workflow)))
}

pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    let (query, key) = (call.query(), &call.app().cursor_key);
    let page = NamedPage::read(&query, List::Workflows, key)?;
    let status = query.get("status").map(|text| {
        let wrong = || paging::wrong("status", "must be one of draft, active and inactive");
        Lifecycle::parse(text).ok_or_else(wrong)
    });
    let found = call.app().workflows.list(WorkflowQuery {
        status: status.transpose()?,
        sort: page.sort,
        after: page.after.clone(),
        limit: page.limit,
    });
    let found = found.await?;
    let last = found.items.last().filter(|_| found.has_more).map(|it| it as &dyn Named);
    let items = found.items.iter().map(show::workflow).collect();
    Ok(Reply::ok(page.envelope(items, last, key)))
}

pub(super) async fn show(call: Call) -> Result<Reply, Failure> {
    let workflow = call.app().workflows.get(call.id(WorkflowId::parse)?).await?;
    Ok(Reply::ok(show::workflow(&workflow)))
}

pub(super) async fn update(call: Call) -> Result<Reply, Failure> {
    let id = call.id(WorkflowId::parse)?;
    let (door, actor, document) = call.document().await?;
    let workflow = door.app.workflows.update(id, document.value, &actor).await?;
    Ok(Reply::ok(show::workflow(&workflow)))
}

pub(super) async fn clone(call: Call) -> Result<Reply, Failure> {
    let id = call.id(WorkflowId::parse)?;
    let (door, actor, document) = call.document().await?;
    let workflow = door.app.workflows.clone_of(id, document.value, &actor).await?;
    Ok(Reply::created(show::workflow_created(&workflow)))
}

pub(super) async fn activate(call: Call) -> Result<Reply, Failure> {
    let workflow = call.app().workflows.activate(call.id(WorkflowId::parse)?, &call.actor).await?;
    Ok(Reply::ok(show::workflow(&workflow)))
}

pub(super) async fn deactivate(call: Call) -> Result<Reply, Failure> {
    let workflow =
        call.app().workflows.deactivate(call.id(WorkflowId::parse)?, &call.actor).await?;
    Ok(Reply::ok(show::workflow(&workflow)))
}

pub(super) async fn to_draft(call: Call) -> Result<Reply, Failure> {
    let workflow = call.app().workflows.to_draft(call.id(WorkflowId::parse)?, &call.actor).await?;
    Ok(Reply::ok(show::workflow(&workflow)))
}

pub(super) async fn delete(call: Call) -> Result<Reply, Failure> {
    call.app().workflows.delete(call.id(WorkflowId::parse)?, &call.actor).await?;
    Ok(Reply::no_content())
}

impl Named for Workflow {
    fn id(&self) -> Uuid {
        *self.id.as_uuid()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }
}
