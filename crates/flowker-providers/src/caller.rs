//! The generic call: one HTTP request from a node's settings and a provider configuration.

mod build;
mod probe;

use std::sync::Arc;

use bytes::Bytes;
use flowker_core::json;
use flowker_core::ports::{Call, CallFailure, FailureKind, ProviderConfig};
use http::StatusCode;
use serde_json::Value;
use tracing::{Span, debug};
use url::Url;

pub(crate) use self::build::{base_url, header_value, text};
use crate::auth::{Auth, Credentials, Tokens};
use crate::client::{Answer, HttpClient, SendError};
use crate::envelope::envelope;

/// Makes calls for providers, and keeps the access tokens that it gets on the way.
///
/// Share one between all providers: what it keeps is bounded.
#[derive(Debug)]
pub struct Caller {
    client: Arc<HttpClient>,
    tokens: Tokens,
}

impl Caller {
    /// A caller that holds no tokens yet.
    pub fn new(client: Arc<HttpClient>) -> Self {
        Self { client, tokens: Tokens::default() }
    }

    /// Makes one attempt of the generic call: the request document as JSON to the configuration's
    /// `base_url`, joined with the call's path. The output is the response [`envelope`].
    ///
    /// Method, headers, query and time come from the call, and from `headers`, `timeout_seconds`
    /// and `timeout_ms` of the configuration; credentials from its `auth_type`.
    ///
    /// # Errors
    ///
    /// [`CallFailure`], classified.
    pub async fn call(&self, call: &Call) -> Result<Value, CallFailure> {
        self.call_url(call, Self::url(call)?, Self::body(call)).await
    }

    /// Like [`call`](Self::call), with a URL and a body of the provider's own making. The call's
    /// query is added to the URL; its path and document play no part.
    ///
    /// # Errors
    ///
    /// [`CallFailure`], classified.
    pub async fn call_url(
        &self,
        call: &Call,
        url: Url,
        body: Option<Bytes>,
    ) -> Result<Value, CallFailure> {
        let outcome = self.attempt(call, url, body).await;
        if let Err(failure) = &outcome {
            log_failure(&call.config, call.attempt, failure);
        }
        outcome
    }

    /// Sends a call with credentials of the provider's own making. Any status is an answer, but for
    /// a redirect that can be followed.
    pub(crate) async fn exchange(
        &self,
        call: &Call,
        url: Url,
        body: Option<Bytes>,
        credentials: &Credentials,
    ) -> Result<Answer, CallFailure> {
        let mut request = build::request(call, url, body)?;
        request.success = build::any_status();
        credentials.add_to(&mut request);
        match self.client.send(request).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.failure(error, credentials)),
        }
    }

    /// The configuration's `base_url`, joined with the call's path.
    ///
    /// Between the two stands one slash; double slashes and dot segments are resolved. A `?` is
    /// part of the path, since queries come from the call's `query`.
    ///
    /// # Errors
    ///
    /// A permanent failure if there is no `base_url`, or if it is no absolute http or https URL.
    pub fn url(call: &Call) -> Result<Url, CallFailure> {
        Ok(build::url(call)?)
    }

    /// The request document as JSON, digit for digit. `None`, and so no body, if it is `null`.
    pub fn body(call: &Call) -> Option<Bytes> {
        (!call.document.is_null()).then(|| Bytes::from(json::to_bytes(&call.document)))
    }

    async fn attempt(
        &self,
        call: &Call,
        url: Url,
        body: Option<Bytes>,
    ) -> Result<Value, CallFailure> {
        let auth = Auth::read(&call.config.config)?;
        let mut request = build::request(call, url, body)?;
        // Taken before a key is added to the query: the envelope is shown and stored.
        let shown_url = request.url.clone();
        let span = Span::current();
        span.record("http.request.method", request.method.as_str());
        span.record("server.address", shown_url.host_str());
        let credentials = auth.credentials(&self.client, &self.tokens, request.deadline).await?;
        credentials.add_to(&mut request);
        match self.client.send(request).await {
            Ok(answer) => {
                span.record("http.response.status_code", answer.status.as_u16());
                Ok(envelope(&answer, &shown_url))
            }
            Err(error) => {
                if let SendError::Status { status, .. } = &error {
                    span.record("http.response.status_code", status.as_u16());
                }
                Err(self.failure(error, &credentials))
            }
        }
    }

    /// A token may be revoked before it expires, so a 401 to one that was kept is worth another
    /// attempt, which gets a new one.
    fn failure(&self, error: SendError, credentials: &Credentials) -> CallFailure {
        let is_unauthorized = matches!(
            &error,
            SendError::Status { status, .. } if *status == StatusCode::UNAUTHORIZED
        );
        let mut failure = CallFailure::from(error);
        if is_unauthorized && self.tokens.forget(credentials) {
            failure.kind = FailureKind::Transient;
        }
        failure
    }
}

/// Tells the operator of an attempt that failed; the caller is told by the failure itself.
pub(crate) fn log_failure(config: &ProviderConfig, attempt: u32, failure: &CallFailure) {
    debug!(
        provider.id = config.provider_id,
        provider_config.id = %config.id,
        call.attempt = attempt,
        failure.kind = ?failure.kind,
        "outbound call failed: {failure}"
    );
}

#[cfg(test)]
mod tests;
