//! Webhooks: a request as the trigger sees it, and what it is answered.

use std::time::Duration;

use async_trait::async_trait;
use flowker_core::trigger::{BodyError, Delivery, Head};
use flowker_core::workflow::WebhookPath;
use http::header::{HeaderMap, HeaderName};
use hyper::body::{Bytes, Incoming};

use super::{Call, Reply};
use crate::body;
use crate::error::{Failure, Transport};
use crate::extract::REQUEST_ID;
use crate::show;

const WORKFLOW_ID: HeaderName = HeaderName::from_static("x-webhook-workflow-id");
const EXECUTION_ID: HeaderName = HeaderName::from_static("x-webhook-execution-id");

/// Gives a request to the trigger.
pub(super) async fn receive(call: Call) -> Result<Reply, Failure> {
    let path = WebhookPath::requested(&call.argument).map_err(Transport::malformed)?;
    let mut arriving = Arriving {
        head: head(&call, path),
        timeout: call.door.limits.body_timeout,
        headers: call.parts.headers,
        body: Some(call.body),
    };
    let begun = call.door.app.trigger.receive(&mut arriving, &call.actor).await?;
    Ok(Reply::begun(&call.door.metrics, &begun, show::begun(&begun))
        .header(WORKFLOW_ID, &begun.summary.workflow_id.to_string())
        .header(EXECUTION_ID, &begun.summary.id.to_string()))
}

fn head(call: &Call, path: WebhookPath) -> Head {
    let sent = call.parts.headers.iter().filter(|(name, _)| **name != REQUEST_ID);
    let request_id = [(&REQUEST_ID, &call.request_id)];
    let headers = sent
        .chain(request_id)
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    Head {
        method: call.parts.method.as_str().to_owned(),
        path,
        query: call.parts.uri.query().map(str::to_owned),
        headers,
        remote_ip: call.remote_ip,
        trace: call.trace.clone(),
    }
}

/// A webhook request whose body is still on its way.
struct Arriving {
    head: Head,
    headers: HeaderMap,
    /// `None` once it was asked for.
    body: Option<Incoming>,
    timeout: Duration,
}

#[async_trait]
impl Delivery for Arriving {
    fn head(&self) -> &Head {
        &self.head
    }

    async fn body(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        let body = self.body.take().ok_or(BodyError::Incomplete)?;
        body::read(body, limit, self.timeout).await
    }

    fn decode(&self, raw: Bytes, limit: usize) -> Result<Bytes, BodyError> {
        body::decode(raw, &self.headers, limit)
    }
}
