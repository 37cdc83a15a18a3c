//! What a caller may do.

use std::fmt;

/// One thing that a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Call webhooks.
    Trigger,
    /// Look at everything that is managed.
    Read,
    /// Change it, and look at it.
    Manage,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Trigger, Self::Read, Self::Manage];

    /// The word that travels and is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Read => "read",
            Self::Manage => "manage",
        }
    }

    /// Reads the word. `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Trigger => 1,
            Self::Read => 2,
            Self::Manage => 4,
        }
    }
}

/// Everything that a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Everything there is.
    pub const ALL: Self = Self(1 | 2 | 4);

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether they let a caller do this. Who may change something may look at it.
    pub const fn allow(self, scope: Scope) -> bool {
        let implied = match scope {
            Scope::Read => Scope::Manage.bit(),
            Scope::Trigger | Scope::Manage => 0,
        };
        self.0 & (scope.bit() | implied) != 0
    }

    /// The single ones, as they were given.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & scope.bit() != 0)
    }

    /// Reads words with blanks between them, as they are stored. `None` if one is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_ascii_whitespace().map(Scope::parse).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    /// Words with blanks between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, scope) in self.iter().enumerate() {
            let gap = if idx == 0 { "" } else { " " };
            write!(f, "{gap}{}", scope.as_str())?;
        }
        Ok(())
    }
}
