//! Identifiers: one type each, so that swapped arguments do not compile.

use std::fmt;

use uuid::Uuid;

/// A text that is not one of the accepted spellings of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Shown in the canonical lower-case form.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Gives a UUID this meaning.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID behind the id.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// Reads any spelling that the contract accepts: canonical, upper case, without
            /// dashes, with `urn:uuid:` before it, in braces.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

id!(
    /// One workflow, through all its versions.
    WorkflowId
);
id!(
    /// One run of a workflow. Version 7: ids sort by the time of acceptance.
    ExecutionId
);
id!(
    /// One set of connection settings for a provider.
    ProviderConfigId
);
id!(
    /// One API key, through all its rotations.
    ApiKeyId
);
id!(
    /// One process that drives executions, new at each start.
    ReplicaId
);

id!(
    /// One entry of the audit log.
    AuditEventId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_spellings_of_the_contract_and_shows_one() {
        let canonical = "0193b7f2-5d1e-7c3a-8f00-0123456789ab";
        for text in [
            canonical,
            "0193B7F2-5D1E-7C3A-8F00-0123456789AB",
            "0193b7f25d1e7c3a8f000123456789ab",
            "urn:uuid:0193b7f2-5d1e-7c3a-8f00-0123456789ab",
            "{0193b7f2-5d1e-7c3a-8f00-0123456789ab}",
        ] {
            assert_eq!(WorkflowId::parse(text).map(|id| id.to_string()), Ok(canonical.to_owned()));
        }
        for text in ["", "0193b7f2", "from-template", " 0193b7f2-5d1e-7c3a-8f00-0123456789ab"] {
            assert_eq!(WorkflowId::parse(text), Err(IdError), "{text}");
        }
    }
}
