//! Providers: the outside services that executor nodes call.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::provider_config::ProviderConfig;
use crate::trace::TraceContext;

/// What the catalog shows of a provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderDescriptor {
    /// Such as `http`.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// Such as `v1`.
    pub version: &'static str,
    /// JSON Schema (draft 2020-12) of its configurations.
    pub config_schema: Value,
    /// What it can do.
    pub executors: Vec<ExecutorDescriptor>,
}

/// What the catalog shows of one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorDescriptor {
    /// Such as `tracer.validate-transaction`.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// Such as `HTTP`.
    pub category: &'static str,
    /// Such as `v1`.
    pub version: &'static str,
    /// JSON Schema (draft 2020-12) of a node's members that are no settings of the node.
    pub schema: Value,
}

/// One attempt of one step.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which operation.
    pub executor_id: String,
    /// With which settings.
    pub config: Arc<ProviderConfig>,
    /// The same for every attempt of this step, and for no other step: what a receiver needs to
    /// see one effect. Sent as `Idempotency-Key`.
    pub idempotency_key: String,
    /// From 1.
    pub attempt: u32,
    /// Where in which trace the attempt is made. Sent as `traceparent` and `tracestate`, unless the
    /// node or the configuration sets these.
    pub trace: Option<TraceContext>,
    /// The node's HTTP method, as written.
    pub method: Option<String>,
    /// The node's path suffix, references filled in.
    pub path: Option<String>,
    /// The node's request headers, references filled in.
    pub headers: Vec<(String, String)>,
    /// The node's query parameters, references filled in.
    pub query: Vec<(String, String)>,
    /// The node's members that are no settings.
    pub extra: Map<String, Value>,
    /// The request document.
    pub document: Value,
    /// The node's own bound; else the configuration's, else 30 seconds.
    pub timeout: Option<Duration>,
    /// Which statuses count as success.
    pub success: SuccessCodes,
}

/// Which statuses count as success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SuccessCodes {
    /// 200 to 299.
    #[default]
    Any2xx,
    /// These only.
    These(BTreeSet<u16>),
}

impl SuccessCodes {
    /// Whether a status is one of them.
    pub fn contains(&self, status: u16) -> bool {
        match self {
            Self::Any2xx => (200..300).contains(&status),
            Self::These(codes) => codes.contains(&status),
        }
    }
}

/// What a failed attempt means for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The receiver certainly did nothing lasting, or said to come back: another attempt may
    /// succeed.
    Transient,
    /// Another attempt would fail the same way.
    Permanent,
    /// The request may have been carried out, and nobody knows: it was sent, and no whole answer
    /// came.
    Unknown,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallFailure {
    /// What it means for the next attempt.
    pub kind: FailureKind,
    /// For a person. Holds no secret and nothing of a response's body.
    pub message: String,
    /// What the receiver asked for with `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl CallFailure {
    /// A failure without a `Retry-After`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }
}

/// One request of a connectivity test: a `GET` of the address that a configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Without credentials and without the configured headers: is anybody there?
    Connectivity,
    /// With what calls carry to show who calls: is it taken?
    Authentication,
    /// The same, and the answer's body is read: does all of it work?
    EndToEnd,
}

impl Probe {
    /// All of them, in the order of a test.
    pub const ALL: [Self; 3] = [Self::Connectivity, Self::Authentication, Self::EndToEnd];

    /// The word that travels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connectivity => "connectivity",
            Self::Authentication => "authentication",
            Self::EndToEnd => "end_to_end",
        }
    }
}

/// An answer to a [`Probe`], of any status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Its status.
    pub status: u16,
    /// What was asked for first, without credentials.
    pub url: String,
    /// What the answer says that its body is.
    pub content_type: Option<String>,
    /// How many bytes of its body were read. 0 unless the probe reads it.
    pub body_bytes: usize,
    /// How many headers of the configuration were sent.
    pub n_headers: usize,
}

/// Why there is no answer to a [`Probe`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeFailure {
    /// The configuration names no absolute http or https URL. Nothing was sent.
    #[error("the provider configuration has no usable base URL")]
    NoAddress,
    /// The address may not be called, or cannot be resolved. Nothing was sent.
    #[error("{0}")]
    Forbidden(String),
    /// Calls with this configuration carry nothing that shows who calls. Nothing was sent.
    #[error("the provider configuration has no credentials")]
    NoCredentials,
    /// For any other reason, of which the text holds no secret.
    #[error("{0}")]
    Failed(String),
}

/// Calls one kind of outside service.
///
/// - MUST bound the call by its timeout, and the response by a size.
/// - MUST send the call's idempotency key with every attempt.
/// - SHOULD send its trace context, where the service it calls has a place for that.
/// - MUST classify a failure: see [`FailureKind`].
/// - MUST not retry by itself.
/// - MAY be cancelled at any await: the engine drops the future when the run ends.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync {
    /// What the catalog shows of it. The same at every call.
    fn descriptor(&self) -> ProviderDescriptor;

    /// Makes one attempt. The output of an HTTP call is the response envelope: an object of
    /// `status`, `status_text`, `url`, `headers` and `body`.
    async fn call(&self, call: Call) -> Result<Value, CallFailure>;

    /// Makes one request of a connectivity test, with the scheme by which calls are made.
    ///
    /// - MUST answer [`ProbeFailure::Forbidden`] only if the address that the configuration names may
    ///   not be called; a redirect to such a place is a failure like any other.
    /// - MUST answer [`ProbeFailure::NoCredentials`] to [`Probe::Authentication`] only.
    async fn probe(&self, config: &ProviderConfig, probe: Probe) -> Result<Probed, ProbeFailure>;
}
