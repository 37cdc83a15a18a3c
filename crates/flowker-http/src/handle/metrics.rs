//! What the process tells about itself.

use super::{Body, Call, Reply};
use http::StatusCode;

/// The media type of the text format that Prometheus reads.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, as they stand now.
pub(super) async fn show(call: &Call) -> Reply {
    let text = call.app().metrics.render().await;
    let body = Some(Body::Text { media_type: TEXT_FORMAT, text });
    Reply { status: StatusCode::OK, headers: Vec::new(), body, lines: None }
}
