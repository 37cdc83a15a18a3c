//! Who asks for a change.

use std::net::{IpAddr, Ipv4Addr};

/// Who did something, as the audit log names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// How the caller proved who it is.
    pub kind: ActorKind,
    /// The name of the API key, the subject of the token, or the name of our own part that acted.
    /// Never a secret.
    pub id: String,
    /// Where the request came from; `0.0.0.0` for what we do by ourselves.
    pub ip: IpAddr,
}

/// How an actor proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// By a token that an identity provider signed.
    User,
    /// It is this service.
    System,
    /// By an API key.
    ApiKey,
}

impl ActorKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::User, Self::System, Self::ApiKey];

    /// The word that travels and is stored (contract).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
            Self::ApiKey => "api_key",
        }
    }

    /// Reads the word. `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

impl Actor {
    /// This service itself, as one that drives executions.
    pub fn system() -> Self {
        let ip = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self { kind: ActorKind::System, id: "flowker".to_owned(), ip }
    }
}
