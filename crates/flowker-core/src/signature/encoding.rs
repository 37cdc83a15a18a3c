//! How the bytes of a signature are written as text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_PAD_INDIFFERENT};

/// How the bytes of a signature are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Hexadecimal in either case: case carries no meaning there.
    Hex,
    /// Base64 of the standard alphabet, with padding.
    Base64,
    /// Base64 of the URL-safe alphabet, with padding or without.
    Base64Url,
}

impl Encoding {
    /// The bytes, or `None` for text that is not exactly this encoding.
    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex(text),
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64Url => URL_SAFE_PAD_INDIFFERENT.decode(text).ok(),
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
