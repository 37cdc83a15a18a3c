//! The catalog, read only.

use flowker_core::code::Code;
use flowker_core::refusal::Refusal;
use serde_json::Value;

use super::{Call, Reply};
use crate::error::Failure;
use crate::show;

pub(super) fn list_executors(call: &Call) -> Reply {
    array(call.app().catalog.executors().map(show::executor))
}

pub(super) fn show_executor(call: &Call) -> Result<Reply, Failure> {
    let executor = call.app().catalog.executor(&call.argument);
    let executor = executor.ok_or_else(|| Refusal::plain(Code::ExecutorNotFound))?;
    Ok(Reply::ok(show::executor_with_schema(executor)))
}

pub(super) fn list_triggers() -> Reply {
    array([show::trigger()])
}

pub(super) fn show_trigger(call: &Call) -> Result<Reply, Failure> {
    if call.argument != show::WEBHOOK_TRIGGER {
        return Err(Refusal::plain(Code::TriggerNotFound).into());
    }
    Ok(Reply::ok(show::trigger_with_schema()))
}

pub(super) fn list_providers(call: &Call) -> Reply {
    array(call.app().catalog.providers().map(show::provider))
}

pub(super) fn show_provider(call: &Call) -> Result<Reply, Failure> {
    let provider = call.app().catalog.provider(&call.argument);
    let provider = provider.ok_or_else(|| Refusal::plain(Code::ProviderNotFound))?;
    Ok(Reply::ok(show::provider_with_schema(provider)))
}

pub(super) fn list_executors_of_provider(call: &Call) -> Result<Reply, Failure> {
    let catalog = &call.app().catalog;
    let provider = catalog.provider(&call.argument);
    let provider = provider.ok_or_else(|| Refusal::plain(Code::ProviderNotFound))?;
    let id = provider.descriptor.id;
    let own = catalog.executors().filter(|executor| executor.provider_id == id);
    Ok(array(own.map(show::executor)))
}

fn array(items: impl IntoIterator<Item = Value>) -> Reply {
    Reply::ok(Value::Array(items.into_iter().collect()))
}
