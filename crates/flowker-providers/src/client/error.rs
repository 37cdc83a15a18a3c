//! Why a request has no answer, and what that means for another attempt.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use flowker_core::ports::{CallFailure, FailureKind};
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use hyper_util::client::legacy;

use super::connect::ConnectError;
use super::message::Outgoing;

/// Why a request has no whole answer with a status that counts as success.
///
/// No text of these holds a secret, a URL's path or query, or anything that the receiver wrote.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The URL holds something that cannot be sent.
    #[error("the URL cannot be sent")]
    Url,
    /// The connection was closed before the request was written to it.
    #[error("the connection was closed before the request was sent")]
    NotSent,
    /// The connection was lost after the request was written to it.
    #[error("the connection was lost before the whole answer was here: {reason}")]
    Lost {
        /// How.
        reason: String,
    },
    /// What came back is no HTTP, or its head is too large.
    #[error("the answer cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The answer has too many headers.
    #[error("the answer has more than {max} headers")]
    TooManyHeaders {
        /// How many there may be.
        max: usize,
    },
    /// The answer's body is too large.
    #[error("answered {status} with a body larger than {bytes_max} bytes")]
    TooLarge {
        /// The answer's status.
        status: u16,
        /// How large it may be.
        bytes_max: usize,
    },
    /// The time is up.
    #[error("there is no whole answer within {} ms", .limit.as_millis())]
    TimedOut {
        /// How long it was given.
        limit: Duration,
        /// Whether the request may have been received.
        is_sent: bool,
    },
    /// The answer has a status that counts as failure.
    #[error("answered {}", Status(*.status))]
    Status {
        /// The status.
        status: StatusCode,
        /// What the receiver asked for with `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// A redirect that leads to no URL.
    #[error("answered {status} and redirects to something that is no URL")]
    RedirectTarget {
        /// The redirect's status.
        status: u16,
    },
    /// A redirect from `https` to `http`.
    #[error("answered {status} and redirects from https to http")]
    RedirectToPlain {
        /// The redirect's status.
        status: u16,
    },
    /// One redirect after the other.
    #[error("redirected more than {max} times")]
    TooManyRedirects {
        /// How many are followed.
        max: usize,
    },
    /// The request was carried out, and the answer to be had elsewhere is not to be had.
    #[error("carried out, and the redirect to its answer failed")]
    AfterEffect(#[source] Box<SendError>),
}

struct Status(StatusCode);

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.canonical_reason() {
            Some(reason) => write!(f, "{} {reason}", self.0.as_u16()),
            None => write!(f, "{}", self.0.as_u16()),
        }
    }
}

impl SendError {
    /// What it means for another attempt.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Connect(ConnectError::Denied(_) | ConnectError::Certificate { .. })
            | Self::Url
            // The status says that it was carried out; the next answer would be as large.
            | Self::TooLarge { .. }
            | Self::RedirectTarget { .. }
            | Self::RedirectToPlain { .. }
            | Self::TooManyRedirects { .. } => FailureKind::Permanent,
            Self::Connect(_) | Self::NotSent | Self::TimedOut { is_sent: false, .. } => {
                FailureKind::Transient
            }
            Self::Lost { .. }
            | Self::Unreadable { .. }
            | Self::TooManyHeaders { .. }
            | Self::TimedOut { is_sent: true, .. }
            | Self::AfterEffect(_) => FailureKind::Unknown,
            Self::Status { status, .. } => match status.as_u16() {
                408 | 425 | 429 | 500..=599 => FailureKind::Transient,
                _ => FailureKind::Permanent,
            },
        }
    }

    /// The same failure, of a request that may have followed a redirect to the answer of one that
    /// was carried out. Such a failure is never transient: another attempt begins from the start.
    pub(super) fn after(self, is_carried_out: bool) -> Self {
        if is_carried_out && self.kind() == FailureKind::Transient {
            return Self::AfterEffect(Box::new(self));
        }
        self
    }

    pub(super) fn of_client(error: &legacy::Error, is_sent: bool) -> Self {
        if let Some(connect) = find::<ConnectError>(error) {
            return Self::Connect(connect.clone());
        }
        match find::<hyper::Error>(error) {
            Some(hyper) if hyper.is_canceled() => Self::NotSent,
            _ if !is_sent => Self::NotSent,
            Some(hyper) if hyper.is_parse() => Self::Unreadable { reason: hyper.to_string() },
            _ => Self::lost(error),
        }
    }

    pub(super) fn lost(error: &(dyn StdError + 'static)) -> Self {
        let reason = match (find::<io::Error>(error), find::<hyper::Error>(error)) {
            (Some(io), _) => io.kind().to_string(),
            (None, Some(hyper)) => hyper.to_string(),
            (None, None) => "for no known reason".to_owned(),
        };
        Self::Lost { reason }
    }

    pub(super) fn timed_out(request: &Outgoing, is_sent: bool) -> Self {
        Self::TimedOut { limit: request.deadline.limit(), is_sent }
    }

    /// What an answer says that counts as failure.
    pub(crate) fn status(status: StatusCode, headers: &HeaderMap) -> Self {
        Self::Status { status, retry_after: retry_after(headers) }
    }
}

impl From<SendError> for CallFailure {
    fn from(error: SendError) -> Self {
        let retry_after = match &error {
            SendError::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        Self { kind: error.kind(), message: chain(&error), retry_after }
    }
}

/// An error and its causes, in one line.
fn chain(error: &SendError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

/// The first cause of a type.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// How long the receiver asks to be left alone: so many seconds, or until a date. A date counts
/// from the receiver's own `Date`, so that it does not matter whose clock is wrong.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let wanted = text(RETRY_AFTER)?;
    if wanted.bytes().all(|byte| byte.is_ascii_digit()) {
        return wanted.parse().ok().map(Duration::from_secs);
    }
    let until = httpdate::parse_http_date(wanted).ok()?;
    let now = httpdate::parse_http_date(text(DATE)?).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}
