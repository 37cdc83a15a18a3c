//! What the engine tells of what it did.

use std::time::Duration;

use flowker_core::metric::SECONDS;
use flowker_core::ports::FailureKind;
use flowker_testkit::{Answer, exposition};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::Instant;

use super::world::World;
use crate::{Limits, METRICS};

#[tokio::test(start_paused = true)]
async fn what_is_told_is_what_is_listed_and_what_happened() {
    let recorder = PrometheusBuilder::new().set_buckets(SECONDS).unwrap().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let world = World::chain(&[("a", "")]).await;
    let replica = world.replica(Limits::default()).await;
    world.provider.script("a", [Answer::fail(FailureKind::Transient, "busy")]);
    world.output(world.start(&replica).await).await;
    world.provider.always("a", Answer::fail(FailureKind::Permanent, "no"));
    world.failure(world.start_unowned().await).await;
    replica.drain(Instant::now() + Duration::from_secs(1)).await;

    replica.tell_levels();
    let text = recorder.handle().render();
    assert_eq!(exposition::faults(&text, METRICS), Vec::<String>::new());
    for line in [
        r#"flowker_executions_finished_total{outcome="completed",code=""} 1"#,
        r#"flowker_executions_finished_total{outcome="failed",code="step_failed"} 1"#,
        r#"flowker_execution_duration_seconds_count{outcome="completed"} 1"#,
        r#"flowker_steps_finished_total{provider="http",outcome="completed"} 1"#,
        r#"flowker_steps_finished_total{provider="http",outcome="failed"} 1"#,
        r#"flowker_step_retries_total{provider="http"} 1"#,
        r#"flowker_step_attempt_duration_seconds_count{provider="http",outcome="transient"} 1"#,
        r#"flowker_step_attempt_duration_seconds_count{provider="http",outcome="succeeded"} 1"#,
        r#"flowker_step_attempt_duration_seconds_count{provider="http",outcome="permanent"} 1"#,
        r#"flowker_breakers{state="closed"} 1"#,
        "flowker_executions_adopted_total 1",
        "flowker_executions_running 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_is_counted() {
    let recorder = PrometheusBuilder::new().set_buckets(SECONDS).unwrap().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let world = World::chain(&[("a", "")]).await;
    world.provider.always("a", Answer::fail(FailureKind::Transient, "busy"));
    let limits = Limits { breaker_failures: 2, ..Limits::default() };
    let replica = world.replica(limits).await;
    world.start(&replica).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    replica.tell_levels();
    let text = recorder.handle().render();
    for line in ["flowker_breakers_opened_total 1", r#"flowker_breakers{state="open"} 1"#] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}
