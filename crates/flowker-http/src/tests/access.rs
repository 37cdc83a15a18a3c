//! Who is let in, and to what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowker_core::access::{KeyDigest, Scope, Scopes};
use flowker_core::actor::Actor;
use flowker_core::id::ApiKeyId;
use flowker_core::ports::{
    AccessError, ApiKey, ApiKeyPage, ApiKeyWritten, Authorizer, Bearer, MockApiKeyStore,
    MockAuthorizer, MockTokenVerifier, TokenError, TokenVerifier, Verdict,
};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use super::wire::{Answer, PEER, ask, bare};
use super::world::{NOW, World};
use crate::access::Presented;
use crate::route::{self, Endpoint, ROUTES};

const JSON: &str = "Content-Type: application/json";

fn key(name: &str, scopes: Scopes) -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_uuid(Uuid::from_u128(7)),
        name: name.to_owned(),
        scopes,
        digest: KeyDigest::of(name.as_bytes()),
        previous: None,
        revision: 1,
        created_at: NOW,
        updated_at: NOW,
        rotated_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

/// A store with one key for each scope.
pub(super) fn one_for_each_scope() -> MockApiKeyStore {
    let mut store = MockApiKeyStore::new();
    store.expect_keys_revision().returning(|| Ok(1));
    store.expect_unrevoked().returning(|| {
        Ok(Scope::ALL.map(|it| key(it.as_str(), [it].into_iter().collect())).to_vec())
    });
    store.expect_list().returning(|_| Ok(ApiKeyPage { items: Vec::new(), has_more: false }));
    store.expect_get().returning(|_| Ok(None));
    store
}

#[tokio::test(start_paused = true)]
async fn each_scope_opens_its_own_routes() {
    let mut world = World::new();
    world.api_keys = one_for_each_scope();
    world.workflows.expect_list().returning(|_| Err(flowker_core::ports::StoreError::Full));
    world.executions.expect_list().returning(|_| Err(flowker_core::ports::StoreError::Full));
    world.configs.expect_list().returning(|_| Err(flowker_core::ports::StoreError::Full));
    world.audit.expect_search().returning(|_| Err(flowker_core::ports::StoreError::Full));
    let figures = &mut world.dashboards;
    figures.expect_workflows_by_status().returning(|| Err(flowker_core::ports::StoreError::Full));
    figures.expect_count_executions().returning(|_| Err(flowker_core::ports::StoreError::Full));
    figures.expect_series().returning(|_| Err(flowker_core::ports::StoreError::Full));
    let door = world.door();
    door.app.access.keys.as_ref().expect("keys").refresh().await.expect("refresh");
    for (method, template, endpoint) in ROUTES.iter().filter(|row| route::needs_key(row.1)) {
        let path = template.replace("{id}", "x").replace("{*path}", "x");
        for scope in Scope::ALL {
            let header = format!("X-API-Key: {}", scope.as_str());
            let answer = bare(&door, &format!("{method} {path}"), &[&header]).await;
            let is_allowed = match (*endpoint, method, scope) {
                (Endpoint::Webhook, _, scope) => scope == Scope::Trigger,
                (_, &Method::GET, scope) => scope != Scope::Trigger,
                (_, _, scope) => scope == Scope::Manage,
            };
            assert_eq!(answer.status != 403, is_allowed, "{method} {path} with {scope:?}");
            assert_ne!(answer.status, 401, "{method} {path} with {scope:?}");
            if !is_allowed {
                assert_eq!(answer.json()["code"], "FORBIDDEN");
            }
        }
    }
    let head = bare(&door, "HEAD /v1/catalog/providers", &["X-API-Key: read"]).await;
    assert_eq!(head.status, 200);
    // What does not exist is told to everybody who has a key.
    let nothing = bare(&door, "GET /v1/nothing", &["X-API-Key: trigger"]).await;
    assert_eq!(nothing.status, 404);
    let other = bare(&door, "PATCH /v1/workflows", &["X-API-Key: trigger"]).await;
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, HEAD, POST")));
}

fn text(answer: &Answer) -> (u16, String) {
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

/// Members of a body, in alphabetical order.
fn members(answer: &Answer) -> String {
    let body = answer.json();
    body.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn keys_are_made_shown_rotated_and_revoked() {
    let mut world = World::new();
    let store = &mut world.api_keys;
    store.expect_unrevoked().returning(|| Ok(Vec::new()));
    store.expect_keys_revision().returning(|| Ok(1));
    store.expect_create().returning(|_, _| Ok(ApiKeyWritten::Done));
    store.expect_update().returning(|_, _| Ok(ApiKeyWritten::Done));
    let stored = key("billing", Scopes::ALL);
    let found = stored.clone();
    store.expect_get().returning(move |id| Ok((id == found.id).then(|| found.clone())));
    let listed = ApiKey { expires_at: Some(NOW), ..stored.clone() };
    store
        .expect_list()
        .returning(move |_| Ok(ApiKeyPage { items: vec![listed.clone()], has_more: true }));
    let door = world.door();
    let body = r#"{"name": "billing", "scopes": ["trigger"], "expiresAt": "2030-01-01T00:00:00Z"}"#;
    let made = ask(&door, "POST /v1/api-keys", &[JSON], body).await;
    assert_eq!(made.status, 201);
    assert_eq!(members(&made), "createdAt expiresAt id key name scopes status updatedAt");
    let text = made.json()["key"].as_str().expect("text").to_owned();
    assert!(text.starts_with("flk_") && text.len() == 47, "{text}");
    assert_eq!(made.header("cache-control"), Some("no-store"));
    assert_eq!(
        (&made.json()["scopes"], &made.json()["status"]),
        (&json!(["trigger"]), &json!("active"))
    );

    let one = format!("/v1/api-keys/{}", stored.id);
    let shown = ask(&door, &format!("GET {one}"), &[], "").await;
    assert_eq!(
        (shown.status, &*members(&shown)),
        (200, "createdAt id name scopes status updatedAt")
    );
    let list = ask(&door, "GET /v1/api-keys?limit=1&sortBy=name", &[], "").await;
    assert_eq!(list.json()["items"][0]["status"], "expired");
    assert!(!String::from_utf8_lossy(&list.body).contains("digest"));
    let cursor = list.json()["nextCursor"].as_str().expect("a cursor").to_owned();
    let next = ask(&door, &format!("GET /v1/api-keys?cursor={cursor}"), &[], "").await;
    assert_eq!(next.status, 200);
    let wrong = ask(&door, &format!("GET /v1/workflows?cursor={cursor}"), &[], "").await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (400, &json!("INVALID_CURSOR")));

    for (body, expected) in [("", 86_400), (r#"{"overlapSeconds": 60}"#, 60)] {
        let rotated = ask(&door, &format!("POST {one}/rotate"), &[JSON], body).await;
        assert_eq!(rotated.status, 200, "{body}");
        let until = NOW.plus(Duration::from_secs(expected)).to_string();
        assert_eq!(rotated.json()["previousKeyValidUntil"], until);
        assert_eq!(rotated.json()["key"], text, "of the same randomness");
    }
    let wrong =
        ask(&door, &format!("POST {one}/rotate"), &[JSON], r#"{"overlapSeconds": -1}"#).await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (400, &json!("FLK-0703")));
    let revoked = ask(&door, &format!("DELETE {one}"), &[], "").await;
    assert_eq!((revoked.status, revoked.body.len()), (204, 0));
    for line in ["GET", "DELETE"] {
        let path = "/v1/api-keys/00000000-0000-0000-0000-000000000008";
        let unknown = ask(&door, &format!("{line} {path}"), &[], "").await;
        assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!("FLK-0700")));
    }
    let malformed = ask(&door, "GET /v1/api-keys/x", &[], "").await;
    assert_eq!((malformed.status, &malformed.json()["code"]), (400, &json!("FLK-0002")));
}

/// A manager that answers so, and remembers what it was asked.
pub(super) fn manager(
    answer: fn() -> Result<Verdict, AccessError>,
) -> (Arc<dyn Authorizer>, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut manager = MockAuthorizer::new();
    let log = Arc::clone(&asked);
    manager.expect_authorize().returning(move |it| {
        log.lock().unwrap().push(format!("{} {} {}", it.subject, it.action, it.resource));
        answer()
    });
    (Arc::new(manager), asked)
}

/// `{"type":"normal-user","owner":"acme","sub":"u"}`, unsigned.
pub(super) const USER: &str = "Authorization: Bearer e30.eyJ0eXBlIjoibm9ybWFsLXVzZXIiLCJvd25lciI6ImFjbWUiLCJzdWIiOiJ1In0.c2ln";

#[tokio::test(start_paused = true)]
async fn the_manager_is_asked_for_the_familys_own_pair() {
    let (manager, asked) = manager(|| Ok(Verdict::Denied));
    let mut world = World::new();
    world.manager = Some(manager);
    world.asks_for_keys = false;
    let door = world.door();
    for (line, pair) in [
        ("POST /v1/webhooks/orders/paid", "execute webhooks"),
        ("GET /v1/workflows", "manage workflows"),
        ("POST /v1/workflows/x/executions", "manage executions"),
        ("GET /v1/catalog/providers", "read catalog"),
        ("GET /v1/provider-configurations/x", "manage provider-configurations"),
        ("DELETE /v1/api-keys/x", "manage api-keys"),
        ("GET /v1/audit-events", "read audit-events"),
    ] {
        let answer = bare(&door, line, &[USER]).await;
        assert_eq!(text(&answer), (403, "Forbidden".to_owned()), "{line}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        let asked: Vec<_> = asked.lock().unwrap().drain(..).collect();
        assert_eq!(asked, [format!("acme/u {pair}")], "{line}");
    }
    // Who has no token learns nothing, and nobody is asked.
    for line in ["GET /v1/nothing", "GET /v1/workflows", "POST /v1/webhooks/orders/paid"] {
        let answer = bare(&door, line, &["X-API-Key: secret"]).await;
        assert_eq!(text(&answer), (401, "Missing Token".to_owned()), "{line}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let unread = bare(&door, "GET /v1/workflows", &["Authorization: Bearer a.b.c"]).await;
    assert_eq!(text(&unread), (401, "Unauthorized".to_owned()));
    assert_eq!(bare(&door, "GET /v1/nothing", &[USER]).await.status, 404);
    assert_eq!(bare(&door, "GET /health", &[]).await.status, 200);
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_managers_word_is_passed_on() {
    let check = async |answer: fn() -> Result<Verdict, AccessError>, status: u16, body: &str| {
        let mut world = World::new();
        world.asks_for_keys = false;
        world.manager = Some(manager(answer).0);
        let answer = bare(&world.door(), "GET /v1/catalog/triggers/x", &[USER]).await;
        let (found, text) = text(&answer);
        assert_eq!(found, status, "{text}");
        assert!(text.contains(body), "{text}");
        assert!(answer.header("x-request-id").is_some());
    };
    check(|| Ok(Verdict::Allowed), 404, "FLK-0210").await;
    check(|| Ok(Verdict::Denied), 403, "Forbidden").await;
    let refused = || {
        let error = json!({"code": "AUT-1004", "title": "Expired"});
        Ok(Verdict::Refused { status: 401, error })
    };
    check(refused, 401, r#"{"code":"AUT-1004","title":"Expired"}"#).await;
    check(|| Err(AccessError("down".into())), 500, "Internal Server Error").await;
}

#[tokio::test(start_paused = true)]
async fn beside_a_manager_keys_open_webhooks_only() {
    let mut world = World::new();
    world.manager = Some(manager(|| Ok(Verdict::Allowed)).0);
    let door = world.door();
    for (line, header, status) in [
        ("POST /v1/webhooks/orders/paid", "X-API-Key: secret", 201),
        ("POST /v1/webhooks/orders/paid", USER, 401),
        ("GET /v1/catalog/providers", "X-API-Key: secret", 401),
        ("GET /v1/catalog/providers", USER, 200),
    ] {
        assert_eq!(bare(&door, line, &[header]).await.status, status, "{line} {header}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_record_names_who_calls() {
    let check = async |world: World, header: (&'static str, &str), expected: &str| {
        let door = world.door();
        let access = &door.app.access;
        if let Some(keys) = &access.keys {
            keys.refresh().await.expect("refresh");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header.0, header.1.parse().expect("a value"));
        let presented = Presented { headers: &headers, is_webhook: false, ip: PEER, now: NOW };
        let Actor { kind, id, ip } = access.identify(presented).await.expect("somebody").actor;
        assert_eq!((format!("{} {id}", kind.as_str()), ip), (expected.to_owned(), PEER));
    };
    let keyed = || World { api_keys: one_for_each_scope(), ..World::new() };
    check(keyed(), ("x-api-key", "secret"), "api_key default").await;
    check(keyed(), ("x-api-key", "manage"), "api_key manage").await;
    let tokens = World { tokens: Some(tokens()), ..keyed() };
    check(tokens, ("authorization", "Bearer good"), "user u-1").await;
    let managed = World { manager: Some(manager(|| Ok(Verdict::Allowed)).0), ..keyed() };
    let user = USER.strip_prefix("Authorization: ").expect("a header");
    check(managed, ("authorization", user), "user acme/u").await;
    let open = World { asks_for_keys: false, ..World::new() };
    check(open, ("x-api-key", "anything"), "api_key anonymous").await;
}

/// Knows two tokens, of somebody who may read and of somebody who may trigger.
fn tokens() -> Arc<dyn TokenVerifier> {
    let mut tokens = MockTokenVerifier::new();
    tokens.expect_verify().returning(|token| match token {
        "good" => {
            let scopes = [Scope::Read].into_iter().collect();
            Ok(Bearer { subject: "u-1".to_owned(), scopes })
        }
        "hook" => {
            let scopes = [Scope::Trigger].into_iter().collect();
            Ok(Bearer { subject: "u-2".to_owned(), scopes })
        }
        "early" => Err(TokenError::Unavailable { source: "down".into() }),
        _ => Err(TokenError::Invalid { reason: "wrong" }),
    });
    Arc::new(tokens)
}

#[tokio::test(start_paused = true)]
async fn tokens_open_management_beside_keys_or_alone() {
    const EITHER: &str = "Bearer, ApiKey header=\"X-API-Key\"";
    let check = async |asks_for_keys: bool, line: &str, header: &str, expected: &str| {
        let mut world = World::new();
        world.tokens = Some(tokens());
        world.asks_for_keys = asks_for_keys;
        let answer = bare(&world.door(), line, &[header]).await;
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        let code = if answer.status < 400 { Value::Null } else { answer.json()["code"].clone() };
        let code = code.as_str().unwrap_or_default();
        let shown = format!("{} {code} {challenge}", answer.status);
        assert_eq!(shown.trim_end(), expected, "{line} {header}");
    };
    let get = "GET /v1/catalog/providers";
    let post = "POST /v1/api-keys";
    let hook = "POST /v1/webhooks/orders/paid";
    let unauthorized = |challenge: &str| format!("401 UNAUTHORIZED {challenge}");
    for (asks_for_keys, challenge) in [(true, EITHER), (false, "Bearer")] {
        check(asks_for_keys, get, "Authorization: Bearer good", "200").await;
        check(asks_for_keys, get, "authorization: BEARER  good", "200").await;
        check(asks_for_keys, post, "Authorization: Bearer good", "403 FORBIDDEN").await;
        check(asks_for_keys, get, "Authorization: Bearer early", "503 FLK-0904").await;
        for wrong in [
            "Bearer bad",
            "good",
            "Bearer",
            "Basic good",
            "",
            "Bearer good\r\nAuthorization: Bearer good",
        ] {
            let header = format!("Authorization: {wrong}");
            check(asks_for_keys, get, &header, &unauthorized(challenge)).await;
        }
    }
    check(true, get, "X-API-Key: secret", "200").await;
    check(true, get, "X-API-Key: wrong\r\nAuthorization: Bearer good", &unauthorized(EITHER)).await;
    check(false, get, "X-API-Key: secret", &unauthorized("Bearer")).await;
    check(true, hook, "X-API-Key: secret", "201").await;
    check(true, hook, "Authorization: Bearer good", &unauthorized("ApiKey header=\"X-API-Key\""))
        .await;
    check(false, hook, "Authorization: Bearer good", "403 FORBIDDEN").await;
    check(false, hook, "Authorization: Bearer hook", "201").await;
    check(false, get, "Authorization: Bearer hook", "403 FORBIDDEN").await;
}
