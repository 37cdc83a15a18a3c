use std::time::Duration;

use bytes::Bytes;
use flowker_core::ports::SuccessCodes;
use http::HeaderMap;
use url::Url;

use super::*;
use crate::client::Deadline;

/// What a PUT, POST or GET of `https://a.test/x/y` becomes; headers are shown by their names.
fn check(request: &str, answer: &str, wanted: &str) {
    let headers: HeaderMap = ["accept", "content-type", "cookie", "idempotency-key", "x-own"]
        .map(|name| (HeaderName::from_static(name), "v".parse().unwrap()))
        .into_iter()
        .collect();
    let request = Outgoing {
        method: request.parse().unwrap(),
        url: Url::parse("https://a.test/x/y?z=1").unwrap(),
        headers,
        body: Some(Bytes::from_static(b"{}")),
        follows_redirects: true,
        success: SuccessCodes::Any2xx,
        deadline: Deadline::after(Duration::ZERO),
    };
    let (status, location) = answer.split_once(' ').unwrap();
    let response = Response::builder().status(status).header("location", location);
    let shown = match next(&request, &response.body(()).unwrap()) {
        Err(error) => error.to_string(),
        Ok(None) => "the answer".to_owned(),
        Ok(Some(Next { request, is_carried_out })) => {
            let mut names: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            let body = if request.body.is_some() { "with" } else { "without" };
            let effect = if is_carried_out { ", carried out" } else { "" };
            format!("{} {} {body} body{effect}, {}", request.method, request.url, names.join(" "))
        }
    };
    assert_eq!(shown, wanted, "{answer}");
}

const ALL: &str = "accept content-type cookie idempotency-key x-own";

#[test]
fn methods_follow_the_rules_of_browsers() {
    let kept = |method: &str| format!("{method} https://a.test/n with body, {ALL}");
    let got = "GET https://a.test/n without body, carried out, accept cookie idempotency-key x-own";
    for status in ["301", "302"] {
        check("POST", &format!("{status} /n"), got);
        check("PUT", &format!("{status} /n"), &kept("PUT"));
        check("GET", &format!("{status} /n"), &kept("GET"));
    }
    check("POST", "303 /n", got);
    check("PUT", "303 /n", got);
    check("DELETE", "303 /n", got);
    check("GET", "303 /n", &kept("GET"));
    check("HEAD", "303 /n", &kept("HEAD"));
    for status in ["307", "308"] {
        check("POST", &format!("{status} /n"), &kept("POST"));
        check("GET", &format!("{status} /n"), &kept("GET"));
    }
    for status in ["300", "304", "305", "306", "399", "201", "400"] {
        check("POST", &format!("{status} /n"), "the answer");
    }
}

#[test]
fn targets() {
    let check = |location: &str, url: &str, headers: &str| {
        check("POST", &format!("307 {location}"), &format!("POST {url} with body, {headers}"));
    };
    let few = "accept content-type idempotency-key";
    check("z", "https://a.test/x/z", ALL);
    check("../z#part", "https://a.test/z", ALL);
    check("?q=2", "https://a.test/x/y?q=2", ALL);
    check("//a.test:443/n", "https://a.test/n", ALL);
    check("https://a.test:8443/n", "https://a.test:8443/n", few);
    check("https://b.test/n", "https://b.test/n", few);
    check("https://sub.a.test/n", "https://sub.a.test/n", few);
}

#[test]
fn targets_that_are_none() {
    check("POST", "307 http://a.test/", "answered 307 and redirects from https to http");
    check("POST", "302 https://", "answered 302 and redirects to something that is no URL");
    check("POST", "302 https://[::/", "answered 302 and redirects to something that is no URL");
}
