//! Executions: start, look at, end, repeat.

use flowker_core::execution::Status;
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::ports::ExecutionQuery;

use super::{Call, Reply, body_limit};
use crate::body;
use crate::error::Failure;
use crate::extract::{self, Query};
use crate::paging::{self, ExecutionsPage};
use crate::route::Endpoint;
use crate::show;

pub(super) async fn execute(call: Call) -> Result<Reply, Failure> {
    let id = call.id(WorkflowId::parse)?;
    let options = call.start_options();
    let Call { door, actor, parts, body, .. } = call;
    let (limit, too_large) = body_limit(Endpoint::Execute);
    let timeout = door.limits.body_timeout;
    let document = body::read_document(body, &parts.headers, limit, timeout, too_large).await?;
    let key = extract::idempotency_key(&parts.headers)?;
    let executions = &door.app.executions;
    let begun = executions.execute(id, document.value, &document.raw, key, options, &actor).await?;
    Ok(Reply::begun(&door.metrics, &begun, show::begun(&begun)))
}

pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    let (query, key) = (call.query(), &call.app().cursor_key);
    let page = ExecutionsPage::read(&query, key)?;
    let workflow_id = query.get("workflowId").map(|text| extract::id(text, WorkflowId::parse));
    let found = call.app().executions.list(ExecutionQuery {
        workflow_id: workflow_id.transpose()?,
        status: status_filter(&query)?,
        sort: page.sort,
        direction: page.direction,
        after: page.after,
        limit: page.limit,
    });
    let found = found.await?;
    let last = found.items.last().filter(|_| found.has_more);
    let items = found.items.iter().map(show::status).collect();
    Ok(Reply::ok(page.envelope(items, last, key)))
}

fn status_filter(query: &Query) -> Result<Option<Status>, Failure> {
    let Some(text) = query.get("status") else { return Ok(None) };
    let known = || Status::ALL.map(Status::as_str).join(", ");
    let wrong = || paging::wrong("status", &format!("must be one of {}", known()));
    let status = Status::parse(text);
    status.map(Some).ok_or_else(|| Failure::titled(wrong(), "Invalid Status Filter"))
}

pub(super) async fn show(call: Call) -> Result<Reply, Failure> {
    let wait = call.query().wait()?;
    let summary = call.app().executions.get(call.id(ExecutionId::parse)?, wait).await?;
    Ok(Reply::ok(show::status(&summary)))
}

pub(super) async fn results(call: Call) -> Result<Reply, Failure> {
    let (summary, steps) = call.app().executions.results(call.id(ExecutionId::parse)?).await?;
    Ok(Reply::ok(show::results(&summary, &steps)))
}

pub(super) async fn cancel(call: Call) -> Result<Reply, Failure> {
    let summary = call.app().executions.cancel(call.id(ExecutionId::parse)?, &call.actor).await?;
    Ok(Reply::ok(show::status(&summary)))
}

pub(super) async fn retry(call: Call) -> Result<Reply, Failure> {
    let id = call.id(ExecutionId::parse)?;
    let key = extract::idempotency_key(&call.parts.headers)?;
    let begun = call.app().executions.retry(id, key, call.start_options(), &call.actor);
    let begun = begun.await?;
    Ok(Reply::begun(&call.door.metrics, &begun, show::retried(&begun)))
}
