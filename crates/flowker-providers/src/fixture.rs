//! Calls to make, for tests.

use std::sync::Arc;

use flowker_core::id::ProviderConfigId;
use flowker_core::ports::{Call, ConfigStatus, ProviderConfig, SuccessCodes};
use flowker_core::time::Timestamp;
use serde_json::{Map, Value, json};

/// A call with this configuration, and otherwise nothing special.
pub(crate) fn call(provider_id: &str, config: Value) -> Call {
    let Value::Object(config) = config else { panic!("a configuration is an object") };
    Call {
        executor_id: provider_id.to_owned(),
        config: Arc::new(ProviderConfig {
            id: ProviderConfigId::from_uuid(uuid::Uuid::nil()),
            name: "test".to_owned(),
            description: None,
            provider_id: provider_id.to_owned(),
            config,
            status: ConfigStatus::Active,
            metadata: Map::new(),
            revision: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }),
        idempotency_key: "018f-1:pay".to_owned(),
        attempt: 1,
        trace: None,
        method: None,
        path: None,
        headers: Vec::new(),
        query: Vec::new(),
        extra: Map::new(),
        document: json!({"order": 1}),
        timeout: None,
        success: SuccessCodes::Any2xx,
    }
}

/// Pairs of owned texts.
pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
