//! What the store tells of its writes.

use flowker_core::metric::SECONDS;
use flowker_testkit::exposition;
use metrics_exporter_prometheus::PrometheusBuilder;

use super::*;
use crate::METRICS;

#[tokio::test]
async fn what_is_told_is_what_is_listed_and_what_was_written() {
    let recorder = PrometheusBuilder::new().set_buckets(SECONDS).expect("bounds").build_recorder();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let database = Database::new();
    let store = database.open();
    for n in 1..=2 {
        store.accept(new(n)).await.expect("accept");
    }
    store.close().await;
    let text = recorder.handle().render();
    assert_eq!(exposition::faults(&text, METRICS), Vec::<String>::new());
    for line in
        ["flowker_store_commit_writes_sum 2", "flowker_store_commit_duration_seconds_count 2"]
    {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}
