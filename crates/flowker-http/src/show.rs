//! How the domain looks in JSON: which members there are, and which are left out when empty.

mod api_key;
mod audit;
mod catalog;
mod connectivity;
mod execution;
mod provider_config;
mod workflow;

pub(crate) use api_key::{api_key, new_api_key};
pub(crate) use audit::{audit_entry, verdict};
pub(crate) use catalog::{
    WEBHOOK_TRIGGER, executor, executor_with_schema, provider, provider_with_schema, template,
    template_with_params, trigger, trigger_with_schema,
};
pub(crate) use connectivity::connectivity;
pub(crate) use execution::{begun, results, retried, status};
pub(crate) use provider_config::{provider_config, provider_config_created};
pub(crate) use workflow::{workflow, workflow_created};

use std::fmt::Display;

use serde_json::{Map, Value};

/// An object under construction.
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

    /// An object that is left out when it is empty.
    pub(crate) fn unless_empty(self, name: &str, members: &Map<String, Value>) -> Self {
        self.maybe(name, (!members.is_empty()).then(|| Value::Object(members.clone())))
    }

    pub(crate) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

#[cfg(test)]
mod tests;
