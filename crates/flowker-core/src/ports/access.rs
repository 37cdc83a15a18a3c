//! Who decides about callers, besides us: identity providers and access managers; and where
//! secrets come from.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;

use crate::access::Scopes;
use crate::refusal::BoxError;

/// Makes secrets.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Secrets: fmt::Debug + Send + Sync {
    /// 32 bytes that nobody can guess.
    ///
    /// # Errors
    ///
    /// Why the system has no randomness.
    fn next_secret(&self) -> Result<[u8; 32], BoxError>;
}

/// Decides who bears a token, by what an identity provider signed.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait TokenVerifier: fmt::Debug + Send + Sync {
    /// Who bears this token. It answers within seconds.
    async fn verify(&self, token: &str) -> Result<Bearer, TokenError>;
}

/// Who bears a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// As the issuer calls it.
    pub subject: String,
    /// What the issuer lets it do, as far as that means something to us.
    pub scopes: Scopes,
}

/// Why nobody is known to bear a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is none that counts here.
    #[error("the token is refused: {reason}")]
    Invalid {
        /// For the operator.
        reason: &'static str,
    },
    /// The keys that it could be checked with are not to be had.
    #[error("the keys of the issuer cannot be read")]
    Unavailable {
        /// Why.
        #[source]
        source: BoxError,
    },
}

/// An access manager, which decides about each request.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Authorizer: fmt::Debug + Send + Sync {
    /// Whether the bearer of a token may do something. It answers within seconds.
    async fn authorize(&self, question: Question) -> Result<Verdict, AccessError>;
}

/// What an access manager is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// As the caller sent it, without its scheme.
    pub token: String,
    /// Who asks.
    pub subject: String,
    /// To do something with what.
    pub resource: &'static str,
    /// To do what.
    pub action: &'static str,
}

impl fmt::Debug for Question {
    /// Leaves out the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("subject", &self.subject)
            .field("resource", &self.resource)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

/// What an access manager says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// No.
    Denied,
    /// It will not decide, and says why in its own words, which are the caller's to read.
    Refused {
        /// An HTTP status from 400 to 599.
        status: u16,
        /// An error object.
        error: Value,
    },
}

/// An access manager that is not reached, or whose answer is no answer.
#[derive(Debug, thiserror::Error)]
#[error("the access manager gives no answer")]
pub struct AccessError(#[source] pub BoxError);
