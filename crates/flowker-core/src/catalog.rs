//! What workflows can be built from: the providers of this process, their operations, and templates.

mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub use self::template::{Selection, TemplateDescriptor};
use crate::ports::{ExecutorDescriptor, Provider, ProviderDescriptor};
use crate::schema::{Schema, SchemaError};

/// The providers that this process can call. Fixed once it is made.
#[derive(Debug)]
pub struct Catalog {
    providers: BTreeMap<&'static str, CatalogProvider>,
    /// Executor id → provider id.
    executors: BTreeMap<&'static str, CatalogExecutor>,
    templates: BTreeMap<&'static str, CatalogTemplate>,
}

/// A provider in the catalog.
#[derive(Debug)]
pub struct CatalogProvider {
    /// What is shown of it.
    pub descriptor: ProviderDescriptor,
    /// Its configurations satisfy this.
    pub config_schema: Schema,
    /// What calls it.
    pub provider: Arc<dyn Provider>,
}

/// An operation in the catalog.
#[derive(Debug)]
pub struct CatalogExecutor {
    /// What is shown of it.
    pub descriptor: ExecutorDescriptor,
    /// Whose operation it is.
    pub provider_id: &'static str,
    /// The extra members of its nodes satisfy this.
    pub schema: Schema,
}

/// A template in the catalog.
#[derive(Debug)]
pub struct CatalogTemplate {
    /// What is shown of it.
    pub descriptor: TemplateDescriptor,
    /// Its parameters satisfy this.
    pub param_schema: Schema,
}

/// Why a list of providers is no catalog. A mistake of whoever wired the process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// Two providers, or two executors, have one id.
    #[error("the id {0:?} is used twice")]
    Duplicate(&'static str),
    /// A schema of a provider, an executor or a template.
    #[error("the schema of {id:?} {source}")]
    Schema {
        /// Whose.
        id: &'static str,
        /// Why.
        source: SchemaError,
    },
}

impl Catalog {
    /// Collects providers, adds the templates that come with Flowker, and compiles all schemas.
    pub fn new(
        providers: impl IntoIterator<Item = Arc<dyn Provider>>,
    ) -> Result<Self, CatalogError> {
        let mut catalog = Self {
            providers: BTreeMap::new(),
            executors: BTreeMap::new(),
            templates: BTreeMap::new(),
        };
        for provider in providers {
            catalog.add(provider)?;
        }
        for descriptor in template::all() {
            let param_schema = compile(descriptor.id, &descriptor.param_schema)?;
            let entry = CatalogTemplate { descriptor, param_schema };
            catalog.templates.insert(entry.descriptor.id, entry);
        }
        Ok(catalog)
    }

    fn add(&mut self, provider: Arc<dyn Provider>) -> Result<(), CatalogError> {
        let descriptor = provider.descriptor();
        let id = descriptor.id;
        for executor in &descriptor.executors {
            let schema = compile(executor.id, &executor.schema)?;
            let entry = CatalogExecutor { descriptor: executor.clone(), provider_id: id, schema };
            if self.executors.insert(executor.id, entry).is_some() {
                return Err(CatalogError::Duplicate(executor.id));
            }
        }
        let config_schema = compile(id, &descriptor.config_schema)?;
        let entry = CatalogProvider { descriptor, config_schema, provider };
        match self.providers.insert(id, entry) {
            Some(_) => Err(CatalogError::Duplicate(id)),
            None => Ok(()),
        }
    }

    /// One provider.
    pub fn provider(&self, id: &str) -> Option<&CatalogProvider> {
        self.providers.get(id)
    }

    /// One operation.
    pub fn executor(&self, id: &str) -> Option<&CatalogExecutor> {
        self.executors.get(id)
    }

    /// One template.
    pub fn template(&self, id: &str) -> Option<&CatalogTemplate> {
        self.templates.get(id)
    }

    /// All providers, by id.
    pub fn providers(&self) -> impl Iterator<Item = &CatalogProvider> {
        self.providers.values()
    }

    /// All operations, by id.
    pub fn executors(&self) -> impl Iterator<Item = &CatalogExecutor> {
        self.executors.values()
    }

    /// All templates, by id.
    pub fn templates(&self) -> impl Iterator<Item = &CatalogTemplate> {
        self.templates.values()
    }
}

fn compile(id: &'static str, schema: &Value) -> Result<Schema, CatalogError> {
    Schema::compile(schema).map_err(|source| CatalogError::Schema { id, source })
}
