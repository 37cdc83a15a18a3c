//! Everything that can go wrong with a request, and the status that says so.

use std::error::Error as StdError;
use std::fmt;

use flowker_core::code::Code;
use flowker_core::refusal::Refusal;
use http::StatusCode;

use crate::access::Denial;

/// Why a request is not answered as its caller hoped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// By a use-case, in the contract's words.
    Refused {
        /// What the caller reads.
        refusal: Refusal,
        /// Where the contract has another title than the code's own.
        title: Option<&'static str>,
        /// Which credentials are asked for.
        challenge: Option<&'static str>,
    },
    /// By the access manager, in the contract's plain text or in its own words.
    Denied(Denial),
    /// By the door, before any use-case was asked.
    Transport(Transport),
}

/// Failures for which the contract has no code, only a status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Transport {
    /// The request is no request, or does not say clearly for whom it is.
    #[error("{0}")]
    Malformed(String),
    /// No route has this path.
    #[error("there is nothing at this path")]
    NotFound,
    /// The path is known, the method is not among its own.
    #[error("this path takes other methods: see Allow")]
    MethodNotAllowed {
        /// The methods that it takes, as the header lists them.
        allow: String,
    },
    /// The body is larger than any that the route takes.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The target is longer than any of ours.
    #[error("the request target is longer than {limit} bytes")]
    TargetTooLong {
        /// In bytes.
        limit: usize,
    },
    /// An `Expect` that we do not know.
    #[error("the only expectation that is met here is 100-continue")]
    ExpectationUnknown,
    /// Too many headers, or too large ones.
    #[error("the request has more than {count} headers, or more than {bytes} bytes of them")]
    HeadersTooLarge {
        /// How many are taken.
        count: usize,
        /// In bytes of names and values.
        bytes: usize,
    },
    /// A `Transfer-Encoding` beside `chunked`.
    #[error("the only transfer coding that is understood here is chunked")]
    TransferCodingUnknown,
}

impl Transport {
    pub(crate) fn malformed(reason: impl fmt::Display) -> Self {
        Self::Malformed(reason.to_string())
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::ExpectationUnknown => StatusCode::EXPECTATION_FAILED,
            Self::HeadersTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TransferCodingUnknown => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

/// The statuses with which the transport refuses a request that some route would take.
pub(crate) fn transport_statuses() -> impl Iterator<Item = StatusCode> {
    let refusals = [
        Transport::Malformed(String::new()),
        Transport::BodyTooLarge { limit: 0 },
        Transport::TargetTooLong { limit: 0 },
        Transport::ExpectationUnknown,
        Transport::HeadersTooLarge { count: 0, bytes: 0 },
        Transport::TransferCodingUnknown,
    ];
    refusals.into_iter().map(|refusal| refusal.status())
}

impl Failure {
    /// A refusal under a title of its own.
    pub(crate) fn titled(refusal: Refusal, title: &'static str) -> Self {
        Self::Refused { refusal, title: Some(title), challenge: None }
    }

    /// A refusal of credentials, or of a lack of them.
    pub(crate) fn challenged(refusal: Refusal, challenge: &'static str) -> Self {
        Self::Refused { refusal, title: None, challenge: Some(challenge) }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Refused { refusal, .. } => status(refusal.code),
            Self::Denied(denial) => denial.status(),
            Self::Transport(transport) => transport.status(),
        }
    }

    /// The error behind it, with its causes.
    pub(crate) fn as_error(&self) -> &(dyn StdError + 'static) {
        match self {
            Self::Refused { refusal, .. } => refusal,
            Self::Denied(denial) => denial,
            Self::Transport(transport) => transport,
        }
    }

    /// The code as a client reads it.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Refused { refusal, .. } => refusal.code.as_str().to_owned(),
            Self::Denied(denial) => denial.status().as_u16().to_string(),
            Self::Transport(transport) => transport.status().as_u16().to_string(),
        }
    }

    /// Whether the connection must end: what follows on it may not be what it seems, or may be
    /// more than we want to read.
    pub(crate) fn ends_connection(&self) -> bool {
        match self {
            Self::Refused { refusal, .. } => matches!(
                refusal.code,
                Code::BodyTooSlow | Code::WebhookBodyTooLarge | Code::ExecuteBodyTooLarge
            ),
            Self::Denied(_)
            | Self::Transport(Transport::NotFound | Transport::MethodNotAllowed { .. }) => false,
            Self::Transport(_) => true,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let challenge = challenge(refusal.code);
        Self::Refused { refusal, title: None, challenge }
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Transport> for Failure {
    fn from(transport: Transport) -> Self {
        Self::Transport(transport)
    }
}

/// Which credentials of a route a 401 asks for (RFC 9110 §11.6.1 wants it said). What the door
/// itself asks for depends on how it is set up.
const fn challenge(code: Code) -> Option<&'static str> {
    match code {
        Code::WebhookTokenWrong => Some("WebhookToken header=\"X-Webhook-Token\""),
        Code::SignatureWrong => Some("WebhookSignature"),
        _ => None,
    }
}

/// The status of each code.
pub(crate) const fn status(code: Code) -> StatusCode {
    match code {
        Code::BodyUnreadable
        | Code::IdMalformed
        | Code::WorkflowNameEmpty
        | Code::WorkflowNameTooLong
        | Code::NodesTooMany
        | Code::EdgesTooMany
        | Code::EdgeDangling
        | Code::InputMappingInvalid
        | Code::OutputMappingInvalid
        | Code::TransformsInvalid
        | Code::ProviderConfigUnusable
        | Code::ProviderMismatch
        | Code::ExecutorConfigInvalid
        | Code::ConfigRefusedByExecutor
        | Code::TemplateParamsInvalid
        | Code::CursorInvalid
        | Code::ProviderConfigNameEmpty
        | Code::ProviderConfigNameTooLong
        | Code::ProviderConfigEmpty
        | Code::ProviderConfigDescriptionTooLong
        | Code::DashboardFilterInvalid
        | Code::QueryInvalid
        | Code::DateInvalid
        | Code::DateRangeInvalid
        | Code::AuditCursorInvalid
        | Code::PageSizeInvalid
        | Code::SortOrderInvalid
        | Code::IdempotencyKeyMissing
        | Code::IdempotencyKeyMalformed
        | Code::ApiKeyInvalid => StatusCode::BAD_REQUEST,
        Code::Unauthorized | Code::WebhookTokenWrong | Code::SignatureWrong => {
            StatusCode::UNAUTHORIZED
        }
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::WorkflowNotFound
        | Code::ExecutorUnknown
        | Code::ExecutorNotFound
        | Code::TriggerNotFound
        | Code::ProviderNotFound
        | Code::TemplateNotFound
        | Code::ProviderConfigNotFound
        | Code::ProviderUnknown
        | Code::RouteNotFound
        | Code::ExecutionNotFound
        | Code::AuditEntryNotFound
        | Code::ApiKeyNotFound => StatusCode::NOT_FOUND,
        Code::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
        Code::WorkflowNameTaken
        | Code::ProviderConfigNameTaken
        | Code::ProviderConfigInUse
        | Code::Conflict
        | Code::RouteTaken
        | Code::ExecutionState
        | Code::ApiKeyNameTaken => StatusCode::CONFLICT,
        Code::WebhookBodyTooLarge | Code::ExecuteBodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::MediaUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::TransitionNotAllowed
        | Code::WorkflowNotEditable
        | Code::ConditionInvalid
        | Code::NodesMissing
        | Code::TriggerMissing
        | Code::GraphCyclic
        | Code::IdDuplicate
        | Code::NodeInvalid
        | Code::TriggerInvalid
        | Code::ProviderConfigStatus
        | Code::ProviderConfigInvalid
        | Code::BaseUrlUnusable
        | Code::DestinationForbidden
        | Code::PayloadRefused
        | Code::WorkflowNotActive
        | Code::ExecutionNotFinished
        | Code::IdempotencyKeyReused
        | Code::ApiKeyOver
        | Code::ApiKeysTooMany => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Overloaded
        | Code::StoreUnavailable
        | Code::IssuerUnavailable
        | Code::FaultUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::FaultTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The title of a code that has none of its own. The contract's words, which are older than those
/// of RFC 9110 for 413 and 422.
pub(crate) fn default_title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Payload Too Large",
        StatusCode::UNPROCESSABLE_ENTITY => "Unprocessable Entity",
        other => other.canonical_reason().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Every code stands in the reference with its status and its meaning, and no other does.
    #[test]
    fn the_reference_lists_every_code() {
        let page = include_str!("../../../docs/reference/errors.md");
        let (page, _) = page.split_once("## Codes of failed executions").expect("two tables");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        let listed: BTreeMap<_, _> = rows.collect();
        for code in Code::ALL {
            let row = listed.get(code.as_str()).copied().unwrap_or_default();
            let expected = format!("{} | {} | ", status(*code).as_u16(), code.meaning());
            assert!(row.starts_with(&expected), "{code}: {row:?} does not begin with {expected:?}");
        }
        assert_eq!(listed.len(), Code::ALL.len());
    }
}
