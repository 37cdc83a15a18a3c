//! How the domain looks in JSON: which members there are, and which are left out when empty.

mod api_key;
mod audit;
mod catalog;
mod connectivity;
mod dashboard;
mod execution;
mod health;
mod provider_config;
mod workflow;

pub(crate) use api_key::{ApiKey, ApiKeyWithText, api_key, new_api_key};
pub(crate) use audit::{AuditEntry, AuditVerification, audit_entry, verification};
pub(crate) use catalog::{
    CatalogExecutor, CatalogExecutorInFull, CatalogProvider, CatalogProviderInFull,
    CatalogTemplate, CatalogTemplateInFull, CatalogTrigger, CatalogTriggerInFull, Valid,
    WEBHOOK_TRIGGER, executor, executor_in_full, provider, provider_in_full, template,
    template_in_full, trigger, trigger_in_full, valid,
};
pub(crate) use connectivity::{ConnectivityReport, connectivity};
pub(crate) use dashboard::{
    ExecutionsSummary, Timeseries, WorkflowsSummary, executions_summary, timeseries,
    workflows_summary,
};
pub(crate) use execution::{
    Execution, ExecutionResults, ExecutionStarted, begun, results, retried, status,
};
pub(crate) use health::{
    CheckStatus, Health, HealthCheck, HealthChecks, Readiness, ReadinessCheck, Verdict, Version,
};
pub(crate) use provider_config::{
    ProviderConfiguration, ProviderConfigurationCreated, provider_config, provider_config_created,
};
pub(crate) use workflow::{Workflow, WorkflowCreated, workflow, workflow_created};

use std::fmt::Display;

use serde_json::{Map, Value};

/// An object under construction that is no answer, or whose members are not known beforehand.
///
/// Not `json!`: that would serialize every value that is put into it once more.
#[derive(Debug, Default)]
pub(crate) struct Shape(Map<String, Value>);

impl Shape {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A member that is always there.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A member that is text.
    pub(crate) fn text(self, name: &str, value: impl Display) -> Self {
        self.with(name, value.to_string())
    }

    /// A member that is left out when there is nothing to say.
    pub(crate) fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

#[cfg(test)]
mod tests;
