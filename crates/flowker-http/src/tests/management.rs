//! Management routes, as far as they are the door's own.

use super::wire::ask;
use super::world::{World, workflow};

#[tokio::test(start_paused = true)]
async fn ids_are_read_in_every_spelling_and_others_refused() {
    let mut world = World::new();
    world.workflows.expect_get().returning(|id| Ok((id == workflow(5).id).then(|| workflow(5))));
    let door = world.door();
    for id in [
        "00000000-0000-0000-0000-000000000005",
        "00000000000000000000000000000005",
        "urn:uuid:00000000-0000-0000-0000-000000000005",
        "%7B00000000-0000-0000-0000-000000000005%7D",
    ] {
        let answer = ask(&door, &format!("GET /v1/workflows/{id}"), &[], "").await;
        assert_eq!(
            (answer.status, answer.json()["name"].as_str()),
            (200, Some("workflow 5")),
            "{id}"
        );
    }
    for path in [
        "GET /v1/workflows/from-template",
        "DELETE /v1/workflows/5",
        "POST /v1/workflows/5/activate",
        "GET /v1/executions/x",
        "GET /v1/executions/x/results",
        "POST /v1/executions/x/cancel",
        "GET /v1/provider-configurations/x",
        "POST /v1/provider-configurations/x/enable",
    ] {
        let answer = ask(&door, path, &[], "").await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("FLK-0002")),
            "{path}"
        );
    }
    let nobody = "GET /v1/workflows/00000000-0000-0000-0000-000000000006";
    let answer = ask(&door, nobody, &[], "").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("FLK-0100")));
}

#[tokio::test(start_paused = true)]
async fn an_execution_is_started_only_by_a_body_that_is_small_and_json() {
    let door = World::new().door();
    let line = "POST /v1/workflows/00000000-0000-0000-0000-000000000005/executions";
    let over = ask(&door, line, &["Content-Length: 1048577"], "").await;
    assert_eq!((over.status, over.json()["code"].as_str()), (413, Some("FLK-0506")));
    // Size before id, id before body.
    let line = "POST /v1/workflows/x/executions";
    let over = ask(&door, line, &["Content-Length: 1048577"], "").await;
    assert_eq!(over.status, 413);
    let answer = ask(&door, line, &[], "no JSON").await;
    assert_eq!(answer.json()["code"], "FLK-0002");
}

#[tokio::test(start_paused = true)]
async fn the_catalog_lists_what_there_is() {
    let door = World::new().door();
    let get = async |path: &str| {
        let answer = ask(&door, &format!("GET /v1/catalog/{path}"), &[], "").await;
        (answer.status, answer.json().to_string())
    };
    let executor =
        r#""category":"HTTP","id":"http.request","name":"HTTP Request","providerId":"http""#;
    let list = format!(r#"[{{{executor},"version":"v1"}}]"#);
    assert_eq!(get("executors").await, (200, list.clone()));
    assert_eq!(get("providers/http/executors").await, (200, list));
    let schema = r#""schema":"{\"type\":\"object\"}""#;
    let one = format!(r#"{{{executor},{schema},"version":"v1"}}"#);
    assert_eq!(get("executors/http.request").await, (200, one));
    let provider =
        r#"[{"description":"Any HTTP service","id":"http","name":"HTTP","version":"v1"}]"#;
    assert_eq!(get("providers").await, (200, provider.to_owned()));
    assert!(get("providers/http").await.1.contains(r#""configSchema":"{\"type\":\"object\"}""#));
    let trigger = r#"[{"id":"webhook","name":"Webhook","version":"v1"}]"#;
    assert_eq!(get("triggers").await, (200, trigger.to_owned()));
    for (path, code) in [
        ("executors/x", "FLK-0200"),
        ("triggers/x", "FLK-0210"),
        ("providers/x", "FLK-0230"),
        ("providers/x/executors", "FLK-0230"),
        ("executors/HTTP.request", "FLK-0200"),
    ] {
        let (status, body) = get(path).await;
        assert!(status == 404 && body.contains(code), "{path}: {status} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_schema_of_the_trigger_takes_what_the_contract_says() {
    use flowker_core::schema::Schema;
    use serde_json::json;
    let answer = ask(&World::new().door(), "GET /v1/catalog/triggers/webhook", &[], "").await;
    let body = answer.json();
    let schema = flowker_core::json::parse(body["schema"].as_str().expect("text").as_bytes());
    let schema = Schema::compile(&schema.expect("JSON")).expect("a schema");
    for (data, is_good) in [
        (json!({"path": "a", "method": "POST"}), true),
        (
            json!({"path": "a", "method": "POST", "verify_token": "t", "rateLimit": {"requestsPerSecond": 1}}),
            true,
        ),
        (json!({"path": "", "method": "POST"}), false),
        (json!({"path": "a", "method": "HEAD"}), false),
        (json!({"path": "a"}), false),
        (json!({"path": "a", "method": "GET", "other": 1}), false),
    ] {
        assert_eq!(schema.check(&data).is_empty(), is_good, "{data}");
    }
}
