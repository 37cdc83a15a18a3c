//! Workflows from templates.

use serde_json::{Map, Value};

use super::{Workflows, unreadable};
use crate::actor::Actor;
use crate::catalog::{CatalogTemplate, Selection};
use crate::code::Code;
use crate::members::Members;
use crate::ports::{
    ConfigStatus, Direction, NamedSort, NamedSortKey, ProviderConfigQuery, StoreError,
};
use crate::refusal::Refusal;
use crate::workflow::Workflow;

/// How many provider configurations a parameter is offered (contract).
const OFFERS_MAX: usize = 100;

impl Workflows {
    /// Stores a new draft, made of a template and the parameters that the body brings for it.
    pub async fn from_template(&self, body: Value, actor: &Actor) -> Result<Workflow, Refusal> {
        let mut faults = Vec::new();
        let mut members = Members::of(body, "", &mut faults);
        let id = members.string("templateId").unwrap_or_default();
        let params = members.object("params").unwrap_or_default();
        if !faults.is_empty() {
            return Err(unreadable(faults));
        }
        let Some(template) = self.catalog.template(&id) else {
            let message = format!("the catalog has no template {id:?}");
            return Err(Refusal::of_member(Code::TemplateNotFound, "templateId", message));
        };
        check_params(template, &params)?;
        self.create((template.descriptor.build)(&params), actor).await
    }

    /// The schema of a template's parameters, with the provider configurations that can be chosen
    /// at the moment: active ones, by name. For showing only; it is left as it is where they cannot
    /// be looked up.
    pub async fn shown_params(&self, template: &CatalogTemplate) -> Value {
        let mut schema = template.descriptor.param_schema.clone();
        for selection in template.descriptor.selections {
            // Whoever only wants to see the template is not kept from it by a store that is away.
            let Ok(offers) = self.offers(selection).await else { continue };
            let property = schema.get_mut("properties").and_then(|it| it.get_mut(selection.param));
            if let Some(Value::Object(property)) = property {
                property.insert("oneOf".to_owned(), Value::Array(offers));
            }
        }
        schema
    }

    async fn offers(&self, selection: &Selection) -> Result<Vec<Value>, StoreError> {
        let query = ProviderConfigQuery {
            status: Some(ConfigStatus::Active),
            provider_id: Some(selection.provider_id.to_owned()),
            sort: NamedSort { key: NamedSortKey::Name, direction: Direction::Ascending },
            after: None,
            limit: OFFERS_MAX,
        };
        let page = self.configs.list(query).await?;
        let offer = |id: String, name: String| {
            let members = [("const", id), ("title", name)];
            members.map(|(member, text)| (member.to_owned(), Value::String(text))).into_iter()
        };
        let configs = page.items.into_iter();
        Ok(configs.map(|it| Value::Object(offer(it.id.to_string(), it.name).collect())).collect())
    }
}

/// Checks the `params` of a body; absent ones count as none.
pub fn check_template_params(template: &CatalogTemplate, body: Value) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    let params = Members::of(body, "", &mut faults).object("params").unwrap_or_default();
    if !faults.is_empty() {
        return Err(unreadable(faults));
    }
    check_params(template, &params)
}

fn check_params(template: &CatalogTemplate, params: &Map<String, Value>) -> Result<(), Refusal> {
    let faults = template.param_schema.check(&Value::Object(params.clone()));
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.into_iter().map(|fault| fault.below("params")).collect();
    Err(Refusal::of_members(Code::TemplateParamsInvalid, faults))
}

#[cfg(test)]
mod tests;
