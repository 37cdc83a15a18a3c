//! What workflows can be built from: the providers of this process and their operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ports::{ExecutorDescriptor, Provider, ProviderDescriptor};
use crate::schema::{Schema, SchemaError};

/// The providers that this process can call. Fixed once it is made.
#[derive(Debug)]
pub struct Catalog {
    providers: BTreeMap<&'static str, CatalogProvider>,
    /// Executor id → provider id.
    executors: BTreeMap<&'static str, CatalogExecutor>,
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

/// Why a list of providers is no catalog. A mistake of whoever wired the process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// Two providers, or two executors, have one id.
    #[error("the id {0:?} is used twice")]
    Duplicate(&'static str),
    /// A schema of a provider or an executor.
    #[error("the schema of {id:?} {source}")]
    Schema {
        /// Whose.
        id: &'static str,
        /// Why.
        source: SchemaError,
    },
}

impl Catalog {
    /// Collects providers and compiles their schemas.
    pub fn new(
        providers: impl IntoIterator<Item = Arc<dyn Provider>>,
    ) -> Result<Self, CatalogError> {
        let mut catalog = Self { providers: BTreeMap::new(), executors: BTreeMap::new() };
        for provider in providers {
            catalog.add(provider)?;
        }
        Ok(catalog)
    }

    fn add(&mut self, provider: Arc<dyn Provider>) -> Result<(), CatalogError> {
        let descriptor = provider.descriptor();
        let id = descriptor.id;
        let compile = |id, schema| {
            Schema::compile(schema).map_err(|source| CatalogError::Schema { id, source })
        };
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

    /// All providers, by id.
    pub fn providers(&self) -> impl Iterator<Item = &CatalogProvider> {
        self.providers.values()
    }

    /// All operations, by id.
    pub fn executors(&self) -> impl Iterator<Item = &CatalogExecutor> {
        self.executors.values()
    }
}
