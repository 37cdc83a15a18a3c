//! The access manager: one question, one answer.

use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::json;
use flowker_core::ports::{AccessError, Authorizer, Question, SuccessCodes, Verdict};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde_json::{Map, Value};
use url::Url;

use super::{AskError, host, request};
use crate::client::{Answer, HttpClient};

/// Asks an access manager over HTTP. Nothing is remembered: what was allowed a moment ago may not
/// be any more.
#[derive(Debug)]
pub struct AccessManager {
    client: Arc<HttpClient>,
    url: Url,
}

impl AccessManager {
    /// The manager at `address`, below which it has `/v1/authorize`.
    pub fn new(client: Arc<HttpClient>, address: &Url) -> Self {
        let mut url = address.clone();
        url.set_path(&format!("{}/v1/authorize", address.path().trim_end_matches('/')));
        Self { client, url }
    }

    async fn ask(&self, question: Question) -> Result<Verdict, AskError> {
        let fault = |reason| AskError::Answer { host: host(&self.url), reason };
        let body = Value::Object(Map::from_iter([
            ("sub".to_owned(), question.subject.into()),
            ("resource".to_owned(), question.resource.into()),
            ("action".to_owned(), question.action.into()),
        ]));
        let mut token = HeaderValue::try_from(question.token)
            .map_err(|_| fault("the token does not fit into a header"))?;
        token.set_sensitive(true);
        // Errors have bodies, which are the caller's to read.
        let statuses = SuccessCodes::These((200..300).chain(400..600).collect());
        let mut request = request(Method::POST, self.url.clone(), Some(&body), statuses);
        request.headers.insert(AUTHORIZATION, token);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|source| AskError::Send { host: host(&self.url), source })?;
        verdict(&answer).map_err(fault)
    }
}

#[async_trait]
impl Authorizer for AccessManager {
    async fn authorize(&self, question: Question) -> Result<Verdict, AccessError> {
        self.ask(question).await.map_err(|error| AccessError(error.into()))
    }
}

fn verdict(answer: &Answer) -> Result<Verdict, &'static str> {
    let Ok(Value::Object(members)) = json::parse(&answer.body) else {
        return Err("it is no JSON object");
    };
    let is_success = answer.status.is_success();
    match members.get("authorized") {
        Some(Value::Bool(false)) => Ok(Verdict::Denied),
        Some(Value::Bool(true)) if is_success => Ok(Verdict::Allowed),
        Some(Value::Bool(true)) => Err("it says yes with the status of a failure"),
        Some(_) => Err("authorized is neither true nor false"),
        None if is_success || members.is_empty() => Err("it does not say whether"),
        None => {
            Ok(Verdict::Refused { status: answer.status.as_u16(), error: Value::Object(members) })
        }
    }
}
