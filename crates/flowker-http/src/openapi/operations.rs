//! What each endpoint takes and answers. A route without an entry does not compile.

mod api_keys;
mod audit;
mod catalog;
mod dashboards;
mod executions;
mod provider_configs;
mod service;
mod webhook;
mod workflows;

use flowker_core::code::Code;
use http::StatusCode;

use super::operation::Operation;
use crate::route::Endpoint;

const OK: StatusCode = StatusCode::OK;
const CREATED: StatusCode = StatusCode::CREATED;

/// What an endpoint takes and answers.
pub(super) fn operation(endpoint: Endpoint) -> Operation {
    match endpoint {
        Endpoint::Webhook => webhook::receive(),
        Endpoint::CreateWorkflow => workflows::create(),
        Endpoint::CreateFromTemplate => workflows::create_from_template(),
        Endpoint::ListWorkflows => workflows::list(),
        Endpoint::ShowWorkflow => workflows::show(),
        Endpoint::UpdateWorkflow => workflows::update(),
        Endpoint::DeleteWorkflow => workflows::delete(),
        Endpoint::CloneWorkflow => workflows::clone(),
        Endpoint::ActivateWorkflow => workflows::activate(),
        Endpoint::DeactivateWorkflow => workflows::deactivate(),
        Endpoint::DraftWorkflow => workflows::to_draft(),
        Endpoint::Execute => executions::execute(),
        Endpoint::ListExecutions => executions::list(),
        Endpoint::ShowExecution => executions::show(),
        Endpoint::ShowResults => executions::results(),
        Endpoint::CancelExecution => executions::cancel(),
        Endpoint::RetryExecution => executions::retry(),
        Endpoint::ListExecutors => catalog::list_executors(),
        Endpoint::ShowExecutor => catalog::show_executor(),
        Endpoint::ValidateExecutor => catalog::validate_executor(),
        Endpoint::ListTriggers => catalog::list_triggers(),
        Endpoint::ShowTrigger => catalog::show_trigger(),
        Endpoint::ListProviders => catalog::list_providers(),
        Endpoint::ShowProvider => catalog::show_provider(),
        Endpoint::ListExecutorsOfProvider => catalog::list_executors_of_provider(),
        Endpoint::ListTemplates => catalog::list_templates(),
        Endpoint::ShowTemplate => catalog::show_template(),
        Endpoint::ValidateTemplate => catalog::validate_template(),
        Endpoint::CreateProviderConfig => provider_configs::create(),
        Endpoint::ListProviderConfigs => provider_configs::list(),
        Endpoint::ShowProviderConfig => provider_configs::show(),
        Endpoint::PatchProviderConfig => provider_configs::patch(),
        Endpoint::DeleteProviderConfig => provider_configs::delete(),
        Endpoint::DisableProviderConfig => provider_configs::disable(),
        Endpoint::EnableProviderConfig => provider_configs::enable(),
        Endpoint::TestProviderConfig => provider_configs::test(),
        Endpoint::CreateApiKey => api_keys::create(),
        Endpoint::ListApiKeys => api_keys::list(),
        Endpoint::ShowApiKey => api_keys::show(),
        Endpoint::RotateApiKey => api_keys::rotate(),
        Endpoint::RevokeApiKey => api_keys::revoke(),
        Endpoint::ListAuditEvents => audit::list(),
        Endpoint::ExportAuditEvents => audit::export(),
        Endpoint::ShowAuditEvent => audit::show(),
        Endpoint::VerifyAuditEvent => audit::verify(),
        Endpoint::WorkflowsSummary => dashboards::workflows(),
        Endpoint::ExecutionsSummary => dashboards::executions(),
        Endpoint::Timeseries => dashboards::timeseries(),
        Endpoint::Health => service::health(),
        Endpoint::Ready => service::ready(),
        Endpoint::Version => service::version(),
        Endpoint::Metrics => service::metrics(),
        Endpoint::Description => service::description(),
        Endpoint::Explorer => service::explorer(),
        Endpoint::ExplorerScript => service::explorer_script(),
        Endpoint::ExplorerStyle => service::explorer_style(),
    }
}

/// Refusals of those that are found by an id.
const BY_ID: [Code; 1] = [Code::IdMalformed];

/// Headers of answers to a request that starts an execution.
const OF_STARTS: [(&str, &str); 2] = [
    ("Idempotent-Replayed", "`true` if an earlier request with the same key started it."),
    ("Preference-Applied", "`wait=N`, with the seconds that were granted."),
];
