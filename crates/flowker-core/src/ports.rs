//! The ports: what the domain needs from the world, as traits that adapters implement.
//!
//! A port method applies whole or not at all, and durably: when it returns `Ok`, a crash of the
//! process or of the machine does not take it back. What must change together is one method, so no
//! transaction crosses a port. An answer with several meanings is an enum. `flowker-testkit` has a
//! suite for each store port that proves its MUSTs.

mod access;
mod api_key;
mod archive;
mod audit;
mod dashboard;
mod execution;
mod idempotency;
mod provider;
mod provider_config;
mod runtime;
mod shared;
mod workflow;

pub use access::{
    AccessError, Authorizer, Bearer, Question, Secrets, TokenError, TokenVerifier, Verdict,
};
pub use api_key::{ApiKey, ApiKeyPage, ApiKeyQuery, ApiKeyStore, ApiKeyWritten, PreviousKey};
pub use archive::Archive;
pub use audit::{AuditLog, AuditPage, AuditQuery};
pub use dashboard::DashboardStore;
pub use execution::{
    Acceptance, Append, Backlog, CancelAnswer, Claim, ExecutionPage, ExecutionQuery, ExecutionSort,
    ExecutionStore, NewExecution, Precondition,
};
pub use idempotency::{IdempotencyStore, KnownKey};
pub use provider::{
    Call, CallFailure, ExecutorDescriptor, FailureKind, Probe, ProbeFailure, Probed, Provider,
    ProviderDescriptor, SuccessCodes,
};
pub use provider_config::{
    CONFIG_USERS_MAX, ConfigStatus, ConfigUser, ConfigWritten, ProviderConfig, ProviderConfigPage,
    ProviderConfigQuery, ProviderConfigStore, UnusedWritten,
};
pub use runtime::{Clock, Dispatcher, IdSource, SpanKind, Tracer, Untraced};
pub use shared::{RateLimit, SharedValues};
pub use workflow::{
    Activation, Cursor, Direction, NamedSort, NamedSortKey, Transition, WorkflowPage,
    WorkflowQuery, WorkflowStore, WorkflowWritten,
};

#[cfg(feature = "mocks")]
pub use {
    access::{MockAuthorizer, MockSecrets, MockTokenVerifier},
    api_key::MockApiKeyStore,
    archive::MockArchive,
    audit::MockAuditLog,
    dashboard::MockDashboardStore,
    execution::MockExecutionStore,
    idempotency::MockIdempotencyStore,
    provider::MockProvider,
    provider_config::MockProviderConfigStore,
    runtime::{MockClock, MockDispatcher, MockIdSource},
    shared::{MockRateLimit, MockSharedValues},
    workflow::MockWorkflowStore,
};

use crate::refusal::BoxError;

/// Failures of a store, as the domain sees them.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not applied, and the store is well: more was waiting for it than its bound allows.
    #[error("the store's queue is full")]
    Full,
    /// Not applied; the same call may be made again.
    #[error("the store is busy or unreachable")]
    Unavailable {
        /// Why.
        #[source]
        source: BoxError,
    },
    /// Perhaps applied: the answer was lost. Only an idempotent call may be repeated.
    #[error("the store's answer was lost")]
    Unknown {
        /// Why.
        #[source]
        source: BoxError,
    },
    /// Not applied: a newer owner holds the execution, or it has ended.
    #[error("a newer owner holds the execution, or it has ended")]
    Superseded,
    /// Something stored cannot be read.
    #[error("stored data of {what} is corrupt")]
    Corrupt {
        /// Of what: a table and a key.
        what: String,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl StoreError {
    /// Nothing was applied, because of `source`.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::Unavailable { source: source.into() }
    }

    /// The answer was lost, because of `source`.
    pub fn unknown(source: impl Into<BoxError>) -> Self {
        Self::Unknown { source: source.into() }
    }

    /// What is stored of `what` cannot be read, because of `source`.
    pub fn corrupt(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Corrupt { what: what.into(), source: source.into() }
    }
}
