//! Connectivity tests.

use std::time::Duration;

use flowker_core::id::ProviderConfigId;
use flowker_core::ports::{Probe, Probed};
use flowker_core::service::{self, StageReport, StageStatus, Verdict as ConnectivityVerdict};
use flowker_core::time::Timestamp;

use crate::shape::shapes;

shapes! {
    /// What came of a connectivity test.
    ConnectivityReport {
        /// What was tested.
        provider_config_id "providerConfigId": ProviderConfigId,
        /// Its provider.
        provider_id "providerId": String,
        /// The verdict over all stages.
        overall_status "overallStatus": ConnectivityVerdict,
        /// How long the test took, in milliseconds.
        duration_ms "durationMs": u64,
        /// One after the other. After one that fails the others are skipped.
        stages "stages": Vec<ConnectivityStage>,
        /// The verdict for people.
        summary "summary": &'static str,
        /// When it began.
        started_at "startedAt": Timestamp,
        /// When it ended.
        completed_at "completedAt": Timestamp,
    }

    /// One request of a connectivity test.
    ConnectivityStage {
        /// What it was to find out.
        name "name": Probe,
        /// Whether it did.
        status "status": StageStatus,
        /// How long it took, in milliseconds.
        duration_ms "durationMs": u64,
        /// Why it was skipped.
        message "message": Option<&'static str>,
        /// What was answered.
        details "details": Option<ConnectivityDetails>,
        /// Why it failed.
        error "error": Option<String>,
    }

    /// What a request of a connectivity test was answered. Each stage tells something of its own.
    ConnectivityDetails {
        /// The status of the answer.
        status_code "statusCode": u16,
        /// How long the answer took, in milliseconds.
        response_time_ms "responseTimeMs": u64,
        /// What was asked for. Of `connectivity`.
        url "url": Option<String>,
        /// Whether the configuration has an `api_key`. Of `authentication`.
        has_api_key "hasApiKey": Option<bool>,
        /// How many configured headers were sent. Of `authentication`.
        header_count "headerCount": Option<u64>,
        /// How many bytes of the body were read. Of `end_to_end`.
        response_body_len "responseBodyLen": Option<u64>,
        /// The media type of the answer, or nothing. Of `end_to_end`.
        content_type "contentType": Option<String>,
    }
}

/// The whole report. The tested configuration appears by its ids only.
pub(crate) fn connectivity(report: &service::ConnectivityReport) -> ConnectivityReport {
    let has_api_key = report.config.config.get("api_key").is_some();
    let stages = report.stages.iter().map(|it| stage(it, has_api_key));
    ConnectivityReport {
        provider_config_id: report.config.id,
        provider_id: report.config.provider_id.clone(),
        overall_status: report.verdict,
        duration_ms: millis(report.completed_at.since(report.started_at)),
        stages: stages.collect(),
        summary: report.verdict.summary(),
        started_at: report.started_at,
        completed_at: report.completed_at,
    }
}

fn stage(stage: &StageReport, has_api_key: bool) -> ConnectivityStage {
    let answer = stage.answer.as_ref();
    ConnectivityStage {
        name: stage.probe,
        status: stage.status,
        duration_ms: millis(stage.duration),
        message: stage.message,
        details: answer.map(|answer| details(stage, answer, has_api_key)),
        error: stage.error.clone(),
    }
}

fn details(stage: &StageReport, answer: &Probed, has_api_key: bool) -> ConnectivityDetails {
    let details = ConnectivityDetails {
        status_code: answer.status,
        response_time_ms: millis(stage.duration),
        url: None,
        has_api_key: None,
        header_count: None,
        response_body_len: None,
        content_type: None,
    };
    match stage.probe {
        Probe::Connectivity => ConnectivityDetails { url: Some(answer.url.clone()), ..details },
        Probe::Authentication => ConnectivityDetails {
            has_api_key: Some(has_api_key),
            header_count: Some(answer.n_headers as u64),
            ..details
        },
        Probe::EndToEnd => ConnectivityDetails {
            response_body_len: Some(answer.body_bytes as u64),
            content_type: Some(answer.content_type.clone().unwrap_or_default()),
            ..details
        },
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
