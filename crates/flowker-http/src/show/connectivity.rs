//! Connectivity tests.

use std::time::Duration;

use flowker_core::ports::{Probe, Probed};
use flowker_core::service::{ConnectivityReport, StageReport};
use serde_json::Value;

use super::Shape;

/// The whole report. The tested configuration appears by its ids only.
pub(crate) fn connectivity(report: &ConnectivityReport) -> Value {
    let has_api_key = report.config.config.get("api_key").is_some();
    let stages = report.stages.iter().map(|it| stage(it, has_api_key));
    Shape::new()
        .text("providerConfigId", report.config.id)
        .with("providerId", report.config.provider_id.as_str())
        .with("overallStatus", report.verdict.as_str())
        .with("durationMs", millis(report.completed_at.since(report.started_at)))
        .with("stages", stages.collect::<Vec<_>>())
        .with("summary", report.verdict.summary())
        .text("startedAt", report.started_at)
        .text("completedAt", report.completed_at)
        .done()
}

fn stage(stage: &StageReport, has_api_key: bool) -> Value {
    let answer = stage.answer.as_ref();
    Shape::new()
        .with("name", stage.probe.as_str())
        .with("status", stage.status.as_str())
        .with("durationMs", millis(stage.duration))
        .maybe("message", stage.message)
        .maybe("details", answer.map(|answer| details(stage, answer, has_api_key)))
        .maybe("error", stage.error.as_deref())
        .done()
}

fn details(stage: &StageReport, answer: &Probed, has_api_key: bool) -> Value {
    let shape = Shape::new()
        .with("statusCode", answer.status)
        .with("responseTimeMs", millis(stage.duration));
    match stage.probe {
        Probe::Connectivity => shape.with("url", answer.url.as_str()),
        Probe::Authentication => {
            shape.with("hasApiKey", has_api_key).with("headerCount", answer.n_headers)
        }
        Probe::EndToEnd => shape
            .with("responseBodyLen", answer.body_bytes)
            .with("contentType", answer.content_type.as_deref().unwrap_or_default()),
    }
    .done()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
