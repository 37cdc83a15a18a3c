//! Every digit and every member of a payload arrives where it is sent.

use flowker_tests::{Flow, Reply, Request, Server, Stub};
use serde_json::json;

/// Members that a reader of doubles, or a careless use of a JSON library, would change.
const MEMBERS: [&str; 10] = [
    r#""integer":12345678901234567890"#,
    r#""longer":-98765432109876543210987654321098765432"#,
    r#""decimal":3.14159265358979323846264338327950288419716939937510"#,
    r#""zeros":1.10"#,
    r#""small":0.1e-7"#,
    r#""huge":1e400"#,
    r#""minus":-0.0"#,
    r#""marker":{"$serde_json::private::Number":"1"}"#,
    r#""raw":{"$serde_json::private::RawValue":"[1]"}"#,
    r#""text":"\u0000 \ud83d\ude00 \" é""#,
];

#[test]
fn payloads_reach_the_called_service_digit_for_digit() {
    let (stub, server) = (Stub::start(), Server::start());
    let provider = server.provider(&stub);
    let mapping = json!([{ "source": "workflow.integer", "target": "mapped.integer" }]);
    server.deploy(
        &Flow::at("PUT", "numbers")
            .call("all", &provider, "/all")
            .call("mapped", &provider, "/mapped")
            .with("inputMapping", mapping)
            .output(
                "o",
                json!({ "integer": "{{ workflow.integer }}", "marker": "{{ workflow.marker }}" }),
            ),
    );
    let payload = format!("{{{}}}", MEMBERS.join(","));
    let delivery = Request::put("/v1/webhooks/numbers").body("application/json", payload);
    let results = server.complete(&server.send(delivery).expect(201).text("executionId"));

    let calls = stub.calls();
    let sent = calls[0].text();
    for member in MEMBERS {
        // The text is spelled anew, its value is the same.
        let member = member.replace(r"\ud83d\ude00", "\u{1f600}");
        assert!(sent.contains(&member), "{member} is missing in {sent}");
    }
    assert_eq!(calls[1].text(), r#"{"mapped":{"integer":12345678901234567890}}"#);
    let output =
        r#"{"integer":12345678901234567890,"marker":{"$serde_json::private::Number":"1"}}"#;
    assert_eq!(results["finalOutput"].to_string(), output);
}

#[test]
fn answers_of_called_services_are_kept_digit_for_digit() {
    let (stub, server) = (Stub::start(), Server::start());
    let body = format!("{{{}}}", MEMBERS[..8].join(","));
    stub.replies("/ask", [Reply::status(200).body(&body)]);
    server.deploy(&Flow::at("PUT", "numbers").call("ask", &server.provider(&stub), "/ask"));
    let answer = server.send(Request::put("/v1/webhooks/numbers")).expect(201);
    let results = server.complete(&answer.text("executionId"));
    let kept = results["stepResults"][0]["output"]["body"].to_string();
    for member in &MEMBERS[..8] {
        assert!(kept.contains(member), "{member} is missing in {kept}");
    }
}

#[test]
fn conditions_compare_every_digit() {
    let server = Server::start();
    let cases = [
        ("workflow.integer == 12345678901234567890", true),
        ("workflow.integer == 12345678901234567891", false),
        ("workflow.integer > 12345678901234567889.999999999999999999999999", true),
        ("workflow.decimal == 0.1", false),
        ("workflow.decimal == 0.1000000000000000000001", true),
        ("workflow.text == 12345678901234567890", true),
    ];
    let body = r#"{"integer":12345678901234567890,"decimal":0.1000000000000000000001,"text":"12345678901234567890.0"}"#;
    for (idx, (condition, expected)) in cases.into_iter().enumerate() {
        let path = format!("numbers/{idx}");
        server.deploy(&Flow::at("PUT", &path).condition("ask", condition));
        let delivery = Request::put(&format!("/v1/webhooks/{path}")).body("application/json", body);
        let results = server.complete(&server.send(delivery).expect(201).text("executionId"));
        assert_eq!(results["stepResults"][0]["output"]["result"], json!(expected), "{condition}");
    }
}
