//! Killed or asked to stop, the server loses nothing and repeats nothing that was done.

use std::thread;
use std::time::Duration;

use flowker_tests::{Flow, Home, Reply, Request, Server, Stub, until, wait};
use rustix::process::Signal;
use serde_json::json;

fn two_calls(server: &Server, stub: &Stub) -> Flow {
    let provider = server.provider(stub);
    Flow::at("PUT", "orders/paid")
        .call("charge", &provider, "/charge")
        .call("ship", &provider, "/ship")
        .output("o", json!({ "by": "{{ ship.body.nonce }}" }))
}

fn delivery() -> Request {
    Request::put("/v1/webhooks/orders/paid").key("order-1").json(&json!({ "order": 1 }))
}

#[test]
fn after_a_kill_only_the_step_in_flight_is_called_again() {
    let (stub, server) = (Stub::start(), Server::start());
    server.deploy(&two_calls(&server, &stub));
    stub.hold("/ship");
    let execution_id = server.send(delivery()).expect(201).text("executionId");
    stub.wait_for_calls(2);
    let home = server.kill();
    stub.release("/ship");
    stub.next_life();

    let server = home.start();
    let results = server.complete(&execution_id);
    let calls = stub.calls();
    let targets: Vec<_> = calls.iter().map(|it| it.target.as_str()).collect();
    assert_eq!(targets, ["/charge", "/ship", "/ship"], "{calls:?}");
    assert_eq!(calls[2].key(), format!("{execution_id}:ship"));
    assert_eq!(calls[2].key(), calls[1].key());
    assert_eq!(calls[2].body, calls[1].body);
    assert_eq!(results["finalOutput"], json!({ "by": calls[2].nonce }));
    assert_eq!(results["stepResults"][0]["output"]["body"]["nonce"], json!(calls[0].nonce));

    let again = server.send(delivery()).expect(200);
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(again.text("executionId"), execution_id);
}

#[test]
fn a_back_off_survives_a_kill() {
    let (stub, server) = (Stub::start(), Server::start());
    let flow = Flow::at("PUT", "orders/paid").call("charge", &server.provider(&stub), "/charge");
    server.deploy(&flow);
    stub.replies("/charge", [Reply::status(503).header("Retry-After", "3")]);
    let execution_id = server.send(delivery()).expect(201).text("executionId");
    let first = stub.wait_for_calls(1)[0].at;
    // Nothing outside tells when the failed attempt is durable. A second is a third of the wait.
    until("a third of the wait is over", || {
        (Duration::from_secs(1) <= first.elapsed()).then_some(())
    });
    let home = server.kill();
    stub.next_life();
    let server = home.start();
    server.complete(&execution_id);
    let calls = stub.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    let pause = calls[1].at - calls[0].at;
    assert!(Duration::from_millis(2_900) <= pause, "the wait went on where it was: {pause:?}");
}

#[test]
fn a_stop_finishes_what_is_in_flight() {
    let stub = Stub::start();
    let server = Home::new().set("DRAIN_GRACE", "2s").set("DRAIN_TIMEOUT", "20s").start();
    server.deploy(&two_calls(&server, &stub));
    stub.hold("/charge");
    let client = server.client();
    let waiting = thread::spawn(move || client.send(delivery().header("Prefer", "wait=20")));
    stub.wait_for_calls(1);

    let began = wait::now();
    server.signal(Signal::TERM);
    until("the server says that it is not ready", || {
        let ready = server.send(Request::get("/readyz").anonymous());
        (ready.status == 503).then_some(())
    });
    // Until the balancer has seen that, requests still come, and are served.
    let late = server.send(delivery()).expect(201);
    assert_eq!(late.header("Idempotent-Replayed"), Some("true"));
    stub.release("/charge");
    let answer = waiting.join().unwrap().expect("a request in flight is answered").expect(200);
    assert_eq!(answer.text("status"), "completed");

    let (finished, home) = server.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(wait::now() - began < wait::PATIENCE, "it stops within its time");
    let server = home.start();
    let execution_id = answer.text("executionId");
    assert_eq!(server.status(&execution_id)["status"], "completed");
    assert_eq!(stub.n_calls(), 2, "no step was repeated");
}

#[test]
fn a_stop_hands_over_what_does_not_finish_in_time() {
    let stub = Stub::start();
    let server = Home::new().set("DRAIN_TIMEOUT", "1s").start();
    server.deploy(&two_calls(&server, &stub));
    stub.hold("/ship");
    let execution_id = server.send(delivery()).expect(201).text("executionId");
    stub.wait_for_calls(2);
    server.signal(Signal::TERM);
    let (finished, home) = server.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    stub.release("/ship");
    stub.next_life();

    let server = home.start();
    server.complete(&execution_id);
    let keys: Vec<_> = stub.calls().iter().map(|it| it.key().to_owned()).collect();
    let step = |node: &str| format!("{execution_id}:{node}");
    assert_eq!(keys, [step("charge"), step("ship"), step("ship")]);
}

#[test]
fn an_interrupt_stops_without_grace() {
    let server = Home::new().set("DRAIN_GRACE", "9m").set("DRAIN_TIMEOUT", "10m").start();
    server.signal(Signal::INT);
    let (finished, _) = server.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[test]
fn a_second_process_on_one_database_is_refused() {
    let server = Server::start();
    let second = server.home().run(&["serve"]);
    assert!(matches!(second.code, Some(code) if code != 0), "{second:?}");
    assert!(second.stderr.contains("flowker.db"), "the file is named: {}", second.stderr);
    assert!(second.stderr.contains("process"), "the reason is told: {}", second.stderr);
    assert!(!second.output().contains("panicked"), "{second:?}");
    server.expect_sound();
}
