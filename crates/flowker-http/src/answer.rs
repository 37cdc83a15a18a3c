//! From a request to its answer: the whole pipeline, top to bottom.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use flowker_core::actor::Actor;
use flowker_core::code::Code;
use flowker_core::json;
use flowker_core::refusal::Refusal;
use flowker_core::trace::TraceContext;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::access::{Caller, Presented};
use crate::app::App;
use crate::body;
use crate::denials::Denials;
use crate::error::{Failure, Transport};
use crate::extract;
use crate::faults;
use crate::forwarded::remote_ip;
use crate::handle::{self, Call, Content, NDJSON, Reply, body_limit};
use crate::hygiene;
use crate::limits::Limits;
use crate::metrics::{Metrics, Observed};
use crate::problem;
use crate::route::{self, Found};
use crate::shutdown::Shutdown;
use crate::span;
use crate::stream::Lines;

/// How soon a caller may come back that found no room, in seconds.
const RETRY_SOON: std::time::Duration = std::time::Duration::from_secs(1);

/// How many exports are sent at the same time. Each holds a few pages in memory.
const EXPORTS_MAX: usize = 4;

/// What is sent to a caller.
pub(crate) type Body = Either<Full<Bytes>, Lines>;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Door {
    pub app: App,
    pub limits: Limits,
    pub shutdown: Shutdown,
    /// When the server was started.
    pub started: Instant,
    /// Room for requests that are worked on.
    slots: Arc<Semaphore>,
    /// Room for exports that are sent.
    pub exports: Arc<Semaphore>,
    /// Who is turned away, as far as that is written down.
    pub denials: Denials,
    /// The requests that are worked on.
    pub requests: TaskTracker,
    pub metrics: Arc<Metrics>,
}

impl Door {
    pub(crate) fn new(app: App, limits: Limits, shutdown: Shutdown) -> Self {
        let slots = Arc::new(Semaphore::new(limits.requests_max.min(Semaphore::MAX_PERMITS)));
        let (started, requests) = (Instant::now(), TaskTracker::new());
        let (exports, denials) = (Arc::new(Semaphore::new(EXPORTS_MAX)), Denials::new());
        let metrics = Metrics::new();
        Self { app, limits, shutdown, started, slots, exports, denials, requests, metrics }
    }

    fn take_slot(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let refused = |message: &str| {
            Failure::from(Refusal::new(Code::Overloaded, message).retry_after(RETRY_SOON))
        };
        if self.shutdown.is_stopping() {
            return Err(refused(
                "The service is stopping. Repeat the request elsewhere, or later.",
            ));
        }
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        slot.map_err(|_| {
            refused("More requests are in work than the service takes. Repeat it later.")
        })
    }
}

/// Answers one request. Never fails: every failure has an answer.
pub(crate) async fn answer(
    door: Arc<Door>,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let ip = remote_ip(peer, &parts.headers, &door.limits.trusted_proxies);
    let mut caller = Caller::anonymous(ip).actor;
    let asked = (parts.method.clone(), route::template(parts.uri.path()));
    let request_id = extract::request_id(&parts.headers);
    let observed = Observed::arrived(&door.metrics, &parts);
    let as_problem = problem::is_wanted(&parts.headers);
    let (version, is_head) = (parts.version, parts.method == Method::HEAD);
    let origin = parts.headers.get(header::ORIGIN).cloned();
    // Whether its body still comes after a refusal is up to the caller: what follows on the
    // connection could be either.
    let awaits_continue = parts.headers.contains_key(header::EXPECT);
    let (span, trace) = span::of_request(&door.app, &parts, &observed, &request_id);
    let carried_out = carry_out(Arc::clone(&door), &mut caller, parts, body, &request_id, trace);
    let result = carried_out.instrument(span.clone()).await;
    let status = observed.answered(&result);
    span::answered(&span, status.as_u16());
    let mut response = match result {
        Ok(reply) => response(reply),
        Err(failure) => {
            span.in_scope(|| log(&failure));
            if matches!(failure.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                door.denials.note(&door, (&asked.0, asked.1), failure.code(), caller);
            }
            let mut response =
                problem::response(&failure, &request_id, as_problem).map(Either::Left);
            if (awaits_continue || failure.ends_connection()) && version < Version::HTTP_2 {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            response
        }
    };
    response.headers_mut().insert(extract::REQUEST_ID, request_id);
    door.app.cors.mark(origin.as_ref(), response.headers_mut());
    if is_head { without_body(response) } else { response }
}

async fn carry_out(
    door: Arc<Door>,
    caller: &mut Actor,
    parts: Parts,
    body: Incoming,
    request_id: &HeaderValue,
    trace: Option<TraceContext>,
) -> Result<Reply, Failure> {
    hygiene::check(&parts)?;
    if parts.method == Method::CONNECT {
        return Err(Transport::MethodNotAllowed { allow: route::ANY_METHOD.to_owned() }.into());
    }
    if let Some(reply) = door.app.cors.preflight(&parts) {
        return Ok(reply);
    }
    let path = parts.uri.path();
    if path == "*" {
        return Ok(all_methods());
    }
    if door.app.injects_faults {
        faults::inject(&parts.headers).await?;
    }
    // Shed before any work: a refusal must be cheaper than an answer.
    let slot = route::is_guarded(path).then(|| door.take_slot()).transpose()?;
    let found = admit(&door, &parts, caller).await?;
    // Before the body is polled, so that no `100 Continue` invites what is refused anyway.
    let (limit, too_large) = body_limit(found.endpoint);
    if (limit as u64) < body::declared_length(&body) {
        return Err(match too_large {
            Some(code) => Refusal::plain(code).into(),
            None => Transport::BodyTooLarge { limit }.into(),
        });
    }
    let call = Call {
        remote_ip: caller.ip,
        actor: caller.clone(),
        door: Arc::clone(&door),
        parts,
        body,
        argument: found.argument,
        request_id: request_id.clone(),
        trace,
    };
    // hyper drops this future when the caller hangs up, and that must not stop halfway what may
    // change the store: the work runs on its own, and shutdown waits for it.
    let cutting = door.shutdown.cutting().clone();
    let work = async move {
        let _slot = slot;
        cutting.run_until_cancelled_owned(handle::dispatch(found.endpoint, call)).await
    };
    match door.requests.spawn(work.in_current_span()).await {
        Ok(Some(result)) => result,
        Ok(None) => Err(Refusal::plain(Code::Overloaded).into()),
        Err(panicked) => Err(Refusal::plain(Code::Internal).caused_by(panicked).into()),
    }
}

/// Finds out who calls, where the request leads, and whether the caller may go there. Every 401 and
/// 403 of the door itself is decided here; a webhook's own token and signature are the route's.
/// `actor` becomes the caller as soon as it is known, so that also a refusal names it.
async fn admit(door: &Door, parts: &Parts, actor: &mut Actor) -> Result<Found, Failure> {
    let (path, access) = (parts.uri.path(), &door.app.access);
    if !route::needs_key(path) {
        return Ok(route::resolve(&parts.method, path)?);
    }
    // Before the route is looked up, so that strangers do not learn which there are.
    let (is_webhook, now, ip) = (route::is_webhook(path), door.app.clock.now(), actor.ip);
    let caller =
        access.identify(Presented { headers: &parts.headers, is_webhook, ip, now }).await?;
    let found = route::resolve(&parts.method, path)?;
    let permitted = access.permit(&caller, &parts.method, found.endpoint).await;
    // A token that the manager does not accept proves nothing, whatever name stands in it.
    if permitted.as_ref().map_err(Failure::status) != Err(StatusCode::UNAUTHORIZED) {
        *actor = caller.actor;
    }
    permitted.map(|()| found)
}

/// The answer to `OPTIONS *`.
fn all_methods() -> Reply {
    let mut reply = Reply::no_content();
    reply.headers.push((header::ALLOW, HeaderValue::from_static(route::ANY_METHOD)));
    reply
}

fn response(reply: Reply) -> Response<Body> {
    let (media_type, body) = match reply.body {
        Some(Content::Json(body)) => (Some("application/json"), whole(json::to_bytes(&body))),
        Some(Content::Text { media_type, text }) => (Some(media_type), whole(text)),
        Some(Content::Lines(lines)) => (Some(NDJSON), Either::Right(lines)),
        None => (None, whole(Bytes::new())),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    if let Some(media_type) = media_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    headers.extend(reply.headers);
    response
}

/// A body that is sent at once.
fn whole(body: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(body.into()))
}

/// The same head, and the length that the body would have.
fn without_body(response: Response<Body>) -> Response<Body> {
    use hyper::body::Body as _;
    let (mut parts, body) = response.into_parts();
    if let Some(length) =
        body.size_hint().exact().filter(|_| parts.status != StatusCode::NO_CONTENT)
    {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, whole(Bytes::new()))
}

/// Logs a failure, once: nobody else does.
fn log(failure: &Failure) {
    let status = failure.status().as_u16();
    let error = Chain(failure.as_error());
    match failure {
        Failure::Refused { refusal, .. } if refusal.code == Code::Overloaded => {
            tracing::warn!(http.response.status_code = status, %error, "request shed");
        }
        Failure::Refused { .. } | Failure::Denied(_) if 500 <= status => {
            tracing::error!(http.response.status_code = status, %error, "request failed");
        }
        _ => tracing::debug!(http.response.status_code = status, %error, "request refused"),
    }
}

/// An error and its causes, in one line.
struct Chain<'a>(&'a dyn StdError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
