//! Who is let in: made keys, an access manager's word, and pages of other origins.

use std::time::Duration;

use flowker_tests::wait::until_within;
use flowker_tests::{Database, Flow, Home, Replicas, Reply, Request, Server, Stub};
use serde_json::{Value, json};

/// A second is promised; the rest is for a machine that is busy with other tests.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);

fn with_key(request: Request, key: &str) -> Request {
    request.anonymous().header("X-API-Key", key)
}

fn make(server: &Server, name: &str, scopes: &[&str]) -> Value {
    let body = json!({ "name": name, "scopes": scopes });
    server.send(Request::post("/v1/api-keys").json(&body)).expect(201).json()
}

fn text(key: &Value) -> &str {
    key["key"].as_str().expect("the text of a key")
}

#[test]
fn a_key_does_what_its_scopes_say() {
    let server = Server::start();
    server.deploy(&Flow::at("PUT", "orders/paid").output("o", json!({})));
    let trigger = make(&server, "shop", &["trigger"]);
    let read = make(&server, "console", &["read"]);
    let manage = make(&server, "deployer", &["manage"]);
    let status = |request: Request, key: &Value| server.send(with_key(request, text(key))).status;
    let hook = || Request::put("/v1/webhooks/orders/paid");
    let list = || Request::get("/v1/workflows");
    let create = || Request::post("/v1/workflows").json(&json!({}));
    assert_eq!([&trigger, &read, &manage].map(|key| status(hook(), key)), [201, 403, 403]);
    assert_eq!([&trigger, &read, &manage].map(|key| status(list(), key)), [403, 200, 200]);
    assert_eq!([&trigger, &read, &manage].map(|key| status(create(), key)), [403, 403, 400]);
    let refused = server.send(with_key(create(), text(&read)));
    let _ = refused.expect_error(403, "FORBIDDEN");
    let shown = server.send(Request::get("/v1/api-keys?sortBy=name&sortOrder=ASC")).expect(200);
    let names: Vec<_> = shown.json()["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names, ["console", "deployer", "shop"]);
    let everything = shown.json().to_string();
    assert!(!everything.contains(text(&read)) && !everything.contains("digest"), "{everything}");
}

#[test]
fn a_rotation_leaves_time_and_a_revocation_none() {
    let server = Server::start();
    let key = make(&server, "console", &["read"]);
    let id = key["id"].as_str().expect("an id");
    let works =
        |text: &str| server.send(with_key(Request::get("/v1/workflows"), text)).status == 200;
    let rotated =
        server.send(Request::post(&format!("/v1/api-keys/{id}/rotate"))).expect(200).json();
    assert!(works(text(&key)) && works(text(&rotated)), "both, for a day");
    let request = Request::post(&format!("/v1/api-keys/{id}/rotate"));
    let at_once = server.send(request.json(&json!({"overlapSeconds": 0}))).expect(200).json();
    assert!(works(text(&at_once)) && !works(text(&key)) && !works(text(&rotated)));
    let _ = server.send(Request::new("DELETE", &format!("/v1/api-keys/{id}"))).expect(204);
    assert!(!works(text(&at_once)), "the process that revokes it knows at once");
    let again = server
        .send(Request::post("/v1/api-keys").json(&json!({"name": "console", "scopes": ["read"]})));
    let _ = again.expect_error(409, "FLK-0701");
    // What was revoked stays so.
    let server = server.kill().start();
    let _ = server.send(with_key(Request::get("/v1/workflows"), text(&at_once))).expect(401);
}

#[test]
fn keys_are_made_and_revoked_where_nobody_serves() {
    let home = Home::new();
    let made = home.run(&["keys", "create", "shop", "--scope", "trigger", "--scope", "read"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let first = made.stdout.trim().to_owned();
    assert!(first.starts_with("flk_") && !first.contains(char::is_whitespace), "{first}");
    let twice = home.run(&["keys", "create", "shop", "--scope", "read"]);
    assert_eq!(twice.code, Some(1));
    assert!(twice.stderr.contains("FLK-0701"), "{twice:?}");
    let rotated = home.run(&["keys", "rotate", "shop", "--overlap", "0s"]);
    let second = rotated.stdout.trim().to_owned();
    let listed = home.run(&["keys", "list"]);
    assert!(listed.stdout.contains("shop") && listed.stdout.contains("trigger read"), "{listed:?}");
    assert!(!listed.stdout.contains(&second));

    let server = home.start();
    let status = |key: &str| server.send(with_key(Request::get("/v1/workflows"), key)).status;
    assert_eq!((status(&first), status(&second)), (401, 200));
    let home = server.kill();
    assert_eq!(home.run(&["keys", "revoke", "shop"]).code, Some(0));
    let server = home.start();
    let _ = server.send(with_key(Request::get("/v1/workflows"), &second)).expect(401);
}

#[test]
fn every_replica_knows_a_key_within_a_second() {
    let database = Database::new();
    let replicas = Replicas::start(2, &database.url());
    let key = make(&replicas[0], "console", &["read"]);
    let becomes = |status: u16| {
        until_within(KNOWN_WITHIN, &format!("the other replica answers {status}"), || {
            let request = with_key(Request::get("/v1/workflows"), text(&key));
            (replicas[1].send(request).status == status).then_some(())
        });
    };
    becomes(200);
    let id = key["id"].as_str().expect("an id");
    let _ = replicas[0].send(Request::new("DELETE", &format!("/v1/api-keys/{id}"))).expect(204);
    becomes(401);
}

/// `{"type":"normal-user","owner":"acme","sub":"u"}`, which nobody signed.
const USER: &str =
    "Bearer e30.eyJ0eXBlIjoibm9ybWFsLXVzZXIiLCJvd25lciI6ImFjbWUiLCJzdWIiOiJ1In0.c2ln";

#[test]
fn an_access_manager_decides_about_management() {
    const AUTHORIZE: &str = "/v1/authorize";
    let stub = Stub::start();
    let yes_or_no = |yes: bool| Reply::status(200).body(&json!({ "authorized": yes }).to_string());
    let error = Reply::status(401).body(r#"{"code":"AUT-1004","title":"Expired"}"#);
    stub.replies(AUTHORIZE, [yes_or_no(true), yes_or_no(false), error]);
    let server = Home::new()
        .set("PLUGIN_AUTH_ENABLED", "true")
        .set("PLUGIN_AUTH_ADDRESS", &stub.url())
        .start();
    let ask = || {
        let request = Request::get("/v1/workflows").anonymous().header("Authorization", USER);
        let answer = server.send(request);
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    };
    assert_eq!(ask().0, 200);
    assert_eq!(ask(), (403, "Forbidden".to_owned()));
    assert_eq!(ask(), (401, r#"{"code":"AUT-1004","title":"Expired"}"#.to_owned()));
    // What the stub answers by itself says neither yes nor no.
    assert_eq!(ask(), (500, "Internal Server Error".to_owned()));
    let calls = stub.calls();
    assert_eq!(calls[0].header("authorization"), USER.strip_prefix("Bearer "));
    assert_eq!(calls[0].text(), r#"{"action":"manage","resource":"workflows","sub":"acme/u"}"#);
    // The key opens webhooks, which the manager is not asked about, and nothing else.
    let _ = server.send(Request::get("/v1/workflows")).expect(401);
    let _ = server.send(Request::put("/v1/webhooks/none")).expect_error(404, "FLK-0361");
    assert_eq!(stub.n_calls(), 4);
}

#[test]
fn a_start_with_half_of_what_decides_is_refused() {
    let finished = Home::new().set("OIDC_ENABLED", "true").set("PLUGIN_AUTH_ENABLED", "true");
    let finished = finished.run(&["serve"]);
    assert_eq!(finished.code, Some(64), "{finished:?}");
    for name in ["OIDC_ISSUER_URL", "OIDC_AUDIENCE", "PLUGIN_AUTH_ADDRESS"] {
        assert!(finished.stderr.contains(name), "{name} is not named: {}", finished.stderr);
    }
}

#[test]
fn pages_of_a_named_origin_may_call() {
    let server = Home::new().set("CORS_ALLOWED_ORIGINS", "https://console.test").start();
    let preflight = Request::new("OPTIONS", "/v1/workflows")
        .anonymous()
        .header("Origin", "https://console.test")
        .header("Access-Control-Request-Method", "POST");
    let answer = server.send(preflight).expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://console.test"));
    let plain = server.send(Request::get("/v1/workflows").header("Origin", "https://console.test"));
    let plain = plain.expect(200);
    let origin = plain.header("access-control-allow-origin");
    assert_eq!(origin, Some("https://console.test"));
    let other = server.send(Request::get("/v1/workflows").header("Origin", "https://evil.test"));
    assert_eq!(other.expect(200).header("access-control-allow-origin"), None);
}

#[test]
fn injected_faults_are_announced() {
    let server = Home::new().set("FAULT_INJECTION_ENABLED", "true").start();
    let fault = Request::get("/health").anonymous().header("X-Test-Fault-Injection", "unavailable");
    let _ = server.send(fault).expect_error(503, "FLK-0801");
    assert!(server.output().contains("FAULT_INJECTION_ENABLED is on"), "{}", server.output());
}
