//! Provider configurations, their secrets masked.

use flowker_core::id::ProviderConfigId;
use flowker_core::ports::{ConfigStatus, ProviderConfig};
use flowker_core::service::masking;
use flowker_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::shape::{shapes, unless_empty};

shapes! {
    /// Settings with which a provider is called, their secrets masked.
    ProviderConfiguration {
        /// Never changes.
        id "id": ProviderConfigId,
        /// Unique over all provider configurations.
        name "name": String,
        /// For people.
        description "description": Option<String>,
        /// Of the catalog. Never changes.
        provider_id "providerId": String,
        /// What the provider's schema asks for. A secret is shown as its mask.
        config "config": Map<String, Value>,
        /// Whether steps may use it.
        status "status": ConfigStatus,
        /// Whatever the owner keeps with it.
        metadata "metadata": Option<Map<String, Value>>,
        /// When it was made.
        created_at "createdAt": Timestamp,
        /// When it was last changed.
        updated_at "updatedAt": Timestamp,
    }

    /// A provider configuration that was just made.
    ProviderConfigurationCreated {
        /// Its id.
        id "id": ProviderConfigId,
        /// Its name.
        name "name": String,
        /// Always `active`.
        status "status": ConfigStatus,
        /// When it was made.
        created_at "createdAt": Timestamp,
    }
}

/// The full shape.
pub(crate) fn provider_config(config: &ProviderConfig) -> ProviderConfiguration {
    ProviderConfiguration {
        id: config.id,
        name: config.name.clone(),
        description: config.description.clone(),
        provider_id: config.provider_id.clone(),
        config: masking::mask(&config.config),
        status: config.status,
        metadata: unless_empty(&config.metadata),
        created_at: config.created_at,
        updated_at: config.updated_at,
    }
}

/// What a creating call answers.
pub(crate) fn provider_config_created(config: &ProviderConfig) -> ProviderConfigurationCreated {
    ProviderConfigurationCreated {
        id: config.id,
        name: config.name.clone(),
        status: config.status,
        created_at: config.created_at,
    }
}
