//! Kills the server again and again while callers are busy, and then checks every promise.
//!
//! Three sources are compared: what callers were told, what the called services saw, and what the
//! server says in the end. The seed decides what is sent and when the server is killed; how threads
//! interleave is the machine's choice, so a seed makes a failure likely again, not certain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::flow::Flow;
use crate::http::{Answer, Request};
use crate::server::{Client, Home, Server};
use crate::stub::{Call, Stub};
use crate::wait::until;

/// How many callers send at once.
const SENDERS: u64 = 8;

/// Orders from this amount on take the branch with a second call.
const SHIPPED_FROM: u32 = 50;

/// How long a called service works on an answer: long enough that a kill finds calls in flight.
const WORK: Duration = Duration::from_millis(5);

/// What happened, once all promises were found kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How often the server was killed.
    pub n_kills: u32,
    /// How many executions there are in the end, each with a key of its own.
    pub n_executions: usize,
    /// How many of them a caller had been told of before the last start.
    pub n_acknowledged: usize,
    /// How many calls the services got.
    pub n_calls: usize,
    /// How many of them repeated a call that was in flight at a kill.
    pub n_repeated: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_kills, n_executions, n_acknowledged, n_calls, n_repeated } = self;
        write!(
            f,
            "{n_kills} kills, {n_executions} executions, all completed and none twice; \
             {n_acknowledged} of them acknowledged before the last start, none lost; \
             {n_calls} calls, {n_repeated} of them repeated because a kill found them in flight"
        )
    }
}

/// Kills a server `rounds` times under load, and panics unless every promise was kept.
pub fn run(rounds: u32, seed: u64) -> Report {
    println!(
        "crash: {rounds} rounds, again with `cargo xtask crash --rounds {rounds} --seed {seed}`"
    );
    let mut rng = Rng::with_seed(seed);
    let stub = Stub::start();
    stub.take_time(WORK);
    let ledger = Ledger::default();

    let mut server = Home::new().set("LOG_LEVEL", "warn").start();
    let workflow_id = server.deploy(&orders(&server.provider(&stub)));
    for round in 1..=rounds {
        let home = kill_under_load(server, &stub, &ledger, &mut rng);
        stub.next_life();
        server = home.start();
        println!("crash: round {round} of {rounds}, {} orders so far", ledger.orders().len());
    }
    let n_acknowledged = ledger.orders().values().filter(|it| it.execution.is_some()).count();
    send_everything_again(&server, &ledger);
    check_executions(&server, &workflow_id, &ledger);
    let n_repeated = check_steps(&server, &stub.calls(), &ledger);
    server.expect_sound();
    Report {
        n_kills: rounds,
        n_executions: ledger.orders().len(),
        n_acknowledged,
        n_calls: stub.n_calls(),
        n_repeated,
    }
}

/// A call, a condition, on one of its branches another call, and an output.
fn orders(provider: &str) -> Flow {
    Flow::at("PUT", "orders/placed")
        .call("charge", provider, "/charge")
        .condition("decide", &format!("workflow.amount >= {SHIPPED_FROM}"))
        .call("ship", provider, "/ship")
        .output("shipped", json!({ "order": "{{ workflow.order }}" }))
        .after("decide", Some("false"))
        .output("rejected", json!({ "order": "{{ workflow.order }}" }))
}

/// What callers sent, and what they were told.
#[derive(Debug, Default)]
struct Ledger(Mutex<BTreeMap<String, Order>>);

#[derive(Clone, Debug)]
struct Order {
    amount: u32,
    /// `None` as long as no caller got a 2xx.
    execution: Option<String>,
}

impl Ledger {
    fn orders(&self) -> BTreeMap<String, Order> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes an order before it is sent: afterwards nobody may know what became of it.
    fn note(&self, key: &str, amount: u32) {
        let order = Order { amount, execution: None };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), order);
    }

    /// Notes what a caller was told. Whatever was told before must be the same.
    fn acknowledge(&self, key: &str, answer: &Answer) {
        let execution = answer.text("executionId");
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            &mut orders.get_mut(key).expect("orders are noted before they are sent").execution;
        if let Some(known) = known {
            assert_eq!(*known, execution, "the key {key} led to two executions");
            let replayed = answer.header("Idempotent-Replayed");
            assert_eq!(replayed, Some("true"), "an answer for {key} is no replay: {answer:?}");
        }
        *known = Some(execution);
    }
}

fn delivery(key: &str, amount: u32) -> Request {
    let body = json!({ "order": key, "amount": amount });
    Request::put("/v1/webhooks/orders/placed").key(key).json(&body)
}

fn kill_under_load(server: Server, stub: &Stub, ledger: &Ledger, rng: &mut Rng) -> Home {
    let n_calls = stub.n_calls() + rng.usize(20..=250);
    let moment = Duration::from_micros(rng.u64(0..=20_000));
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            let (client, mut rng) = (server.client(), rng.fork());
            scope.spawn(move || send_until_killed(&client, ledger, &mut rng));
        }
        until(&format!("the services got {n_calls} calls"), || {
            (n_calls <= stub.n_calls()).then_some(())
        });
        // Not to wait for anything: any moment is a good one to be killed.
        thread::sleep(moment);
        let output = server.output();
        assert!(!output.contains("panicked at"), "the server panicked:\n{output}");
        server.kill()
    })
}

/// Sends new orders, and now and then an old one again.
fn send_until_killed(client: &Client, ledger: &Ledger, rng: &mut Rng) {
    let mut own = Vec::new();
    loop {
        let (key, amount) = if !own.is_empty() && rng.u8(0..8) == 0 {
            rng.choice(&own).cloned().expect("there is one to choose from")
        } else {
            let order = (format!("order-{:016x}", rng.u64(..)), rng.u32(0..100));
            ledger.note(&order.0, order.1);
            own.push(order.clone());
            order
        };
        match client.send(delivery(&key, amount)) {
            Ok(answer) if matches!(answer.status, 200 | 201) => ledger.acknowledge(&key, &answer),
            Ok(answer) if answer.status == 503 => {}
            Ok(answer) => panic!("the order {key} was refused: {answer:?}"),
            // Killed. Nobody knows what became of this order, which is what the key is for.
            Err(_) => return,
        }
    }
}

/// Sends every order once more, those without an answer for the first time that matters.
fn send_everything_again(server: &Server, ledger: &Ledger) {
    for (key, order) in ledger.orders() {
        let answer = until(&format!("the order {key} is taken"), || {
            let answer = server.send(delivery(&key, order.amount));
            (answer.status != 503).then_some(answer)
        });
        assert!(matches!(answer.status, 200 | 201), "the order {key} was refused: {answer:?}");
        ledger.acknowledge(&key, &answer);
    }
}

/// One execution a key and not one more; every one of them completes.
fn check_executions(server: &Server, workflow_id: &str, ledger: &Ledger) {
    let told: BTreeSet<_> = ledger.orders().into_values().filter_map(|it| it.execution).collect();
    assert_eq!(told.len(), ledger.orders().len(), "two keys led to one execution");
    for execution in &told {
        let status = server.wait_for_end(execution);
        assert_eq!(status["status"], "completed", "{status}");
    }
    assert_eq!(listed(server, workflow_id), told, "the list holds other executions");
}

/// The ids of all executions of a workflow, page by page.
fn listed(server: &Server, workflow_id: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/executions?limit=100&workflowId={workflow_id}{cursor}");
        let page = server.send(Request::get(&path)).expect(200).json();
        let items = page["items"].as_array().expect("a page has items");
        ids.extend(items.iter().filter_map(|it| it["executionId"].as_str()).map(str::to_owned));
        match page["nextCursor"].as_str() {
            None | Some("") => return ids,
            Some(next) => {
                cursor = format!("&cursor={}", utf8_percent_encode(next, NON_ALPHANUMERIC));
            }
        }
    }
}

/// No journaled step was called again, and a call was repeated only after a kill. Returns how many
/// calls were repeated.
fn check_steps(server: &Server, calls: &[Call], ledger: &Ledger) -> usize {
    let mut by_step: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        by_step.entry(call.key()).or_default().push(call);
    }
    let mut n_steps = 0;
    for (key, order) in ledger.orders() {
        let execution = order.execution.expect("every order was taken");
        let results = server.results(&execution);
        assert_eq!(results["finalOutput"]["order"], json!(key), "{results}");
        let shipped = SHIPPED_FROM <= order.amount;
        let expected: &[_] = if shipped {
            &["charge", "decide", "ship", "shipped"]
        } else {
            &["charge", "decide", "rejected"]
        };
        let steps = results["stepResults"].as_array().expect("results have steps");
        let nodes: Vec<_> = steps.iter().filter_map(|it| it["nodeId"].as_str()).collect();
        assert_eq!(nodes, expected, "each step once and in order: {results}");
        for step in
            steps.iter().filter(|it| matches!(it["nodeId"].as_str(), Some("charge" | "ship")))
        {
            n_steps += 1;
            check_step(&execution, step, &by_step);
        }
    }
    assert_eq!(by_step.len(), n_steps, "the services got calls of steps that nobody knows");
    calls.len() - n_steps
}

fn check_step(execution: &str, step: &Value, by_step: &BTreeMap<&str, Vec<&Call>>) {
    let key = format!("{execution}:{}", step["nodeId"].as_str().unwrap_or_default());
    let calls = by_step.get(key.as_str()).unwrap_or_else(|| panic!("{key} was never called"));
    let last = calls.last().expect("a group of calls has one");
    assert_eq!(
        step["output"]["body"]["nonce"].as_str(),
        Some(last.nonce.as_str()),
        "{key} was called again after it was journaled: {calls:?}"
    );
    let lives: BTreeSet<_> = calls.iter().map(|call| call.life).collect();
    assert_eq!(lives.len(), calls.len(), "{key} was called twice without a kill: {calls:?}");
    let bodies: BTreeSet<_> = calls.iter().map(|call| &call.body).collect();
    assert_eq!(bodies.len(), 1, "{key} was called with different bodies: {calls:?}");
}
