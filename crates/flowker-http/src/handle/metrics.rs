//! What the process tells about itself.

use super::{Call, Content, Reply};

/// The media type of the text format that Prometheus reads.
pub(crate) const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, as they stand now.
pub(super) async fn show(call: &Call) -> Reply {
    let text = call.app().metrics.render().await.into();
    Reply::with(Content::Text { media_type: TEXT_FORMAT, text })
}
