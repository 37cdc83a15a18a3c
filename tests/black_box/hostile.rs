//! Bad input is refused with a code and the member at fault, and harms nobody else.

use flowker_tests::{Answer, Flow, Request, Server, http};
use serde_json::json;

const JSON: &str = "application/json";

#[test]
fn bad_bodies_are_refused_and_name_the_member() {
    let server = Server::start();
    server.deploy(&Flow::at("PUT", "orders/paid").output("o", json!({})));
    let deep = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let check = |what: &str, media_type: &str, body: &[u8], member: &str| {
        let answer = server.send(Request::put("/v1/webhooks/orders/paid").body(media_type, body));
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        let fields = answer.expect_error(400, "FLK-0001").fields();
        assert_eq!(fields.len(), 1, "{what}: {fields:?}");
        assert!(fields[0].starts_with(member), "{what}: {fields:?}");
        server.expect_sound();
    };
    check("cut short", JSON, b"{\"order\":", "order");
    check("a value missing", JSON, br#"{"order":{"lines":[1,]}}"#, "order.lines[1]");
    check("text behind it", JSON, b"{} x", "");
    check("single quotes", JSON, b"{'a':1}", "");
    check("a raw NUL", JSON, b"{\"a\":\"\0\"}", "a");
    check("NUL behind it", JSON, b"{}\0", "");
    check("invalid UTF-8", JSON, b"{\"a\":{\"b\":\"\xff\xfe\"}}", "a.b");
    check("half a surrogate pair", JSON, br#"{"a":"\ud800"}"#, "a");
    check("a byte order mark", JSON, b"\xEF\xBB\xBF{}", "");
    check("NaN", JSON, br#"{"a":NaN}"#, "a");
    check("a leading zero", JSON, br#"{"a":{"b":01}}"#, "a");
    check("65 levels", JSON, deep(65).as_bytes(), "a.a.a.a");
    check("150,000 levels", JSON, "[".repeat(150_000).as_bytes(), "[0][0][0]");
    check(
        "too many values",
        JSON,
        format!("{{\"a\":[{}1]}}", "1,".repeat(100_000)).as_bytes(),
        "a",
    );
    check("an array", JSON, b"[]", "");
    check("a text", JSON, b"\"a\"", "");
    check("a number", JSON, b"1", "");
    check("no JSON by its type", "text/plain", b"{}", "");
    check("a form", "application/x-www-form-urlencoded", b"a=b", "");

    // What looks bad and is not.
    let accepted: [&[u8]; 5] =
        [b"null", b"", br#"{"a":"\u0000"}"#, br#"{"a":1e999999999999}"#, br#"{"a":1,"a":2}"#];
    for body in accepted {
        let answer = server.send(Request::put("/v1/webhooks/orders/paid").body(JSON, body));
        server.complete(&answer.expect(201).text("executionId"));
    }
    // As deep and as many as is taken: what the door adds to the input must not tip it over.
    let many = format!("{{\"a\":[{}1]}}", "1,".repeat(99_997));
    for body in [deep(64), many] {
        let delivery = Request::put("/v1/webhooks/orders/paid").body(JSON, body);
        server.complete(&server.send(delivery).expect(201).text("executionId"));
    }
}

#[test]
fn too_large_bodies_are_refused() {
    let server = Server::start();
    server.deploy(&Flow::at("PUT", "orders/paid").output("o", json!({})));
    let of_length = |length: usize| {
        let body = format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        server.send(Request::put("/v1/webhooks/orders/paid").body(JSON, body))
    };
    let _ = of_length(1_048_576).expect(201);
    let _ = of_length(1_048_577).expect_error(413, "FLK-0363");

    // Refused by its declared length alone: none of it is sent.
    let declared = Request::put("/v1/webhooks/orders/paid")
        .header("X-API-Key", flowker_tests::server::API_KEY)
        .header("Content-Type", JSON)
        .header("Content-Length", "1048577");
    let answer = http::exchange(server.address(), &declared.to_bytes(server.address())).unwrap();
    let _ = answer.expect_error(413, "FLK-0363");
    server.expect_sound();
}

#[test]
fn bytes_that_are_no_request_are_refused() {
    let server = Server::start();
    server.deploy(&Flow::at("GET", "a/b").output("o", json!({})));
    let key = flowker_tests::server::API_KEY;
    let get = |target: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n")
    };
    let exchange =
        |bytes: &[u8]| -> Option<Answer> { http::exchange(server.address(), bytes).ok() };

    let malformed: Vec<Vec<u8>> = vec![
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"GARBAGE\r\n\r\n".to_vec(),
        b"GET /health HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec(),
        b"GET /health HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n".to_vec(),
        b"POST /v1/webhooks/a/b HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"GET /v1/webhooks/a\0b HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        get("/v1/webhooks/a%00b").into_bytes(),
        get("/v1/webhooks/a%ffb").into_bytes(),
        get("/v1/webhooks/a%zzb").into_bytes(),
        get("/v1/webhooks/x/../a/b").into_bytes(),
        get("/v1/webhooks/x/%2e%2e/a/b").into_bytes(),
    ];
    for bytes in malformed {
        // To close the connection without a word is an answer too.
        if let Some(answer) = exchange(&bytes) {
            let request = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(answer.status, 400, "{request:?}: {answer:?}");
        }
        server.expect_sound();
    }
    let answer = exchange(get(&format!("/v1/webhooks/{}", "a".repeat(9_000))).as_bytes()).unwrap();
    assert_eq!(answer.status, 414, "{answer:?}");
    let _ = exchange(get("/v1/webhooks/a/b").as_bytes()).unwrap().expect(201);
}

#[test]
fn huge_exponents_in_a_payload_fail_the_run_and_nothing_else() {
    let server = Server::start();
    server.deploy(&Flow::at("PUT", "huge").condition("ask", "workflow.x > 1"));
    for number in ["1e1001", "1e-1001", "1e999999999999999999999", "-0.1e2147483648"] {
        let body = format!("{{\"x\":{number}}}");
        let answer = server.send(Request::put("/v1/webhooks/huge").body(JSON, body)).expect(201);
        let status = server.wait_for_end(&answer.text("executionId"));
        assert_eq!(status["status"], "failed", "{number}: {status}");
        assert_eq!(status["failureCode"], "step_failed", "{number}: {status}");
        let message = status["errorMessage"].as_str().unwrap();
        assert!(message.contains("ask"), "the node is named: {message}");
        let results = server.results(&answer.text("executionId"));
        let message = results["stepResults"][0]["errorMessage"].as_str().unwrap();
        assert!(message.contains("workflow.x"), "the member is named: {message}");
        server.expect_sound();
    }
}

#[test]
fn bad_identifiers_and_queries_are_refused() {
    let server = Server::start();
    let check = |target: &str, code: &str| {
        let answer = server.send(Request::get(target));
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
        let _ = answer.expect_error(400, code);
    };
    check("/v1/workflows/from-template", "FLK-0002");
    check("/v1/executions/1", "FLK-0002");
    check("/v1/executions?limit=0", "FLK-0309");
    check("/v1/executions?limit=101", "FLK-0309");
    check("/v1/executions?status=unknown", "FLK-0304");
    check("/v1/executions?sortOrder=up", "FLK-0310");
    check("/v1/executions?workflowId=1", "FLK-0002");
    check("/v1/executions?cursor=%00", "INVALID_CURSOR");
    check("/v1/workflows?limit=0", "FLK-0304");
    check("/v1/workflows?cursor=x", "INVALID_CURSOR");
    server.expect_sound();
}
