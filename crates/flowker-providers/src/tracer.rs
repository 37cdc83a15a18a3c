//! The provider `tracer`: validates transactions before they are made.

mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::ports::{
    Call, CallFailure, ExecutorDescriptor, Probe, ProbeFailure, Probed, Provider, ProviderConfig,
    ProviderDescriptor,
};
use serde_json::Value;

use crate::caller::{Caller, text};
use crate::fields;

/// The operation whose fields travel in the query.
const LIST_VALIDATIONS: &str = "tracer.list-validations";

/// Calls Tracer with the generic call, and lists with `GET` unless a node has another method.
#[derive(Debug)]
pub struct TracerProvider {
    caller: Arc<Caller>,
}

impl TracerProvider {
    /// The provider, calling through `caller`.
    pub const fn new(caller: Arc<Caller>) -> Self {
        Self { caller }
    }
}

#[async_trait]
impl Provider for TracerProvider {
    fn descriptor(&self) -> ProviderDescriptor {
        let executor = |id, name, schema| ExecutorDescriptor {
            id,
            name,
            category: "Tracer",
            version: "v1",
            schema,
        };
        ProviderDescriptor {
            id: "tracer",
            name: "Tracer",
            description: "Validates transactions against limits and rules",
            version: "v1",
            config_schema: schema::config(),
            executors: vec![
                executor(LIST_VALIDATIONS, "List Validations", schema::list_validations()),
                executor(
                    "tracer.validate-transaction",
                    "Validate Transaction",
                    schema::validate_transaction(),
                ),
            ],
        }
    }

    async fn call(&self, mut call: Call) -> Result<Value, CallFailure> {
        call.config = Arc::new(effective(&call.config));
        let is_get = call.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case("GET"));
        if call.executor_id != LIST_VALIDATIONS || !is_get {
            return self.caller.call(&call).await;
        }
        call.method = Some("GET".to_owned());
        fields::add_to_query(&mut call, &schema::LIST_FIELDS);
        let url = Caller::url(&call)?;
        self.caller.call_url(&call, url, None).await
    }

    async fn probe(&self, config: &ProviderConfig, probe: Probe) -> Result<Probed, ProbeFailure> {
        let effective = effective(config);
        self.caller.probe(text(&config.config, "base_url"), &effective.config, probe).await
    }
}

/// The configuration as the generic call reads it: it always has a key, so it need not say that it
/// is one.
fn effective(config: &ProviderConfig) -> ProviderConfig {
    let mut config = config.clone();
    if matches!(text(&config.config, "auth_type"), None | Some("none")) {
        config.config.insert("auth_type".to_owned(), Value::from("api_key"));
    }
    config
}

#[cfg(test)]
mod tests;
