//! Dashboards: figures about many executions at once.

use std::time::Duration;

use flowker_core::code::Code;
use flowker_core::execution::Status;
use flowker_core::id::WorkflowId;
use flowker_core::refusal::Refusal;
use flowker_core::service::SeriesRequest;
use flowker_core::time::Timestamp;

use super::{Call, Reply};
use crate::error::Failure;
use crate::extract::{self, Query};
use crate::show;

/// The longest bucket, in seconds: 31 days.
const BUCKET_SECONDS_MAX: u64 = 31 * 24 * 3600;

const BUCKET_SECONDS_DEFAULT: u64 = 3600;

pub(super) async fn workflows(call: &Call) -> Result<Reply, Failure> {
    let counts = call.app().dashboards.workflows().await?;
    Ok(Reply::ok(show::workflows_summary(&counts)))
}

pub(super) async fn executions(call: &Call) -> Result<Reply, Failure> {
    let query = call.query();
    let (from, to) = (moment(&query, "startTime")?, moment(&query, "endTime")?);
    let status = query.get("status").map(|text| {
        let words = Status::ALL.map(Status::as_str).join(", ");
        let message = format!("invalid status: must be one of {words}");
        Status::parse(text).ok_or_else(|| wrong("status", message))
    });
    let counts = call.app().dashboards.executions(from, to, status.transpose()?).await?;
    Ok(Reply::ok(show::executions_summary(&counts)))
}

pub(super) async fn timeseries(call: &Call) -> Result<Reply, Failure> {
    let query = call.query();
    let bucket_seconds = match query.get("bucket") {
        None => BUCKET_SECONDS_DEFAULT,
        Some(text) => bucket_seconds(text).ok_or_else(|| {
            wrong("bucket", "bucket must be whole seconds, minutes, hours or days from 1s to 31d")
        })?,
    };
    let workflow_id = query.get("workflowId").map(|text| extract::id(text, WorkflowId::parse));
    let request = SeriesRequest {
        from: moment(&query, "startTime")?,
        to: moment(&query, "endTime")?,
        bucket: Duration::from_secs(bucket_seconds),
        workflow_id: workflow_id.transpose()?,
    };
    let (span, points) = call.app().dashboards.series(request).await?;
    Ok(Reply::ok(show::timeseries(span, bucket_seconds, &points)))
}

/// A moment, if the parameter is there.
fn moment(query: &Query, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let message = || format!("{name} must be a time such as 2026-01-31T12:00:00Z");
    Timestamp::parse(text).map(Some).ok_or_else(|| wrong(name, message()))
}

/// `90s`, `5m`, `1h` or `7d` in seconds.
fn bucket_seconds(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<u64>().ok()?.checked_mul(seconds)?;
    (1..=BUCKET_SECONDS_MAX).contains(&seconds).then_some(seconds)
}

/// A filter that is not valid. The message is told as it is: clients look for its words.
fn wrong(parameter: &str, message: impl Into<String>) -> Refusal {
    let message = message.into();
    Refusal::new(Code::DashboardFilterInvalid, &*message).at(parameter, &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_whole_and_bounded() {
        let check = |text, expected| assert_eq!(bucket_seconds(text), expected, "{text:?}");
        check("1s", Some(1));
        check("5m", Some(300));
        check("024h", Some(86_400));
        check("31d", Some(BUCKET_SECONDS_MAX));
        for text in ["", "s", "0s", "32d", "1", "+1s", "1.5h", "-1s", "1 s", "1H", "5é"] {
            check(text, None);
        }
        check("99999999999999999999d", None);
    }
}
