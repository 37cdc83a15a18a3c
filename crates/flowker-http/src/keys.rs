//! API keys, as digests only.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The keys that callers may present. Several, so that one can be replaced without a gap.
pub struct ApiKeys {
    digests: Vec<[u8; 32]>,
}

impl ApiKeys {
    /// Keys by their SHA-256. Without any, nobody is let in.
    pub fn new(digests: impl IntoIterator<Item = [u8; 32]>) -> Self {
        Self { digests: digests.into_iter().collect() }
    }

    /// The SHA-256 under which a key is kept.
    pub fn digest(key: &[u8]) -> [u8; 32] {
        Sha256::digest(key).into()
    }

    /// Whether `presented` is one of the keys. Takes the same time whichever it is, and if it is
    /// none.
    pub fn contains(&self, presented: &[u8]) -> bool {
        let presented = Self::digest(presented);
        let found = self
            .digests
            .iter()
            .fold(Choice::from(0), |found, digest| found | digest.ct_eq(&presented));
        found.into()
    }
}

impl fmt::Debug for ApiKeys {
    /// Shows how many there are. A digest of a weak key is as good as the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("n_keys", &self.digests.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_several_keys_is_good() {
        let keys = ApiKeys::new([b"old".as_slice(), b"new"].map(ApiKeys::digest));
        for (presented, expected) in
            [("old", true), ("new", true), ("", false), ("ol", false), ("old ", false)]
        {
            assert_eq!(keys.contains(presented.as_bytes()), expected, "{presented:?}");
        }
        assert!(!ApiKeys::new([]).contains(b""));
        assert_eq!(format!("{keys:?}"), "ApiKeys { n_keys: 2 }");
    }
}
