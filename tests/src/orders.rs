//! Orders: what callers send under load, and whether every promise about them was kept.
//!
//! Three sources are compared: what callers were told, what the called services saw, and what the
//! servers say in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::flow::Flow;
use crate::http::{Answer, Request};
use crate::server::Server;
use crate::stub::Call;
use crate::wait::until;

/// Orders from this amount on take the branch with a second call.
const SHIPPED_FROM: u32 = 50;

/// A call, a condition, on one of its branches another call, and an output.
pub fn flow(provider: &str) -> Flow {
    Flow::at("PUT", "orders/placed")
        .call("charge", provider, "/charge")
        .condition("decide", &format!("workflow.amount >= {SHIPPED_FROM}"))
        .call("ship", provider, "/ship")
        .output("shipped", json!({ "order": "{{ workflow.order }}" }))
        .after("decide", Some("false"))
        .output("rejected", json!({ "order": "{{ workflow.order }}" }))
}

/// An order as a caller sends it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// Its idempotency key, and a member of its body.
    pub key: String,
    /// Decides which way it takes.
    pub amount: u32,
}

impl Order {
    /// A new one, unlike all others.
    pub fn random(rng: &mut Rng) -> Self {
        Self { key: format!("order-{:016x}", rng.u64(..)), amount: rng.u32(0..100) }
    }

    /// One with a second call.
    pub fn shipped(key: &str) -> Self {
        Self { key: key.to_owned(), amount: SHIPPED_FROM }
    }

    /// The request that brings it.
    pub fn delivery(&self) -> Request {
        let Self { key, amount } = self;
        let body = json!({ "order": key, "amount": amount });
        Request::put("/v1/webhooks/orders/placed").key(key).json(&body)
    }

    /// The nodes that it runs through.
    fn nodes(&self) -> &'static [&'static str] {
        if SHIPPED_FROM <= self.amount {
            &["charge", "decide", "ship", "shipped"]
        } else {
            &["charge", "decide", "rejected"]
        }
    }
}

/// What callers sent, and what they were told.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<Order, Option<String>>>);

impl Ledger {
    /// Every order with its execution: `None` as long as no caller got a 2xx.
    pub fn orders(&self) -> BTreeMap<Order, Option<String>> {
        self.entries().clone()
    }

    /// How many orders there are.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// How many orders a caller was told of.
    pub fn n_acknowledged(&self) -> usize {
        self.entries().values().flatten().count()
    }

    /// Notes an order before it is sent: afterwards nobody may know what became of it.
    pub fn note(&self, order: &Order) {
        self.entries().insert(order.clone(), None);
    }

    /// Notes what a caller was told. Whatever was told before must be the same.
    #[track_caller]
    pub fn acknowledge(&self, order: &Order, answer: &Answer) {
        assert!(matches!(answer.status, 200 | 201), "{order:?} was refused: {answer:?}");
        let execution = answer.text("executionId");
        let mut entries = self.entries();
        let known = entries.get_mut(order).expect("orders are noted before they are sent");
        if let Some(known) = known {
            assert_eq!(*known, execution, "{order:?} led to two executions");
            let replayed = answer.header("Idempotent-Replayed");
            assert_eq!(replayed, Some("true"), "an answer for {order:?} is no replay: {answer:?}");
        }
        *known = Some(execution);
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Order, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends so many new orders with a second call to one server, and returns their executions.
#[track_caller]
pub fn place(server: &Server, ledger: &Ledger, n_orders: usize) -> Vec<String> {
    let first = ledger.len();
    let place = |idx| {
        let order = Order::shipped(&format!("order-{idx}"));
        ledger.note(&order);
        let answer = server.send(order.delivery()).expect(201);
        ledger.acknowledge(&order, &answer);
        answer.text("executionId")
    };
    (first..first + n_orders).map(place).collect()
}

/// How often a call may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Once for every life of the server that had it in flight when it was killed.
    OncePerLife,
    /// So often: once for every fault that can have found it in flight.
    AtMost(usize),
}

/// Sends every order once more, those without an answer for the first time that matters.
#[track_caller]
pub fn send_everything_again(server: &Server, ledger: &Ledger) {
    for order in ledger.orders().into_keys() {
        let answer = until(&format!("{order:?} is taken"), || {
            let answer = server.send(order.delivery());
            (answer.status != 503).then_some(answer)
        });
        ledger.acknowledge(&order, &answer);
    }
}

/// One execution an order and not one more; every one of them completes.
#[track_caller]
pub fn check_executions(server: &Server, workflow_id: &str, ledger: &Ledger) {
    let told: BTreeSet<_> = ledger.orders().into_values().flatten().collect();
    assert_eq!(told.len(), ledger.len(), "two orders led to one execution, or one to none");
    for execution in &told {
        let status = server.wait_for_end(execution);
        assert_eq!(status["status"], "completed", "{status}");
    }
    assert_eq!(listed(server, workflow_id), told, "the list holds other executions");
}

/// The ids of all executions of a workflow, page by page.
#[track_caller]
pub fn listed(server: &Server, workflow_id: &str) -> BTreeSet<String> {
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

/// No journaled step was called again, and a call was repeated only after a fault. Returns how many
/// calls were repeated.
#[track_caller]
pub fn check_steps(server: &Server, calls: &[Call], ledger: &Ledger, repeats: Repeats) -> usize {
    let by_step = by_step(calls);
    let mut n_steps = 0;
    for (order, execution) in ledger.orders() {
        let execution = execution.expect("every order was taken");
        let results = server.results(&execution);
        assert_eq!(results["finalOutput"]["order"], json!(order.key), "{results}");
        let steps = results["stepResults"].as_array().expect("results have steps");
        let nodes: Vec<_> = steps.iter().filter_map(|it| it["nodeId"].as_str()).collect();
        assert_eq!(nodes, order.nodes(), "each step once and in order: {results}");
        let calling = |it: &&Value| matches!(it["nodeId"].as_str(), Some("charge" | "ship"));
        for step in steps.iter().filter(calling) {
            n_steps += 1;
            check_step(&execution, step, &by_step, repeats);
        }
    }
    assert_eq!(by_step.len(), n_steps, "the services got calls of steps that nobody knows");
    calls.len() - n_steps
}

/// The calls of each step, which its key tells, in the order of arrival.
pub fn by_step(calls: &[Call]) -> BTreeMap<&str, Vec<&Call>> {
    let mut by_step: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        by_step.entry(call.key()).or_default().push(call);
    }
    by_step
}

/// What a step of the results says was called for the last time when it was journaled, and as often
/// as may be.
#[track_caller]
pub fn check_step(
    execution: &str,
    step: &Value,
    by_step: &BTreeMap<&str, Vec<&Call>>,
    repeats: Repeats,
) {
    let key = format!("{execution}:{}", step["nodeId"].as_str().unwrap_or_default());
    let calls = by_step.get(key.as_str()).unwrap_or_else(|| panic!("{key} was never called"));
    let last = calls.last().expect("a group of calls has one");
    assert_eq!(
        step["output"]["body"]["nonce"].as_str(),
        Some(last.nonce.as_str()),
        "{key} was called again after it was journaled: {calls:?}"
    );
    match repeats {
        Repeats::OncePerLife => {
            let lives: BTreeSet<_> = calls.iter().map(|call| call.life).collect();
            assert_eq!(lives.len(), calls.len(), "{key} was called twice in a life: {calls:?}");
        }
        Repeats::AtMost(n_max) => {
            let n_repeats = calls.len() - 1;
            assert!(n_repeats <= n_max, "{key} was repeated {n_repeats} times: {calls:?}");
        }
    }
    let bodies: BTreeSet<_> = calls.iter().map(|call| &call.body).collect();
    assert_eq!(bodies.len(), 1, "{key} was called with different bodies: {calls:?}");
}
