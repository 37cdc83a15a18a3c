use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{
    Failure, FailureCode, Outcome, Status, StepResult, StepRun, Summary,
};
use flowker_core::id::{ExecutionId, ProviderConfigId, WorkflowId};
use flowker_core::ports::{ConfigStatus, ProviderConfig};
use flowker_core::service::NamedStep;
use flowker_core::time::Timestamp;
use flowker_core::workflow::{Definition, Lifecycle, Workflow};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::shape::Shown;

const AT: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const SHOWN: &str = "2023-11-14T22:13:20Z";
const ID: &str = "00000000-0000-0000-0000-000000000001";
const UUID: Uuid = Uuid::from_u128(1);

fn check(shown: impl Shown, expected: &Value) {
    assert_eq!(json_text(&shown.shown()), json_text(expected));
}

/// Numbers that were parsed and numbers that were made differ inside.
fn json_text(value: &Value) -> String {
    flowker_core::json::to_text(value)
}

fn members(pairs: &Value) -> Map<String, Value> {
    pairs.as_object().expect("an object").clone()
}

#[test]
fn a_workflow_leaves_out_what_was_not_set() {
    let bare = Workflow {
        id: WorkflowId::from_uuid(UUID),
        name: "n".to_owned(),
        description: None,
        status: Lifecycle::Draft,
        revision: 1,
        version: 0,
        definition: Definition::default(),
        metadata: Map::new(),
        created_at: AT,
        updated_at: AT,
    };
    let shown = json!({
        "id": ID, "name": "n", "status": "draft", "nodes": [], "edges": [],
        "createdAt": SHOWN, "updatedAt": SHOWN,
    });
    check(workflow(&bare), &shown);
    let created =
        json!({"workflowId": ID, "version": "1.0.0", "status": "draft", "createdAt": SHOWN});
    check(workflow_created(&bare), &created);
    let number = flowker_core::json::parse(br#"{"n": 1.50}"#).expect("JSON");
    let full = Workflow { description: Some(String::new()), metadata: members(&number), ..bare };
    let mut expected = shown;
    expected["description"] = json!("");
    expected["metadata"] = number;
    check(workflow(&full), &expected);
}

fn summary(outcome: Option<Outcome>) -> Summary {
    Summary {
        id: ExecutionId::from_uuid(UUID),
        workflow_id: WorkflowId::from_uuid(UUID),
        status: outcome.as_ref().map_or(Status::Running, Outcome::status),
        current_step: 1,
        total_steps: 2,
        started_at: AT,
        completed_at: outcome.as_ref().map(|_| AT),
        outcome: outcome.map(Arc::new),
        retry_of: None,
    }
}

#[test]
fn a_status_tells_of_the_end_and_of_failures_only() {
    let base = json!({
        "executionId": ID, "workflowId": ID, "status": "running", "currentStepNumber": 1,
        "totalSteps": 2, "startedAt": SHOWN,
    });
    check(status(&summary(None)), &base);
    let with = |more: Value| {
        let mut expected = base.clone();
        expected.as_object_mut().expect("an object").extend(members(&more));
        expected
    };
    let completed = Outcome::Completed { output: members(&json!({"a": 1})) };
    check(
        status(&summary(Some(completed))),
        &with(json!({"status": "completed", "completedAt": SHOWN})),
    );
    let failed = Outcome::Failed(Failure::new(FailureCode::TimedOut, "too long"));
    let told = json!({
        "status": "failed", "completedAt": SHOWN, "errorMessage": "too long", "failureCode": "timed_out",
    });
    check(status(&summary(Some(failed))), &with(told));
    let retried = Summary { retry_of: Some(ExecutionId::from_uuid(UUID)), ..summary(None) };
    check(status(&retried), &with(json!({"retryOf": ID})));
}

#[test]
fn results_hold_every_step() {
    let run = StepRun { attempt: 2, started_at: AT, duration: Duration::from_millis(1_500) };
    let step = |number, result| NamedStep {
        step: StepResult { number, node: format!("n{number}"), run, result },
        name: "Name".to_owned(),
    };
    let steps = [
        step(1, Ok(Arc::new(json!({"body": "x"})))),
        step(2, Ok(Arc::new(json!({})))),
        step(3, Err(Failure::new(FailureCode::StepFailed, "no"))),
    ];
    let failed = Outcome::Failed(Failure::new(FailureCode::StepFailed, "no"));
    let shown_step = |number: u32, status: &str| {
        json!({
            "stepNumber": number, "stepName": "Name", "nodeId": format!("n{number}"),
            "status": status, "executedAt": SHOWN, "durationMs": 1_500,
        })
    };
    let mut expected_steps =
        [shown_step(1, "completed"), shown_step(2, "completed"), shown_step(3, "failed")];
    expected_steps[0]["output"] = json!({"body": "x"});
    expected_steps[2]["errorMessage"] = json!("no");
    let expected = json!({
        "executionId": ID, "workflowId": ID, "status": "failed", "startedAt": SHOWN,
        "completedAt": SHOWN, "failureCode": "step_failed", "stepResults": expected_steps,
    });
    check(results(&summary(Some(failed)), &steps), &expected);
    for (output, expected) in [(json!({"a": 1}), Some(json!({"a": 1}))), (json!({}), None)] {
        let completed = Outcome::Completed { output: members(&output) };
        let shown = results(&summary(Some(completed)), &[]).shown();
        assert_eq!(shown.get("finalOutput"), expected.as_ref());
        assert_eq!(shown["stepResults"], json!([]));
    }
}

#[test]
fn a_provider_configuration_is_masked() {
    let config = ProviderConfig {
        id: ProviderConfigId::from_uuid(UUID),
        name: "n".to_owned(),
        description: None,
        provider_id: "http".to_owned(),
        config: members(&json!({"base_url": "http://a", "api_key": "topsecret"})),
        status: ConfigStatus::Active,
        metadata: Map::new(),
        revision: 1,
        created_at: AT,
        updated_at: AT,
    };
    let shown = provider_config(&config).shown();
    assert_eq!(shown["config"]["base_url"], "http://a");
    assert!(!shown.to_string().contains("topsecret"), "{shown}");
    let names: Vec<_> = shown.as_object().expect("an object").keys().collect();
    let expected = ["config", "createdAt", "id", "name", "providerId", "status", "updatedAt"];
    assert_eq!(names, expected);
    let created = json!({"id": ID, "name": "n", "status": "active", "createdAt": SHOWN});
    check(provider_config_created(&config), &created);
}
