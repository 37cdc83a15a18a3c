//! Provider configurations.

use flowker_core::code::Code;
use flowker_core::ports::ConfigStatus;
use serde_json::{Value, json};

use super::{BY_ID, CREATED, OK, Operation};
use crate::openapi::parameter::{Parameter, id, paging, words};
use crate::openapi::requests;
use crate::paging::Page;
use crate::show::{ConnectivityReport, ProviderConfiguration, ProviderConfigurationCreated};

fn operation(summary: &'static str) -> Operation {
    Operation::new("Provider configurations", summary)
}

/// One that is found by its id.
fn of_one(summary: &'static str) -> Operation {
    operation(summary).takes([id()]).refuses(&BY_ID).refuses(&[Code::ProviderConfigNotFound])
}

/// What is looked at whenever a configuration is written.
const MEMBERS: [Code; 7] = [
    Code::ProviderUnknown,
    Code::ProviderConfigInvalid,
    Code::ProviderConfigNameEmpty,
    Code::ProviderConfigNameTooLong,
    Code::ProviderConfigEmpty,
    Code::ProviderConfigDescriptionTooLong,
    Code::ProviderConfigNameTaken,
];

/// What is looked at before active workflows lose a configuration.
const OF_USERS: [Code; 2] = [Code::QueryInvalid, Code::ProviderConfigInUse];

fn force() -> Parameter {
    let about = "`true` does it although active workflows use the configuration.";
    let schema = json!({ "type": "string", "enum": ["true", "false"], "default": "false" });
    Parameter::query("force", about, schema)
}

fn config() -> Value {
    json!({ "base_url": "https://orders.example", "auth_type": "bearer", "bearer_token": "secret" })
}

pub(super) fn create() -> Operation {
    let example = json!({ "name": "orders", "providerId": "http", "config": config() });
    operation("Makes a configuration, ready for use")
        .reads(requests::provider_configuration_draft, example)
        .answers::<ProviderConfigurationCreated>(CREATED, "It is made.")
        .refuses(&MEMBERS)
}

pub(super) fn list() -> Operation {
    let provider = json!({ "type": "string" });
    operation("Lists configurations")
        .takes(paging(&["createdAt", "updatedAt", "name"]))
        .takes([
            words("status", "In one status only.", ConfigStatus::ALL.map(ConfigStatus::as_str)),
            Parameter::query("providerId", "Of one provider only.", provider),
        ])
        .answers::<Page<ProviderConfiguration>>(OK, "One page.")
        .refuses(&[Code::QueryInvalid, Code::CursorInvalid])
}

pub(super) fn show() -> Operation {
    of_one("Shows a configuration").answers::<ProviderConfiguration>(OK, "As it is.")
}

pub(super) fn patch() -> Operation {
    of_one("Changes a configuration")
        .reads(requests::provider_configuration_change, json!({ "config": config() }))
        .answers::<ProviderConfiguration>(OK, "As it is now.")
        .refuses(&MEMBERS)
        .refuses(&[Code::Conflict])
}

pub(super) fn delete() -> Operation {
    of_one("Removes a configuration")
        .takes([force()])
        .answers_nothing("It is gone.")
        .refuses(&OF_USERS)
        .refuses(&[Code::Conflict])
}

pub(super) fn disable() -> Operation {
    switch("Keeps steps from using a configuration").takes([force()]).refuses(&OF_USERS)
}

pub(super) fn enable() -> Operation {
    switch("Lets steps use a configuration again")
}

pub(super) fn test() -> Operation {
    of_one("Tries out whether a provider is reached with a configuration")
        .answers::<ConnectivityReport>(OK, "What came of it, be it good or bad.")
        .refuses(&[Code::ProviderUnknown, Code::BaseUrlUnusable, Code::DestinationForbidden])
}

fn switch(summary: &'static str) -> Operation {
    of_one(summary)
        .answers::<ProviderConfiguration>(OK, "As it is now.")
        .refuses(&[Code::ProviderConfigStatus, Code::Conflict])
}
