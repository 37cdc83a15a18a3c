//! Where log lines and spans go, and how they look.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use flowker_core::ports::{Tracer, Untraced};
use tokio::runtime::Handle;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Config, LogFormat};
use crate::otlp::Otlp;

/// Our own crates. What libraries tell below a warning is for whoever works on them.
const OURS: &str = "flowker";

/// What was started, to be stopped.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// `None`: traces are exported nowhere.
    otlp: Option<Otlp>,
}

impl Telemetry {
    /// Sends log lines to standard error, and spans to where the configuration says. Called once.
    pub fn start(config: &Config, runtime: &Handle) -> anyhow::Result<Self> {
        let level = config.log_level.0;
        let targets = Targets::new().with_default(level.min(Level::WARN)).with_target(OURS, level);
        // Spans whatever the level is: they tell of which request and which execution a line is.
        let lines_filter = targets.or(filter_fn(is_own_span));
        let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
        let lines = match config.log_format {
            LogFormat::Human => {
                lines.with_ansi(io::stderr().is_terminal()).with_target(false).boxed()
            }
            LogFormat::Json => {
                // The innermost span is among all of them.
                lines.json().flatten_event(true).with_current_span(false).boxed()
            }
        };
        let otlp = config.traces.as_ref().map(|traces| Otlp::start(traces, runtime)).transpose()?;
        let spans = otlp.as_ref().map(|otlp| {
            tracing_opentelemetry::layer()
                .with_tracer(otlp.tracer())
                .with_context_activation(false)
                .with_tracked_inactivity(false)
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_filter(Targets::new().with_target(OURS, Level::INFO))
        });
        tracing_subscriber::registry().with(lines.with_filter(lines_filter)).with(spans).init();
        Ok(Self { otlp })
    }

    /// What puts spans into traces.
    pub fn tracer(&self) -> Arc<dyn Tracer> {
        match &self.otlp {
            Some(otlp) => Arc::new(otlp.clone()),
            None => Arc::new(Untraced),
        }
    }

    /// Exports what is left.
    pub async fn stop(&self) {
        if let Some(otlp) = &self.otlp {
            otlp.stop().await;
        }
    }
}

fn is_own_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with(OURS) && *metadata.level() <= Level::INFO
}
