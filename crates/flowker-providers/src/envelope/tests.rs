use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::*;

fn answer(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Answer {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.iter().map(pair).collect::<HeaderMap>(),
        body: Bytes::copy_from_slice(body),
    }
}

fn shown(answer: &Answer) -> Value {
    envelope(answer, &Url::parse("https://a.test/x?q=1").unwrap())
}

#[test]
fn all_members() {
    let headers = [
        ("content-type", "application/json"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-request-id", "7"),
        ("etag", "\"e\""),
    ];
    assert_eq!(
        shown(&answer(201, &headers, br#"{"id": 1}"#)),
        json!({
            "status": 201,
            "status_text": "201 Created",
            "url": "https://a.test/x?q=1",
            "headers": {
                "Content-Type": "application/json",
                "Set-Cookie": "a=1, b=2",
                "X-Request-Id": "7",
                "Etag": "\"e\"",
            },
            "body": {"id": 1},
        })
    );
    assert_eq!(shown(&answer(299, &[], b""))["status_text"], "299");
}

#[test]
fn bodies() {
    let check = |content_type: &str, body: &[u8], wanted: Option<Value>| {
        let shown = shown(&answer(200, &[("content-type", content_type)], body));
        assert_eq!(shown.get("body").cloned(), wanted, "{content_type}");
    };
    let text = |text: &str| Some(Value::from(text));
    check("application/json; charset=utf-8", b"[true]", Some(json!([true])));
    check("Application/JSON", b"null", Some(Value::Null));
    check("application/json", b"{oops", text("{oops"));
    check("application/json", b"", text(""));
    check("application/json", b"\xff", text("\u{fffd}"));
    check("application/problem+json", b"{}", text("{}"));
    check("text/plain", b"{}", text("{}"));
    check("text/plain", b"a\xffb", text("a\u{fffd}b"));
    check("text/plain", b"", None);
    let shown = shown(&answer(204, &[], b""));
    assert_eq!(shown.get("body"), None);
}

#[test]
fn numbers_keep_their_digits() {
    let digits = "[12345678901234567890.123456789012345678901, 1.10, 1E400]";
    let answer = answer(200, &[("content-type", "application/json")], digits.as_bytes());
    let kept = json::to_text(&shown(&answer)["body"]);
    assert_eq!(kept, "[12345678901234567890.123456789012345678901,1.10,1E400]");
}
