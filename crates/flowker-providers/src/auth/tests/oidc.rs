//! Signing in, and how rarely.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowker_core::ports::{Call, CallFailure, FailureKind};
use futures_util::future::join_all;
use url::form_urlencoded;

use super::*;
use crate::downstream::Received;

/// An issuer and an API in one. Tokens are `t1`, `t2`, …
struct World {
    downstream: Downstream,
    caller: Caller,
}

/// What the issuer answers to a token request, given how many it has had.
type Grant = fn(n: usize, form: &HashMap<String, String>) -> Reply;

fn form(request: &Received) -> HashMap<String, String> {
    form_urlencoded::parse(request.body.as_bytes()).into_owned().collect()
}

fn hour(n: usize, _: &HashMap<String, String>) -> Reply {
    Reply::json(&format!(
        r#"{{"access_token": "t{n}", "token_type": "bearer", "expires_in": 3600, "refresh_token": "r{n}"}}"#
    ))
}

fn welcome(_: &str) -> Reply {
    Reply::json("{}")
}

impl World {
    /// `api` answers to a call with these credentials.
    async fn new(grant: Grant, api: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let n_tokens = Mutex::new(0);
        let script = move |request: &Received| match request.target.as_str() {
            "/realm/.well-known/openid-configuration" => {
                let host = request.header("host").unwrap_or_default();
                Reply::json(&format!(r#"{{"token_endpoint": "http://{host}/token"}}"#))
            }
            "/token" => {
                let mut n_tokens = n_tokens.lock().unwrap();
                *n_tokens += 1;
                grant(*n_tokens, &form(request))
            }
            _ => api(&request.header("authorization").unwrap_or_default()),
        };
        let downstream = Downstream::start(script).await;
        Self { downstream, caller: Caller::new(Arc::new(client())) }
    }

    fn service(&self, more: &Value) -> Call {
        let members = json!({
            "auth_type": "oidc_client_credentials", "issuer_url": self.downstream.url("/realm/"),
            "client_id": "my client", "client_secret": "s3cret:",
        });
        self.with(members, more)
    }

    fn user(&self, more: &Value) -> Call {
        let members = json!({
            "auth_type": "oidc_user", "issuer_url": self.downstream.url("/realm"),
            "client_id": "c", "username": "ada", "password": "pass word",
        });
        self.with(members, more)
    }

    fn with(&self, mut members: Value, more: &Value) -> Call {
        for (name, value) in more.as_object().unwrap() {
            members[name] = value.clone();
        }
        call("http", config(&self.downstream.url("/api"), members))
    }

    async fn call(&self, call: &Call) -> Result<(), CallFailure> {
        self.caller.call(call).await.map(drop)
    }

    /// The paths that were called since the last time, with the API's credentials.
    fn log(&self, n_before: usize) -> Vec<String> {
        let received = self.downstream.received().into_iter().skip(n_before);
        received
            .map(|request| match request.target.as_str() {
                "/token" => format!("token {}", form(&request)["grant_type"]),
                "/api" => format!("api {}", request.header("authorization").unwrap_or_default()),
                _ => "discovery".to_owned(),
            })
            .collect()
    }

    fn form(&self) -> Vec<(String, String)> {
        let mut received = self.downstream.received().into_iter();
        let request = received.find(|it| it.target == "/token").unwrap();
        assert_eq!(request.header("content-type").unwrap(), "application/x-www-form-urlencoded");
        let mut form: Vec<_> = form(&request).into_iter().collect();
        form.sort();
        form
    }
}

async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_it_expires() {
    let world = World::new(hour, welcome).await;
    let call = world.service(&json!({}));
    world.call(&call).await.unwrap();
    world.call(&call).await.unwrap();
    let first = ["discovery", "token client_credentials", "api Bearer t1", "api Bearer t1"];
    assert_eq!(world.log(0), first);
    advance(3600 - 60 - 1).await;
    world.call(&call).await.unwrap();
    advance(2).await;
    world.call(&call).await.unwrap();
    // The discovery document is kept for an hour, and that is not over yet.
    assert_eq!(world.log(4), ["api Bearer t1", "token client_credentials", "api Bearer t2"]);
    advance(3600).await;
    world.call(&call).await.unwrap();
    assert_eq!(world.log(7), ["discovery", "token client_credentials", "api Bearer t3"]);
}

#[tokio::test]
async fn what_the_issuer_is_told_of_a_service() {
    let world = World::new(hour, welcome).await;
    let more = json!({
        "scopes": ["read", "write"], "audience": "api", "extra_params": {"tenant": "a b"},
    });
    world.call(&world.service(&more)).await.unwrap();
    let wanted = [
        ("audience", "api"),
        ("grant_type", "client_credentials"),
        ("scope", "read write"),
        ("tenant", "a b"),
    ];
    assert_eq!(world.form(), crate::fixture::pairs(&wanted));
    let request = world.downstream.received().remove(1);
    let encoded = STANDARD.encode("my+client:s3cret%3A");
    assert_eq!(request.header("authorization").unwrap(), format!("Basic {encoded}"));
}

#[tokio::test]
async fn a_secret_in_the_form() {
    let world = World::new(hour, welcome).await;
    let more = json!({"token_endpoint_auth_method": "client_secret_post"});
    world.call(&world.service(&more)).await.unwrap();
    let wanted = [
        ("client_id", "my client"),
        ("client_secret", "s3cret:"),
        ("grant_type", "client_credentials"),
    ];
    assert_eq!(world.form(), crate::fixture::pairs(&wanted));
    assert_eq!(world.downstream.received()[1].header("authorization"), None);
}

#[tokio::test]
async fn what_the_issuer_is_told_of_a_user() {
    let world = World::new(hour, welcome).await;
    world.call(&world.user(&json!({}))).await.unwrap();
    let wanted = [
        ("client_id", "c"),
        ("grant_type", "password"),
        ("password", "pass word"),
        ("scope", "openid"),
        ("username", "ada"),
    ];
    assert_eq!(world.form(), crate::fixture::pairs(&wanted));
}

#[tokio::test]
async fn a_token_url_needs_no_discovery() {
    let world = World::new(hour, welcome).await;
    let call = world.service(&json!({"token_url": world.downstream.url("/token")}));
    world.call(&call).await.unwrap();
    assert_eq!(world.log(0), ["token client_credentials", "api Bearer t1"]);
}

#[tokio::test]
async fn a_refresh_token_comes_before_the_password() {
    let world = World::new(hour, welcome).await;
    let call = world.user(&json!({}));
    for _ in 0..2 {
        world.call(&call).await.unwrap();
        advance(3550).await;
    }
    let wanted =
        ["discovery", "token password", "api Bearer t1", "token refresh_token", "api Bearer t2"];
    assert_eq!(world.log(0), wanted);
    assert_eq!(form(&world.downstream.received()[3])["refresh_token"], "r1");
}

#[tokio::test]
async fn a_refused_refresh_token_is_not_the_end() {
    let grant = |n: usize, form: &HashMap<String, String>| match form["grant_type"].as_str() {
        "refresh_token" => Reply::answer("400", r#"{"error": "invalid_grant"}"#),
        _ => hour(n, form),
    };
    let world = World::new(grant, welcome).await;
    let call = world.user(&json!({}));
    world.call(&call).await.unwrap();
    advance(3550).await;
    world.call(&call).await.unwrap();
    let wanted = ["token refresh_token", "token password", "api Bearer t3"];
    assert_eq!(world.log(3), wanted);
}

#[tokio::test]
async fn refresh_tokens_can_be_left_alone() {
    let world = World::new(hour, welcome).await;
    let call = world.user(&json!({"cache": {"use_refresh_token": false}}));
    world.call(&call).await.unwrap();
    advance(3550).await;
    world.call(&call).await.unwrap();
    assert_eq!(world.log(3), ["token password", "api Bearer t2"]);
}

#[tokio::test]
async fn an_empty_cache_setting_keeps_nothing() {
    let world = World::new(hour, welcome).await;
    for cache in [json!({}), json!({"enabled": false})] {
        let n_before = world.downstream.received().len();
        let call = world.service(&json!({"cache": cache}));
        world.call(&call).await.unwrap();
        world.call(&call).await.unwrap();
        let log = world.log(n_before);
        assert_eq!(log.iter().filter(|it| it.starts_with("token")).count(), 2, "{log:?}");
    }
}

#[tokio::test]
async fn a_token_of_unknown_life_is_not_kept() {
    let world = World::new(|_, _| Reply::json(r#"{"access_token": "t"}"#), welcome).await;
    let call = world.service(&json!({}));
    world.call(&call).await.unwrap();
    world.call(&call).await.unwrap();
    let log = world.log(1);
    let wanted = "token client_credentials, api Bearer t, token client_credentials, api Bearer t";
    assert_eq!(log.join(", "), wanted);
}

#[tokio::test]
async fn many_calls_sign_in_once() {
    let world = World::new(hour, welcome).await;
    let call = world.service(&json!({}));
    for outcome in join_all((0..20).map(|_| world.call(&call))).await {
        outcome.unwrap();
    }
    let log = world.log(0);
    assert_eq!(log.iter().filter(|it| it.starts_with("token")).count(), 1, "{log:?}");
    assert_eq!(log.iter().filter(|it| *it == "api Bearer t1").count(), 20, "{log:?}");
}

#[tokio::test]
async fn many_calls_are_refused_once() {
    let world = World::new(|_, _| Reply::answer("401", "s3cret"), welcome).await;
    let call = world.service(&json!({}));
    for outcome in join_all((0..20).map(|_| world.call(&call))).await {
        let failure = outcome.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permanent);
        assert_eq!(failure.message, "signing in at 127.0.0.1 failed: answered 401 Unauthorized");
    }
    assert_eq!(world.log(0), ["discovery", "token client_credentials"]);
}

/// A wrong secret must not find the token that the right one has got.
#[tokio::test]
async fn tokens_are_not_shared_with_other_secrets() {
    let world = World::new(hour, welcome).await;
    world.call(&world.service(&json!({}))).await.unwrap();
    world.call(&world.service(&json!({"client_secret": "other"}))).await.unwrap();
    assert_eq!(world.log(5), ["api Bearer t2"]);
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_replaced() {
    let api = |authorization: &str| match authorization {
        "Bearer t1" => Reply::answer("401", ""),
        _ => Reply::json("{}"),
    };
    let world = World::new(hour, api).await;
    let call = world.service(&json!({}));
    // It is new, so another would fare no better.
    assert_eq!(world.call(&call).await.unwrap_err().kind, FailureKind::Permanent);
    world.call(&call).await.unwrap();
    assert_eq!(world.log(3), ["token client_credentials", "api Bearer t2"]);
}

#[tokio::test]
async fn a_kept_token_that_was_revoked_is_worth_another_attempt() {
    let is_revoked = Arc::new(AtomicBool::new(false));
    let revoked = Arc::clone(&is_revoked);
    let api = move |authorization: &str| {
        if authorization == "Bearer t1" && revoked.load(Ordering::Relaxed) {
            return Reply::answer("401", "");
        }
        Reply::json("{}")
    };
    let world = World::new(hour, api).await;
    let call = world.service(&json!({}));
    world.call(&call).await.unwrap();
    is_revoked.store(true, Ordering::Relaxed);
    assert_eq!(world.call(&call).await.unwrap_err().kind, FailureKind::Transient);
    world.call(&call).await.unwrap();
    assert_eq!(world.log(4), ["token client_credentials", "api Bearer t2"]);
}

async fn check_failure(grant: Grant, kind: FailureKind, reason: &str) {
    let world = World::new(grant, welcome).await;
    let failure = world.call(&world.service(&json!({}))).await.unwrap_err();
    let wanted = format!("signing in at 127.0.0.1 failed: {reason}");
    assert_eq!((failure.kind, failure.message), (kind, wanted));
    assert_eq!(world.log(2), Vec::<String>::new(), "the API was not called");
}

#[tokio::test]
async fn sign_ins_that_fail() {
    use FailureKind::{Permanent, Transient};
    let busy = "answered 503 Service Unavailable";
    check_failure(|_, _| Reply::answer("503", ""), Transient, busy).await;
    check_failure(|_, _| Reply::answer("400", ""), Permanent, "answered 400 Bad Request").await;
    check_failure(|_, _| Reply::answer("201", "{}"), Permanent, "answered 201 Created").await;
    check_failure(|_, _| Reply::json("[]"), Permanent, "its answer is no JSON object").await;
    check_failure(|_, _| Reply::json("{}"), Permanent, "its answer has no access_token").await;
    let odd = |_: usize, _: &HashMap<String, String>| Reply::json(r#"{"access_token": "a\nb"}"#);
    check_failure(odd, Permanent, "its access_token does not fit a header").await;
    // The call itself was never sent, so a lost answer here leaves nothing open.
    let lost = "the connection was lost before the whole answer was here: connection reset";
    check_failure(|_, _| Reply::Reset(Vec::new()), Transient, lost).await;
    // The form holds secrets: nobody sends it on.
    let moved = |_: usize, _: &HashMap<String, String>| Reply::answer("307\r\nLocation: /t2", "");
    check_failure(moved, Permanent, "answered 307 Temporary Redirect").await;
}

#[tokio::test]
async fn an_issuer_without_a_token_endpoint() {
    let downstream = Downstream::start(|_| Reply::json(r#"{"issuer": "x"}"#)).await;
    let members = json!({
        "auth_type": "oidc_client_credentials", "issuer_url": downstream.url(""),
        "client_id": "c", "client_secret": "s",
    });
    let call = call("http", config(&downstream.url("/"), members));
    let failure = Caller::new(Arc::new(client())).call(&call).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(failure.message.contains("names no token_endpoint"), "{failure}");
}

#[tokio::test]
async fn the_time_of_a_call_covers_the_sign_in() {
    let world = World::new(|_, _| Reply::Hang(Vec::new()), welcome).await;
    let call = world.service(&json!({}));
    let waiting = async {
        world.downstream.has_received(2).await;
        tokio::time::pause();
    };
    let (outcome, ()) = tokio::join!(world.call(&call), waiting);
    let failure = outcome.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Transient);
    assert!(failure.message.ends_with("no whole answer within 30000 ms"), "{failure}");
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    let world = World::new(hour, welcome).await;
    let token_url = world.downstream.url("/token");
    for client_id in 0..260 {
        let more = json!({"token_url": token_url, "client_id": client_id.to_string()});
        world.call(&world.service(&more)).await.unwrap();
    }
    assert!(format!("{:?}", world.caller).contains("n_kept: 256"), "{:?}", world.caller);
    // The last one is still there, and the first is not.
    let n_before = world.downstream.received().len();
    for client_id in ["259", "0"] {
        let more = json!({"token_url": token_url, "client_id": client_id});
        world.call(&world.service(&more)).await.unwrap();
    }
    assert_eq!(world.log(n_before)[1..], ["token client_credentials", "api Bearer t261"]);
}
