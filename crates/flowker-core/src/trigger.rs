//! How a webhook becomes an execution: the whole order of checks, in one function.
//!
//! The API key and the declared length are looked at before, by the door; what it takes to read a
//! body stands behind [`Delivery`]. Everything else is here, and awaits nothing but ports.

mod metadata;
mod prefer;
mod start;

pub use metadata::is_sensitive_header;
pub use prefer::preferred_wait;
pub(crate) use start::key_reused;
pub use start::{Begun, StartRequest, Starter};

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use crate::actor::Actor;
use crate::code::Code;
use crate::idempotency::{Fingerprint, IdempotencyKey, KeyError};
use crate::json;
use crate::ports::{Claim, Clock, Precondition, RateLimit};
use crate::refusal::Refusal;
use crate::routing::{LiveRoute, RouteTable};
use crate::signature::{HeaderSource, HeaderValues};
use crate::time::Timestamp;
use crate::trace::TraceContext;
use crate::workflow::{Webhook, WebhookPath};

/// The longest body, in bytes, before and after decompression (contract).
pub const BODY_BYTES_MAX: usize = 1_048_576;

/// The first part of a request: everything but its body.
#[derive(Clone, Debug)]
pub struct Head {
    /// As sent.
    pub method: String,
    /// Decoded once and normalised.
    pub path: WebhookPath,
    /// As sent, without the question mark.
    pub query: Option<String>,
    /// Names in lower case, in the order of arrival; the request id is among them even if it was
    /// made by us.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Who sent it.
    pub remote_ip: IpAddr,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
}

impl Head {
    /// All values of a header. `name` is in lower case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(it, _)| it == name).map(|(_, value)| value.as_slice())
    }

    /// The media type without parameters, in lower case; empty if there is none.
    pub fn media_type(&self) -> String {
        let value = self.values("content-type").last().unwrap_or_default();
        let text = String::from_utf8_lossy(value);
        text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

impl HeaderSource for Head {
    fn values(&self, name: &str) -> HeaderValues<'_> {
        let mut values = self.headers.iter().filter(|(it, _)| it == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) => HeaderValues::Absent,
            (Some(value), None) => HeaderValues::One(value),
            (Some(_), Some(_)) => HeaderValues::Several,
        }
    }
}

/// A request whose body is still to be read.
#[async_trait]
pub trait Delivery: Send {
    /// What has arrived.
    fn head(&self) -> &Head;

    /// Reads the whole body as it was sent, at most `limit` bytes of it, within the door's time.
    async fn body(&mut self, limit: usize) -> Result<Bytes, BodyError>;

    /// Undoes the body's content coding; at most `limit` bytes may come of it.
    fn decode(&self, raw: Bytes, limit: usize) -> Result<Bytes, BodyError>;
}

/// Why a body cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More than the limit, as sent or decoded.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The connection ended before it.
    #[error("the body ended before it was whole")]
    Incomplete,
    /// A content coding that is not known here.
    #[error("the content coding {0:?} is not accepted; use gzip, deflate, br or none")]
    Coding(String),
    /// It is not what its content coding says.
    #[error("the body cannot be decoded as {0}")]
    Undecodable(String),
}

impl BodyError {
    /// The refusal that a caller reads; `too_large` is the code for that case.
    pub fn refusal(&self, too_large: Code) -> Refusal {
        let code = match self {
            Self::TooLarge { .. } => too_large,
            Self::TooSlow => Code::BodyTooSlow,
            Self::Incomplete | Self::Undecodable(_) => Code::BodyUnreadable,
            Self::Coding(_) => Code::MediaUnsupported,
        };
        Refusal::new(code, self.to_string())
    }
}

/// Turns webhook requests into executions.
#[derive(Debug)]
pub struct Trigger {
    routes: Arc<RouteTable>,
    rates: Arc<dyn RateLimit>,
    clock: Arc<dyn Clock>,
    starter: Arc<Starter>,
}

impl Trigger {
    /// Over the table of live routes, and what starts executions.
    pub fn new(
        routes: Arc<RouteTable>,
        rates: Arc<dyn RateLimit>,
        clock: Arc<dyn Clock>,
        starter: Arc<Starter>,
    ) -> Self {
        Self { routes, rates, clock, starter }
    }

    /// Carries a request through all checks to a durable execution, and waits for its end if the
    /// caller prefers that.
    ///
    /// Order: route, token, rate, body, signature, decoding, JSON, schema, key, acceptance. A
    /// refusal means that nothing was started and the key was not used, unless its code is
    /// [`Code::StoreUnavailable`], which says so.
    pub async fn receive(
        &self,
        delivery: &mut dyn Delivery,
        actor: &Actor,
    ) -> Result<Begun, Refusal> {
        let now = self.clock.now();
        let route = self.admit(delivery.head(), now).await?;
        let wait = preferred_wait(delivery.head().values("prefer"));
        let (input, claim) = self.read(&route, delivery, now).await?;
        let begun = self.start(delivery.head(), now, &route, input, claim, actor).await?;
        Ok(self.starter.wait(begun, wait).await)
    }

    /// Finds the route, and what of it can be checked without the body.
    async fn admit(&self, head: &Head, now: Timestamp) -> Result<Arc<LiveRoute>, Refusal> {
        let route = self.routes.find(&head.method, &head.path, now).await?;
        let route = route.ok_or_else(|| not_found(head))?;
        let webhook = route.webhook().ok_or_else(|| not_found(head))?;
        check_token(webhook, head)?;
        if let Some(rate) = webhook.rate {
            let taken = self.rates.take(&route.route.key, rate);
            taken.map_err(|wait| Refusal::plain(Code::RateLimited).retry_after(wait))?;
        }
        Ok(route)
    }

    /// Reads the body, and makes the run's input and the claim on the key of it.
    async fn read(
        &self,
        route: &LiveRoute,
        delivery: &mut dyn Delivery,
        now: Timestamp,
    ) -> Result<(Bytes, Option<Claim>), Refusal> {
        let refused = |error: BodyError| error.refusal(Code::WebhookBodyTooLarge);
        let webhook = route.webhook().ok_or_else(|| not_found(delivery.head()))?;
        let raw = delivery.body(BODY_BYTES_MAX).await.map_err(refused)?;
        let delivery_id = check_signature(webhook, delivery.head(), &raw, now)?;
        let body = delivery.decode(raw.clone(), BODY_BYTES_MAX).map_err(refused)?;
        let head = delivery.head();
        let mut input = parse_object(&body, &head.media_type())?;
        check_schema(webhook, &input)?;
        let key = read_key(head)?.or(delivery_id);
        let claim = key.map(|key| self.claim(key, head, &raw));
        input.insert("_webhook".to_owned(), metadata::describe(head));
        Ok((Bytes::from(json::to_bytes(&Value::Object(input))), claim))
    }

    async fn start(
        &self,
        head: &Head,
        now: Timestamp,
        route: &LiveRoute,
        input: Bytes,
        claim: Option<Claim>,
        actor: &Actor,
    ) -> Result<Begun, Refusal> {
        let request = |route: &LiveRoute| StartRequest {
            workflow_id: route.route.workflow_id,
            version: route.route.version,
            plan: Arc::clone(&route.plan),
            start: route.start,
            input: input.clone(),
            claim: claim.clone(),
            precondition: Precondition::VersionActive,
            retry_of: None,
            trace: head.trace.clone(),
            actor: actor.clone(),
        };
        if let Some(begun) = self.starter.start(request(route)).await? {
            return Ok(begun);
        }
        // The table was stale. Whoever is registered now gets the request, once.
        let fresh = self.routes.find_in_store(&head.method, &head.path, now).await?;
        let fresh = fresh.ok_or_else(|| not_found(head))?;
        self.starter.start(request(&fresh)).await?.ok_or_else(|| not_found(head))
    }

    fn claim(&self, key: IdempotencyKey, head: &Head, raw: &[u8]) -> Claim {
        let fingerprint = Fingerprint::of(&[
            head.method.as_bytes(),
            head.path.as_str().as_bytes(),
            head.query.as_deref().unwrap_or_default().as_bytes(),
            head.media_type().as_bytes(),
            raw,
        ]);
        Claim { key, fingerprint, retention: self.starter.retention }
    }
}

fn not_found(head: &Head) -> Refusal {
    // Any token is a method, of any length.
    let method: String = head.method.chars().take(16).collect();
    let path = head.path.as_str();
    Refusal::new(
        Code::RouteNotFound,
        format!("No active workflow has a webhook for {method} /{path}."),
    )
}

fn check_token(webhook: &Webhook, head: &Head) -> Result<(), Refusal> {
    let Some(token) = &webhook.token else { return Ok(()) };
    let mut values = head.values("x-webhook-token");
    match (values.next(), values.next()) {
        (Some(sent), None) if bool::from(sent.ct_eq(token.as_bytes())) => Ok(()),
        _ => Err(Refusal::plain(Code::WebhookTokenWrong)),
    }
}

/// Checks the signature, if the route asks for one. The provider's own id of the delivery makes its
/// retries safe when it sends no key.
fn check_signature(
    webhook: &Webhook,
    head: &Head,
    raw: &[u8],
    now: Timestamp,
) -> Result<Option<IdempotencyKey>, Refusal> {
    let Some(signature) = &webhook.signature else { return Ok(None) };
    let verified = signature
        .verify(&head.method, head, raw, now.as_seconds())
        // One answer for all reasons: which check failed is for the operator only.
        .map_err(|error| Refusal::plain(Code::SignatureWrong).caused_by(error))?;
    let delivery_id = verified.delivery_id.as_deref().map(str::as_bytes);
    IdempotencyKey::from_header(delivery_id).map_err(malformed_key)
}

/// Reads a webhook's body: an object, or nothing at all.
fn parse_object(body: &[u8], media_type: &str) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    if !media_type.ends_with("json") {
        return Err(Refusal::of_member(
            Code::BodyUnreadable,
            "",
            "The body must be JSON, with a Content-Type that says so, such as application/json.",
        ));
    }
    match json::parse(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => Err(Refusal::of_member(
            Code::BodyUnreadable,
            "",
            format!("The body must be a JSON object, not {}.", json::kind(&other)),
        )),
        Err(error) => {
            Err(Refusal::of_member(Code::BodyUnreadable, error.path.clone(), error.to_string()))
        }
    }
}

fn check_schema(webhook: &Webhook, input: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(schema) = &webhook.schema else { return Ok(()) };
    let faults = schema.check(&Value::Object(input.clone()));
    if faults.is_empty() { Ok(()) } else { Err(Refusal::of_members(Code::PayloadRefused, faults)) }
}

/// Reads the caller's key. A malformed one is an error, never "no key".
pub fn read_key(head: &Head) -> Result<Option<IdempotencyKey>, Refusal> {
    IdempotencyKey::from_header(head.values("idempotency-key")).map_err(malformed_key)
}

fn malformed_key(error: KeyError) -> Refusal {
    Refusal::new(Code::IdempotencyKeyMalformed, error.to_string())
}

#[cfg(test)]
mod tests;
