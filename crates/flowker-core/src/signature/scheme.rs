//! The schemes that are known by name, and the recipes of those that need no more.

use super::encoding::Encoding;
use super::recipe::{Algorithm, Family, Layout, Part, Recipe};
use super::secret::KeyForm;

/// What most schemes give the sender's clock and the network, in seconds.
pub(super) const TOLERANCE_SECONDS: u64 = 300;

/// Paddle's own libraries allow 5 seconds, which a retry through a proxy does not always keep.
const PADDLE_TOLERANCE_SECONDS: u64 = 30;

/// A scheme, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    StandardWebhooks,
    Svix,
    GitHub,
    Bitbucket,
    GitLab,
    Stripe,
    Slack,
    Shopify,
    Paddle,
    Square,
    Generic,
}

impl Scheme {
    pub(super) const ALL: [Self; 11] = [
        Self::StandardWebhooks,
        Self::Svix,
        Self::GitHub,
        Self::Bitbucket,
        Self::GitLab,
        Self::Stripe,
        Self::Slack,
        Self::Shopify,
        Self::Paddle,
        Self::Square,
        Self::Generic,
    ];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::StandardWebhooks => "standard-webhooks",
            Self::Svix => "svix",
            Self::GitHub => "github",
            Self::Bitbucket => "bitbucket",
            Self::GitLab => "gitlab",
            Self::Stripe => "stripe",
            Self::Slack => "slack",
            Self::Shopify => "shopify",
            Self::Paddle => "paddle",
            Self::Square => "square",
            Self::Generic => "generic",
        }
    }

    pub(super) const fn key_form(self) -> KeyForm {
        match self {
            Self::StandardWebhooks | Self::Svix => KeyForm::Base64,
            // Stripe's secrets look the same, but are used as they stand.
            Self::GitHub
            | Self::Bitbucket
            | Self::GitLab
            | Self::Stripe
            | Self::Slack
            | Self::Shopify
            | Self::Paddle
            | Self::Square
            | Self::Generic => KeyForm::Text,
        }
    }
}

/// <https://www.standardwebhooks.com>, version 1, under each of these header prefixes.
pub(super) fn standard_webhooks(header_prefixes: &[&str]) -> Recipe {
    let family = |prefix: &&str| Family {
        signature: format!("{prefix}-signature"),
        timestamp: Some(format!("{prefix}-timestamp")),
        id: Some(format!("{prefix}-id")),
    };
    Recipe {
        families: header_prefixes.iter().map(family).collect(),
        layout: Layout::Versions,
        message: vec![Part::Id, text("."), Part::Timestamp, text("."), Part::Body],
        algorithm: Algorithm::Sha256,
        encoding: Encoding::Base64,
        tolerance_seconds: Some(TOLERANCE_SECONDS),
    }
}

pub(super) fn github() -> Recipe {
    body_signed("x-hub-signature-256", "sha256=", Encoding::Hex, Some("x-github-delivery"))
}

/// The header has the name of GitHub's legacy SHA-1 signature; the prefix tells them apart.
pub(super) fn bitbucket() -> Recipe {
    body_signed("x-hub-signature", "sha256=", Encoding::Hex, Some("x-request-uuid"))
}

pub(super) fn shopify() -> Recipe {
    body_signed("x-shopify-hmac-sha256", "", Encoding::Base64, Some("x-shopify-webhook-id"))
}

/// `url` is the address that Square calls, exactly as it is registered there.
pub(super) fn square(url: &str) -> Recipe {
    let recipe = body_signed("x-square-hmacsha256-signature", "", Encoding::Base64, None);
    Recipe { message: vec![text(url), Part::Body], ..recipe }
}

pub(super) fn stripe() -> Recipe {
    pairs("stripe-signature", ',', ("t", "v1"), ".", TOLERANCE_SECONDS)
}

pub(super) fn paddle() -> Recipe {
    pairs("paddle-signature", ';', ("ts", "h1"), ":", PADDLE_TOLERANCE_SECONDS)
}

pub(super) fn slack() -> Recipe {
    Recipe {
        families: vec![Family {
            signature: "x-slack-signature".to_owned(),
            timestamp: Some("x-slack-request-timestamp".to_owned()),
            id: None,
        }],
        layout: Layout::One { prefix: "v0=".to_owned() },
        message: vec![text("v0:"), Part::Timestamp, text(":"), Part::Body],
        algorithm: Algorithm::Sha256,
        encoding: Encoding::Hex,
        tolerance_seconds: Some(TOLERANCE_SECONDS),
    }
}

/// A scheme that signs the body alone.
fn body_signed(header: &str, prefix: &str, encoding: Encoding, id: Option<&str>) -> Recipe {
    Recipe {
        families: vec![Family {
            signature: header.to_owned(),
            timestamp: None,
            id: id.map(str::to_owned),
        }],
        layout: Layout::One { prefix: prefix.to_owned() },
        message: vec![Part::Body],
        algorithm: Algorithm::Sha256,
        encoding,
        tolerance_seconds: None,
    }
}

/// A scheme whose one header holds the timestamp and hexadecimal signatures, under these names.
fn pairs(
    header: &str,
    separator: char,
    (timestamp, signature): (&'static str, &'static str),
    joint: &str,
    tolerance_seconds: u64,
) -> Recipe {
    Recipe {
        families: vec![Family { signature: header.to_owned(), timestamp: None, id: None }],
        layout: Layout::Pairs { separator, timestamp, signature },
        message: vec![Part::Timestamp, text(joint), Part::Body],
        algorithm: Algorithm::Sha256,
        encoding: Encoding::Hex,
        tolerance_seconds: Some(tolerance_seconds),
    }
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}
