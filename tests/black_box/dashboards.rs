//! Figures as a dashboard reads them.

use flowker_tests::{Database, Flow, Home, Request};
use serde_json::json;

#[test]
fn figures_are_those_of_what_ran() {
    figures(Home::new());
}

#[test]
fn figures_are_those_of_what_ran_in_postgres() {
    let database = Database::new();
    figures(Home::new().set("DATABASE_URL", &database.url()));
}

fn figures(home: Home) {
    let server = home.start();
    let flow = Flow::at("PUT", "orders/paid").output("o", json!({}));
    let workflow_id = server.deploy(&flow);
    let sent = server.send(flow.delivery().key("order-1")).expect(201);
    server.complete(&sent.text("executionId"));

    let get = |path: &str| server.send(Request::get(&format!("/v1/dashboards/{path}")));
    assert_eq!(
        get("workflows/summary").expect(200).json(),
        json!({ "total": 1, "active": 1, "byStatus": [{ "status": "active", "count": 1 }] })
    );
    let none = json!({
        "total": 0, "completed": 0, "failed": 0, "cancelled": 0, "pending": 0, "running": 0,
    });
    let mut one = none.clone();
    one["total"] = json!(1);
    one["completed"] = json!(1);
    assert_eq!(get("executions").expect(200).json(), one);
    assert_eq!(get("executions?status=failed").expect(200).json(), none);
    assert_eq!(get("executions?endTime=2020-01-01T00:00:00Z").expect(200).json(), none);

    let series = get("timeseries?bucket=1d").expect(200).json();
    let [point] = series["items"].as_array().expect("items").as_slice() else {
        panic!("one workflow ran on one day: {series}");
    };
    assert_eq!((&point["workflowId"], &point["completed"]), (&json!(workflow_id), &json!(1)));
    let latency = |name: &str| point["latency"][name].as_u64().expect("milliseconds");
    assert_eq!(latency("p50Ms"), latency("p99Ms"), "there is one: {point}");
    let elsewhere = format!("timeseries?workflowId={}", "0".repeat(32));
    assert_eq!(get(&elsewhere).expect(200).json()["items"], json!([]));
    let _ = get("timeseries?bucket=1s").expect_error(400, "FLK-0302");
}
