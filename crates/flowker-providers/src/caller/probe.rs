//! Connectivity tests: one `GET` of a configuration's address.

use flowker_core::ports::{CallFailure, Probe, ProbeFailure, Probed};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use url::Url;

use super::{Caller, build};
use crate::auth::{Auth, Credentials};
use crate::client::{Answer, Outgoing, SendError};

/// How much of a body is read by [`Probe::EndToEnd`] (contract).
const BODY_BYTES_MAX: usize = 1024 * 1024;

impl Caller {
    /// Makes one request of a connectivity test to `address`, with the headers and the credentials
    /// that calls get from `config` if the probe asks for them.
    ///
    /// # Errors
    ///
    /// [`ProbeFailure`] if there is no answer.
    pub async fn probe(
        &self,
        address: Option<&str>,
        config: &Map<String, Value>,
        probe: Probe,
    ) -> Result<Probed, ProbeFailure> {
        let url = address.and_then(build::base_url).ok_or(ProbeFailure::NoAddress)?;
        let is_anonymous = probe == Probe::Connectivity;
        let headers: Vec<_> = build::configured_headers(config).filter(|_| !is_anonymous).collect();
        let n_headers = headers.len();
        let request =
            build::probe(url, headers.into_iter()).map_err(CallFailure::from).map_err(failed)?;
        if is_anonymous {
            return self.probe_request(request, &Credentials::None, probe, n_headers).await;
        }
        let auth = Auth::read(config).map_err(CallFailure::from).map_err(failed)?;
        let credentials = auth.credentials(&self.client, &self.tokens, request.deadline).await;
        let credentials = credentials.map_err(failed)?;
        let has_none = matches!(credentials, Credentials::None) && n_headers == 0;
        if probe == Probe::Authentication && has_none {
            return Err(ProbeFailure::NoCredentials);
        }
        self.probe_request(request, &credentials, probe, n_headers).await
    }

    /// Like [`probe`](Self::probe), with credentials of the provider's own making.
    pub(crate) async fn probe_with(
        &self,
        address: Url,
        credentials: &Credentials,
        probe: Probe,
    ) -> Result<Probed, ProbeFailure> {
        let request = build::probe(address, std::iter::empty());
        let request = request.map_err(CallFailure::from).map_err(failed)?;
        self.probe_request(request, credentials, probe, 0).await
    }

    async fn check(&self, url: &Url) -> Result<(), ProbeFailure> {
        let checked = self.client.check(url).await;
        checked.map_err(|error| {
            let failure = CallFailure::from(SendError::Connect(error));
            ProbeFailure::Forbidden(failure.message)
        })
    }

    async fn probe_request(
        &self,
        mut request: Outgoing,
        credentials: &Credentials,
        probe: Probe,
        n_headers: usize,
    ) -> Result<Probed, ProbeFailure> {
        self.check(&request.url).await?;
        // Taken before a key is added to the query.
        let url = request.url.to_string();
        credentials.add_to(&mut request);
        let bytes_max = if probe == Probe::EndToEnd { BODY_BYTES_MAX } else { 0 };
        let (status, answer) = match self.client.peek(request, bytes_max).await {
            Ok(answer) => (answer.status, Some(answer)),
            // A redirect that leads nowhere is an answer as well.
            Err(SendError::Status { status, .. }) => (status, None),
            Err(error) => return Err(failed(CallFailure::from(error))),
        };
        if status == StatusCode::UNAUTHORIZED {
            self.tokens.forget(credentials);
        }
        Ok(Probed {
            status: status.as_u16(),
            url,
            content_type: answer.as_ref().and_then(content_type),
            body_bytes: answer.map_or(0, |answer| answer.body.len()),
            n_headers,
        })
    }
}

fn content_type(answer: &Answer) -> Option<String> {
    let value = answer.headers.get(CONTENT_TYPE)?;
    value.to_str().ok().map(str::to_owned)
}

fn failed(failure: CallFailure) -> ProbeFailure {
    ProbeFailure::Failed(failure.message)
}

#[cfg(test)]
mod tests;
