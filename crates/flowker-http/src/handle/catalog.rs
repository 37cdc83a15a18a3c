//! The catalog, and trying out what it asks for.

use flowker_core::catalog::{Catalog, CatalogExecutor, CatalogTemplate};
use flowker_core::code::Code;
use flowker_core::refusal::Refusal;
use flowker_core::service::{check_executor_config, check_template_params};

use super::{Call, Reply};
use crate::error::Failure;
use crate::shape::Shown;
use crate::show;

pub(super) fn list_executors(call: &Call) -> Reply {
    array(call.app().catalog.executors().map(show::executor))
}

pub(super) fn show_executor(call: &Call) -> Result<Reply, Failure> {
    let executor = executor(&call.app().catalog, &call.argument)?;
    Ok(Reply::ok(show::executor_in_full(executor)))
}

pub(super) async fn validate_executor(call: Call) -> Result<Reply, Failure> {
    let id = call.argument.clone();
    executor(&call.app().catalog, &id)?;
    let (door, _, document) = call.document().await?;
    check_executor_config(executor(&door.app.catalog, &id)?, document.value)?;
    Ok(Reply::ok(show::valid()))
}

pub(super) fn list_triggers() -> Reply {
    array([show::trigger()])
}

pub(super) fn show_trigger(call: &Call) -> Result<Reply, Failure> {
    if call.argument != show::WEBHOOK_TRIGGER {
        return Err(Refusal::plain(Code::TriggerNotFound).into());
    }
    Ok(Reply::ok(show::trigger_in_full()))
}

pub(super) fn list_providers(call: &Call) -> Reply {
    array(call.app().catalog.providers().map(show::provider))
}

pub(super) fn show_provider(call: &Call) -> Result<Reply, Failure> {
    let provider = call.app().catalog.provider(&call.argument);
    let provider = provider.ok_or_else(|| Refusal::plain(Code::ProviderNotFound))?;
    Ok(Reply::ok(show::provider_in_full(provider)))
}

pub(super) fn list_executors_of_provider(call: &Call) -> Result<Reply, Failure> {
    let catalog = &call.app().catalog;
    let provider = catalog.provider(&call.argument);
    let provider = provider.ok_or_else(|| Refusal::plain(Code::ProviderNotFound))?;
    let id = provider.descriptor.id;
    let own = catalog.executors().filter(|executor| executor.provider_id == id);
    Ok(array(own.map(show::executor)))
}

pub(super) fn list_templates(call: &Call) -> Reply {
    array(call.app().catalog.templates().map(show::template))
}

pub(super) async fn show_template(call: &Call) -> Result<Reply, Failure> {
    let template = template(&call.app().catalog, &call.argument)?;
    let params = call.app().workflows.shown_params(template).await;
    Ok(Reply::ok(show::template_in_full(template, &params)))
}

pub(super) async fn validate_template(call: Call) -> Result<Reply, Failure> {
    let id = call.argument.clone();
    template(&call.app().catalog, &id)?;
    let (door, _, document) = call.document().await?;
    check_template_params(template(&door.app.catalog, &id)?, document.value)?;
    Ok(Reply::ok(show::valid()))
}

fn executor<'a>(catalog: &'a Catalog, id: &str) -> Result<&'a CatalogExecutor, Refusal> {
    catalog.executor(id).ok_or_else(|| Refusal::plain(Code::ExecutorNotFound))
}

fn template<'a>(catalog: &'a Catalog, id: &str) -> Result<&'a CatalogTemplate, Refusal> {
    catalog.template(id).ok_or_else(|| Refusal::plain(Code::TemplateNotFound))
}

fn array<T: Shown>(items: impl IntoIterator<Item = T>) -> Reply {
    Reply::ok(items.into_iter().collect::<Vec<_>>())
}
