//! What the door measures.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, PoisonError, RwLock};

use flowker_core::code::Code;
use flowker_core::metric::{Kind, Label, Metric, SECONDS, Unit};
use flowker_core::refusal::Refusal;
use flowker_core::signature::SignatureError;
use http::request::Parts;
use http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::time::Instant;

use crate::error::Failure;
use crate::handle::Reply;
use crate::route::{self, Endpoint};

const DURATION: &str = "http_server_request_duration_seconds";
const ACTIVE: &str = "http_server_active_requests";
const ACCEPTANCES: &str = "flowker_acceptances_total";
const CONNECTIONS: &str = "flowker_connections";
const CONNECTIONS_REFUSED: &str = "flowker_connections_refused_total";
const CONNECTIONS_TIMED_OUT: &str = "flowker_connections_timed_out_total";
const SIGNATURES_REFUSED: &str = "flowker_signatures_refused_total";

/// Everything that the door measures.
pub const METRICS: &[Metric] = &[
    Metric {
        name: DURATION,
        kind: Kind::Histogram(SECONDS),
        unit: Unit::Seconds,
        labels: &[
            Label {
                name: "http_request_method",
                values: "the methods of RFC 9110 and PATCH; `_OTHER` for any other",
            },
            Label {
                name: "http_route",
                values: "the template of a route, such as `/v1/workflows/{id}`; `none` if no route \
                         was found",
            },
            Label { name: "http_response_status_code", values: "the statuses that we answer" },
        ],
        help: "How long requests took, from their head to their answer. A wait that the caller \
               preferred is part of it.",
    },
    Metric {
        name: ACTIVE,
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Requests that have arrived and are not answered yet.",
    },
    Metric {
        name: ACCEPTANCES,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[
            Label {
                name: "answer",
                values: "`accepted`, `replayed`, `key_reused`, `route_gone`, `refused`",
            },
            Label { name: "code", values: "the code of the error, empty if there was none" },
        ],
        help: "What requests were answered that were to start an execution: webhooks, executions \
               by hand, repetitions.",
    },
    Metric {
        name: CONNECTIONS,
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Inbound connections that are open.",
    },
    Metric {
        name: CONNECTIONS_REFUSED,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[],
        help: "Inbound connections that were closed at once, since their address had too many.",
    },
    Metric {
        name: CONNECTIONS_TIMED_OUT,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[Label { name: "phase", values: "`idle`, `head`, `write`" }],
        help: "Inbound connections that were closed because the peer took too long: nothing came, a \
               head did not become whole, or an answer was not taken.",
    },
    Metric {
        name: SIGNATURES_REFUSED,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[Label {
            name: "reason",
            values: "`header_missing`, `header_repeated`, `header_too_long`, `header_malformed`, \
                     `no_candidate`, `too_many_candidates`, `signature_malformed`, \
                     `timestamp_malformed`, `timestamp_out_of_tolerance`, `id_malformed`, \
                     `mismatch`",
        }],
        help: "Webhooks that were refused for their signature. Their senders are not told why.",
    },
];

/// What tells requests apart. All three are closed sets.
type Series = (&'static str, &'static str, u16);

/// The handles of what is measured. Made once: a request looks up one of them, and makes it only
/// if it is the first of its kind.
#[derive(Debug)]
pub(crate) struct Metrics {
    active: Gauge,
    durations: RwLock<HashMap<Series, Histogram>>,
    accepted: Counter,
    replayed: Counter,
    refused: HashMap<Code, Counter>,
    connections: Gauge,
    connections_refused: Counter,
    timed_out: [Counter; Phase::ALL.len()],
    signatures_refused: [(&'static str, Counter); SignatureError::REASONS.len()],
}

/// What a connection was at when its peer took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between requests, or before the first.
    Idle,
    /// Within the head of a request.
    Head,
    /// Within an answer.
    Write,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Idle, Self::Head, Self::Write];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Head => "head",
            Self::Write => "write",
        }
    }
}

impl Metrics {
    /// Registers with the recorder of this process.
    pub(crate) fn new() -> Arc<Self> {
        let acceptances = |answer: &'static str, code: &'static str| counter!(ACCEPTANCES, "answer" => answer, "code" => code);
        let refused = Code::ALL.iter().filter(|code| may_refuse(**code));
        Arc::new(Self {
            active: gauge!(ACTIVE),
            durations: RwLock::default(),
            accepted: acceptances("accepted", ""),
            replayed: acceptances("replayed", ""),
            refused: refused
                .map(|code| (*code, acceptances(answer_of(*code), code.as_str())))
                .collect(),
            connections: gauge!(CONNECTIONS),
            connections_refused: counter!(CONNECTIONS_REFUSED),
            timed_out: Phase::ALL
                .map(|phase| counter!(CONNECTIONS_TIMED_OUT, "phase" => phase.as_str())),
            signatures_refused: SignatureError::REASONS
                .map(|reason| (reason, counter!(SIGNATURES_REFUSED, "reason" => reason))),
        })
    }

    /// Counts a connection for as long as the answer lives.
    pub(crate) fn connection(self: &Arc<Self>) -> OpenConnection {
        self.connections.increment(1);
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.increment(1);
    }

    pub(crate) fn timed_out(&self, phase: Phase) {
        self.timed_out[phase as usize].increment(1);
    }

    /// Counts an execution that was begun, now or by an earlier request with the same key.
    pub(crate) fn begun(&self, is_replayed: bool) {
        if is_replayed { &self.replayed } else { &self.accepted }.increment(1);
    }

    fn refused(&self, refusal: &Refusal) {
        if let Some(counter) = self.refused.get(&refusal.code) {
            counter.increment(1);
        }
        let Some(error) = refusal.source().and_then(|it| it.downcast_ref::<SignatureError>())
        else {
            return;
        };
        for (reason, counter) in &self.signatures_refused {
            if *reason == error.reason() {
                counter.increment(1);
            }
        }
    }

    fn duration(&self, series: Series) -> Histogram {
        let known = self.durations.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(histogram) = known.get(&series) {
            return histogram.clone();
        }
        drop(known);
        let (method, route, status) = series;
        let histogram = histogram!(
            DURATION,
            "http_request_method" => method,
            "http_route" => route,
            "http_response_status_code" => status.to_string(),
        );
        let mut durations = self.durations.write().unwrap_or_else(PoisonError::into_inner);
        durations.entry(series).or_insert(histogram).clone()
    }
}

/// Whether a request that is to start an execution can be answered with this code. The others
/// would only be series that never move.
fn may_refuse(code: Code) -> bool {
    let text = code.as_str();
    ["FLK-0001", "FLK-0002", "FLK-0100", "FLK-0350", "FLK-9999", "UNAUTHORIZED"].contains(&text)
        || ["FLK-036", "FLK-05", "FLK-09"].iter().any(|start| text.starts_with(start))
}

const fn answer_of(code: Code) -> &'static str {
    match code {
        Code::IdempotencyKeyReused => "key_reused",
        Code::RouteNotFound => "route_gone",
        _ => "refused",
    }
}

/// A connection that is counted.
pub(crate) struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.decrement(1);
    }
}

/// A request, from its arrival to its answer.
pub(crate) struct Observed {
    metrics: Arc<Metrics>,
    began: Instant,
    method: &'static str,
    /// Found out by itself: a request may be refused before its route is looked up.
    endpoint: Option<Endpoint>,
}

impl Observed {
    pub(crate) fn arrived(metrics: &Arc<Metrics>, parts: &Parts) -> Self {
        metrics.active.increment(1);
        let found = route::resolve(&parts.method, parts.uri.path());
        Self {
            metrics: Arc::clone(metrics),
            began: Instant::now(),
            method: method(&parts.method),
            endpoint: found.ok().map(|found| found.endpoint),
        }
    }

    /// The method, `_OTHER` if it is none that is known.
    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    /// The route's template, `none` if there is none.
    pub(crate) fn route(&self) -> &'static str {
        self.endpoint.map_or("none", Endpoint::template)
    }

    /// Notes the answer, and says which status it has.
    pub(crate) fn answered(&self, result: &Result<Reply, Failure>) -> StatusCode {
        let status = result.as_ref().map_or_else(Failure::status, |reply| reply.status);
        let duration =
            self.metrics.duration((self.method, self.route(), StatusCode::as_u16(&status)));
        duration.record(self.began.elapsed());
        if let (Err(Failure::Refused { refusal, .. }), Some(endpoint)) = (result, self.endpoint)
            && endpoint.starts_execution()
        {
            self.metrics.refused(refusal);
        }
        status
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.metrics.active.decrement(1);
    }
}

/// A method as a label: any token can be one, and what a caller makes up is none.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| method == known).unwrap_or("_OTHER")
}
