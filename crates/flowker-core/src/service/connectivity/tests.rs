use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::catalog::Catalog;
use crate::ports::{
    ConfigStatus, MockProvider, MockProviderConfigStore, Provider, ProviderDescriptor,
};
use crate::service::testing::{answer, block_on, clock, config, ids};

const ID: ProviderConfigId = ProviderConfigId::from_uuid(Uuid::from_u128(1));

fn descriptor() -> ProviderDescriptor {
    ProviderDescriptor {
        id: "demo",
        name: "demo",
        description: "demo",
        version: "v1",
        config_schema: json!({}),
        executors: Vec::new(),
    }
}

/// An answer of this status; 0 is silence.
fn answered(status: u16) -> Result<Probed, ProbeFailure> {
    if status == 0 {
        return Err(ProbeFailure::Failed("silence".to_owned()));
    }
    let url = "https://demo.test/".to_owned();
    Ok(Probed { status, url, content_type: None, body_bytes: 0, n_headers: 0 })
}

fn forbidden() -> Result<Probed, ProbeFailure> {
    Err(ProbeFailure::Forbidden("it is private".to_owned()))
}

/// Tests a configuration whose service gives these answers to the probes, in their order.
fn test(
    id: ProviderConfigId,
    answers: Vec<Result<Probed, ProbeFailure>>,
) -> Result<ConnectivityReport, Refusal> {
    let mut provider = MockProvider::new();
    provider.expect_descriptor().return_const(descriptor());
    provider.expect_probe().returning(move |_, probe| {
        let idx = Probe::ALL.iter().position(|it| *it == probe).expect("one of all");
        answers.get(idx).cloned().expect("a stage that is reached")
    });
    let mut store = MockProviderConfigStore::new();
    store.expect_get().returning(|id| {
        let disabled = ProviderConfig { status: ConfigStatus::Disabled, ..config(id) };
        Ok((id == ID).then_some(disabled))
    });
    let configs = ProviderConfigs {
        store: Arc::new(store),
        catalog: Arc::new(Catalog::new([Arc::new(provider) as Arc<dyn Provider>]).expect("one")),
        clock: clock(),
        ids: ids(),
    };
    block_on(configs.test(id))
}

#[test]
fn stages() {
    let check = |answers: Vec<Result<Probed, ProbeFailure>>, wanted: &str| {
        let report = test(ID, answers).expect("a test");
        let stages = report.stages.iter().map(|stage| stage.status.as_str());
        let shown: Vec<_> = std::iter::once(report.verdict.as_str()).chain(stages).collect();
        assert_eq!(shown.join(" "), wanted);
    };
    check(vec![answered(200), answered(200), answered(200)], "passed passed passed passed");
    check(vec![answered(404), answered(404), answered(404)], "partial passed passed failed");
    check(vec![answered(302), answered(302)], "partial passed failed skipped");
    check(vec![answered(401), answered(401)], "partial passed failed skipped");
    check(vec![answered(403), answered(403)], "partial passed failed skipped");
    check(vec![answered(500)], "failed failed skipped skipped");
    check(vec![answered(0)], "failed failed skipped skipped");
    check(vec![answered(200), answered(0)], "partial passed failed skipped");
    let none = || Err(ProbeFailure::NoCredentials);
    check(vec![answered(200), none(), answered(204)], "passed passed skipped passed");
    check(vec![answered(200), none(), answered(400)], "partial passed skipped failed");
    // Only the first stage is asked whether the test can begin.
    check(vec![answered(200), forbidden()], "partial passed failed skipped");
}

#[test]
fn a_failed_stage_says_why_and_shows_what_came() {
    let report = test(ID, vec![answered(503)]).expect("a test");
    let [first, second, _] = &*report.stages else { panic!("three stages") };
    assert_eq!(first.error.as_deref(), Some("answered 503"));
    assert_eq!(first.answer.as_ref().map(|it| it.status), Some(503));
    assert_eq!(second.message, Some("an earlier stage failed"));
    let report = test(ID, vec![answered(0)]).expect("a test");
    assert_eq!(report.stages[0].error.as_deref(), Some("silence"));
}

#[test]
fn a_test_that_cannot_begin_is_refused() {
    assert_eq!(answer(test(ID, vec![Err(ProbeFailure::NoAddress)])), "FLK-0340");
    assert_eq!(answer(test(ID, vec![forbidden()])), "FLK-0341");
    let refusal = test(ID, vec![forbidden()]).expect_err("a refusal");
    assert_eq!(refusal.message, "The test cannot begin: it is private.");
    let unknown = ProviderConfigId::from_uuid(Uuid::from_u128(2));
    assert_eq!(answer(test(unknown, Vec::new())), "FLK-0290");
}
