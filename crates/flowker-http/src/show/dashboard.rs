//! Figures.

use flowker_core::dashboard::{Counts, Point, Span};
use flowker_core::id::WorkflowId;
use flowker_core::time::Timestamp;
use flowker_core::workflow::Lifecycle;

use crate::shape::shapes;

shapes! {
    /// How many workflows there are.
    WorkflowsSummary {
        /// In all.
        total "total": u64,
        /// In service.
        active "active": u64,
        /// By status, those that occur.
        by_status "byStatus": Vec<WorkflowsInStatus>,
    }

    /// How many workflows there are in a status.
    WorkflowsInStatus {
        /// The status.
        status "status": Lifecycle,
        /// How many.
        count "count": u64,
    }

    /// How many executions there are.
    ExecutionsSummary {
        /// In all.
        total "total": u64,
        /// Completed.
        completed "completed": u64,
        /// Failed.
        failed "failed": u64,
        /// Ended on request.
        cancelled "cancelled": u64,
        /// Waiting for a replica.
        pending "pending": u64,
        /// Driven by one.
        running "running": u64,
    }

    /// Executions over time.
    Timeseries {
        /// When the span begins.
        start_time "startTime": Timestamp,
        /// When it ends.
        end_time "endTime": Timestamp,
        /// How long each bucket is.
        bucket_seconds "bucketSeconds": u64,
        /// Of each bucket and workflow in which executions were accepted, by time.
        items "items": Vec<TimeseriesPoint>,
    }

    /// The executions of one workflow that were accepted in one bucket.
    TimeseriesPoint: ExecutionsSummary {
        /// When the bucket begins.
        start "start": Timestamp,
        /// Their workflow.
        workflow_id "workflowId": WorkflowId,
        /// How long those took that completed or failed, from acceptance to end.
        latency "latency": Option<TimeseriesLatency>,
    }

    /// Percentiles: the least time in which so many per cent ended. In milliseconds, rounded down.
    TimeseriesLatency {
        /// Half of them.
        p50_ms "p50Ms": u64,
        /// 95 per cent.
        p95_ms "p95Ms": u64,
        /// 99 per cent.
        p99_ms "p99Ms": u64,
    }
}

pub(crate) fn workflows_summary(counts: &[(Lifecycle, u64)]) -> WorkflowsSummary {
    let in_status =
        |(status, count): &(Lifecycle, u64)| WorkflowsInStatus { status: *status, count: *count };
    let active = counts.iter().filter(|(status, _)| *status == Lifecycle::Active);
    WorkflowsSummary {
        total: counts.iter().map(|(_, count)| count).sum(),
        active: active.map(|(_, count)| count).sum(),
        by_status: counts.iter().map(in_status).collect(),
    }
}

pub(crate) fn executions_summary(counts: &Counts) -> ExecutionsSummary {
    let Counts { pending, running, completed, failed, cancelled } = *counts;
    ExecutionsSummary { total: counts.total(), completed, failed, cancelled, pending, running }
}

pub(crate) fn timeseries(span: Span, bucket_seconds: u64, points: &[Point]) -> Timeseries {
    Timeseries {
        start_time: span.from,
        end_time: span.to,
        bucket_seconds,
        items: points.iter().map(point).collect(),
    }
}

fn point(point: &Point) -> TimeseriesPoint {
    let ms = |it: std::time::Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    TimeseriesPoint {
        base: executions_summary(&point.counts),
        start: point.start,
        workflow_id: point.workflow_id,
        latency: point.latency.map(|it| TimeseriesLatency {
            p50_ms: ms(it.p50),
            p95_ms: ms(it.p95),
            p99_ms: ms(it.p99),
        }),
    }
}
