//! Signatures of incoming webhooks: whether a request comes from who holds the secret, decided over
//! the raw body and before anything is parsed.
//!
//! Every scheme but GitLab's plain token is one recipe: where the signature, the timestamp and
//! the delivery's id are found, which bytes are signed, and how. A preset is a recipe written by
//! us, `generic` is one written in the trigger's configuration.

mod config;
mod encoding;
mod recipe;
mod scheme;
mod secret;

use serde_json::Value;
use subtle::ConstantTimeEq;

use self::recipe::Recipe;
use self::scheme::Scheme;
use self::secret::Secret;
use crate::refusal::Fault;

/// How many secrets may be active at once: the current one, the next, and one that is retiring.
pub const SECRETS_MAX: usize = 3;

/// How many signatures one request may offer. Senders offer one for each of their live secrets.
pub const CANDIDATES_MAX: usize = 10;

/// The longest header that is read, in bytes.
pub const HEADER_BYTES_MAX: usize = 2048;

/// The longest delivery id, in bytes: what fits into an idempotency key.
pub const DELIVERY_ID_BYTES_MAX: usize = 255;

/// How a route checks that a request was signed by the provider it trusts.
///
/// `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Signature {
    scheme: Scheme,
    /// One to [`SECRETS_MAX`].
    secrets: Vec<Secret>,
    check: Check,
}

#[derive(Clone, Debug)]
enum Check {
    /// The secret itself is sent, and nothing is signed.
    Token {
        header: &'static str,
        id_header: &'static str,
    },
    Mac(Recipe),
}

/// Where the headers of a request are looked up.
pub trait HeaderSource {
    /// What the request carries under `name`, which is always in lower case.
    fn values(&self, name: &str) -> HeaderValues<'_>;
}

/// What a request carries under one header name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderValues<'a> {
    /// The header is not there.
    Absent,
    /// The header is there once, with these bytes.
    One(&'a [u8]),
    /// The header is there more than once.
    Several,
}

/// What is known of a request whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The provider's own id of this delivery, the same on each of its retries; at most
    /// [`DELIVERY_ID_BYTES_MAX`] bytes of visible ASCII.
    ///
    /// `None` if the scheme keeps it in the body or has none, or if the request names none. Only
    /// `standard-webhooks`, `svix`, and `generic` with `{id}` sign it.
    pub delivery_id: Option<String>,
}

/// Why a request is not trusted. For the operator: the sender gets the same answer to all of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header that the scheme needs is absent.
    #[error("the header {header} is missing")]
    HeaderMissing {
        /// Its name.
        header: String,
    },
    /// A header that the scheme reads is there more than once.
    #[error("the header {header} is repeated")]
    HeaderRepeated {
        /// Its name.
        header: String,
    },
    /// A header that the scheme reads is longer than [`HEADER_BYTES_MAX`].
    #[error("the header {header} is longer than {HEADER_BYTES_MAX} bytes")]
    HeaderTooLong {
        /// Its name.
        header: String,
    },
    /// A header is not of the form that the scheme gives it.
    #[error("the header {header} is malformed")]
    HeaderMalformed {
        /// Its name.
        header: String,
    },
    /// The signature's header holds nothing under the scheme's prefix or version.
    #[error("the header {header} holds no signature of the expected version")]
    NoCandidate {
        /// Its name.
        header: String,
    },
    /// More than [`CANDIDATES_MAX`] signatures are offered.
    #[error("more than {CANDIDATES_MAX} signatures are offered")]
    TooManyCandidates,
    /// No offered signature decodes to as many bytes as the algorithm gives.
    #[error("the signature has not the expected encoding and length")]
    SignatureMalformed,
    /// The timestamp is not 1 to 12 ASCII digits.
    #[error("the timestamp is not a number of seconds")]
    TimestampMalformed,
    /// The timestamp is further from now than the tolerance, in the past or in the future.
    #[error("the timestamp is {seconds_away} seconds away from now")]
    TimestampOutOfTolerance {
        /// How far.
        seconds_away: u64,
    },
    /// The delivery's id has a character that it must not have, or is too long or empty.
    #[error("the delivery id is malformed")]
    IdMalformed,
    /// The signature or the token is not that of any active secret.
    #[error("the signature matches no active secret")]
    Mismatch,
}

impl Signature {
    /// Reads the member `signature` of a webhook trigger.
    ///
    /// Members that the scheme does not know are ignored.
    ///
    /// # Errors
    ///
    /// Every fault that was found; if the scheme is missing or unknown, that one alone, since it
    /// decides about the rest.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        config::parse(value)
    }

    /// The scheme's name, as in the configuration.
    pub fn scheme(&self) -> &'static str {
        self.scheme.name()
    }

    /// Checks a request.
    ///
    /// `body` is the body as it was received, before any decoding; `now_unix_seconds` is the time
    /// of the check, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`SignatureError`], one for each reason to refuse.
    pub fn verify(
        &self,
        method: &str,
        headers: &dyn HeaderSource,
        body: &[u8],
        now_unix_seconds: i64,
    ) -> Result<Verified, SignatureError> {
        let request = Request { method, headers, body, now_unix_seconds };
        match &self.check {
            Check::Mac(recipe) => recipe.verify(&self.secrets, &request),
            Check::Token { header, id_header } => {
                let token = request.required(header)?;
                if !self.secrets.iter().any(|secret| same_bytes(secret.key(), token)) {
                    return Err(SignatureError::Mismatch);
                }
                Ok(Verified { delivery_id: request.unsigned_id(id_header)? })
            }
        }
    }
}

impl SignatureError {
    /// Every answer of [`reason`](Self::reason).
    pub const REASONS: [&'static str; 11] = [
        "header_missing",
        "header_repeated",
        "header_too_long",
        "header_malformed",
        "no_candidate",
        "too_many_candidates",
        "signature_malformed",
        "timestamp_malformed",
        "timestamp_out_of_tolerance",
        "id_malformed",
        "mismatch",
    ];

    /// A stable name of the reason, for logs and for the label of a metric.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::HeaderMissing { .. } => "header_missing",
            Self::HeaderRepeated { .. } => "header_repeated",
            Self::HeaderTooLong { .. } => "header_too_long",
            Self::HeaderMalformed { .. } => "header_malformed",
            Self::NoCandidate { .. } => "no_candidate",
            Self::TooManyCandidates => "too_many_candidates",
            Self::SignatureMalformed => "signature_malformed",
            Self::TimestampMalformed => "timestamp_malformed",
            Self::TimestampOutOfTolerance { .. } => "timestamp_out_of_tolerance",
            Self::IdMalformed => "id_malformed",
            Self::Mismatch => "mismatch",
        }
    }
}

/// The request under check.
struct Request<'a> {
    method: &'a str,
    headers: &'a dyn HeaderSource,
    body: &'a [u8],
    now_unix_seconds: i64,
}

impl<'a> Request<'a> {
    fn header(&self, name: &str) -> Result<Option<&'a [u8]>, SignatureError> {
        match self.headers.values(name) {
            HeaderValues::Absent => Ok(None),
            HeaderValues::Several => {
                Err(SignatureError::HeaderRepeated { header: name.to_owned() })
            }
            HeaderValues::One(value) if HEADER_BYTES_MAX < value.len() => {
                Err(SignatureError::HeaderTooLong { header: name.to_owned() })
            }
            HeaderValues::One(value) => Ok(Some(value)),
        }
    }

    fn required(&self, name: &str) -> Result<&'a [u8], SignatureError> {
        self.header(name)?.ok_or_else(|| SignatureError::HeaderMissing { header: name.to_owned() })
    }

    /// An id that is part of what is signed.
    ///
    /// Letters, digits, `_` and `-` alone: none of them can be taken for the separator after it, so
    /// no second reading of the signed bytes moves a part of the body into the id.
    fn signed_id(&self, name: &str) -> Result<&'a str, SignatureError> {
        let id = self.required(name)?;
        delivery_id(id, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    }

    fn unsigned_id(&self, name: &str) -> Result<Option<String>, SignatureError> {
        let Some(id) = self.header(name)? else { return Ok(None) };
        delivery_id(id, |byte| byte.is_ascii_graphic()).map(|id| Some(id.to_owned()))
    }
}

fn delivery_id(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> Result<&str, SignatureError> {
    let fits = (1..=DELIVERY_ID_BYTES_MAX).contains(&bytes.len());
    match str::from_utf8(bytes) {
        Ok(text) if fits && text.bytes().all(allowed) => Ok(text),
        _ => Err(SignatureError::IdMalformed),
    }
}

/// Compares in a time that depends on the lengths alone; bytes of different length differ.
fn same_bytes(expected: &[u8], offered: &[u8]) -> bool {
    expected.ct_eq(offered).into()
}

#[cfg(test)]
mod tests;
