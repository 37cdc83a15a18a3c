//! The catalog.

use flowker_core::code::Code;
use serde_json::json;

use super::{OK, Operation};
use crate::openapi::parameter::catalog_id;
use crate::openapi::requests;
use crate::show::{
    CatalogExecutor, CatalogExecutorInFull, CatalogProvider, CatalogProviderInFull,
    CatalogTemplate, CatalogTemplateInFull, CatalogTrigger, CatalogTriggerInFull, Valid,
};

fn operation(summary: &'static str) -> Operation {
    Operation::new("Catalog", summary)
}

/// One that is found by its id.
fn of_one(summary: &'static str, unknown: Code) -> Operation {
    operation(summary).takes([catalog_id()]).refuses(&[unknown])
}

pub(super) fn list_executors() -> Operation {
    operation("Lists executors").answers::<Vec<CatalogExecutor>>(OK, "All of them, by id.")
}

pub(super) fn show_executor() -> Operation {
    of_one("Shows an executor", Code::ExecutorNotFound)
        .answers::<CatalogExecutorInFull>(OK, "With its schema.")
}

pub(super) fn validate_executor() -> Operation {
    of_one("Tries out the settings of an executor", Code::ExecutorNotFound)
        .reads(requests::executor_config, json!({ "config": { "method": "GET" } }))
        .answers::<Valid>(OK, "They can be used.")
        .refuses(&[Code::ConfigRefusedByExecutor])
}

pub(super) fn list_triggers() -> Operation {
    operation("Lists triggers").answers::<Vec<CatalogTrigger>>(OK, "All of them, by id.")
}

pub(super) fn show_trigger() -> Operation {
    of_one("Shows a trigger", Code::TriggerNotFound)
        .answers::<CatalogTriggerInFull>(OK, "With its schema.")
}

pub(super) fn list_providers() -> Operation {
    operation("Lists providers").answers::<Vec<CatalogProvider>>(OK, "All of them, by id.")
}

pub(super) fn show_provider() -> Operation {
    of_one("Shows a provider", Code::ProviderNotFound)
        .answers::<CatalogProviderInFull>(OK, "With the schema of its configurations.")
}

pub(super) fn list_executors_of_provider() -> Operation {
    of_one("Lists the executors of a provider", Code::ProviderNotFound)
        .answers::<Vec<CatalogExecutor>>(OK, "All of them, by id.")
}

pub(super) fn list_templates() -> Operation {
    operation("Lists templates").answers::<Vec<CatalogTemplate>>(OK, "All of them, by id.")
}

pub(super) fn show_template() -> Operation {
    of_one("Shows a template", Code::TemplateNotFound)
        .answers::<CatalogTemplateInFull>(OK, "With the schema of its parameters.")
}

pub(super) fn validate_template() -> Operation {
    of_one("Tries out the parameters of a template", Code::TemplateNotFound)
        .reads(requests::template_params, json!({ "params": { "workflowName": "transactions" } }))
        .answers::<Valid>(OK, "They can be used.")
        .refuses(&[Code::TemplateParamsInvalid])
}
