//! Figures about many executions at once: how many there are, and how long they took.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::execution::Status;
use crate::id::WorkflowId;
use crate::time::Timestamp;

/// How many executions stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting for a replica.
    pub pending: u64,
    /// Driven by one.
    pub running: u64,
    /// At the end of every branch.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Ended on request.
    pub cancelled: u64,
}

impl Counts {
    /// How many there are in one status.
    pub const fn of(&self, status: Status) -> u64 {
        match status {
            Status::Pending => self.pending,
            Status::Running => self.running,
            Status::Completed => self.completed,
            Status::Failed => self.failed,
            Status::Cancelled => self.cancelled,
        }
    }

    /// Counts some more.
    pub const fn add(&mut self, status: Status, more: u64) {
        let count = match status {
            Status::Pending => &mut self.pending,
            Status::Running => &mut self.running,
            Status::Completed => &mut self.completed,
            Status::Failed => &mut self.failed,
            Status::Cancelled => &mut self.cancelled,
        };
        *count = count.saturating_add(more);
    }

    /// How many there are in all.
    pub fn total(&self) -> u64 {
        Status::ALL.into_iter().map(|status| self.of(status)).sum()
    }

    /// The same, as if there were no others than those in one status.
    #[must_use]
    pub fn only(&self, status: Status) -> Self {
        let mut counts = Self::default();
        counts.add(status, self.of(status));
        counts
    }
}

/// A span of time in which executions were accepted, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// Its last moment.
    pub to: Timestamp,
}

impl Span {
    /// All time.
    pub const EVER: Self =
        Self { from: Timestamp::from_micros(i64::MIN), to: Timestamp::from_micros(i64::MAX) };

    /// Whether a moment is in it.
    pub fn contains(&self, moment: Timestamp) -> bool {
        (self.from..=self.to).contains(&moment)
    }
}

/// Executions in equal parts of a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesQuery {
    /// When they were accepted.
    pub span: Span,
    /// When the first part begins; not after the span.
    pub origin: Timestamp,
    /// How long each part is. Not zero.
    pub bucket: Duration,
    /// Of one workflow only.
    pub workflow_id: Option<WorkflowId>,
    /// How many executions that have ended are looked at before the answer is
    /// [`Series::TooManyExecutions`].
    pub ended_max: usize,
    /// How many points there may be before the answer is [`Series::TooManyPoints`].
    pub points_max: usize,
}

impl SeriesQuery {
    /// The length of a part, in microseconds; at least one.
    pub fn bucket_micros(&self) -> i64 {
        i64::try_from(self.bucket.as_micros()).unwrap_or(i64::MAX).max(1)
    }

    /// Which part a moment is in, from 0.
    pub fn bucket_of(&self, moment: Timestamp) -> i64 {
        moment.as_micros().saturating_sub(self.origin.as_micros()) / self.bucket_micros()
    }

    /// When a part begins.
    pub fn start_of(&self, bucket: i64) -> Timestamp {
        let offset = self.bucket_micros().saturating_mul(bucket);
        Timestamp::from_micros(self.origin.as_micros().saturating_add(offset))
    }
}

/// What was found in the parts of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Series {
    /// Every part and workflow in which executions were accepted, by time and then by workflow.
    Points(Vec<Point>),
    /// More executions would have to be looked at than is allowed.
    TooManyExecutions,
    /// There would be more points than is allowed.
    TooManyPoints,
}

/// The executions of one workflow that were accepted in one part of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When the part begins.
    pub start: Timestamp,
    /// Their workflow.
    pub workflow_id: WorkflowId,
    /// Where they stand now.
    pub counts: Counts,
    /// How long they took, from acceptance to end, if any of them completed or failed.
    pub latency: Option<Latency>,
}

/// How long executions took that completed or failed: the least time in which so many per cent of
/// them ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Half of them.
    pub p50: Duration,
    /// 95 per cent.
    pub p95: Duration,
    /// 99 per cent.
    pub p99: Duration,
}

impl Latency {
    /// The percentiles, in per cent.
    pub const PERCENTS: [usize; 3] = [50, 95, 99];

    /// From the percentiles in microseconds.
    pub fn from_micros([p50, p95, p99]: [i64; 3]) -> Self {
        let duration = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        Self { p50: duration(p50), p95: duration(p95), p99: duration(p99) }
    }

    /// Of these values in microseconds, in any order; `None` of none.
    fn of(micros: &mut [i64]) -> Option<Self> {
        if micros.is_empty() {
            return None;
        }
        micros.sort_unstable();
        Some(Self::from_micros(Self::PERCENTS.map(|percent| {
            // The first whose rank, as a part of all, is not below the percentile: SQL's
            // `percentile_disc`.
            let rank = (micros.len() * percent).div_ceil(100).max(1);
            micros[rank - 1]
        })))
    }
}

/// A series under construction, from executions one by one: for stores that cannot compute it.
#[derive(Debug)]
pub struct SeriesBuilder {
    query: SeriesQuery,
    parts: BTreeMap<(i64, WorkflowId), Part>,
}

#[derive(Debug, Default)]
struct Part {
    counts: Counts,
    latencies_micros: Vec<i64>,
}

impl SeriesBuilder {
    /// A series of nothing so far.
    pub const fn new(query: SeriesQuery) -> Self {
        Self { query, parts: BTreeMap::new() }
    }

    /// Adds an execution of the span: its end if it has one.
    pub fn add(
        &mut self,
        workflow_id: WorkflowId,
        status: Status,
        accepted_at: Timestamp,
        ended_at: Option<Timestamp>,
    ) {
        let part = (self.query.bucket_of(accepted_at), workflow_id);
        let part = self.parts.entry(part).or_default();
        part.counts.add(status, 1);
        if let (Status::Completed | Status::Failed, Some(ended_at)) = (status, ended_at) {
            let micros = ended_at.as_micros().saturating_sub(accepted_at.as_micros());
            part.latencies_micros.push(micros.max(0));
        }
    }

    /// The series of what was added.
    pub fn finish(self) -> Series {
        if self.query.points_max < self.parts.len() {
            return Series::TooManyPoints;
        }
        let points = self.parts.into_iter().map(|((bucket, workflow_id), mut part)| Point {
            start: self.query.start_of(bucket),
            workflow_id,
            counts: part.counts,
            latency: Latency::of(&mut part.latencies_micros),
        });
        Series::Points(points.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let check = |n: i64, expected: Option<[i64; 3]>| {
            let mut micros: Vec<_> = (1..=n).rev().collect();
            assert_eq!(Latency::of(&mut micros), expected.map(Latency::from_micros), "1 to {n}");
        };
        check(0, None);
        check(1, Some([1, 1, 1]));
        check(2, Some([1, 2, 2]));
        check(20, Some([10, 19, 20]));
        check(100, Some([50, 95, 99]));
        check(101, Some([51, 96, 100]));
    }

    #[test]
    fn counts_of_one_status_are_a_part_of_all() {
        let mut counts = Counts::default();
        for (idx, status) in (1..).zip(Status::ALL) {
            counts.add(status, idx);
            assert_eq!(counts.only(status).total(), idx, "{status:?}");
        }
        assert_eq!(counts.total(), 15);
    }
}
