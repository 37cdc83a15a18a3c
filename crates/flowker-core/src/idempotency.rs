//! What a caller sends to make a retry safe.

use std::fmt;

use sha2::{Digest, Sha256};

/// A caller's key. Opaque to us, compared byte by byte.
///
/// Invariant: 1 to [`LEN_MAX`](Self::LEN_MAX) bytes of 0x20 to 0x7E.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct IdempotencyKey(String);

/// Why a header is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Sent more than once.
    #[error("the Idempotency-Key header is repeated; send it once")]
    Repeated,
    /// A byte outside 0x20 to 0x7E.
    #[error("the Idempotency-Key header holds a character that is not printable ASCII")]
    NotPrintable,
    /// More than [`IdempotencyKey::LEN_MAX`] bytes, or a quoted key of none.
    #[error("the Idempotency-Key must have 1 to {} characters", IdempotencyKey::LEN_MAX)]
    Length,
    /// A quote that is not closed, or something behind it.
    #[error("the quoted Idempotency-Key is not one closed string")]
    Quoting,
}

impl IdempotencyKey {
    /// The longest key that is accepted, in bytes. 255: the longest that Stripe takes, and clients
    /// copy Stripe.
    pub const LEN_MAX: usize = 255;

    /// Reads all values of the header. A blank value counts as absent.
    ///
    /// A value that begins with a quote is an RFC 9651 string, and the key is what it holds: quoted
    /// and bare spelling are one key.
    pub fn from_header<'a>(
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, KeyError> {
        let mut values = values.into_iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(KeyError::Repeated);
        }
        let value = value.trim_ascii();
        if value.is_empty() {
            return Ok(None);
        }
        if !value.iter().all(|byte| (0x20..=0x7E).contains(byte)) {
            return Err(KeyError::NotPrintable);
        }
        let text = std::str::from_utf8(value).map_err(|_| KeyError::NotPrintable)?;
        let key = match text.strip_prefix('"') {
            Some(rest) => unquote(rest)?,
            None => text.to_owned(),
        };
        if key.is_empty() || Self::LEN_MAX < key.len() {
            return Err(KeyError::Length);
        }
        Ok(Some(Self(key)))
    }

    /// Whether a text is a key, as it is without quotes.
    pub fn is_valid(text: &str) -> bool {
        (1..=Self::LEN_MAX).contains(&text.len())
            && text.bytes().all(|byte| (0x20..=0x7E).contains(&byte))
    }

    /// Reads a key that was stored.
    pub fn from_stored(key: String) -> Self {
        Self(key)
    }

    /// The key without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a string holds whose first quote is gone (RFC 9651 §4.2.5).
fn unquote(rest: &str) -> Result<String, KeyError> {
    let mut key = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next().ok_or(KeyError::Quoting)? {
            '"' => break,
            '\\' => match chars.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(KeyError::Quoting),
            },
            plain => key.push(plain),
        }
    }
    if chars.next().is_some() { Err(KeyError::Quoting) } else { Ok(key) }
}

/// Tells whether two requests with one key are the same request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The SHA-256 of the parts of a request, each with its length before it, so that no two
    /// different lists of parts give the same bytes.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// Reads one that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For storing.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: Result<Option<&str>, KeyError>) {
        let key = IdempotencyKey::from_header(values.iter().map(|it| it.as_bytes()));
        let key = key.as_ref().map(|it| it.as_ref().map(IdempotencyKey::as_str)).map_err(|it| *it);
        assert_eq!(key, expected, "{values:?}");
    }

    #[test]
    fn keys_are_read_quoted_and_bare() {
        let longest = "k".repeat(255);
        check(&[], Ok(None));
        check(&["  "], Ok(None));
        check(&["order-42"], Ok(Some("order-42")));
        check(&[" \"order-42\" "], Ok(Some("order-42")));
        check(&[r#""a\"b\\c""#], Ok(Some(r#"a"b\c"#)));
        check(&["a b"], Ok(Some("a b")));
        check(&[&longest], Ok(Some(&longest)));
        check(&[&format!("\"{longest}\"")], Ok(Some(&longest)));
    }

    #[test]
    fn malformed_keys_are_refused_and_never_ignored() {
        check(&["a", "a"], Err(KeyError::Repeated));
        check(&["", "a"], Err(KeyError::Repeated));
        check(&["\"\""], Err(KeyError::Length));
        check(&[&"k".repeat(256)], Err(KeyError::Length));
        check(&["\"open"], Err(KeyError::Quoting));
        check(&["\"a\"b"], Err(KeyError::Quoting));
        check(&[r#""a\n""#], Err(KeyError::Quoting));
        check(&["naïve"], Err(KeyError::NotPrintable));
        check(&["a\tb"], Err(KeyError::NotPrintable));
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Fingerprint::of(&[b"ab", b"c"]), Fingerprint::of(&[b"a", b"bc"]));
        assert_ne!(Fingerprint::of(&[b"a"]), Fingerprint::of(&[b"a", b""]));
        assert_eq!(Fingerprint::of(&[b"a", b"b"]), Fingerprint::of(&[b"a", b"b"]));
    }
}
