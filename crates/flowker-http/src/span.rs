//! The span of a request: what log lines about it have in common, and its place in a trace.

use flowker_core::ports::SpanKind;
use flowker_core::trace::TraceContext;
use http::header::HeaderValue;
use http::request::Parts;
use tracing::field::Empty;
use tracing::{Span, info_span};

use crate::app::App;
use crate::extract;
use crate::metrics::Observed;

/// A span for the request, which is not entered yet, and the trace that whatever comes of the
/// request belongs to: within this span if spans are exported, else as the caller sent it.
pub(crate) fn of_request(
    app: &App,
    parts: &Parts,
    observed: &Observed,
    request_id: &HeaderValue,
) -> (Span, Option<TraceContext>) {
    let (method, route) = (observed.method(), observed.route());
    let span = info_span!(
        "request",
        http.request.method = %parts.method,
        http.route = route,
        http.response.status_code = Empty,
        request.id = request_id.to_str().unwrap_or_default(),
        trace.id = Empty,
        otel.kind = Empty,
        otel.name = Empty,
        otel.status_code = Empty,
    );
    let sent = extract::trace(&parts.headers);
    let kind = SpanKind::Server(format_args!("{method} {route}"));
    let trace = app.tracer.join(&span, sent.as_ref(), kind).or(sent);
    if let Some(trace) = &trace {
        span.record("trace.id", trace.trace_id_text());
    }
    (span, trace)
}

/// Notes how the request was answered.
pub(crate) fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if 500 <= status {
        span.record("otel.status_code", "ERROR");
    }
}
