//! Dashboards: figures within bounds.

use std::sync::Arc;
use std::time::Duration;

use crate::code::Code;
use crate::dashboard::{Counts, Point, Series, SeriesQuery, Span};
use crate::execution::Status;
use crate::id::WorkflowId;
use crate::ports::{Clock, DashboardStore};
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::workflow::Lifecycle;

/// How many parts a series may have.
pub const BUCKETS_MAX: i64 = 1_000;

/// How many points a series may have: parts times workflows that ran in them.
pub const POINTS_MAX: usize = 10_000;

/// How many executions that have ended a series may be made of. Percentiles are exact, so all of
/// them are looked at: a few seconds.
pub const ENDED_MAX: usize = 2_000_000;

/// The span of a series for which none is asked.
const SPAN_DEFAULT: Duration = Duration::from_hours(24);

/// Answers figures.
#[derive(Debug)]
pub struct Dashboards {
    /// Has them.
    pub store: Arc<dyn DashboardStore>,
    /// Says what time it is, where no end of a span is asked for.
    pub clock: Arc<dyn Clock>,
}

/// A series that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct SeriesRequest {
    /// First moment; by default a day before the last.
    pub from: Option<Timestamp>,
    /// Last moment; by default now.
    pub to: Option<Timestamp>,
    /// How long each part is, in whole seconds. Parts begin at multiples of it since 1970.
    pub bucket: Duration,
    /// Of one workflow only.
    pub workflow_id: Option<WorkflowId>,
}

impl Dashboards {
    /// How many workflows there are in each status that occurs, in the order of their life.
    pub async fn workflows(&self) -> Result<Vec<(Lifecycle, u64)>, Refusal> {
        let mut counts = self.store.workflows_by_status().await?;
        let place = |status| Lifecycle::ALL.into_iter().position(|it| it == status);
        counts.sort_by_key(|(status, _)| place(*status));
        Ok(counts)
    }

    /// How many executions were accepted in a span, in one status only if one is asked for.
    ///
    /// # Errors
    ///
    /// [`Code::DashboardFilterInvalid`] if the span ends before it begins.
    pub async fn executions(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        status: Option<Status>,
    ) -> Result<Counts, Refusal> {
        let span = Span { from: from.unwrap_or(Span::EVER.from), to: to.unwrap_or(Span::EVER.to) };
        check_order(span)?;
        let counts = self.store.count_executions(span).await?;
        Ok(status.map_or(counts, |status| counts.only(status)))
    }

    /// Counts and latencies in equal parts of a span, and the span.
    ///
    /// # Errors
    ///
    /// [`Code::DashboardFilterInvalid`] if the span ends before it begins, has more than
    /// [`BUCKETS_MAX`] parts, or holds more than [`ENDED_MAX`] or [`POINTS_MAX`] allow.
    pub async fn series(&self, request: SeriesRequest) -> Result<(Span, Vec<Point>), Refusal> {
        let to = request.to.unwrap_or_else(|| self.clock.now());
        let from = request.from.unwrap_or_else(|| to.minus(SPAN_DEFAULT));
        let span = Span { from, to };
        check_order(span)?;
        let bucket_micros = i64::try_from(request.bucket.as_micros()).unwrap_or(i64::MAX).max(1);
        let excess = from.as_micros().rem_euclid(bucket_micros);
        let query = SeriesQuery {
            span,
            origin: Timestamp::from_micros(from.as_micros().saturating_sub(excess)),
            bucket: request.bucket,
            workflow_id: request.workflow_id,
            ended_max: ENDED_MAX,
            points_max: POINTS_MAX,
        };
        if BUCKETS_MAX <= query.bucket_of(to) {
            let message = format!("is too short for the span: at most {BUCKETS_MAX} fit");
            return Err(wrong("bucket", &format!("bucket {message}"), &message));
        }
        match self.store.series(query).await? {
            Series::Points(points) => Ok((span, points)),
            Series::TooManyExecutions => {
                let message = format!(
                    "the span holds more than {ENDED_MAX} executions that have ended; take a shorter one"
                );
                Err(wrong("startTime", &message, &message))
            }
            Series::TooManyPoints => {
                let message = format!(
                    "there are more than {POINTS_MAX} points; take a longer bucket, or one workflow"
                );
                Err(wrong("bucket", &message, &message))
            }
        }
    }
}

fn check_order(span: Span) -> Result<(), Refusal> {
    if span.from <= span.to {
        return Ok(());
    }
    Err(wrong("startTime", "startTime must be before endTime", "must be before endTime"))
}

/// A filter that is not valid: what is wrong in a sentence that clients look into, and at the
/// parameter.
fn wrong(parameter: &str, sentence: &str, message: &str) -> Refusal {
    Refusal::new(Code::DashboardFilterInvalid, sentence).at(parameter, message)
}

#[cfg(test)]
mod tests;
