//! What a store holds, one record each, and the order in which records are read.

use std::fmt;
use std::sync::Arc;

use crate::audit::AuditEntry;
use crate::execution::{Entry, Execution, Fence, Outcome};
use crate::id::{ApiKeyId, ExecutionId, ProviderConfigId, WorkflowId};
use crate::idempotency::{Fingerprint, IdempotencyKey};
use crate::ports::{ApiKey, ProviderConfig};
use crate::time::Timestamp;
use crate::workflow::{Definition, Route, WebhookPath, Workflow};

/// One thing that a store holds, whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A workflow as it is edited and shown.
    Workflow(Workflow),
    /// A version that an activation froze.
    Version(FrozenVersion),
    /// A live route.
    Route(Route),
    /// A provider configuration as it is stored: one that is sealed stays so.
    ProviderConfig(ProviderConfig),
    /// An API key, without its text.
    ApiKey(ApiKey),
    /// A value that processes share.
    SharedValue(SharedValue),
    /// An execution with its journal.
    Execution(ArchivedExecution),
    /// An idempotency key.
    Key(ArchivedKey),
    /// A sealed entry of the audit log. What is not sealed is not archived: seal it before.
    AuditEntry(AuditEntry),
}

/// A version that an activation froze. It outlives its workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct FrozenVersion {
    /// Of which workflow.
    pub workflow_id: WorkflowId,
    /// From 1.
    pub version: u32,
    /// When.
    pub frozen_at: Timestamp,
    /// What.
    pub definition: Definition,
}

/// A value that processes share.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedValue {
    /// Under which it is kept.
    pub name: String,
    /// Perhaps secret.
    pub value: Vec<u8>,
}

impl fmt::Debug for SharedValue {
    /// Leaves out the value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedValue").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An execution, how far it got, and who may go on with it.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchivedExecution {
    /// What was accepted.
    pub execution: Arc<Execution>,
    /// Oldest entry first.
    pub journal: Vec<Entry>,
    /// Where it stands.
    pub stage: Stage,
}

/// Where an archived execution stands. Its owner is not told: no owner outlives a move.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// It has not ended, and may be adopted from `due` on.
    Unfinished {
        /// Of its last owner; [`Fence::NONE`] if it never had one.
        fence: Fence,
        /// By the store's clock.
        due: Timestamp,
    },
    /// It has ended.
    Ended {
        /// How.
        outcome: Arc<Outcome>,
        /// When.
        at: Timestamp,
    },
}

/// An idempotency key and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedKey {
    /// Its scope.
    pub workflow_id: WorkflowId,
    /// What the caller sent.
    pub key: IdempotencyKey,
    /// What the request was.
    pub fingerprint: Fingerprint,
    /// What it started.
    pub execution_id: ExecutionId,
    /// When its retention is over, by the store's clock.
    pub expires_at: Timestamp,
}

/// Where a record stands among all: by kind, and within a kind by what names it. Executions are
/// sorted by id, which rises with acceptance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A workflow.
    Workflow(WorkflowId),
    /// A version of a workflow.
    Version(WorkflowId, u32),
    /// A method and a path, both byte by byte.
    Route(String, WebhookPath),
    /// A provider configuration.
    ProviderConfig(ProviderConfigId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// A name, byte by byte.
    SharedValue(String),
    /// An execution.
    Execution(ExecutionId),
    /// A key, byte by byte, within its scope.
    Key(WorkflowId, IdempotencyKey),
    /// The sequence number of an entry of the audit log.
    AuditEntry(u64),
}

impl Record {
    /// Where it stands among all.
    pub fn place(&self) -> Place {
        match self {
            Self::Workflow(it) => Place::Workflow(it.id),
            Self::Version(it) => Place::Version(it.workflow_id, it.version),
            Self::Route(it) => Place::Route(it.key.method.clone(), it.key.path.clone()),
            Self::ProviderConfig(it) => Place::ProviderConfig(it.id),
            Self::ApiKey(it) => Place::ApiKey(it.id),
            Self::SharedValue(it) => Place::SharedValue(it.name.clone()),
            Self::Execution(it) => Place::Execution(it.execution.id),
            Self::Key(it) => Place::Key(it.workflow_id, it.key.clone()),
            Self::AuditEntry(it) => Place::AuditEntry(it.sequence),
        }
    }

    /// What it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Workflow(_) => Kind::Workflow,
            Self::Version(_) => Kind::Version,
            Self::Route(_) => Kind::Route,
            Self::ProviderConfig(_) => Kind::ProviderConfig,
            Self::ApiKey(_) => Kind::ApiKey,
            Self::SharedValue(_) => Kind::SharedValue,
            Self::Execution(_) => Kind::Execution,
            Self::Key(_) => Kind::Key,
            Self::AuditEntry(_) => Kind::AuditEntry,
        }
    }
}

impl Place {
    /// Of what it is the place.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Workflow(..) => Kind::Workflow,
            Self::Version(..) => Kind::Version,
            Self::Route(..) => Kind::Route,
            Self::ProviderConfig(..) => Kind::ProviderConfig,
            Self::ApiKey(..) => Kind::ApiKey,
            Self::SharedValue(..) => Kind::SharedValue,
            Self::Execution(..) => Kind::Execution,
            Self::Key(..) => Kind::Key,
            Self::AuditEntry(_) => Kind::AuditEntry,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().as_str();
        match self {
            Self::Workflow(id) => write!(f, "{kind} {id}"),
            Self::Version(id, version) => write!(f, "{kind} {version} of workflow {id}"),
            Self::Route(method, path) => write!(f, "{kind} {method} {}", path.as_str()),
            Self::ProviderConfig(id) => write!(f, "{kind} {id}"),
            Self::ApiKey(id) => write!(f, "{kind} {id}"),
            Self::SharedValue(name) => write!(f, "{kind} {name}"),
            Self::Execution(id) => write!(f, "{kind} {id}"),
            Self::Key(id, key) => write!(f, "{kind} {} of workflow {id}", key.as_str()),
            Self::AuditEntry(sequence) => write!(f, "{kind} {sequence}"),
        }
    }
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`Record::Workflow`].
    Workflow,
    /// [`Record::Version`].
    Version,
    /// [`Record::Route`].
    Route,
    /// [`Record::ProviderConfig`].
    ProviderConfig,
    /// [`Record::ApiKey`].
    ApiKey,
    /// [`Record::SharedValue`].
    SharedValue,
    /// [`Record::Execution`].
    Execution,
    /// [`Record::Key`].
    Key,
    /// [`Record::AuditEntry`].
    AuditEntry,
}

impl Kind {
    /// All of them, in the order in which records are read.
    pub const ALL: [Self; 9] = [
        Self::Workflow,
        Self::Version,
        Self::Route,
        Self::ProviderConfig,
        Self::ApiKey,
        Self::SharedValue,
        Self::Execution,
        Self::Key,
        Self::AuditEntry,
    ];

    /// The word that is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Version => "version",
            Self::Route => "route",
            Self::ProviderConfig => "providerConfiguration",
            Self::ApiKey => "apiKey",
            Self::SharedValue => "sharedValue",
            Self::Execution => "execution",
            Self::Key => "key",
            Self::AuditEntry => "auditEntry",
        }
    }
}
