//! Signed tokens (RFC 7515, RFC 7519): taken apart, and what they claim.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flowker_core::access::{Scope, Scopes};
use flowker_core::json;
use flowker_core::ports::Bearer;
use flowker_core::time::Timestamp;
use serde_json::{Map, Value};

use super::jwk::{KeySet, SigningAlgorithm};

/// How long a subject may be, in bytes. 255: what `OpenID` Connect allows.
const SUBJECT_BYTES_MAX: usize = 255;

/// What may stand before a scope of ours, for issuers that serve several services.
const SCOPE_PREFIX: &str = "flowker:";

/// A token, taken apart. Nothing in it is true before it [`is signed`](Self::is_signed).
pub(super) struct Token<'t> {
    pub(super) algorithm: SigningAlgorithm,
    /// Which key it names.
    pub(super) key_id: Option<String>,
    message: &'t str,
    signature: Vec<u8>,
    payload: &'t str,
}

impl<'t> Token<'t> {
    /// Takes a token apart that is signed in one of the `allowed` ways.
    pub(super) fn read(text: &'t str, allowed: &[SigningAlgorithm]) -> Result<Self, &'static str> {
        const MALFORMED: &str = "it is no signed token";
        let (message, signature) = text.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, payload) = message.split_once('.').ok_or(MALFORMED)?;
        // More parts would be an encrypted one.
        if payload.contains('.') {
            return Err(MALFORMED);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| MALFORMED)?;
        let header = object(header).ok_or(MALFORMED)?;
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm.and_then(SigningAlgorithm::parse);
        let algorithm = algorithm.filter(|it| allowed.contains(it));
        let algorithm = algorithm.ok_or("its algorithm is not allowed")?;
        // It names extensions that must be understood, and we understand none.
        if header.contains_key("crit") {
            return Err("it asks for an extension");
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(MALFORMED),
        };
        Ok(Self { algorithm, key_id, message, signature, payload })
    }

    /// Whether a key is there that it could be signed with.
    pub(super) fn has_candidate(&self, keys: &KeySet) -> bool {
        keys.candidates(self.algorithm, self.key_id.as_deref()).next().is_some()
    }

    /// Whether one of the keys signed it.
    pub(super) fn is_signed(&self, keys: &KeySet) -> bool {
        let message = self.message.as_bytes();
        keys.candidates(self.algorithm, self.key_id.as_deref())
            .any(|key| key.has_signed(self.algorithm, message, &self.signature))
    }

    /// What it claims.
    pub(super) fn claims(&self) -> Result<Claims, &'static str> {
        object(self.payload).map(Claims).ok_or("its claims are no JSON object")
    }
}

/// Strictly as RFC 7515 encodes it, and read as strictly as every other document.
fn object(part: &str) -> Option<Map<String, Value>> {
    match json::parse(&URL_SAFE_NO_PAD.decode(part).ok()?) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// What a token has to claim to count.
#[derive(Debug)]
pub(super) struct Expected<'e> {
    pub(super) issuer: &'e str,
    pub(super) audiences: &'e [String],
    pub(super) now: Timestamp,
    /// By how much the issuer's clock may differ from ours.
    pub(super) skew: Duration,
}

/// The claims of a token.
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// Who bears the token, if it counts here and now.
    pub(super) fn bearer(&self, expected: &Expected<'_>) -> Result<Bearer, &'static str> {
        if self.text("iss") != Some(expected.issuer) {
            return Err("it comes from another issuer");
        }
        if !self.words("aud").iter().any(|it| expected.audiences.iter().any(|our| our == it)) {
            return Err("it is for another audience");
        }
        let expiry = self.moment("exp")?.ok_or("it never expires")?;
        if expiry.plus(expected.skew) <= expected.now {
            return Err("it has expired");
        }
        if self.moment("nbf")?.is_some_and(|begin| expected.now.plus(expected.skew) < begin) {
            return Err("it is not good yet");
        }
        let subject = self.text("sub").filter(|it| (1..=SUBJECT_BYTES_MAX).contains(&it.len()));
        let subject = subject.ok_or("it has no subject")?.to_owned();
        Ok(Bearer { subject, scopes: self.scopes() })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A text, or a list of texts.
    fn words(&self, name: &str) -> Vec<&str> {
        match self.0.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A moment in seconds since 1970, perhaps with a fraction.
    fn moment(&self, name: &str) -> Result<Option<Timestamp>, &'static str> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let seconds = value.as_f64().filter(|it| (0.0..=MOMENT_MAX).contains(it));
        let seconds = seconds.ok_or("one of its moments is no number of seconds")?;
        let since = Duration::from_secs_f64(seconds);
        Ok(Some(Timestamp::from_micros(0).plus(since)))
    }

    /// Scopes of ours, from the claims `scope` and `roles`. Others mean nothing here.
    fn scopes(&self) -> Scopes {
        let words = self.words("scope").into_iter().chain(self.words("roles"));
        let words = words.flat_map(str::split_ascii_whitespace);
        words.filter_map(|it| Scope::parse(it.strip_prefix(SCOPE_PREFIX).unwrap_or(it))).collect()
    }
}

/// The year 9999, in seconds since 1970.
const MOMENT_MAX: f64 = 253_402_300_799.0;
