//! What each endpoint does: read what it needs, call a use-case, show what came of it.

mod api_keys;
mod audit;
mod catalog;
mod dashboards;
mod description;
mod executions;
mod health;
mod metrics;
mod provider_configs;
mod webhook;
mod workflows;

pub(crate) use description::{CSS, HTML, JAVASCRIPT};
pub(crate) use metrics::TEXT_FORMAT;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use flowker_core::actor::Actor;
use flowker_core::code::Code;
use flowker_core::id::IdError;
use flowker_core::refusal::Refusal;
use flowker_core::service::StartOptions;
use flowker_core::trace::TraceContext;
use flowker_core::trigger::Begun;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use hyper::body::{Body as _, Bytes, Incoming};
use serde_json::Value;

use crate::answer::Door;
use crate::app::App;
use crate::body::{self, Document};
use crate::error::Failure;
use crate::extract::{self, Query};
use crate::limits::MANAGEMENT_BODY_BYTES_MAX;
use crate::metrics::Metrics;
use crate::route::Endpoint;
use crate::shape::Shown;
use crate::stream::Lines;

/// Lines of JSON.
pub(crate) const NDJSON: &str = "application/x-ndjson";

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A request that has come through the door.
pub(crate) struct Call {
    pub door: Arc<Door>,
    pub parts: Parts,
    pub body: Incoming,
    /// See [`Found::argument`](crate::route::Found::argument).
    pub argument: String,
    pub remote_ip: IpAddr,
    /// Who calls, for the record.
    pub actor: Actor,
    pub request_id: HeaderValue,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
}

impl Call {
    fn app(&self) -> &App {
        &self.door.app
    }

    fn id<T>(&self, parse: fn(&str) -> Result<T, IdError>) -> Result<T, Refusal> {
        extract::id(&self.argument, parse)
    }

    /// What the caller says about an execution that it starts.
    fn start_options(&self) -> StartOptions {
        let wait = extract::prefer_wait(&self.parts.headers);
        StartOptions { wait, trace: self.trace.clone() }
    }

    fn query(&self) -> Query {
        Query::of(self.parts.uri.query())
    }

    /// Reads the document of a management request. The call is then without a body.
    async fn document(self) -> Result<(Arc<Door>, Actor, Document), Failure> {
        let document = body::read_document(
            self.body,
            &self.parts.headers,
            MANAGEMENT_BODY_BYTES_MAX,
            self.door.limits.body_timeout,
            None,
        );
        let document = document.await?;
        Ok((self.door, self.actor, document))
    }

    /// The same, where a request without a body asks for what is usual.
    async fn optional_document(self) -> Result<(Arc<Door>, Actor, Value), Failure> {
        if self.body.is_end_stream() {
            return Ok((self.door, self.actor, Value::Null));
        }
        let (door, actor, document) = self.document().await?;
        Ok((door, actor, document.value))
    }
}

/// An answer that is no failure.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Option<Content>,
}

/// What an answer holds.
#[derive(Debug)]
pub(crate) enum Content {
    Json(Value),
    Text {
        media_type: &'static str,
        text: Bytes,
    },
    /// Lines of JSON, as many as come.
    Lines(Lines),
}

impl Reply {
    pub(crate) fn ok(body: impl Shown) -> Self {
        Self::with(Content::Json(body.shown()))
    }

    fn with(content: Content) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Some(content) }
    }

    pub(crate) fn created(body: impl Shown) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }

    pub(crate) const fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: Vec::new(), body: None }
    }

    /// The answer to a request that starts an execution: 200 if it has ended, else 201.
    fn begun(metrics: &Metrics, begun: &Begun, body: impl Shown) -> Self {
        metrics.begun(begun.replayed);
        let is_over = begun.summary.status.is_terminal();
        let mut reply = if is_over { Self::ok(body) } else { Self::created(body) };
        if begun.replayed {
            reply.headers.push((REPLAYED, HeaderValue::from_static("true")));
        }
        if let Some(wait) = begun.waited {
            reply.headers.push((PREFERENCE_APPLIED, wait_applied(wait)));
        }
        reply
    }

    fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

fn wait_applied(wait: Duration) -> HeaderValue {
    HeaderValue::from_str(&format!("wait={}", wait.as_secs())).expect("digits are visible ASCII")
}

/// How large the body of a request may be, and the code that says that it is larger. `None` as
/// the code: the contract has only a status for it.
pub(crate) const fn body_limit(endpoint: Endpoint) -> (usize, Option<Code>) {
    match endpoint {
        Endpoint::Webhook => {
            (flowker_core::trigger::BODY_BYTES_MAX, Some(Code::WebhookBodyTooLarge))
        }
        Endpoint::Execute => {
            (flowker_core::trigger::BODY_BYTES_MAX, Some(Code::ExecuteBodyTooLarge))
        }
        _ => (MANAGEMENT_BODY_BYTES_MAX, None),
    }
}

/// Does what a request asks for.
pub(crate) async fn dispatch(endpoint: Endpoint, call: Call) -> Result<Reply, Failure> {
    match endpoint {
        Endpoint::Webhook => webhook::receive(call).await,
        Endpoint::CreateWorkflow => workflows::create(call).await,
        Endpoint::CreateFromTemplate => workflows::create_from_template(call).await,
        Endpoint::ListWorkflows => workflows::list(call).await,
        Endpoint::ShowWorkflow => workflows::show(call).await,
        Endpoint::UpdateWorkflow => workflows::update(call).await,
        Endpoint::DeleteWorkflow => workflows::delete(call).await,
        Endpoint::CloneWorkflow => workflows::clone(call).await,
        Endpoint::ActivateWorkflow => workflows::activate(call).await,
        Endpoint::DeactivateWorkflow => workflows::deactivate(call).await,
        Endpoint::DraftWorkflow => workflows::to_draft(call).await,
        Endpoint::Execute => executions::execute(call).await,
        Endpoint::ListExecutions => executions::list(call).await,
        Endpoint::ShowExecution => executions::show(call).await,
        Endpoint::ShowResults => executions::results(call).await,
        Endpoint::CancelExecution => executions::cancel(call).await,
        Endpoint::RetryExecution => executions::retry(call).await,
        Endpoint::ListExecutors => Ok(catalog::list_executors(&call)),
        Endpoint::ShowExecutor => catalog::show_executor(&call),
        Endpoint::ValidateExecutor => catalog::validate_executor(call).await,
        Endpoint::ListTriggers => Ok(catalog::list_triggers()),
        Endpoint::ShowTrigger => catalog::show_trigger(&call),
        Endpoint::ListProviders => Ok(catalog::list_providers(&call)),
        Endpoint::ShowProvider => catalog::show_provider(&call),
        Endpoint::ListExecutorsOfProvider => catalog::list_executors_of_provider(&call),
        Endpoint::ListTemplates => Ok(catalog::list_templates(&call)),
        Endpoint::ShowTemplate => catalog::show_template(&call).await,
        Endpoint::ValidateTemplate => catalog::validate_template(call).await,
        Endpoint::CreateProviderConfig => provider_configs::create(call).await,
        Endpoint::ListProviderConfigs => provider_configs::list(call).await,
        Endpoint::ShowProviderConfig => provider_configs::show(call).await,
        Endpoint::PatchProviderConfig => provider_configs::patch(call).await,
        Endpoint::DeleteProviderConfig => provider_configs::delete(call).await,
        Endpoint::DisableProviderConfig => provider_configs::disable(call).await,
        Endpoint::EnableProviderConfig => provider_configs::enable(call).await,
        Endpoint::CreateApiKey => api_keys::create(call).await,
        Endpoint::ListApiKeys => api_keys::list(call).await,
        Endpoint::ShowApiKey => api_keys::show(call).await,
        Endpoint::RotateApiKey => api_keys::rotate(call).await,
        Endpoint::RevokeApiKey => api_keys::revoke(call).await,
        Endpoint::TestProviderConfig => provider_configs::test(call).await,
        Endpoint::ListAuditEvents => audit::list(call).await,
        Endpoint::ExportAuditEvents => audit::export(call).await,
        Endpoint::ShowAuditEvent => audit::show(call).await,
        Endpoint::VerifyAuditEvent => audit::verify(call).await,
        Endpoint::WorkflowsSummary => dashboards::workflows(&call).await,
        Endpoint::ExecutionsSummary => dashboards::executions(&call).await,
        Endpoint::Timeseries => dashboards::timeseries(&call).await,
        Endpoint::Health => Ok(health::health(&call).await),
        Endpoint::Ready => Ok(health::ready(&call).await),
        Endpoint::Version => Ok(health::version(&call)),
        Endpoint::Metrics => Ok(metrics::show(&call).await),
        Endpoint::Description => Ok(description::document()),
        Endpoint::Explorer => Ok(description::page()),
        Endpoint::ExplorerScript => Ok(description::script()),
        Endpoint::ExplorerStyle => Ok(description::style()),
    }
}
