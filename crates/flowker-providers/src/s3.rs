//! The provider `s3`: objects in a bucket of Amazon S3, or of a service that speaks like it.

mod failure;
mod object;
mod schema;
mod target;

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flowker_core::ports::{
    Call, CallFailure, ExecutorDescriptor, FailureKind, Probe, ProbeFailure, Probed, Provider,
    ProviderConfig, ProviderDescriptor,
};
use serde_json::{Map, Value};
use url::Url;

use self::object::Object;
use self::target::{Signed, Target};
use crate::auth::Credentials;
use crate::caller::{Caller, log_failure};
use crate::client::Answer;
use crate::envelope::envelope;

const PUT_OBJECT: &str = "s3.put-object";
const GET_OBJECT: &str = "s3.get-object";

/// Puts objects into a bucket and gets them, with requests that are signed by AWS Signature
/// Version 4.
#[derive(Debug)]
pub struct S3Provider {
    caller: Arc<Caller>,
}

impl S3Provider {
    /// The largest object that is put, in bytes: as large as what is taken as an answer.
    pub const OBJECT_BYTES_MAX: usize = 5 * 1024 * 1024;

    /// The provider, calling through `caller`.
    pub const fn new(caller: Arc<Caller>) -> Self {
        Self { caller }
    }

    async fn attempt(&self, mut call: Call) -> Result<Value, CallFailure> {
        let target = Target::read(&call.config.config)?;
        let object = Object::of(&call)?;
        let (method, signed, body) = match call.executor_id.as_str() {
            PUT_OBJECT => {
                let content = object.content()?;
                let signed = target.put(&object.key, &content.content_type, &call);
                ("PUT", signed, Some(content.bytes))
            }
            GET_OBJECT => ("GET", target.get(&object.key, &call), None),
            other => return Err(permanent(format!("s3 has no operation {other:?}"))),
        };
        let is_get = body.is_none();
        let shows_base64 = is_get && object.is_base64;
        call.method = Some(method.to_owned());
        let (answer, shown_url) = self.send(call, signed, body).await?;
        let mut output = envelope(&answer, &shown_url);
        if shows_base64 {
            output["body"] = Value::String(STANDARD.encode(&answer.body));
        }
        Ok(output)
    }

    /// Sends a signed request, and tells what S3 says of a failure.
    async fn send(
        &self,
        mut call: Call,
        signed: Signed,
        body: Option<Bytes>,
    ) -> Result<(Answer, Url), CallFailure> {
        let success = std::mem::take(&mut call.success);
        // What the query asks for is in the signed URL.
        call.query.clear();
        call.headers.retain(|(name, _)| !signed.has_header(name));
        call.headers.extend(signed.headers);
        call.config = Arc::new(effective(&call.config));
        let credentials = Credentials::Url(signed.url);
        let url = signed.shown_url;
        let answer = self.caller.exchange(&call, url.clone(), body, &credentials).await?;
        if success.contains(answer.status.as_u16()) {
            Ok((answer, url))
        } else {
            Err(failure::of_answer(&answer))
        }
    }
}

#[async_trait]
impl Provider for S3Provider {
    fn descriptor(&self) -> ProviderDescriptor {
        let executor = |id, name, schema| ExecutorDescriptor {
            id,
            name,
            category: "S3",
            version: "v1",
            schema,
        };
        ProviderDescriptor {
            id: "s3",
            name: "S3",
            description: "Keeps objects in a bucket of Amazon S3 or a service that speaks like it",
            version: "v1",
            config_schema: schema::config(),
            executors: vec![
                executor(GET_OBJECT, "Get Object", schema::get_object()),
                executor(PUT_OBJECT, "Put Object", schema::put_object()),
            ],
        }
    }

    async fn call(&self, call: Call) -> Result<Value, CallFailure> {
        let (config, attempt) = (Arc::clone(&call.config), call.attempt);
        let outcome = self.attempt(call).await;
        if let Err(failure) = &outcome {
            log_failure(&config, attempt, failure);
        }
        outcome
    }

    async fn probe(&self, config: &ProviderConfig, probe: Probe) -> Result<Probed, ProbeFailure> {
        let target = Target::read(&config.config).map_err(|_| ProbeFailure::NoAddress)?;
        let credentials = match probe {
            Probe::Connectivity => Credentials::None,
            Probe::Authentication | Probe::EndToEnd => Credentials::Url(target.signed_list()),
        };
        self.caller.probe_with(target.address().clone(), &credentials, probe).await
    }
}

/// The configuration as far as it is not about signing: nothing else is sent to be signed.
fn effective(config: &ProviderConfig) -> ProviderConfig {
    let timeouts = ["timeout_seconds", "timeout_ms"].into_iter();
    let members = timeouts
        .filter_map(|name| config.config.get(name).map(|value| (name.to_owned(), value.clone())));
    ProviderConfig { config: members.collect::<Map<_, _>>(), ..config.clone() }
}

fn permanent(message: impl Into<String>) -> CallFailure {
    CallFailure::new(FailureKind::Permanent, message)
}

#[cfg(test)]
mod tests;
