//! Reads the configuration of a signature, and reports every fault in it.

use serde_json::{Map, Value};

use super::encoding::Encoding;
use super::recipe::{Algorithm, Family, Layout, Part, Recipe};
use super::scheme::{self, Scheme, TOLERANCE_SECONDS};
use super::secret::{KeyForm, Secret};
use super::{Check, SECRETS_MAX, Signature};
use crate::json::kind;
use crate::refusal::Fault;

/// The widest tolerance, in seconds: beyond a day a timestamp protects nothing.
const TOLERANCE_SECONDS_MAX: u64 = 86_400;

/// The longest text of any member, in bytes.
const TEXT_BYTES_MAX: usize = 2048;

pub(super) fn parse(value: &Value) -> Result<Signature, Vec<Fault>> {
    let Value::Object(members) = value else {
        return Err(vec![Fault::new("", format!("must be an object, not {}", kind(value)))]);
    };
    let mut form = Form { members, faults: Vec::new() };
    let Some(scheme) = form.scheme() else { return Err(form.faults) };
    let secrets = form.secrets(scheme.key_form());
    let check = form.check(scheme);
    if form.faults.is_empty() { Ok(Signature { scheme, secrets, check }) } else { Err(form.faults) }
}

/// The configuration under reading. A member at fault yields a stand-in, so that the reading goes
/// on and finds the other faults; with any fault the result is thrown away.
struct Form<'a> {
    members: &'a Map<String, Value>,
    faults: Vec<Fault>,
}

impl<'a> Form<'a> {
    fn fault(&mut self, path: impl Into<String>, message: impl std::fmt::Display) {
        self.faults.push(Fault::new(path, message));
    }

    fn scheme(&mut self) -> Option<Scheme> {
        let name = self.required_text("scheme")?;
        let scheme = Scheme::from_name(name);
        if scheme.is_none() {
            let names = Scheme::ALL.map(Scheme::name).join(", ");
            self.fault("scheme", format!("must be one of {names}"));
        }
        scheme
    }

    fn check(&mut self, scheme: Scheme) -> Check {
        let mut recipe = match scheme {
            Scheme::StandardWebhooks => scheme::standard_webhooks(&["webhook"]),
            Scheme::Svix => scheme::standard_webhooks(&["svix", "webhook"]),
            Scheme::GitHub => scheme::github(),
            Scheme::Bitbucket => scheme::bitbucket(),
            Scheme::Stripe => scheme::stripe(),
            Scheme::Slack => scheme::slack(),
            Scheme::Shopify => scheme::shopify(),
            Scheme::Paddle => scheme::paddle(),
            Scheme::Square => scheme::square(self.url()),
            Scheme::Generic => self.generic(),
            Scheme::GitLab => {
                self.tolerance(None);
                // Not `x-gitlab-event-uuid`: webhooks that cause one another share it.
                return Check::Token { header: "x-gitlab-token", id_header: "idempotency-key" };
            }
        };
        recipe.tolerance_seconds = self.tolerance(recipe.tolerance_seconds);
        Check::Mac(recipe)
    }

    fn secrets(&mut self, form: KeyForm) -> Vec<Secret> {
        match (self.members.get("secret"), self.members.get("secrets")) {
            (Some(one), None) => self.secret("secret", one, form).into_iter().collect(),
            (None, Some(Value::Array(several))) if (1..=SECRETS_MAX).contains(&several.len()) => {
                let read = |(idx, value)| self.secret(&format!("secrets[{idx}]"), value, form);
                several.iter().enumerate().filter_map(read).collect()
            }
            (None, Some(_)) => {
                self.fault("secrets", format!("must be an array of 1 to {SECRETS_MAX} strings"));
                Vec::new()
            }
            (Some(_), Some(_)) => {
                self.fault("secrets", "must not stand beside `secret`: put all of them here");
                Vec::new()
            }
            (None, None) => {
                self.fault("secret", "is required (or `secrets`, with several)");
                Vec::new()
            }
        }
    }

    fn secret(&mut self, path: &str, value: &Value, form: KeyForm) -> Option<Secret> {
        let read = match value {
            Value::String(text) => Secret::parse(text, form).map_err(str::to_owned),
            other => Err(format!("must be a string, not {}", kind(other))),
        };
        read.map_err(|message| self.fault(path, message)).ok()
    }

    /// The tolerance that is set, or the scheme's own. Setting one where no timestamp is signed
    /// would only feign protection.
    fn tolerance(&mut self, default: Option<u64>) -> Option<u64> {
        let Some(value) = self.members.get("toleranceSeconds") else { return default };
        if default.is_none() {
            self.fault("toleranceSeconds", "must be left out: no timestamp is signed");
            return None;
        }
        let seconds = value.as_u64().filter(|it| (1..=TOLERANCE_SECONDS_MAX).contains(it));
        if seconds.is_none() {
            let message = format!("must be an integer from 1 to {TOLERANCE_SECONDS_MAX}");
            self.fault("toleranceSeconds", message);
        }
        seconds
    }

    fn url(&mut self) -> &'a str {
        let Some(text) = self.required_text("url") else { return "" };
        match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => {}
            _ => self.fault("url", "must be the http or https URL that is registered with Square"),
        }
        text
    }

    fn generic(&mut self) -> Recipe {
        let signature = self.required_text("header");
        let signature = self.header("header", signature).unwrap_or_default();
        let timestamp = self.text("timestampHeader");
        let timestamp = self.header("timestampHeader", timestamp);
        let id = self.text("idHeader");
        let id = self.header("idHeader", id);
        let message = self.template();
        let is_timestamped = timestamp.is_some() || message.contains(&Part::Timestamp);
        let algorithms = [("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)];
        let encodings = [
            ("hex", Encoding::Hex),
            ("base64", Encoding::Base64),
            ("base64url", Encoding::Base64Url),
        ];
        Recipe {
            tolerance_seconds: is_timestamped.then_some(TOLERANCE_SECONDS),
            families: vec![Family { signature, timestamp, id }],
            layout: Layout::One { prefix: self.text("prefix").unwrap_or_default().to_owned() },
            message,
            algorithm: self.one_of("algorithm", algorithms),
            encoding: self.one_of("encoding", encodings),
        }
    }

    fn template(&mut self) -> Vec<Part> {
        let Some(text) = self.required_text("template") else { return Vec::new() };
        let parts = match template(text) {
            Ok(parts) => parts,
            Err(message) => {
                self.fault("template", message);
                return Vec::new();
            }
        };
        match (parts.contains(&Part::Timestamp), self.members.contains_key("timestampHeader")) {
            (true, false) => {
                self.fault("timestampHeader", "is required: the template signs {timestamp}");
            }
            (false, true) => {
                self.fault("template", "must sign {timestamp}, since timestampHeader is set");
            }
            _ => {}
        }
        if parts.contains(&Part::Id) && !self.members.contains_key("idHeader") {
            self.fault("idHeader", "is required: the template signs {id}");
        }
        parts
    }

    /// A header's name, in lower case.
    fn header(&mut self, member: &str, text: Option<&str>) -> Option<String> {
        let text = text?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || 128 < text.len() || !text.bytes().all(is_name) {
            self.fault(member, "must be the name of a header, of at most 128 characters");
        }
        Some(text.to_ascii_lowercase())
    }

    fn one_of<T: Copy, const N: usize>(&mut self, member: &str, choices: [(&str, T); N]) -> T {
        let fallback = choices[0].1;
        let Some(text) = self.required_text(member) else { return fallback };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return *choice;
        }
        self.fault(member, format!("must be one of {}", choices.map(|(name, _)| name).join(", ")));
        fallback
    }

    fn required_text(&mut self, member: &str) -> Option<&'a str> {
        if !self.members.contains_key(member) {
            self.fault(member, "is required");
        }
        self.text(member)
    }

    fn text(&mut self, member: &str) -> Option<&'a str> {
        match self.members.get(member)? {
            Value::String(text) if text.len() <= TEXT_BYTES_MAX => return Some(text),
            Value::String(_) => {
                self.fault(member, format!("must not be longer than {TEXT_BYTES_MAX} bytes"));
            }
            other => self.fault(member, format!("must be a string, not {}", kind(other))),
        }
        None
    }
}

/// Reads `{id}.{timestamp}.{body}`.
///
/// A template is refused if two different requests could have the same signed bytes: the body must
/// be in it, each field once, and what stands between two fields must hold a character that
/// neither an id nor a timestamp nor a method can.
fn template(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        let (literal, field) = rest.split_at(brace);
        let (name, after) = field
            .strip_prefix('{')
            .and_then(|field| field.split_once('}'))
            .ok_or("has a brace that is not part of a field such as {body}")?;
        let field = match name {
            "id" => Part::Id,
            "timestamp" => Part::Timestamp,
            "method" => Part::Method,
            "body" => Part::Body,
            _ => return Err("may hold {id}, {timestamp}, {method} and {body} only".to_owned()),
        };
        if parts.contains(&field) {
            return Err(format!("holds {{{name}}} twice"));
        }
        let is_first = !parts.iter().any(|part| !matches!(part, Part::Text(_)));
        if !is_first && !literal.bytes().any(separates) {
            return Err(format!(
                "needs a separator before {{{name}}}: a character other than A-Z a-z 0-9 _ -"
            ));
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal.to_owned()));
        }
        parts.push(field);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    if parts.contains(&Part::Body) { Ok(parts) } else { Err("must hold {body}".to_owned()) }
}

fn separates(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-')
}
