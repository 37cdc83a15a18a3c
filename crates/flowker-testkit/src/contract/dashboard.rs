//! What every [`DashboardStore`](flowker_core::ports::DashboardStore) promises.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowker_core::dashboard::{Counts, Latency, Point, Series, SeriesBuilder, SeriesQuery, Span};
use flowker_core::execution::{Execution, Failure, FailureCode, Fence, Outcome, Summary};
use flowker_core::ports::NewExecution;
use flowker_core::workflow::Lifecycle;

use super::execution::list::{everything, many};
use super::{active_workflow, deactivate, draft};
use crate::sample;
use crate::subject::Subject;

/// Workflows are counted in each status that occurs, and in no other.
pub async fn workflows_are_counted_by_status(subject: Subject) {
    let counted = async || {
        let counts = subject.stores.dashboards.workflows_by_status().await.expect("count");
        let by_name: BTreeMap<_, _> =
            counts.iter().map(|(status, n)| (status.as_str(), *n)).collect();
        assert_eq!(by_name.len(), counts.len(), "each status comes once");
        by_name
    };
    assert_eq!(counted().await, BTreeMap::new());
    let _ = draft(&subject, 1).await;
    let _ = draft(&subject, 2).await;
    let active = active_workflow(&subject, 3).await;
    assert_eq!(counted().await, BTreeMap::from([("active", 1), ("draft", 2)]));
    let inactive = deactivate(&subject, &active).await;
    assert_eq!(inactive.status, Lifecycle::Inactive);
    assert_eq!(counted().await, BTreeMap::from([("draft", 2), ("inactive", 1)]));
}

async fn listed(subject: &Subject) -> Vec<Summary> {
    subject.stores.executions.list(everything()).await.expect("list").items
}

/// Every execution of a span is counted once, where it stands.
pub async fn every_execution_is_counted_once(subject: Subject) {
    let dashboards = &subject.stores.dashboards;
    assert_eq!(dashboards.count_executions(Span::EVER).await.expect("count"), Counts::default());
    many(&subject).await;
    let all = listed(&subject).await;
    let moments = (0..8).map(sample::moment);
    let spans = moments.clone().flat_map(|from| moments.clone().map(move |to| Span { from, to }));
    for span in spans.chain([Span::EVER]) {
        let mut expected = Counts::default();
        for it in all.iter().filter(|it| span.contains(it.started_at)) {
            expected.add(it.status, 1);
        }
        let counts = dashboards.count_executions(span).await.expect("count");
        assert_eq!(counts, expected, "{span:?}");
    }
}

fn query(span: Span, bucket_ms: u64) -> SeriesQuery {
    SeriesQuery {
        span,
        origin: span.from,
        bucket: Duration::from_millis(bucket_ms),
        workflow_id: None,
        ended_max: 100,
        points_max: 100,
    }
}

async fn series(subject: &Subject, query: SeriesQuery) -> Series {
    subject.stores.dashboards.series(query).await.expect("series")
}

/// A series that is made of executions as they are listed.
fn expected(all: &[Summary], query: SeriesQuery) -> Series {
    let mut builder = SeriesBuilder::new(query);
    let matching = all.iter().filter(|it| {
        query.span.contains(it.started_at)
            && query.workflow_id.is_none_or(|id| id == it.workflow_id)
    });
    for it in matching {
        builder.add(it.workflow_id, it.status, it.started_at, it.completed_at);
    }
    builder.finish()
}

/// Counts and percentiles of each part are those of its executions, also where they are counted by
/// hand.
pub async fn a_series_has_the_figures_of_its_executions(subject: Subject) {
    many(&subject).await;
    let executions = &subject.stores.executions;
    // Another week, so that a store that cuts time into pieces has several.
    let later = |n: u64| sample::moment(8 * 24 * 3_600_000 + n);
    for n in 1..=20 {
        let accepted_at = later(n);
        let execution = Execution { accepted_at, ..sample::execution(100 + n) };
        let (execution, owner) = (Arc::new(execution), Some(sample::replica(1)));
        let new = NewExecution { execution, owner, ..sample::new_execution(100 + n) };
        let id = super::execution::accept(&subject, new).await;
        let took = |ms| accepted_at.plus(Duration::from_micros(1_000 * ms + 7));
        let end = match n {
            20 => {
                executions.cancel(id, took(9_999), &sample::actor()).await.expect("cancel");
                continue;
            }
            19 => Outcome::Failed(Failure::new(FailureCode::TimedOut, "too long")),
            _ => Outcome::Completed { output: sample::object("{}") },
        };
        let end = super::execution::ending(id, Fence::FIRST, end, took(n));
        executions.append(end).await.expect("append");
    }
    let micros = |ms: i64| ms * 1_000 + 7;
    let whole = query(Span { from: later(0), to: later(20) }, 60_000);
    let point = Point {
        start: later(0),
        workflow_id: sample::execution(101).workflow_id,
        counts: Counts { completed: 18, failed: 1, cancelled: 1, ..Counts::default() },
        latency: Some(Latency::from_micros([micros(10), micros(19), micros(19)])),
    };
    assert_eq!(series(&subject, whole).await, Series::Points(vec![point]));
    let all = listed(&subject).await;
    for (from, to) in [(0, 7), (1, 4), (3, 3), (5, 2)] {
        let span = Span { from: sample::moment(from), to: sample::moment(to) };
        for bucket_ms in [1, 2, 3, 1_000] {
            let query = query(span, bucket_ms);
            assert_eq!(series(&subject, query).await, expected(&all, query), "{query:?}");
        }
    }
    let query = query(Span { from: sample::moment(0), to: later(20) }, 24 * 3_600_000);
    assert_eq!(series(&subject, query).await, expected(&all, query));
}

/// A series of one workflow has the same points for it as one of all.
pub async fn a_series_of_one_workflow_has_no_others(subject: Subject) {
    many(&subject).await;
    let all = listed(&subject).await;
    let span = Span { from: sample::moment(0), to: sample::moment(9) };
    for n in 0..4 {
        let query = SeriesQuery { workflow_id: Some(sample::workflow_id(n)), ..query(span, 2) };
        let found = series(&subject, query).await;
        assert_eq!(found, expected(&all, query), "{query:?}");
        let is_empty = found == Series::Points(Vec::new());
        assert_eq!(is_empty, n == 3, "three workflows ran: {query:?}");
    }
}

/// What would look at, or answer, more than is allowed is refused, and what just fits is not.
pub async fn a_series_that_asks_for_too_much_is_refused(subject: Subject) {
    many(&subject).await;
    let all = listed(&subject).await;
    let span = Span { from: sample::moment(0), to: sample::moment(9) };
    let one_workflow = Some(sample::workflow_id(1));
    for workflow_id in [None, one_workflow] {
        let fitting = SeriesQuery { workflow_id, ..query(span, 1) };
        let Series::Points(points) = expected(&all, fitting) else { panic!("it fits") };
        let of_series = |it: &&Summary| workflow_id.is_none_or(|id| id == it.workflow_id);
        let n_ended = all.iter().filter(of_series).filter(|it| it.status.is_terminal()).count();
        let query = SeriesQuery { ended_max: n_ended, points_max: points.len(), ..fitting };
        assert_eq!(series(&subject, query).await, Series::Points(points));
        let fewer_ended = SeriesQuery { ended_max: n_ended - 1, ..query };
        assert_eq!(series(&subject, fewer_ended).await, Series::TooManyExecutions);
        let fewer_points = SeriesQuery { points_max: query.points_max - 1, ..query };
        assert_eq!(series(&subject, fewer_points).await, Series::TooManyPoints);
    }
}
