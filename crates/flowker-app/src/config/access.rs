//! Settings about who is let in that need each other.
//!
//! No setting is without a value here: each has a valid default.

use flowker_providers::{SigningAlgorithm, TokenSettings};
use url::Url;

use super::{Reader, values};

/// Where the access manager is, if one is asked.
pub(super) fn manager(reader: &mut Reader<'_>) -> Option<Url> {
    let is_asked = reader.read("PLUGIN_AUTH_ENABLED", values::boolean)?;
    let address = reader.read("PLUGIN_AUTH_ADDRESS", values::optional(values::web_address))?;
    if !is_asked {
        return None;
    }
    if address.is_none() {
        reader.missing("PLUGIN_AUTH_ADDRESS", "PLUGIN_AUTH_ENABLED");
    }
    address
}

/// Whose tokens count, if any do.
pub(super) fn tokens(reader: &mut Reader<'_>) -> Option<TokenSettings> {
    let is_enabled = reader.read("OIDC_ENABLED", values::boolean)?;
    // As text: tokens name it byte for byte, and a URL that is read and written is another text.
    let is_issuer = |text: &str| values::web_address(text).map(|_| text.to_owned());
    let issuer = reader.read("OIDC_ISSUER_URL", values::optional(is_issuer))?;
    let jwks_url = reader.read("OIDC_JWKS_URL", values::optional(values::web_address))?;
    let audiences = reader.read("OIDC_AUDIENCE", values::list::<String>)?;
    let algorithms = reader.read("OIDC_ALGORITHMS", |text: &str| {
        values::list::<SigningAlgorithm>(text).filter(|algorithms| !algorithms.is_empty())
    })?;
    if !is_enabled {
        return None;
    }
    if audiences.is_empty() {
        reader.missing("OIDC_AUDIENCE", "OIDC_ENABLED");
    }
    let Some(issuer) = issuer else {
        reader.missing("OIDC_ISSUER_URL", "OIDC_ENABLED");
        return None;
    };
    Some(TokenSettings { issuer, jwks_url, audiences, algorithms })
}
