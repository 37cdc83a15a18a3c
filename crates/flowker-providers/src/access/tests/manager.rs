use std::sync::Arc;

use flowker_core::ports::{Authorizer as _, Question};
use url::Url;

use crate::access::AccessManager;
use crate::downstream::{Downstream, Reply, client};

fn question() -> Question {
    Question {
        token: "a.b.c".to_owned(),
        subject: "acme/u-1".to_owned(),
        resource: "workflows",
        action: "manage",
    }
}

async fn ask(downstream: &Downstream, path: &str) -> String {
    let address = Url::parse(&downstream.url(path)).expect("a URL");
    let manager = AccessManager::new(Arc::new(client()), &address);
    match manager.authorize(question()).await {
        Ok(verdict) => format!("{verdict:?}"),
        Err(error) => error.0.to_string(),
    }
}

#[tokio::test]
async fn the_question_is_the_contracts() {
    for path in ["", "/", "/base/"] {
        let downstream = Downstream::start(|_| Reply::json(r#"{"authorized":true}"#)).await;
        assert_eq!(ask(&downstream, path).await, "Allowed");
        let asked = downstream.only();
        let base = path.trim_end_matches('/');
        assert_eq!((asked.method.as_str(), asked.target), ("POST", format!("{base}/v1/authorize")));
        let body = r#"{"action":"manage","resource":"workflows","sub":"acme/u-1"}"#;
        assert_eq!(asked.body, body);
        let header =
            |name: &str| asked.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        assert_eq!(header("authorization").map(|it| it.1.as_str()), Some("a.b.c"));
        assert_eq!(header("content-type").map(|it| it.1.as_str()), Some("application/json"));
    }
}

#[tokio::test]
async fn only_a_clear_yes_is_one() {
    let check = async |head: &'static str, body: &'static str, expected: &str| {
        let downstream = Downstream::start(move |_| Reply::answer(head, body)).await;
        assert_eq!(ask(&downstream, "").await, expected, "{head} {body}");
    };
    let unusable = |reason: &str| format!("the answer of 127.0.0.1 cannot be used: {reason}");
    check("200 OK", r#"{"authorized":true}"#, "Allowed").await;
    check("200 OK", r#"{"authorized":false}"#, "Denied").await;
    check("403 Forbidden", r#"{"authorized":false}"#, "Denied").await;
    let refused = r#"Refused { status: 401, error: Object {"code": String("AUT-1")} }"#;
    check("401 Unauthorized", r#"{"code":"AUT-1"}"#, refused).await;
    let refused = r#"Refused { status: 503, error: Object {"code": String("AUT-2")} }"#;
    check("503 Unavailable", r#"{"code":"AUT-2"}"#, refused).await;
    for (head, body, reason) in [
        ("200 OK", "", "it is no JSON object"),
        ("200 OK", "[true]", "it is no JSON object"),
        ("200 OK", "{}", "it does not say whether"),
        ("200 OK", r#"{"code":"AUT-1"}"#, "it does not say whether"),
        ("200 OK", r#"{"authorized":"true"}"#, "authorized is neither true nor false"),
        ("500 Oops", r#"{"authorized":true}"#, "it says yes with the status of a failure"),
        ("502 Bad Gateway", "<html>", "it is no JSON object"),
        ("404 Not Found", "{}", "it does not say whether"),
    ] {
        check(head, body, &unusable(reason)).await;
    }
    check("302 Found\r\nLocation: /", "{}", "the request to 127.0.0.1 failed").await;
}

#[tokio::test]
async fn nobody_there_is_no_yes() {
    let downstream = Downstream::start(|_| Reply::Close(Vec::new())).await;
    assert_eq!(ask(&downstream, "").await, "the request to 127.0.0.1 failed");
}
