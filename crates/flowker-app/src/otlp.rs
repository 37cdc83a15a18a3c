//! Traces for an OpenTelemetry collector: OTLP over HTTP, in batches, on a thread of its own.
//!
//! Nothing waits for the collector. One that is slow or away costs spans and nothing else: what does
//! not fit into the queue is dropped.

use std::collections::HashMap;
use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use flowker_core::net::OutboundPolicy;
use flowker_core::ports::{SpanKind, SuccessCodes, Tracer};
use flowker_core::trace::TraceContext;
use flowker_providers::{ClientLimits, Deadline, HttpClient, Outgoing, native_roots};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tracing::field::display;
use tracing::{Span, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use url::Url;

use crate::config::Traces;

/// How long the collector may take for one batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last batch may take when the process stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The largest answer of a collector that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What exports spans. Cheap to clone.
#[derive(Clone)]
pub struct Otlp {
    provider: SdkTracerProvider,
    /// Under which name spans are made.
    library: String,
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otlp").finish_non_exhaustive()
    }
}

impl Otlp {
    /// Begins to export. Calls of the collector run on `runtime`.
    pub fn start(traces: &Traces, runtime: &Handle) -> anyhow::Result<Self> {
        let headers = traces.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(runtime.clone()))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(traces_url(&traces.endpoint))
            .with_timeout(EXPORT_TIMEOUT)
            .with_headers(headers.collect::<HashMap<_, _>>())
            .build()
            .context("traces cannot be exported")?;
        let attributes = traces.resource.iter();
        let attributes = attributes.map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(traces.sampler.clone())
            .with_resource(Resource::builder_empty().with_attributes(attributes).build())
            .build();
        Ok(Self { provider, library: traces.library.clone() })
    }

    /// What makes spans.
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer(self.library.clone())
    }

    /// Exports what is left, and nothing more.
    pub async fn stop(&self) {
        let provider = self.provider.clone();
        let stopping = spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIMEOUT));
        if let Ok(Err(error)) = stopping.await {
            warn!(%error, "the last spans were not exported");
        }
    }
}

/// Where a collector takes traces (OTLP/HTTP): below what it is configured with.
fn traces_url(endpoint: &Url) -> String {
    format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'))
}

impl Tracer for Otlp {
    fn join(
        &self,
        span: &Span,
        parent: Option<&TraceContext>,
        kind: SpanKind<'_>,
    ) -> Option<TraceContext> {
        // Before its context is asked for: that is when the span is made.
        let kind = match kind {
            SpanKind::Server(name) => {
                span.record("otel.name", display(name));
                "server"
            }
            SpanKind::Internal => "internal",
            SpanKind::Client => "client",
        };
        span.record("otel.kind", kind);
        if let Some(parent) = parent {
            // Fails for a span that nobody is told of, which then has no context either.
            let _ = span.set_parent(Context::new().with_remote_span_context(remote(parent)));
        }
        local(span.context().span().span_context())
    }
}

fn remote(context: &TraceContext) -> SpanContext {
    let state = context.tracestate().and_then(|it| it.parse::<TraceState>().ok());
    SpanContext::new(
        TraceId::from_bytes(context.trace_id().get().to_be_bytes()),
        SpanId::from_bytes(context.span_id().get().to_be_bytes()),
        TraceFlags::new(context.flags()),
        true,
        state.unwrap_or_default(),
    )
}

/// `None` for the context of no span.
fn local(context: &SpanContext) -> Option<TraceContext> {
    let trace_id = NonZeroU128::new(u128::from_be_bytes(context.trace_id().to_bytes()))?;
    let span_id = NonZeroU64::new(u64::from_be_bytes(context.span_id().to_bytes()))?;
    let (flags, state) = (context.trace_flags().to_u8(), context.trace_state().header());
    Some(TraceContext::new(trace_id, span_id, flags, &state))
}

/// The client of the collector. Batches are made on a thread without a runtime.
#[derive(Debug)]
struct Collector {
    client: Arc<HttpClient>,
    runtime: Handle,
}

impl Collector {
    fn new(runtime: Handle) -> Self {
        // Where it is, the operator says; workflows have no say in it.
        let policy = OutboundPolicy { allow_private: true, ..OutboundPolicy::default() };
        let limits =
            ClientLimits { response_bytes_max: ANSWER_BYTES_MAX, ..ClientLimits::default() };
        let (roots, _) = native_roots();
        Self { client: Arc::new(HttpClient::new(policy, limits, roots)), runtime }
    }
}

#[async_trait]
impl opentelemetry_http::HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let outgoing = Outgoing {
            method: head.method,
            url: head.uri.to_string().parse()?,
            headers: head.headers,
            body: Some(body),
            follows_redirects: false,
            success: SuccessCodes::Any2xx,
            deadline: Deadline::after(EXPORT_TIMEOUT),
        };
        let client = Arc::clone(&self.client);
        // Whoever asked waits for it.
        let answer = self.runtime.spawn(async move { client.send(outgoing).await }).await??;
        let mut response = Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_below_the_endpoint() {
        let check = |endpoint: &str, expected: &str| {
            assert_eq!(traces_url(&endpoint.parse().expect("a URL")), expected);
        };
        check("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces");
        check("https://otel.test/tenant/", "https://otel.test/tenant/v1/traces");
    }

    #[test]
    fn a_context_survives_the_way_through_opentelemetry() {
        for text in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 a=1,b=x y",
            "00-00000000000000000000000000000001-0000000000000001-00",
        ] {
            let context = TraceContext::from_stored(text).expect("a context");
            assert_eq!(local(&remote(&context)), Some(context), "{text}");
        }
        assert_eq!(local(&SpanContext::empty_context()), None);
    }
}
