//! Hiding secrets in what is shown of a configuration, and finding them again in what comes back.

use serde_json::{Map, Value};

use crate::workflow::{Definition, Node};

/// What stands for a secret of which nothing is shown.
const HIDDEN: &str = "********";

/// What stands before the end of a secret.
const CUT: &str = "****";

/// How many characters of a secret's end are shown.
const SHOWN_CHARS: usize = 4;

/// Words that make a member a secret (contract). Spelled as one word, the longer ones are found too.
const WORDS: [&str; 66] = [
    "access_token",
    "account_number",
    "address",
    "api_key",
    "auth",
    "authorization",
    "bearer",
    "bic",
    "biometric",
    "bsb",
    "card_expiry",
    "card_number",
    "certificate",
    "city",
    "client_id",
    "client_secret",
    "connection_string",
    "cookie",
    "credential",
    "credentials",
    "cvc",
    "cvv",
    "database_url",
    "date_of_birth",
    "dob",
    "email",
    "expiration_date",
    "expiry",
    "expiry_date",
    "fingerprint",
    "iban",
    "jwt",
    "key",
    "mfa_code",
    "mother_maiden_name",
    "national_id",
    "new_password",
    "old_password",
    "otp",
    "pan",
    "passphrase",
    "passwd",
    "password",
    "password_salt",
    "phone",
    "phone_number",
    "pin",
    "postal_code",
    "private_key",
    "refresh_token",
    "routing_number",
    "secret",
    "security_answer",
    "security_question",
    "session_id",
    "social_security",
    "sort_code",
    "ssn",
    "street",
    "swift",
    "swift_code",
    "tax_id",
    "tin",
    "token",
    "totp",
    "zip",
];

/// Headers that certainly carry no credential. Any other may, whatever it is called.
const PLAIN_HEADERS: [&str; 6] =
    ["accept", "accept-encoding", "accept-language", "cache-control", "content-type", "user-agent"];

/// A configuration as it may be shown: without its secrets, however deep they stand.
///
/// Of a secret text of more than four bytes the last four characters stay, so that people can tell
/// two apart. A secret of another kind is hidden whole.
pub fn mask(config: &Map<String, Value>) -> Map<String, Value> {
    Place::Plain.mask_members(config)
}

/// A configuration as it was meant that was sent by somebody who had seen `stored` through
/// [`mask`]: what equals its own mask is unchanged.
pub fn unmask(mut sent: Map<String, Value>, stored: &Map<String, Value>) -> Map<String, Value> {
    Place::Plain.unmask_members(&mut sent, stored);
    sent
}

/// The members of a trigger's `signature` that hold its secrets.
const SIGNING_SECRETS: [&str; 2] = ["secret", "secrets"];

/// A definition as it may be shown: without the secrets that webhooks are signed with.
///
/// `verify_token` stays: the contract shows it.
#[must_use]
pub fn mask_definition(mut definition: Definition) -> Definition {
    for secret in definition.nodes.iter_mut().flat_map(signing_secrets) {
        *secret = hide_each(secret);
    }
    definition
}

/// A definition as it was meant that was sent by somebody who had seen `stored` through
/// [`mask_definition`]: a secret that equals its own mask, in a node of the same id, is unchanged.
#[must_use]
pub fn unmask_definition(mut sent: Definition, stored: &Definition) -> Definition {
    for node in &mut sent.nodes {
        let Some(before) = stored.nodes.iter().find(|it| it.id == node.id) else { continue };
        let mut before = before.clone();
        for (sent, stored) in signing_secrets(node).zip(signing_secrets(&mut before)) {
            if *sent == hide_each(stored) {
                *sent = stored.take();
            }
        }
    }
    sent
}

fn signing_secrets(node: &mut Node) -> impl Iterator<Item = &mut Value> {
    let signature = node.data.get_mut("signature").and_then(Value::as_object_mut);
    let members = signature.into_iter().flatten();
    members.filter(|(name, _)| SIGNING_SECRETS.contains(&name.as_str())).map(|(_, value)| value)
}

/// Hides a secret, or each of several.
fn hide_each(secrets: &Value) -> Value {
    match secrets {
        Value::Array(several) => several.iter().map(hide).collect(),
        one => hide(one),
    }
}

/// What kind of member a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It and its members are shown, if their names do not say otherwise.
    Plain,
    /// It holds headers.
    Headers,
    /// It is hidden.
    Secret,
}

impl Place {
    /// Of a member of a value in this place.
    fn of_member(self, name: &str) -> Self {
        match self {
            Self::Headers if is_plain_header(name) => Self::Plain,
            Self::Headers | Self::Secret => Self::Secret,
            Self::Plain if is_secret(name) => Self::Secret,
            Self::Plain if name.eq_ignore_ascii_case("headers") => Self::Headers,
            Self::Plain => Self::Plain,
        }
    }

    fn mask(self, value: &Value) -> Value {
        match (self, value) {
            (Self::Secret, secret) => hide(secret),
            (_, Value::Object(members)) => Value::Object(self.mask_members(members)),
            (_, Value::Array(items)) => items.iter().map(|item| self.mask(item)).collect(),
            (Self::Headers, other) => hide(other),
            (Self::Plain, other) => other.clone(),
        }
    }

    fn mask_members(self, members: &Map<String, Value>) -> Map<String, Value> {
        let members = members.iter();
        members.map(|(name, value)| (name.clone(), self.of_member(name).mask(value))).collect()
    }

    fn unmask(self, sent: &mut Value, stored: &Value) {
        if *sent == self.mask(stored) {
            *sent = stored.clone();
            return;
        }
        match (sent, stored) {
            (Value::Object(sent), Value::Object(stored)) => self.unmask_members(sent, stored),
            (Value::Array(sent), Value::Array(stored)) => {
                for (sent, stored) in sent.iter_mut().zip(stored) {
                    self.unmask(sent, stored);
                }
            }
            _ => {}
        }
    }

    fn unmask_members(self, sent: &mut Map<String, Value>, stored: &Map<String, Value>) {
        for (name, sent) in sent {
            if let Some(stored) = stored.get(name) {
                self.of_member(name).unmask(sent, stored);
            }
        }
    }
}

fn hide(secret: &Value) -> Value {
    let shown = match secret {
        // Counted in characters as well: four of them may be all that there is.
        Value::String(text) if SHOWN_CHARS < text.chars().count() => {
            let start = text.char_indices().rev().nth(SHOWN_CHARS - 1).map_or(0, |(at, _)| at);
            format!("{CUT}{}", &text[start..])
        }
        _ => HIDDEN.to_owned(),
    };
    Value::String(shown)
}

fn is_plain_header(name: &str) -> bool {
    PLAIN_HEADERS.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// Whether a name holds one of the words, between other words or alone.
fn is_secret(name: &str) -> bool {
    // Split where the case changes, and not: `APIkey` is found as one word only.
    let spellings = [words(name), words(&name.to_lowercase())];
    let holds = |word: &str| spellings.iter().any(|it| it.contains(&format!("_{word}_")));
    WORDS.iter().any(|word| holds(word) || word.contains('_') && holds(&word.replace('_', "")))
}

/// `apiKey2` → `_api_key_`: the runs of letters in a name, in lower case.
fn words(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut words = String::from("_");
    for (idx, char) in chars.iter().enumerate() {
        let before = idx.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(idx + 1);
        let starts_word = char.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || after.is_some_and(|it| it.is_lowercase()));
        if (starts_word || !char.is_alphabetic()) && !words.ends_with('_') {
            words.push('_');
        }
        if char.is_alphabetic() {
            words.extend(char.to_lowercase());
        }
    }
    words.push('_');
    words
}

#[cfg(test)]
mod tests;
