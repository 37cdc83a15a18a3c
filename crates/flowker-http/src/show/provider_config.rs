//! Provider configurations, their secrets masked.

use flowker_core::ports::ProviderConfig;
use flowker_core::service::masking;
use serde_json::Value;

use super::Shape;

/// The full shape.
pub(crate) fn provider_config(config: &ProviderConfig) -> Value {
    Shape::new()
        .text("id", config.id)
        .with("name", config.name.as_str())
        .maybe("description", config.description.as_deref())
        .with("providerId", config.provider_id.as_str())
        .with("config", masking::mask(&config.config))
        .with("status", config.status.as_str())
        .unless_empty("metadata", &config.metadata)
        .text("createdAt", config.created_at)
        .text("updatedAt", config.updated_at)
        .done()
}

/// What a creating call answers.
pub(crate) fn provider_config_created(config: &ProviderConfig) -> Value {
    Shape::new()
        .text("id", config.id)
        .with("name", config.name.as_str())
        .with("status", config.status.as_str())
        .text("createdAt", config.created_at)
        .done()
}
