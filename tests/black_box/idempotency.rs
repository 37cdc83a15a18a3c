//! One key, one execution: however often, however concurrently it is sent.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use flowker_tests::{Answer, Flow, Request, Server, Stub};
use serde_json::json;

const SENDERS: usize = 48;

fn deploy(server: &Server) -> String {
    server.deploy(
        &Flow::at("PUT", "orders/paid").output("o", json!({ "order": "{{ workflow.order }}" })),
    )
}

fn delivery(key: impl AsRef<[u8]>) -> Request {
    Request::put("/v1/webhooks/orders/paid").key(key).json(&json!({ "order": 1 }))
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("Idempotent-Replayed") == Some("true")
}

#[test]
fn racing_senders_of_one_key_get_one_execution() {
    let (stub, server) = (Stub::start(), Server::start());
    let flow = Flow::at("PUT", "orders/paid").call("charge", &server.provider(&stub), "/charge");
    let workflow_id = server.deploy(&flow);
    let client = server.client();
    let ready = Barrier::new(SENDERS);

    let answers: Vec<Answer> = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    client.send(delivery("order-1")).expect("the server answers")
                })
            })
            .collect();
        senders.into_iter().map(|it| it.join().expect("a sender does not panic")).collect()
    });

    assert!(answers.iter().all(|it| matches!(it.status, 200 | 201)), "{answers:?}");
    let ids: BTreeSet<_> = answers.iter().map(|it| it.text("executionId")).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let n_first = answers.iter().filter(|it| !is_replay(it)).count();
    assert_eq!(n_first, 1, "one answer is the first, all others are replays: {answers:?}");
    server.complete(&answers[0].text("executionId"));
    assert_eq!(stub.n_calls(), 1);
    let listed = server.send(Request::get(&format!("/v1/executions?workflowId={workflow_id}")));
    assert_eq!(listed.expect(200).json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_replay_tells_the_state_and_a_reused_key_is_refused() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(&Flow::at("PUT", "orders/paid").call(
        "charge",
        &server.provider(&stub),
        "/charge",
    ));
    stub.hold("/charge");
    let first = server.send(delivery("order-1")).expect(201);
    let execution_id = first.text("executionId");

    let running = server.send(delivery("order-1")).expect(201);
    assert!(is_replay(&running), "{running:?}");
    assert_eq!(running.text("executionId"), execution_id);

    stub.release("/charge");
    server.complete(&execution_id);
    let ended = server.send(delivery("order-1")).expect(200);
    assert!(is_replay(&ended), "{ended:?}");
    assert_eq!(ended.text("executionId"), execution_id);
    assert_eq!(ended.text("status"), "completed");

    let put = || Request::put("/v1/webhooks/orders/paid").key("order-1");
    let others = [
        ("another body", put().json(&json!({ "order": 2 }))),
        (
            "the same members, spelled differently",
            put().body("application/json", r#"{"order": 1}"#),
        ),
        ("no body", put()),
        ("another media type", put().body("application/x+json", r#"{"order":1}"#)),
        (
            "another query",
            Request::put("/v1/webhooks/orders/paid?a=1")
                .key("order-1")
                .json(&json!({ "order": 1 })),
        ),
    ];
    for (what, request) in others {
        let answer = server.send(request);
        assert_eq!(answer.status, 422, "{what}: {answer:?}");
        let _ = answer.expect_error(422, "FLK-0510");
    }
    assert_eq!(stub.n_calls(), 1, "nothing of it ran");
}

#[test]
fn malformed_keys_are_refused_and_blank_ones_are_none() {
    let server = Server::start();
    deploy(&server);
    let longest = "k".repeat(255);
    let too_long = "k".repeat(256);
    let malformed: [&[u8]; 7] = [
        b"\"\"",
        b"\"open",
        b"\"a\"b",
        b"\"a\\n\"",
        too_long.as_bytes(),
        "na\u{ef}ve".as_bytes(),
        b"a\tb",
    ];
    for key in malformed {
        let _ = server.send(delivery(key)).expect_error(400, "FLK-0511");
    }
    let _ = server.send(delivery("a").key("a")).expect_error(400, "FLK-0511");

    let blank = [server.send(delivery("")).expect(201), server.send(delivery("  ")).expect(201)];
    assert_ne!(blank[0].text("executionId"), blank[1].text("executionId"));

    let spellings = [
        ("order-1", "\"order-1\""),
        (&*longest, &*format!("\"{longest}\"")),
        ("a\"b", r#""a\"b""#),
    ];
    for (bare, quoted) in spellings {
        let first = server.send(delivery(bare)).expect(201).text("executionId");
        let second = server.send(delivery(quoted));
        assert!(is_replay(&second), "{bare} and {quoted} are one key: {second:?}");
        assert_eq!(second.text("executionId"), first);
    }
    server.expect_sound();
}

#[test]
fn each_workflow_has_keys_of_its_own() {
    let server = Server::start();
    deploy(&server);
    server.deploy(&Flow::at("PUT", "orders/sent").output("o", json!({})));
    let paid = server.send(delivery("order-1")).expect(201);
    let sent = Request::put("/v1/webhooks/orders/sent").key("order-1").json(&json!({ "order": 1 }));
    let sent = server.send(sent).expect(201);
    assert!(!is_replay(&sent), "{sent:?}");
    assert_ne!(paid.text("executionId"), sent.text("executionId"));
}

#[test]
fn the_execute_route_asks_for_a_key() {
    let server = Server::start();
    let workflow_id = deploy(&server);
    let execute = || {
        let path = format!("/v1/workflows/{workflow_id}/executions");
        Request::post(&path).json(&json!({ "inputData": { "order": 7 } }))
    };
    let _ = server.send(execute()).expect_error(400, "FLK-0509");
    let first = server.send(execute().key("run-1")).expect(201).text("executionId");
    assert_eq!(server.complete(&first)["finalOutput"], json!({ "order": 7 }));
    let second = server.send(execute().key("run-1")).expect(200);
    assert_eq!(second.text("executionId"), first);
}

#[test]
fn a_refused_delivery_does_not_use_its_key() {
    let server = Server::start();
    deploy(&server);
    let broken = Request::put("/v1/webhooks/orders/paid").key("order-1");
    let _ = server.send(broken.body("application/json", "{")).expect_error(400, "FLK-0001");
    let answer = server.send(delivery("order-1")).expect(201);
    assert!(!is_replay(&answer), "{answer:?}");
}
