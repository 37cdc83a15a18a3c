//! Faults that a test asks for. Off unless an operator turns them on.

use std::time::Duration;

use flowker_core::code::Code;
use flowker_core::refusal::Refusal;
use http::header::{HeaderMap, HeaderName};

const FAULT: HeaderName = HeaderName::from_static("x-test-fault-injection");

/// How long a timeout takes (contract).
const TIMEOUT: Duration = Duration::from_millis(100);

/// Fails as the request asks for. Other words ask for nothing.
pub(crate) async fn inject(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(FAULT).map(http::HeaderValue::as_bytes) {
        Some(b"timeout") => {
            tokio::time::sleep(TIMEOUT).await;
            Err(Refusal::plain(Code::FaultTimeout))
        }
        Some(b"unavailable") => Err(Refusal::plain(Code::FaultUnavailable)),
        _ => Ok(()),
    }
}
