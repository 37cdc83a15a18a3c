//! What is called, and with what.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{Execution, FailureCode};
use flowker_core::ports::{
    Call, ConfigStatus, ExecutionStore, FailureKind, ProviderConfig, ProviderConfigStore,
};
use flowker_core::trace::TraceContext;
use flowker_testkit::{Answer, Gate, sample};
use serde_json::json;

use super::world::{World, chain};
use crate::Limits;

/// The one call of the executor `a` with these settings and this input.
async fn call_of(settings: &str, input: &str) -> Call {
    let world = World::chain(&[("a", settings)]).await;
    let replica = world.replica(Limits::default()).await;
    let id = world.start_with(&replica, input).await;
    world.output(id).await;
    world.provider.calls()[0].call.clone()
}

/// How a run of the executor `a` fails with these settings and this input.
async fn failure_of(settings: &str, input: &str) -> (FailureCode, String) {
    let world = World::chain(&[("a", settings)]).await;
    let replica = world.replica(Limits::default()).await;
    let id = world.start_with(&replica, input).await;
    let failure = world.failure(id).await;
    assert_eq!(world.provider.calls().len(), 0);
    failure
}

#[tokio::test(start_paused = true)]
async fn templates_are_filled_in_and_payload_is_no_syntax_in_a_path() {
    let settings = r#", "method": "POST", "path": "/u/{{ workflow.id }}?x={{ workflow.id }}",
        "headers": {"X-Id": "{{ workflow.id }}"}, "query": {"q": "a {{ workflow.id }}"},
        "timeout": 7, "successStatusCodes": [404], "colour": "red""#;
    let call = call_of(settings, r#"{"id": "a/b ü", "_webhook": {"path": "p"}}"#).await;
    assert_eq!(call.path.as_deref(), Some("/u/a%2Fb%20%C3%BC?x=a%2Fb%20%C3%BC"));
    assert_eq!(call.headers, [("X-Id".to_owned(), "a/b ü".to_owned())]);
    assert_eq!(call.query, [("q".to_owned(), "a a/b ü".to_owned())]);
    assert_eq!(call.method.as_deref(), Some("POST"));
    assert_eq!(call.timeout, Some(Duration::from_secs(7)));
    assert!(call.success.contains(404) && !call.success.contains(200));
    assert_eq!(call.document, json!({"id": "a/b ü"}), "without what the door added");
    assert_eq!(call.extra.get("colour"), Some(&json!("red")));
    assert_eq!(call.attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn mappings_and_transforms_build_the_document() {
    let mapping = r#", "inputMapping": [{"source": "workflow.id", "target": "user.id"}]"#;
    assert_eq!(
        call_of(mapping, r#"{"id": 1.50}"#).await.document,
        json!({"user": {"id": sample::value("1.50")}})
    );
    let transforms = r#", "transforms": [{"operation": "shift", "spec": {"x": "workflow.id"}}]"#;
    assert_eq!(call_of(transforms, r#"{"id": "7"}"#).await.document, json!({"x": "7"}));
}

#[tokio::test(start_paused = true)]
async fn an_output_mapping_says_what_is_kept() {
    let settings = r#", "outputMapping": [{"source": "body.id", "target": "kept"}]"#;
    let world = World::chain(&[("a", settings)]).await;
    let replica = world.replica(Limits::default()).await;
    let id = world.start_with(&replica, r#"{"id": 3}"#).await;
    assert_eq!(world.output(id).await["a"], json!({"kept": 3}));

    let settings = r#", "outputMapping": [{"source": "body.no", "target": "x", "required": true}]"#;
    let world = World::chain(&[("a", settings)]).await;
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    let (code, message) = world.failure(id).await;
    assert_eq!(code, FailureCode::StepFailed);
    assert!(message.contains("outputMapping: "), "{message}");
    assert_eq!(world.provider.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn keys_hold_no_syntax_of_a_node_id() {
    let world = World::chain(&[("pay: ü/1", "")]).await;
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    world.output(id).await;
    let key = &world.provider.calls()[0].call.idempotency_key;
    assert_eq!(*key, format!("{id}:pay%3A%20%C3%BC%2F1"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_filled_in_fails_the_step_for_good() {
    let cases = [
        (r#", "path": "/u/{{ workflow.id }}""#, r#"{"id": ".."}"#, "path: "),
        (r#", "path": "/u/.{{ workflow.id }}/x""#, r#"{"id": "."}"#, "path: "),
        (r#", "path": "/u/{{ workflow.id }}""#, "{}", "path: "),
        (r#", "headers": {"X-Id": "{{ workflow.id }}"}"#, "{}", "headers.X-Id: "),
        (r#", "query": {"q": "{{ workflow.id }}"}"#, "{}", "query.q: "),
        (
            r#", "inputMapping": [{"source": "workflow.id", "target": "x", "required": true}]"#,
            "{}",
            "inputMapping: ",
        ),
        (
            r#", "transforms": [{"operation": "extract", "spec": {"path": "workflow.id"}, "require": true}]"#,
            "{}",
            "transforms: ",
        ),
    ];
    for (settings, input, what) in cases {
        let (code, message) = failure_of(settings, input).await;
        assert_eq!(code, FailureCode::StepFailed, "{message}");
        assert!(message.starts_with(&format!(r#"FLK-0504: node "a": {what}"#)), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_cannot_be_used_is_an_error_of_the_definition() {
    let node = |config: &str, executor: &str| {
        super::world::graph(
            &[super::world::node(
                "a",
                "executor",
                &format!(r#"{{"executorId": "{executor}"{config}}}"#),
            )],
            &[("start", "a")],
            "",
        )
    };
    let with = |n| format!(r#", "providerConfigId": "{}""#, sample::config_id(n));
    let cases = [
        (node("", sample::EXECUTOR_ID), "providerConfigId is missing"),
        (node(r#", "providerConfigId": "x""#, sample::EXECUTOR_ID), r#"providerConfigId "x" is"#),
        (node(&with(9), sample::EXECUTOR_ID), "there is no provider configuration"),
        (node(&with(2), sample::EXECUTOR_ID), "is disabled"),
        (node(&with(3), sample::EXECUTOR_ID), "is of the provider"),
        (node(&with(1), "nobody.knows"), r#"there is no executor "nobody.knows""#),
    ];
    for (document, what) in cases {
        let world = World::of(&document).await;
        let disabled = ProviderConfig { status: ConfigStatus::Disabled, ..sample::config(2) };
        let foreign = ProviderConfig { provider_id: "other".to_owned(), ..sample::config(3) };
        for config in [disabled, foreign] {
            ProviderConfigStore::create(&*world.store, config, sample::event()).await.unwrap();
        }
        let replica = world.replica(Limits::default()).await;
        let id = world.start(&replica).await;
        let (code, message) = world.failure(id).await;
        assert_eq!(code, FailureCode::DefinitionError, "{message}");
        assert!(message.contains(what), "{message}");
        assert_eq!(world.provider.calls().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_the_same_request_after_a_crash_too() {
    let made_up = r#", "transforms": [
        {"operation": "uuid", "spec": {"id": {"version": 4}}},
        {"operation": "uuid", "spec": {"other": {"version": 4}}},
        {"operation": "default", "spec": {"at": "$now"}},
        {"operation": "timestamp", "spec": {"at": {"inputFormat": "$now", "outputFormat": "$unix"}}}
    ]"#;
    let world = World::of(&chain(&[("first", ""), ("a", made_up)], "")).await;
    let transient = || Answer::fail(FailureKind::Transient, "HTTP status 503");
    world.provider.script("a", [transient(), transient(), transient()]);
    let replica = world.replica(Limits::default()).await;
    let id = world.start(&replica).await;
    world.provider.called(3).await;
    drop(replica);
    let _other = world.replica(Limits::default()).await;
    world.output(id).await;
    let documents: Vec<_> =
        world.provider.calls_of("a").into_iter().map(|it| it.call.document).collect();
    assert_eq!(documents.len(), 4);
    assert!(documents.iter().all(|it| *it == documents[0]), "{documents:?}");
    assert_ne!(documents[0]["id"], documents[0]["other"]);
    let journal = world.store.journal(id).await.unwrap();
    assert_eq!(documents[0]["at"], json!(journal[0].at.as_seconds().to_string()));
}

#[tokio::test(start_paused = true)]
async fn outputs_beyond_the_bound_fail_the_step() {
    let world = World::chain(&[("a", ""), ("b", "")]).await;
    let large = || Answer::Output(json!("x".repeat(60)));
    world.provider.script("a", [large()]);
    world.provider.script("b", [large()]);
    let replica = world.replica(Limits { journal_bytes_max: 100, ..Limits::default() }).await;
    let id = world.start(&replica).await;
    let (code, message) = world.failure(id).await;
    assert_eq!(code, FailureCode::StepFailed);
    assert!(
        message.contains(r#"node "b": the outputs of the execution's steps take more than 100"#),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_a_part_of_its_own_of_the_trace_after_a_crash_too() {
    let world = World::chain(&[("a", "")]).await;
    let gate = Gate::new();
    let busy = Answer::fail(FailureKind::Transient, "busy");
    world.provider.script("a", [busy, Answer::Hold(gate.clone(), json!({}))]);
    let replica = world.replica(Limits::default()).await;
    let trace = sample::trace();
    let execution = Execution { trace: Some(trace.clone()), ..world.new_execution("{}") };
    let id = execution.id;
    world.accept(Arc::new(execution), None).await;
    gate.arrived(1).await;
    drop(replica);
    let _replica = world.replica(Limits::default()).await;
    world.output(id).await;

    let calls = world.provider.calls_of("a");
    assert_eq!(calls.len(), 3);
    let traces: Vec<_> = calls.iter().map(|it| it.call.trace.clone().expect("a trace")).collect();
    for it in &traces {
        assert_eq!((it.trace_id(), it.tracestate()), (trace.trace_id(), trace.tracestate()));
        assert_eq!(it.flags(), trace.flags());
    }
    let spans: Vec<_> = traces.iter().map(TraceContext::span_id).collect();
    assert!(!spans.contains(&trace.span_id()), "{spans:?}");
    // The second replica makes the same ids: in tests they all have one seed.
    assert_ne!(spans[0], spans[1]);
}

#[tokio::test(start_paused = true)]
async fn without_a_trace_none_is_made_up() {
    assert_eq!(call_of("", "{}").await.trace, None);
}
