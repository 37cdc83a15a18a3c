//! Webhook routes: what a trigger node registers, and the table that requests are matched with.

use percent_encoding::percent_decode_str;

use crate::id::WorkflowId;

/// The normalised path of a webhook: one leading slash, no trailing one; `/` is the empty string
/// after it.
///
/// Case and inner slashes are kept. Built from a registered path or from a request's raw path, so
/// that both are matched by one rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebhookPath(String);

/// Why the path of a request is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookPathError {
    /// A percent sign without two hexadecimal digits after it.
    #[error("the path holds a percent sign that is not followed by two hexadecimal digits")]
    Escape,
    /// Decoded once, it is not UTF-8 or holds a control character.
    #[error("the path is not UTF-8 text without control characters")]
    Text,
    /// A segment is `.` or `..`.
    #[error("the path holds a dot segment")]
    Dots,
}

impl WebhookPath {
    /// The path under which a trigger node registers.
    pub fn registered(path: &str) -> Self {
        let trimmed = path.trim_end_matches('/');
        Self(trimmed.strip_prefix('/').unwrap_or(trimmed).to_owned())
    }

    /// The path of a request: what follows `/v1/webhooks/`, still percent-encoded. Decoded once,
    /// and only then matched, so that `orders%2Fpaid` finds the route `orders/paid`.
    pub fn requested(raw: &str) -> Result<Self, WebhookPathError> {
        let bytes = raw.as_bytes();
        let escapes_are_whole =
            bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(idx, _)| {
                bytes.get(idx + 1..idx + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
            });
        if !escapes_are_whole {
            return Err(WebhookPathError::Escape);
        }
        let text = percent_decode_str(raw).decode_utf8().map_err(|_| WebhookPathError::Text)?;
        if text.chars().any(char::is_control) {
            return Err(WebhookPathError::Text);
        }
        if text.split('/').any(|segment| segment == "." || segment == "..") {
            return Err(WebhookPathError::Dots);
        }
        Ok(Self::registered(&text))
    }

    /// Without the leading slash, as `_webhook.path` shows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A route that an activation registers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewRoute {
    /// Upper case.
    pub method: String,
    /// Normalised.
    pub path: WebhookPath,
    /// Id of the trigger node at which a run starts.
    pub node_id: String,
}

/// A live route.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// What was registered.
    pub key: NewRoute,
    /// Whose route it is.
    pub workflow_id: WorkflowId,
    /// The version that it starts.
    pub version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rule_for_registered_and_requested_paths() {
        for (registered, requested) in [
            ("hooks/a", "hooks/a"),
            ("/hooks/a//", "hooks/a"),
            ("hooks/a", "/hooks/a/"),
            ("orders/paid", "orders%2Fpaid"),
            ("orders/paid", "orders%2fpaid"),
            ("mit Leerzeichen", "mit%20Leerzeichen"),
            ("ü", "%C3%BC"),
            ("a%2Fb", "a%252Fb"),
            ("/", ""),
            ("/", "/"),
        ] {
            let requested = WebhookPath::requested(requested);
            assert_eq!(requested, Ok(WebhookPath::registered(registered)), "{registered}");
        }
        assert_ne!(WebhookPath::registered("a/b"), WebhookPath::registered("a//b"));
        assert_ne!(WebhookPath::registered("a"), WebhookPath::registered("A"));
    }

    #[test]
    fn paths_that_hide_something_are_refused() {
        for (raw, expected) in [
            ("%", WebhookPathError::Escape),
            ("a%2", WebhookPathError::Escape),
            ("%zz", WebhookPathError::Escape),
            ("%FF", WebhookPathError::Text),
            ("%C0%AF", WebhookPathError::Text),
            ("a%00b", WebhookPathError::Text),
            ("a%0Ab", WebhookPathError::Text),
            ("../a", WebhookPathError::Dots),
            ("a/%2e%2e/b", WebhookPathError::Dots),
            ("a/.", WebhookPathError::Dots),
        ] {
            assert_eq!(WebhookPath::requested(raw), Err(expected), "{raw}");
        }
    }
}
