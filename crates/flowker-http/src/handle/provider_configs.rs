//! Provider configurations.

use flowker_core::id::ProviderConfigId;
use flowker_core::ports::{ConfigStatus, ProviderConfig, ProviderConfigQuery};
use flowker_core::refusal::Refusal;
use flowker_core::service::Users;
use flowker_core::time::Timestamp;
use uuid::Uuid;

use super::{Call, Reply};
use crate::cursor::List;
use crate::error::Failure;
use crate::paging::{self, Named, NamedPage};
use crate::show;

pub(super) async fn create(call: Call) -> Result<Reply, Failure> {
    let (door, actor, document) = call.document().await?;
    let config = door.app.provider_configs.create(document.value, &actor).await?;
    Ok(Reply::created(show::provider_config_created(&config)))
}

pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    let (query, key) = (call.query(), &call.app().cursor_key);
    let page = NamedPage::read(&query, List::ProviderConfigs, key)?;
    let status = query.get("status").map(|text| {
        let wrong = || paging::wrong("status", "must be active or disabled");
        ConfigStatus::parse(text).ok_or_else(wrong)
    });
    let found = call.app().provider_configs.list(ProviderConfigQuery {
        status: status.transpose()?,
        provider_id: query.get("providerId").map(str::to_owned),
        sort: page.sort,
        after: page.after.clone(),
        limit: page.limit,
    });
    let found = found.await?;
    let last = found.items.last().filter(|_| found.has_more).map(|it| it as &dyn Named);
    let items = found.items.iter().map(show::provider_config).collect();
    Ok(Reply::ok(page.envelope(items, last, key)))
}

pub(super) async fn show(call: Call) -> Result<Reply, Failure> {
    let config = call.app().provider_configs.get(call.id(ProviderConfigId::parse)?).await?;
    Ok(Reply::ok(show::provider_config(&config)))
}

pub(super) async fn patch(call: Call) -> Result<Reply, Failure> {
    let id = call.id(ProviderConfigId::parse)?;
    let (door, actor, document) = call.document().await?;
    let config = door.app.provider_configs.patch(id, document.value, &actor).await?;
    Ok(Reply::ok(show::provider_config(&config)))
}

pub(super) async fn disable(call: Call) -> Result<Reply, Failure> {
    let id = call.id(ProviderConfigId::parse)?;
    let config = call.app().provider_configs.disable(id, users(&call)?, &call.actor).await?;
    Ok(Reply::ok(show::provider_config(&config)))
}

pub(super) async fn enable(call: Call) -> Result<Reply, Failure> {
    let config =
        call.app().provider_configs.enable(call.id(ProviderConfigId::parse)?, &call.actor).await?;
    Ok(Reply::ok(show::provider_config(&config)))
}

pub(super) async fn test(call: Call) -> Result<Reply, Failure> {
    let report = call.app().provider_configs.test(call.id(ProviderConfigId::parse)?).await?;
    Ok(Reply::ok(show::connectivity(&report)))
}

pub(super) async fn delete(call: Call) -> Result<Reply, Failure> {
    let id = call.id(ProviderConfigId::parse)?;
    call.app().provider_configs.delete(id, users(&call)?, &call.actor).await?;
    Ok(Reply::no_content())
}

/// What is to become of workflows that use the configuration: `?force=true` sacrifices them.
fn users(call: &Call) -> Result<Users, Refusal> {
    match call.query().get("force") {
        None | Some("false") => Ok(Users::Protected),
        Some("true") => Ok(Users::Ignored),
        Some(_) => Err(paging::wrong("force", "must be true or false")),
    }
}

impl Named for ProviderConfig {
    fn id(&self) -> Uuid {
        *self.id.as_uuid()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }
}
