//! Dashboards: filters and figures.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::dashboard::{Counts, Latency, Point, Series, Span};
use flowker_core::workflow::Lifecycle;

use super::wire::ask;
use super::world::{NOW, WORKFLOW, World};
use crate::answer::Door;

const COUNTS: Counts = Counts { pending: 1, running: 2, completed: 3, failed: 4, cancelled: 5 };

fn door() -> Arc<Door> {
    let mut world = World::new();
    let store = &mut world.dashboards;
    store.expect_workflows_by_status().returning(|| {
        Ok(vec![(Lifecycle::Inactive, 1), (Lifecycle::Draft, 2), (Lifecycle::Active, 4)])
    });
    store.expect_count_executions().returning(|span| {
        Ok(if span == Span::EVER { COUNTS } else { Counts { completed: 1, ..Counts::default() } })
    });
    store.expect_series().returning(|query| {
        let latency = Latency::from_micros([1_999, 5_000, 7_000_000]);
        let point = Point {
            start: query.start_of(query.bucket_of(query.span.to)),
            workflow_id: query.workflow_id.unwrap_or(WORKFLOW),
            counts: COUNTS,
            latency: Some(latency),
        };
        let later = Point {
            start: point.start.plus(query.bucket),
            counts: Counts { running: 1, ..Counts::default() },
            latency: None,
            ..point
        };
        Ok(Series::Points(vec![point, later]))
    });
    world.door()
}

/// Asks for a dashboard; `expected` is its status and a part of the body.
async fn check(path: &str, status: u16, expected: &str) {
    let answer = ask(&door(), &format!("GET /v1/dashboards/{path}"), &[], "").await;
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{path}: {body}");
    assert!(body.contains(expected), "{path}: {body} lacks {expected}");
}

#[tokio::test(start_paused = true)]
async fn workflows_are_counted_in_the_order_of_their_life() {
    let by_status = r#""byStatus":[{"count":2,"status":"draft"},{"count":4,"status":"active"},{"count":1,"status":"inactive"}]"#;
    check("workflows/summary", 200, &format!(r#"{{"active":4,{by_status},"total":7}}"#)).await;
}

#[tokio::test(start_paused = true)]
async fn executions_are_counted_with_all_six_counters() {
    let all = r#"{"cancelled":5,"completed":3,"failed":4,"pending":1,"running":2,"total":15}"#;
    check("executions", 200, all).await;
    check("executions?startTime=&endTime=&status=", 200, all).await;
    let failed = r#"{"cancelled":0,"completed":0,"failed":4,"pending":0,"running":0,"total":4}"#;
    check("executions?status=failed", 200, failed).await;
    check("executions?status=cancelled", 200, r#""total":5"#).await;
    let span = "startTime=2026-01-01T00:00:00Z&endTime=2026-01-01T01:00:00%2B01:00";
    check(&format!("executions?{span}"), 200, r#""total":1"#).await;
}

#[tokio::test(start_paused = true)]
async fn filters_of_dashboards_have_one_code() {
    let bad = |path: &'static str, words: &'static str| async move {
        check(path, 400, r#""code":"FLK-0302""#).await;
        check(path, 400, words).await;
    };
    bad(
        "executions?startTime=2026-01-02T00:00:00Z&endTime=2026-01-01T00:00:00Z",
        "startTime must be before endTime",
    )
    .await;
    bad("executions?status=done", "invalid status").await;
    bad("executions?startTime=yesterday", r#""fields":{"startTime""#).await;
    bad("executions?endTime=2026-01-01", r#""fields":{"endTime""#).await;
    bad("timeseries?bucket=1w", "bucket must be").await;
    bad("timeseries?bucket=1s", "at most 1000 fit").await;
    bad("timeseries?startTime=2999-01-01T00:00:00Z", "startTime must be before endTime").await;
    check("timeseries?workflowId=x", 400, "FLK-0002").await;
}

#[tokio::test(start_paused = true)]
async fn a_series_has_counts_and_latencies() {
    let day = Duration::from_hours(24);
    let expected = format!(
        r#""bucketSeconds":3600,"endTime":"{NOW}","items":[{{"cancelled":5,"completed":3,"failed":4,"latency":{{"p50Ms":1,"p95Ms":5,"p99Ms":7000}},"pending":1,"running":2,"start":"2023-11-14T22:00:00Z","total":15,"workflowId":"{WORKFLOW}"}},{{"#
    );
    check("timeseries", 200, &expected).await;
    check("timeseries", 200, &format!(r#""startTime":"{}""#, NOW.minus(day))).await;
    check("timeseries?bucket=5m", 200, r#""start":"2023-11-14T22:10:00Z""#).await;
    let id = "00000000-0000-0000-0000-0000000000ff";
    check(&format!("timeseries?workflowId={id}"), 200, id).await;
}
