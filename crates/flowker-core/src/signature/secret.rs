//! Keys of webhook signatures, which nothing prints.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest secret, in bytes of its text.
const TEXT_BYTES_MAX: usize = 512;

/// What the Standard Webhooks specification asks of a key, in bytes. It also sets a limit of 64,
/// but Svix hands out keys of up to 75.
const KEY_BYTES_MIN: usize = 24;

/// How a scheme makes key bytes of a secret's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// The key is the text itself.
    Text,
    /// The key is base64, after `whsec_`.
    Base64,
}

/// The key of one secret.
#[derive(Clone)]
pub(super) struct Secret(Vec<u8>);

impl Secret {
    /// Reads a secret; the error says what is wrong, and nothing of the text.
    pub(super) fn parse(text: &str, form: KeyForm) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("must not be empty");
        }
        if TEXT_BYTES_MAX < text.len() {
            return Err("must not be longer than 512 bytes");
        }
        // Pasted along with the secret, it would make every signature wrong.
        if text.trim() != text || text.contains(char::is_control) {
            return Err("must not begin or end with a blank, nor hold a control character");
        }
        match form {
            KeyForm::Text => Ok(Self(text.as_bytes().to_vec())),
            KeyForm::Base64 => {
                let encoded = text.strip_prefix("whsec_").unwrap_or(text);
                match STANDARD.decode(encoded) {
                    Ok(key) if KEY_BYTES_MIN <= key.len() => Ok(Self(key)),
                    _ => Err("must be \"whsec_\" and the base64 of at least 24 bytes"),
                }
            }
        }
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
