//! What a caller is told when a request is not carried out.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::code::Code;
use crate::ports::StoreError;

/// A cause that is kept for the operator and never shown to a caller.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// One member at fault: where it is, what is wrong with it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Path of the member, such as `nodes[2].data.condition`; empty for the whole.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Fault {
    /// A fault at `path`.
    pub fn new(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { path: path.into(), message: message.to_string() }
    }

    /// The same fault, seen from the member that holds `self.path`.
    #[must_use]
    pub fn below(self, parent: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        Self { path: format!("{parent}{joint}{}", self.path), message: self.message }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a request is not carried out, as a caller may read it.
#[derive(Debug)]
pub struct Refusal {
    /// What clients match on.
    pub code: Code,
    /// One sentence for a person. Holds nothing secret and no cause.
    pub message: String,
    /// The members at fault, if members are.
    pub faults: Vec<Fault>,
    /// When a repetition may succeed, if that is known.
    pub retry_after: Option<Duration>,
    source: Option<BoxError>,
}

impl Refusal {
    /// A refusal with no member at fault.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), faults: Vec::new(), retry_after: None, source: None }
    }

    /// A refusal that the code's own meaning explains well enough.
    pub fn plain(code: Code) -> Self {
        Self::new(code, code.meaning())
    }

    /// A refusal for the members named in `faults`; the message repeats the first one.
    pub fn of_members(code: Code, faults: Vec<Fault>) -> Self {
        let message = faults.first().map_or_else(|| code.meaning().to_owned(), Fault::to_string);
        Self { faults, ..Self::new(code, message) }
    }

    /// A refusal for one member.
    pub fn of_member(code: Code, path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::of_members(code, vec![Fault::new(path, message)])
    }

    /// The same refusal in its own words, for a member.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>, message: impl fmt::Display) -> Self {
        self.faults.push(Fault::new(path, message));
        self
    }

    /// The same refusal, saying when to come back.
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// The same refusal, keeping its cause for the operator.
    #[must_use]
    pub fn caused_by(self, source: impl Into<BoxError>) -> Self {
        Self { source: Some(source.into()), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl StdError for Refusal {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        const SOON: Duration = Duration::from_secs(1);
        match error {
            StoreError::Full => Self::new(
                Code::Overloaded,
                "More work is waiting for the store than it can take. Repeat the request later.",
            )
            .retry_after(SOON),
            StoreError::Unavailable { .. } => Self::new(
                Code::StoreUnavailable,
                "The store is unavailable and nothing was changed. Repeat the request later.",
            )
            .retry_after(SOON)
            .caused_by(error),
            StoreError::Unknown { .. } => Self::new(
                Code::StoreUnavailable,
                "The store's answer was lost, so the request may have been carried out. \
                 Repeating it with the same idempotency key is safe.",
            )
            .retry_after(SOON)
            .caused_by(error),
            StoreError::Superseded => Self::new(
                Code::Conflict,
                "The resource was changed by someone else meanwhile. Read it again.",
            ),
            StoreError::Corrupt { .. } => {
                Self::new(Code::Internal, "The stored data could not be read.").caused_by(error)
            }
        }
    }
}
