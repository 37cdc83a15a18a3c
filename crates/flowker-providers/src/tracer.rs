//! The provider `tracer`: validates transactions before they are made.

mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::ports::{Call, CallFailure, ExecutorDescriptor, Provider, ProviderDescriptor};
use serde_json::Value;

use crate::caller::{Caller, text};

/// Calls Tracer with the generic call.
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
                executor("tracer.list-validations", "List Validations", schema::list_validations()),
                executor(
                    "tracer.validate-transaction",
                    "Validate Transaction",
                    schema::validate_transaction(),
                ),
            ],
        }
    }

    async fn call(&self, mut call: Call) -> Result<Value, CallFailure> {
        // A configuration always has a key, so it need not say that it is one.
        if matches!(text(&call.config.config, "auth_type"), None | Some("none")) {
            let mut config = (*call.config).clone();
            config.config.insert("auth_type".to_owned(), Value::from("api_key"));
            call.config = Arc::new(config);
        }
        self.caller.call(&call).await
    }
}

#[cfg(test)]
mod tests;
