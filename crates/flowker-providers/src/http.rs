//! The provider `http`: any service that speaks HTTP.

mod schema;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flowker_core::json;
use flowker_core::ports::{
    Call, CallFailure, ExecutorDescriptor, FailureKind, Probe, ProbeFailure, Probed, Provider,
    ProviderConfig, ProviderDescriptor, SuccessCodes,
};
use serde_json::{Map, Value};
use url::Url;

use crate::caller::{Caller, text};

/// Calls any HTTP service with the generic call.
///
/// Beside the settings of every node, a node may say `url` (of the same origin as the
/// configuration's `base_url`), `body`, `timeout_seconds` and `success_status_codes`.
#[derive(Debug)]
pub struct HttpProvider {
    caller: Arc<Caller>,
}

impl HttpProvider {
    /// The provider, calling through `caller`.
    pub const fn new(caller: Arc<Caller>) -> Self {
        Self { caller }
    }
}

#[async_trait]
impl Provider for HttpProvider {
    fn descriptor(&self) -> ProviderDescriptor {
        ProviderDescriptor {
            id: "http",
            name: "HTTP",
            description: "Calls any service that speaks HTTP",
            version: "v1",
            config_schema: schema::config(),
            executors: vec![ExecutorDescriptor {
                id: "http",
                name: "HTTP Request",
                category: "HTTP",
                version: "v1",
                schema: schema::node(),
            }],
        }
    }

    async fn call(&self, mut call: Call) -> Result<Value, CallFailure> {
        let extra = std::mem::take(&mut call.extra);
        call.timeout = call.timeout.or_else(|| timeout(&extra));
        if let (SuccessCodes::Any2xx, Some(codes)) = (&call.success, success_codes(&extra)) {
            call.success = codes;
        }
        let url = url(&call, &extra)?;
        let body = match extra.get("body") {
            Some(Value::String(text)) => Some(Bytes::from(text.clone())),
            Some(value) => Some(Bytes::from(json::to_bytes(value))),
            None => Caller::body(&call),
        };
        self.caller.call_url(&call, url, body).await
    }

    async fn probe(&self, config: &ProviderConfig, probe: Probe) -> Result<Probed, ProbeFailure> {
        self.caller.probe(text(&config.config, "base_url"), &config.config, probe).await
    }
}

/// The node's `url`, or what the configuration's `base_url` and the node's path make.
fn url(call: &Call, extra: &Map<String, Value>) -> Result<Url, CallFailure> {
    let joined = Caller::url(call)?;
    let Some(text) = text(extra, "url") else { return Ok(joined) };
    match Url::parse(text) {
        // The configuration's credentials are for its own origin, and so is what it may reach.
        Ok(url) if url.origin() == joined.origin() => Ok(url),
        _ => Err(CallFailure::new(
            FailureKind::Permanent,
            "the node's url is not of the same origin as the provider configuration's base_url",
        )),
    }
}

fn timeout(extra: &Map<String, Value>) -> Option<Duration> {
    extra.get("timeout_seconds").and_then(Value::as_u64).map(Duration::from_secs)
}

fn success_codes(extra: &Map<String, Value>) -> Option<SuccessCodes> {
    let items = extra.get("success_status_codes")?.as_array()?;
    let codes = items.iter().filter_map(|item| u16::try_from(item.as_u64()?).ok());
    let codes: BTreeSet<_> = codes.collect();
    (!codes.is_empty()).then_some(SuccessCodes::These(codes))
}

#[cfg(test)]
mod tests;
