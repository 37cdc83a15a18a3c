//! Trying things out: settings, templates, and whether a service is there.

use std::sync::Arc;

use flowker_core::id::ProviderConfigId;
use flowker_core::ports::{ConfigStatus, ProviderConfig, ProviderConfigPage};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::wire::ask;
use super::world::{NOW, World};
use crate::answer::Door;

const JSON: &str = "Content-Type: application/json";
const TEMPLATE: &str = "/v1/catalog/templates/tracer-midaz-validation";

/// The status, and the code or the whole body.
async fn told(door: &Arc<Door>, line: &str, body: &str) -> String {
    let answer = ask(door, line, &[JSON], body).await;
    let json = answer.json();
    let shown = json["code"].as_str().map_or_else(|| json.to_string(), str::to_owned);
    format!("{} {shown}", answer.status)
}

fn config(name: &str) -> ProviderConfig {
    ProviderConfig {
        id: ProviderConfigId::from_uuid(Uuid::from_u128(9)),
        name: name.to_owned(),
        description: None,
        provider_id: "http".to_owned(),
        config: Map::from_iter([("api_key".to_owned(), Value::from("topsecret"))]),
        status: ConfigStatus::Disabled,
        metadata: Map::new(),
        revision: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

#[tokio::test(start_paused = true)]
async fn settings_are_tried_out() {
    let door = World::new().door();
    let check = async |line: &str, body: &str, wanted: &str| {
        assert_eq!(told(&door, line, body).await, wanted, "{line} {body}");
    };
    let executor = "POST /v1/catalog/executors/http.request/validate";
    check(executor, r#"{"config":{"a":1}}"#, r#"200 {"valid":true}"#).await;
    check(executor, "{}", r#"200 {"valid":true}"#).await;
    check(executor, r#"{"config":7}"#, "400 FLK-0001").await;
    check(executor, "", "400 FLK-0001").await;
    // What it is about comes before what is said about it.
    check("POST /v1/catalog/executors/x/validate", "no JSON", "404 FLK-0200").await;
    let template = format!("POST {TEMPLATE}/validate");
    check(&template, "{}", "400 FLK-0242").await;
    check(&template, "[]", "400 FLK-0001").await;
    let params = r#"{"params":{"workflowName":"w","tracerProviderConfigId":"t","midazProviderConfigId":"m"}}"#;
    check(&template, params, r#"200 {"valid":true}"#).await;
    check("POST /v1/catalog/templates/x/validate", "no JSON", "404 FLK-0240").await;
    check("POST /v1/workflows/from-template", r#"{"templateId":"x"}"#, "404 FLK-0240").await;
    check("POST /v1/workflows/from-template", "", "400 FLK-0001").await;
}

#[tokio::test(start_paused = true)]
async fn templates_are_listed_and_shown_with_what_can_be_chosen() {
    let mut world = World::new();
    world.configs.expect_list().returning(|query| {
        let has_one = query.provider_id.as_deref() == Some("tracer");
        let items = has_one.then(|| config("ours")).into_iter().collect();
        Ok(ProviderConfigPage { items, has_more: false })
    });
    let door = world.door();
    let list = ask(&door, "GET /v1/catalog/templates", &[], "").await;
    assert_eq!(
        list.json().to_string(),
        r#"[{"category":"Compliance","description":"Asks Tracer whether a transaction may be made, and makes it in Midaz if so","id":"tracer-midaz-validation","name":"Tracer Validation + Midaz Transaction","version":"v1"}]"#
    );
    let one = ask(&door, &format!("GET {TEMPLATE}"), &[], "").await.json();
    let schema = one["paramSchema"].as_str().expect("text");
    let schema = flowker_core::json::parse(schema.as_bytes()).expect("JSON");
    let offered = |param: &str| schema["properties"][param]["oneOf"].to_string();
    let tracer = r#"[{"const":"00000000-0000-0000-0000-000000000009","title":"ours"}]"#;
    assert_eq!(offered("tracerProviderConfigId"), tracer);
    assert_eq!(offered("midazProviderConfigId"), "[]");
    let unknown = ask(&door, "GET /v1/catalog/templates/x", &[], "").await;
    assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("FLK-0240")));
}

#[tokio::test(start_paused = true)]
async fn a_connectivity_test_is_answered_however_it_went() {
    let door = |name: &'static str| {
        let mut world = World::new();
        world.configs.expect_get().returning(move |_| Ok(Some(config(name))));
        world.door()
    };
    let line = "POST /v1/provider-configurations/00000000-0000-0000-0000-000000000009/test";
    let report = told(&door("ours"), line, "no JSON").await;
    let stages = [
        r#"{"details":{"responseTimeMs":0,"statusCode":200,"url":"https://service.test/"},"durationMs":0,"name":"connectivity","status":"passed"}"#,
        r#"{"durationMs":0,"message":"the configuration has no credentials","name":"authentication","status":"skipped"}"#,
        r#"{"details":{"contentType":"text/plain","responseBodyLen":7,"responseTimeMs":0,"statusCode":500},"durationMs":0,"error":"answered 500","name":"end_to_end","status":"failed"}"#,
    ]
    .join(",");
    let (moment, id) = (NOW.to_string(), "00000000-0000-0000-0000-000000000009");
    let summary = "The service was reached, but did not answer as it should.";
    assert_eq!(
        report,
        format!(
            r#"200 {{"completedAt":"{moment}","durationMs":0,"overallStatus":"partial","providerConfigId":"{id}","providerId":"http","stages":[{stages}],"startedAt":"{moment}","summary":"{summary}"}}"#
        )
    );
    assert_eq!(told(&door("nowhere"), line, "").await, "422 FLK-0340");
    assert_eq!(told(&door("inside"), line, "").await, "422 FLK-0341");
    let malformed = "POST /v1/provider-configurations/x/test";
    assert_eq!(told(&door("ours"), malformed, "").await, "400 FLK-0002");
}
