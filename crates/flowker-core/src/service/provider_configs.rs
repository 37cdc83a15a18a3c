//! Provider configurations: how providers are reached, and with which credentials.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::masking;
use crate::actor::Actor;
use crate::audit::{AuditEvent, EventType};
use crate::catalog::{Catalog, CatalogProvider};
use crate::code::Code;
use crate::id::ProviderConfigId;
use crate::members::Members;
use crate::ports::{
    CONFIG_USERS_MAX, Clock, ConfigStatus, ConfigUser, ConfigWritten, IdSource, ProviderConfig,
    ProviderConfigPage, ProviderConfigQuery, ProviderConfigStore, UnusedWritten,
};
use crate::refusal::{Fault, Refusal};
use crate::workflow::NAME_BYTES_MAX;

/// The longest description of a provider configuration, in bytes (contract).
pub const DESCRIPTION_BYTES_MAX: usize = 500;

/// Manages provider configurations. What it answers holds the real secrets:
/// [`masking::mask`] before showing.
#[derive(Debug)]
pub struct ProviderConfigs {
    /// Keeps them.
    pub store: Arc<dyn ProviderConfigStore>,
    /// Says what they must look like.
    pub catalog: Arc<Catalog>,
    /// When they are changed.
    pub clock: Arc<dyn Clock>,
    /// Their ids.
    pub ids: Arc<dyn IdSource>,
}

/// What becomes of active workflows that use a configuration which is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Users {
    /// Nothing: while there are any, the configuration stays as it is.
    Protected,
    /// Their runs fail at its nodes.
    Ignored,
}

/// What a caller writes of a configuration.
#[derive(Debug)]
struct Written {
    name: Option<String>,
    description: Option<String>,
    provider_id: Option<String>,
    config: Option<Map<String, Value>>,
    metadata: Option<Map<String, Value>>,
}

impl Written {
    fn read(body: Value) -> Result<Self, Refusal> {
        let mut faults = Vec::new();
        let mut members = Members::of(body, "", &mut faults);
        let written = Self {
            name: members.string("name"),
            description: members.string("description"),
            provider_id: members.string("providerId"),
            config: members.object("config"),
            metadata: members.object("metadata"),
        };
        if faults.is_empty() {
            Ok(written)
        } else {
            Err(Refusal::of_members(Code::BodyUnreadable, faults))
        }
    }
}

impl ProviderConfigs {
    /// Stores a new configuration, ready for use.
    pub async fn create(&self, body: Value, actor: &Actor) -> Result<ProviderConfig, Refusal> {
        let written = Written::read(body)?;
        let now = self.clock.now();
        let config = ProviderConfig {
            id: ProviderConfigId::from_uuid(self.ids.next_id()),
            name: written.name.unwrap_or_default(),
            description: written.description,
            provider_id: written.provider_id.unwrap_or_default(),
            config: written.config.unwrap_or_default(),
            status: ConfigStatus::Active,
            metadata: written.metadata.unwrap_or_default(),
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        check_config(self.provider(&config.provider_id)?, &config.config)?;
        check_members(&config)?;
        let event = AuditEvent::provider_config_created(self.ids.next_id(), &config, actor);
        stored(self.store.create(config.clone(), event).await?)?;
        Ok(config)
    }

    /// Reads one.
    pub async fn get(&self, id: ProviderConfigId) -> Result<ProviderConfig, Refusal> {
        self.store.get(id).await?.ok_or_else(not_found)
    }

    /// Reads one page of a list.
    pub async fn list(&self, query: ProviderConfigQuery) -> Result<ProviderConfigPage, Refusal> {
        Ok(self.store.list(query).await?)
    }

    /// Changes the members that are there: name, description and the whole of `config`, in which a
    /// mask stands for the secret that it hides. Metadata is added to what is there.
    pub async fn patch(
        &self,
        id: ProviderConfigId,
        body: Value,
        actor: &Actor,
    ) -> Result<ProviderConfig, Refusal> {
        let written = Written::read(body)?;
        let mut config = self.get(id).await?;
        if let Some(sent) = written.config {
            config.config = masking::unmask(sent, &config.config);
            check_config(self.provider(&config.provider_id)?, &config.config)?;
        }
        if let Some(name) = written.name {
            config.name = name;
        }
        config.description = written.description.or(config.description);
        config.metadata.extend(written.metadata.unwrap_or_default());
        check_members(&config)?;
        let config = self.changed(config);
        self.replace(config, EventType::ProviderConfigUpdated, actor).await
    }

    /// Keeps steps from using one that they may use.
    pub async fn disable(
        &self,
        id: ProviderConfigId,
        users: Users,
        actor: &Actor,
    ) -> Result<ProviderConfig, Refusal> {
        let config = self.switched(id, ConfigStatus::Disabled).await?;
        let kind = EventType::ProviderConfigDisabled;
        match users {
            Users::Protected => {
                let event = self.event(kind, &config, actor);
                unused(self.store.update_unused(config.clone(), event).await?)?;
                Ok(config)
            }
            Users::Ignored => self.replace(config, kind, actor).await,
        }
    }

    /// Lets steps use one that they may not use.
    pub async fn enable(
        &self,
        id: ProviderConfigId,
        actor: &Actor,
    ) -> Result<ProviderConfig, Refusal> {
        let config = self.switched(id, ConfigStatus::Active).await?;
        self.replace(config, EventType::ProviderConfigEnabled, actor).await
    }

    /// Removes one. Steps that refer to it fail from then on.
    pub async fn delete(
        &self,
        id: ProviderConfigId,
        users: Users,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let event = AuditEvent::provider_config_deleted(self.ids.next_id(), id, actor);
        let is_there = match users {
            Users::Protected => match self.store.delete_unused(id, event).await? {
                UnusedWritten::Stale => false,
                written => unused(written).map(|()| true)?,
            },
            Users::Ignored => self.store.delete(id, event).await?,
        };
        if is_there { Ok(()) } else { Err(not_found()) }
    }

    /// The configuration as it is to be stored with another status.
    async fn switched(
        &self,
        id: ProviderConfigId,
        status: ConfigStatus,
    ) -> Result<ProviderConfig, Refusal> {
        let config = self.get(id).await?;
        if config.status == status {
            let message = format!("The provider configuration is {} already.", status.as_str());
            return Err(Refusal::new(Code::ProviderConfigStatus, message));
        }
        Ok(self.changed(ProviderConfig { status, ..config }))
    }

    fn changed(&self, config: ProviderConfig) -> ProviderConfig {
        let revision = config.revision + 1;
        ProviderConfig { revision, updated_at: self.clock.now(), ..config }
    }

    fn event(&self, kind: EventType, config: &ProviderConfig, actor: &Actor) -> AuditEvent {
        AuditEvent::of_provider_config(self.ids.next_id(), kind, config, actor)
    }

    /// Stores what [`changed`](Self::changed) made.
    async fn replace(
        &self,
        config: ProviderConfig,
        kind: EventType,
        actor: &Actor,
    ) -> Result<ProviderConfig, Refusal> {
        let event = self.event(kind, &config, actor);
        stored(self.store.update(config.clone(), event).await?)?;
        Ok(config)
    }

    pub(super) fn provider(&self, id: &str) -> Result<&CatalogProvider, Refusal> {
        self.catalog.provider(id).ok_or_else(|| {
            let message = format!("the catalog has no provider {id:?}");
            Refusal::of_member(Code::ProviderUnknown, "providerId", message)
        })
    }
}

fn check_config(provider: &CatalogProvider, config: &Map<String, Value>) -> Result<(), Refusal> {
    let faults = provider.config_schema.check(&Value::Object(config.clone()));
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.into_iter().map(|fault| fault.below("config")).collect();
    Err(Refusal::of_members(Code::ProviderConfigInvalid, faults))
}

/// What must hold of a configuration of any provider.
fn check_members(config: &ProviderConfig) -> Result<(), Refusal> {
    let ProviderConfig { name, description, config, .. } = config;
    let too_long = |n, most| format!("is {n} bytes long; at most {most} are allowed");
    let description_len = description.as_ref().map_or(0, String::len);
    let (code, fault) = if name.is_empty() {
        (Code::ProviderConfigNameEmpty, Fault::new("name", "must not be empty"))
    } else if NAME_BYTES_MAX < name.len() {
        let message = too_long(name.len(), NAME_BYTES_MAX);
        (Code::ProviderConfigNameTooLong, Fault::new("name", message))
    } else if DESCRIPTION_BYTES_MAX < description_len {
        let message = too_long(description_len, DESCRIPTION_BYTES_MAX);
        (Code::ProviderConfigDescriptionTooLong, Fault::new("description", message))
    } else if config.is_empty() {
        let message = "must not be empty; say how the provider is reached";
        (Code::ProviderConfigEmpty, Fault::new("config", message))
    } else {
        return Ok(());
    };
    Err(Refusal::of_members(code, vec![fault]))
}

fn not_found() -> Refusal {
    Refusal::plain(Code::ProviderConfigNotFound)
}

fn stored(written: ConfigWritten) -> Result<(), Refusal> {
    match written {
        ConfigWritten::Done => Ok(()),
        ConfigWritten::NameTaken => {
            let message = "another provider configuration has this name; choose another";
            Err(Refusal::of_member(Code::ProviderConfigNameTaken, "name", message))
        }
        ConfigWritten::Stale => Err(overtaken()),
    }
}

fn unused(written: UnusedWritten) -> Result<(), Refusal> {
    match written {
        UnusedWritten::Done => Ok(()),
        UnusedWritten::Stale => Err(overtaken()),
        UnusedWritten::InUse(users) => Err(in_use(&users)),
    }
}

fn overtaken() -> Refusal {
    Refusal::new(
        Code::Conflict,
        "The provider configuration was changed by someone else meanwhile. Read it again.",
    )
}

/// Names the workflows that use a configuration, in the message and one by one.
fn in_use(users: &[ConfigUser]) -> Refusal {
    let names: Vec<_> = users.iter().map(|user| format!("{:?}", user.name)).collect();
    let others = if users.len() < CONFIG_USERS_MAX { "" } else { " and perhaps others" };
    let faults = users.iter().enumerate().map(|(idx, user)| {
        Fault::new(format!("workflows[{idx}]"), format!("{} {:?} uses it", user.id, user.name))
    });
    let message = format!(
        "The active workflows {}{others} use the provider configuration. Deactivate them, or say \
         force=true to do it all the same.",
        names.join(", ")
    );
    let mut refusal = Refusal::new(Code::ProviderConfigInUse, message);
    refusal.faults = faults.collect();
    refusal
}

#[cfg(test)]
mod tests;
