//! A provider that plays a script and remembers every call.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use flowker_core::ports::{
    Call, CallFailure, Clock, ExecutorDescriptor, FailureKind, Probe, ProbeFailure, Probed,
    Provider, ProviderConfig, ProviderDescriptor,
};
use flowker_core::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::gate::Gate;
use crate::sample;

/// How a call ends.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It gives this.
    Output(Value),
    /// It fails.
    Fail(CallFailure),
    /// It panics, as a bug in a provider would.
    Panic,
    /// It waits at the gate, and then gives this.
    Hold(Gate, Value),
}

impl Answer {
    /// A failure of some kind.
    pub fn fail(kind: FailureKind, message: &str) -> Self {
        Self::Fail(CallFailure::new(kind, message))
    }

    /// A response envelope of status 200 with this body.
    pub fn body(body: Value) -> Self {
        Self::Output(envelope(body))
    }
}

fn envelope(body: Value) -> Value {
    // Not through `json!`: that would serialize the body once more.
    let mut envelope = json!({
        "status": 200, "status_text": "OK", "url": "http://receiver.test/", "headers": {},
    });
    envelope["body"] = body;
    envelope
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What was asked for.
    pub call: Call,
    /// When, by the provider's clock.
    pub at: Timestamp,
}

/// Stands in for the outside services: answers by script, and remembers every call.
///
/// A call that the script says nothing about gets a response envelope of status 200 whose body is
/// the document that was sent.
#[derive(Debug)]
pub struct RecordingProvider {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    n_calls: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// By idempotency key or by node id.
    scripts: HashMap<String, VecDeque<Answer>>,
    always: HashMap<String, Answer>,
    calls: Vec<Recorded>,
    n_in_flight: usize,
    n_in_flight_max: usize,
}

impl RecordingProvider {
    /// A provider without a script.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, state: Mutex::default(), n_calls: watch::Sender::new(0) })
    }

    /// Answers the next calls with `answers`, one each. `whose` is an idempotency key, or the id
    /// of a node: then calls of all executions use the answers up. A key comes before a node.
    pub fn script(&self, whose: &str, answers: impl IntoIterator<Item = Answer>) {
        self.lock().scripts.entry(whose.to_owned()).or_default().extend(answers);
    }

    /// Answers every call like this that no script is left for. `whose` as in
    /// [`script`](Self::script).
    pub fn always(&self, whose: &str, answer: Answer) {
        self.lock().always.insert(whose.to_owned(), answer);
    }

    /// All calls so far, in the order in which they began.
    pub fn calls(&self) -> Vec<Recorded> {
        self.lock().calls.clone()
    }

    /// All calls of one node so far, over all executions.
    pub fn calls_of(&self, node: &str) -> Vec<Recorded> {
        let of_node = |it: &Recorded| node_of(&it.call.idempotency_key) == node;
        self.calls().into_iter().filter(of_node).collect()
    }

    /// Waits until `n` calls have begun.
    ///
    /// # Panics
    ///
    /// Never: the provider is there as long as it is borrowed.
    pub async fn called(&self, n: usize) {
        let mut counts = self.n_calls.subscribe();
        counts.wait_for(|n_calls| n <= *n_calls).await.expect("the sender is borrowed");
    }

    /// How many calls are in flight.
    pub fn n_in_flight(&self) -> usize {
        self.lock().n_in_flight
    }

    /// How many calls were in flight at once, at the most.
    pub fn n_in_flight_max(&self) -> usize {
        self.lock().n_in_flight_max
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, call: Call) -> Answer {
        let at = self.clock.now();
        let answer = {
            let mut state = self.lock();
            state.n_in_flight += 1;
            state.n_in_flight_max = state.n_in_flight_max.max(state.n_in_flight);
            let answer = state.next_answer(&call);
            state.calls.push(Recorded { call, at });
            answer
        };
        self.n_calls.send_modify(|n| *n += 1);
        answer
    }
}

impl State {
    fn next_answer(&mut self, call: &Call) -> Answer {
        let key = call.idempotency_key.as_str();
        let whose = [key, node_of(key)];
        let mut scripts = whose.iter();
        if let Some(answer) = scripts.find_map(|it| self.scripts.get_mut(*it)?.pop_front()) {
            return answer;
        }
        let always = whose.iter().find_map(|it| self.always.get(*it));
        always.cloned().unwrap_or_else(|| Answer::body(call.document.clone()))
    }
}

/// The node of an idempotency key `<execution id>:<node id>`.
fn node_of(key: &str) -> &str {
    key.split_once(':').map_or(key, |(_, node)| node)
}

/// Counts a call as in flight until it ends or is dropped.
struct InFlight<'a>(&'a RecordingProvider);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.lock().n_in_flight -= 1;
    }
}

#[async_trait]
impl Provider for RecordingProvider {
    fn descriptor(&self) -> ProviderDescriptor {
        ProviderDescriptor {
            id: sample::PROVIDER_ID,
            name: "Recorder",
            description: "Plays a script and remembers every call",
            version: "v1",
            config_schema: json!({}),
            executors: vec![ExecutorDescriptor {
                id: sample::EXECUTOR_ID,
                name: "Call",
                category: "HTTP",
                version: "v1",
                schema: json!({}),
            }],
        }
    }

    async fn call(&self, call: Call) -> Result<Value, CallFailure> {
        let answer = self.record(call);
        let _in_flight = InFlight(self);
        match answer {
            Answer::Output(output) => Ok(output),
            Answer::Fail(failure) => Err(failure),
            Answer::Panic => panic!("the script of a test says so"),
            Answer::Hold(gate, output) => {
                gate.pass().await;
                Ok(output)
            }
        }
    }

    /// Answers without being recorded: a test of connectivity is no call.
    async fn probe(&self, _: &ProviderConfig, _: Probe) -> Result<Probed, ProbeFailure> {
        let url = "http://receiver.test/".to_owned();
        Ok(Probed { status: 200, url, content_type: None, body_bytes: 0, n_headers: 0 })
    }
}
