use super::*;
use crate::ports::{MockClock, MockDashboardStore};
use crate::service::testing::block_on;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_123_000);

fn dashboards(answer: Series) -> Dashboards {
    let mut store = MockDashboardStore::new();
    store.expect_series().returning(move |_| Ok(answer.clone()));
    store.expect_count_executions().returning(|_| {
        Ok(Counts { pending: 1, running: 2, completed: 3, failed: 4, cancelled: 5 })
    });
    let mut clock = MockClock::new();
    clock.expect_now().return_const(NOW);
    Dashboards { store: Arc::new(store), clock: Arc::new(clock) }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// Asks for a series; `expected` is the length of its span in seconds, or a part of the refusal.
fn check(found: Series, (from, to, bucket): (Option<i64>, Option<i64>, u64), expected: &str) {
    let bucket = Duration::from_secs(bucket);
    let (from, to) = (from.map(at), to.map(at));
    let request = SeriesRequest { from, to, bucket, workflow_id: None };
    let shown = match block_on(dashboards(found).series(request)) {
        Ok((span, _)) => span.to.since(span.from).as_secs().to_string(),
        Err(refusal) => {
            assert_eq!(refusal.code, Code::DashboardFilterInvalid);
            assert!(!refusal.faults.is_empty(), "the parameter is named");
            refusal.message
        }
    };
    assert!(shown.contains(expected), "{request:?}: {shown}");
}

#[test]
fn a_series_is_bounded() {
    let points = || Series::Points(Vec::new());
    check(points(), (None, None, 3600), "86400");
    check(points(), (None, Some(7), 3600), "86400");
    check(points(), (Some(0), Some(999), 1), "999");
    check(points(), (Some(0), Some(1_000), 1), "at most 1000");
    // Parts begin at multiples of the bucket, so this span touches one more.
    check(points(), (Some(1), Some(2_000), 2), "at most 1000");
    check(points(), (Some(5), Some(5), 1), "0");
    check(points(), (Some(6), Some(5), 1), "startTime must be before endTime");
    check(Series::TooManyExecutions, (None, None, 3600), "take a shorter one");
    check(Series::TooManyPoints, (None, None, 3600), "take a longer bucket");
}

#[test]
fn counts_are_those_of_the_status_that_is_asked_for() {
    let dashboards = dashboards(Series::TooManyPoints);
    let counts = |status| block_on(dashboards.executions(None, None, status)).map_err(|it| it.code);
    assert_eq!(counts(None).map(|it| it.total()), Ok(15));
    let failed = Counts { failed: 4, ..Counts::default() };
    assert_eq!(counts(Some(Status::Failed)), Ok(failed));
    let turned = block_on(dashboards.executions(Some(at(2)), Some(at(1)), None));
    assert_eq!(turned.unwrap_err().message, "startTime must be before endTime");
}
