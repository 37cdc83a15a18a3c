use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mockall::predicate::{always, eq};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::execution::{Entry, Event, Fence, Owned, Status, Summary};
use crate::id::{ExecutionId, ReplicaId, WorkflowId};
use crate::plans::Plans;
use crate::ports::{
    Acceptance, MockClock, MockDispatcher, MockExecutionStore, MockIdSource, MockRateLimit,
    MockWorkflowStore, NewExecution, StoreError,
};
use crate::workflow::{Definition, NewRoute, Route};

const BODY: &str = r#"{"amount":12345678901234567890,"rate":0.1000000000000000055}"#;

/// Runs a future whose ports answer at once. Nothing here needs a runtime.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a mock made the use-case wait"),
    }
}

/// A delivery from memory, which notes what was asked of it.
struct Parcel {
    head: Head,
    body: Result<Bytes, BodyError>,
    decoded: Result<Bytes, BodyError>,
    was_read: bool,
}

#[async_trait]
impl Delivery for Parcel {
    fn head(&self) -> &Head {
        &self.head
    }

    async fn body(&mut self, _limit: usize) -> Result<Bytes, BodyError> {
        self.was_read = true;
        self.body.clone()
    }

    fn decode(&self, _raw: Bytes, _limit: usize) -> Result<Bytes, BodyError> {
        self.decoded.clone()
    }
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 a=1";

fn parcel(body: &str, headers: &[(&str, &str)]) -> Parcel {
    let mut headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    headers.push(("content-type".to_owned(), b"application/json; charset=utf-8".to_vec()));
    let head = Head {
        method: "PUT".to_owned(),
        path: WebhookPath::requested("orders%2Fpaid").expect("a path"),
        query: Some("a=1&a=2&b=x+y&c".to_owned()),
        headers,
        remote_ip: Ipv4Addr::LOCALHOST.into(),
        trace: TraceContext::from_stored(TRACE),
    };
    let body = Bytes::from(body.to_owned());
    Parcel { head, body: Ok(body.clone()), decoded: Ok(body), was_read: false }
}

/// What the world around the use-case does in one test.
struct World {
    /// The trigger's data besides type, method and path.
    trigger: Value,
    /// What the store answers, call by call.
    answers: Vec<Result<Acceptance, StoreError>>,
    /// How long each of them takes.
    takes: Duration,
    /// Whether what was accepted is still there to be driven.
    can_load: bool,
    /// Which versions of the route the store has, call by call.
    versions: Vec<Option<u32>>,
    has_room: bool,
    rate: Result<(), Duration>,
}

impl World {
    fn new() -> Self {
        Self {
            trigger: json!({}),
            answers: vec![Ok(Acceptance::Accepted)],
            takes: Duration::ZERO,
            can_load: true,
            versions: vec![Some(1)],
            has_room: true,
            rate: Ok(()),
        }
    }

    fn with_trigger(trigger: Value) -> Self {
        Self { trigger, ..Self::new() }
    }

    fn answering(answers: Vec<Result<Acceptance, StoreError>>) -> Self {
        Self { answers, ..Self::new() }
    }
}

/// What came of one request.
struct Seen {
    result: Result<Begun, Refusal>,
    accepted: Vec<NewExecution>,
    n_dispatched: usize,
    was_read: bool,
}

fn definition(trigger: &Value) -> Definition {
    let mut data = json!({"triggerType": "webhook", "method": "put", "path": "/orders/paid/"});
    if let (Some(data), Some(extra)) = (data.as_object_mut(), trigger.as_object()) {
        data.extend(extra.clone());
    }
    let nodes = json!({"nodes": [
        {"id": "in", "type": "trigger", "data": data},
        {"id": "out", "type": "action", "data": {"actionType": "set_output", "output": {}}},
    ]});
    Definition::from_document(nodes).expect("a definition")
}

fn receive(world: World, mut parcel: Parcel) -> Seen {
    let mut workflows = MockWorkflowStore::new();
    let definition = definition(&world.trigger);
    workflows.expect_version().returning(move |_, _| Ok(Some(definition.clone())));
    let mut versions = world.versions.into_iter();
    workflows.expect_route().returning(move |method, path| {
        let version = versions.next().flatten().filter(|_| method == "PUT");
        Ok(version.map(|version| Route {
            key: NewRoute {
                method: method.to_owned(),
                path: path.clone(),
                node_id: "in".to_owned(),
            },
            workflow_id: WorkflowId::from_uuid(Uuid::from_u128(1)),
            version,
        }))
    });
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let mut executions = MockExecutionStore::new();
    let (seen, mut answers) = (Arc::clone(&accepted), world.answers.into_iter());
    executions.expect_accept().returning(move |new| {
        seen.lock().unwrap().push(new);
        answers.next().expect("no further acceptance is expected")
    });
    let seen = Arc::clone(&accepted);
    executions.expect_load().returning(move |_, fence| {
        let execution = Arc::clone(&seen.lock().unwrap()[0].execution);
        let adopted = Entry { fence, at: execution.accepted_at, event: Event::Adopted };
        Ok(world.can_load.then(|| Owned { execution, fence, journal: vec![adopted] }))
    });
    let n_dispatched = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&n_dispatched);
    let mut dispatcher = MockDispatcher::new();
    dispatcher.expect_has_room().return_const(world.has_room);
    let is_read = world.takes != Duration::ZERO;
    dispatcher.expect_dispatch().returning(move |owned| {
        assert_eq!((owned.fence, !owned.journal.is_empty()), (Fence::FIRST, is_read));
        *counter.lock().unwrap() += 1;
    });
    dispatcher
        .expect_wait_for_end()
        .with(always(), eq(Duration::from_secs(30)))
        .returning(|id, _| Some(summary(id, Status::Completed)));
    let mut rates = MockRateLimit::new();
    rates.expect_take().returning(move |_, _| world.rate);
    let mut clock = MockClock::new();
    let (seen, started_at) = (Arc::clone(&accepted), Timestamp::from_micros(1_614_265_330_000_000));
    clock.expect_now().returning(move || {
        let n_accepted = u32::try_from(seen.lock().unwrap().len()).unwrap();
        started_at.plus(world.takes * n_accepted)
    });
    let mut ids = MockIdSource::new();
    ids.expect_next_id().returning(|| Uuid::from_u128(7));

    let (workflows, clock): (Arc<dyn crate::ports::WorkflowStore>, Arc<dyn Clock>) =
        (Arc::new(workflows), Arc::new(clock));
    let plans = Arc::new(Plans::new(Arc::clone(&workflows)));
    let starter = Starter {
        executions: Arc::new(executions),
        dispatcher: Arc::new(dispatcher),
        clock: Arc::clone(&clock),
        ids: Arc::new(ids),
        replica: ReplicaId::from_uuid(Uuid::from_u128(9)),
        retention: Duration::from_mins(1),
        wait_max: Duration::from_secs(30),
    };
    let routes = Arc::new(RouteTable::new(workflows, plans));
    let trigger = Trigger::new(routes, Arc::new(rates), clock, Arc::new(starter));
    let result = run(trigger.receive(&mut parcel, &Actor::system()));
    let accepted = std::mem::take(&mut *accepted.lock().unwrap());
    let n_dispatched = *n_dispatched.lock().unwrap();
    Seen { result, accepted, n_dispatched, was_read: parcel.was_read }
}

fn summary(id: ExecutionId, status: Status) -> Summary {
    Summary {
        id,
        workflow_id: WorkflowId::from_uuid(Uuid::from_u128(1)),
        status,
        current_step: 0,
        total_steps: 1,
        started_at: Timestamp::default(),
        completed_at: None,
        outcome: None,
        retry_of: None,
    }
}

/// The request is refused with `code` and nothing is accepted; whether the body was read says how
/// far it got.
fn refused(world: World, parcel: Parcel, code: Code, body_is_read: bool) -> Refusal {
    let seen = receive(World { answers: Vec::new(), ..world }, parcel);
    let refusal = seen.result.expect_err("a refusal");
    assert_eq!((refusal.code, seen.was_read), (code, body_is_read), "{refusal}");
    assert_eq!((seen.accepted.len(), seen.n_dispatched), (0, 0));
    refusal
}

#[test]
fn an_accepted_request_is_stored_whole_and_dispatched() {
    let headers = [
        ("idempotency-key", "\"order-42\""),
        ("x-custom", "first"),
        ("x-custom", "last"),
        ("authorization", "Bearer secret"),
        ("cookie", "session=secret"),
        ("proxy-authorization", "secret"),
        ("x-api-key", "secret"),
        ("content-length", "60"),
        ("x-request-id", "r-1"),
    ];
    let body = BODY.replacen('{', r#"{"_webhook":"mine","#, 1);
    let seen = receive(World::new(), parcel(&body, &headers));
    let begun = seen.result.expect("accepted");
    assert_eq!(
        (begun.summary.status, begun.replayed, begun.waited),
        (Status::Running, false, None)
    );
    assert_eq!(seen.n_dispatched, 1);
    let [new] = &seen.accepted[..] else { panic!("one acceptance: {:?}", seen.accepted) };
    assert_eq!(new.precondition, Precondition::VersionActive);
    assert!(new.owner.is_some());
    assert_eq!(new.claim.as_ref().map(|claim| claim.key.as_str()), Some("order-42"));
    assert_eq!(new.execution.start_node, "in");
    assert_eq!(new.execution.total_steps, 1);
    let input = json::parse(&new.execution.input).expect("the input is JSON");
    assert_eq!(input["amount"].to_string(), "12345678901234567890");
    assert_eq!(input["rate"].to_string(), "0.1000000000000000055");
    assert_eq!(
        input["_webhook"],
        json!({
            "method": "PUT",
            "path": "orders/paid",
            "headers": {
                "Content-Type": "application/json; charset=utf-8",
                "Idempotency-Key": "\"order-42\"",
                "X-Custom": "last",
                "X-Request-Id": "r-1",
            },
            "query": {"a": "2", "b": "x y", "c": ""},
            "remote_ip": "127.0.0.1",
        })
    );
}

#[test]
fn a_refusal_before_the_body_does_not_read_it() {
    let mut elsewhere = parcel(BODY, &[]);
    elsewhere.head.method = "put".to_owned();
    refused(World::new(), elsewhere, Code::RouteNotFound, false);
    refused(
        World { versions: vec![None], ..World::new() },
        parcel(BODY, &[]),
        Code::RouteNotFound,
        false,
    );

    let token = || {
        World::with_trigger(json!({"verify_token": "t0ken", "rateLimit": {"requestsPerSecond": 1}}))
    };
    let sent = |values: &[&str]| {
        let headers: Vec<_> = values.iter().map(|value| ("x-webhook-token", *value)).collect();
        parcel(BODY, &headers)
    };
    for values in [&[][..], &["t0ke"], &["t0kenn"], &["T0KEN"], &["t0ken", "t0ken"]] {
        refused(token(), sent(values), Code::WebhookTokenWrong, false);
    }
    let wait = Duration::from_secs(3);
    let limited = World { rate: Err(wait), ..token() };
    let refusal = refused(limited, sent(&["t0ken"]), Code::RateLimited, false);
    assert_eq!(refusal.retry_after, Some(wait));
}

#[test]
fn checks_of_the_body_stand_in_their_order() {
    let signed = || {
        let signature = json!({"scheme": "github", "secret": "It's a Secret to Everybody"});
        World::with_trigger(json!({"signature": signature}))
    };
    let mut broken = parcel("{", &[("idempotency-key", "\"open")]);
    for (error, code) in [
        (BodyError::TooLarge { limit: 1 }, Code::WebhookBodyTooLarge),
        (BodyError::TooSlow, Code::BodyTooSlow),
        (BodyError::Incomplete, Code::BodyUnreadable),
    ] {
        broken.body = Err(error);
        let parcel = Parcel {
            head: broken.head.clone(),
            decoded: broken.decoded.clone(),
            body: broken.body.clone(),
            was_read: false,
        };
        refused(signed(), parcel, code, true);
    }
    // The signature comes before the coding, the coding before the text, the text before the key.
    broken.body = Ok(Bytes::from_static(b"{"));
    broken.decoded = Err(BodyError::TooLarge { limit: 1 });
    let undecodable = |head: &Head| Parcel {
        head: head.clone(),
        body: Ok(Bytes::from_static(b"{")),
        decoded: Err(BodyError::TooLarge { limit: 1 }),
        was_read: false,
    };
    refused(signed(), undecodable(&broken.head), Code::SignatureWrong, true);
    refused(World::new(), undecodable(&broken.head), Code::WebhookBodyTooLarge, true);
    let coded =
        Parcel { decoded: Err(BodyError::Coding("zstd".to_owned())), ..undecodable(&broken.head) };
    refused(World::new(), coded, Code::MediaUnsupported, true);
    refused(
        World::new(),
        parcel("{", &[("idempotency-key", "\"open")]),
        Code::BodyUnreadable,
        true,
    );
    let schema = || World::with_trigger(json!({"schema": {"required": ["id"]}}));
    refused(schema(), parcel("{}", &[("idempotency-key", "\"open")]), Code::PayloadRefused, true);
    refused(
        World::new(),
        parcel("{}", &[("idempotency-key", "\"open")]),
        Code::IdempotencyKeyMalformed,
        true,
    );
    let twice = [("idempotency-key", "a"), ("idempotency-key", "a")];
    refused(World::new(), parcel("{}", &twice), Code::IdempotencyKeyMalformed, true);
}

#[test]
fn bodies_are_objects_or_nothing() {
    for body in ["[]", "3", "\"x\"", "true", "{", "{} {}", "{\"a\":NaN}"] {
        refused(World::new(), parcel(body, &[]), Code::BodyUnreadable, true);
    }
    let refusal =
        refused(World::new(), parcel(r#"{"a":{"b":[1,x]}}"#, &[]), Code::BodyUnreadable, true);
    assert_eq!(refusal.faults[0].path, "a.b[1]");
    let mut text = parcel("{}", &[]);
    text.head.headers = vec![("content-type".to_owned(), b"text/plain".to_vec())];
    refused(World::new(), text, Code::BodyUnreadable, true);

    let mut empty = parcel("", &[]);
    empty.head.headers.clear();
    for parcel in [empty, parcel("null", &[]), parcel(" {} ", &[])] {
        let seen = receive(World::new(), parcel);
        let input = json::parse(&seen.accepted[0].execution.input).expect("the input is JSON");
        assert_eq!(input.as_object().map(Map::len), Some(1), "{input}");
    }
}

#[test]
fn the_trace_of_the_request_is_kept_with_the_execution() {
    let seen = receive(World::new(), parcel("{}", &[]));
    let trace = seen.accepted[0].execution.trace.as_ref().map(ToString::to_string);
    assert_eq!(trace.as_deref(), Some(TRACE));
    let mut without = parcel("{}", &[]);
    without.head.trace = None;
    assert_eq!(receive(World::new(), without).accepted[0].execution.trace, None);
}

#[test]
fn the_fingerprint_tells_requests_apart() {
    let claim = |parcel: Parcel| {
        let seen = receive(World::new(), parcel);
        seen.accepted[0].claim.clone().expect("a claim").fingerprint
    };
    let key = [("idempotency-key", "k")];
    let first = claim(parcel("{}", &key));
    assert_eq!(first, claim(parcel("{}", &[("idempotency-key", "k"), ("x-other", "1")])));
    assert_ne!(first, claim(parcel("{ }", &key)));
    let mut other = parcel("{}", &key);
    other.head.query = None;
    assert_ne!(first, claim(other));
    let mut other = parcel("{}", &key);
    other.head.headers[1].1 = b"application/vnd.x+json".to_vec();
    assert_ne!(first, claim(other));
}

#[test]
fn the_providers_delivery_id_stands_in_for_a_key() {
    let signature = json!({"scheme": "github", "secret": "It's a Secret to Everybody"});
    let world = World::with_trigger(json!({"signature": signature}));
    let mut signed = parcel("", &[("x-github-delivery", "d-1")]);
    // HMAC-SHA256 of the empty body under this secret.
    let mac = "sha256=66a0c074deaa0f489ead6537e0d32f9a344b90bbeda705b6ed45ecd3b413fb40";
    signed.head.headers.push(("x-hub-signature-256".to_owned(), mac.as_bytes().to_vec()));
    let seen = receive(world, signed);
    seen.result.expect("accepted");
    let claim = seen.accepted[0].claim.as_ref().expect("a claim");
    assert_eq!(claim.key.as_str(), "d-1");
}

#[test]
fn answers_of_the_store_reach_the_caller() {
    let id = ExecutionId::from_uuid(Uuid::from_u128(3));
    let known = summary(id, Status::Failed);
    let seen =
        receive(World::answering(vec![Ok(Acceptance::Replayed(known.clone()))]), parcel("{}", &[]));
    let begun = seen.result.expect("a replay");
    assert_eq!((begun.summary, begun.replayed, seen.n_dispatched), (known, true, 0));

    for (answers, code) in [
        (vec![Ok(Acceptance::KeyReused)], Code::IdempotencyKeyReused),
        (vec![Err(StoreError::Full)], Code::Overloaded),
        (vec![Err(StoreError::unavailable("no"))], Code::StoreUnavailable),
        (vec![lost(), Ok(Acceptance::KeyReused)], Code::IdempotencyKeyReused),
        (vec![lost(), Err(StoreError::unavailable("no"))], Code::StoreUnavailable),
        (vec![lost(), lost(), lost()], Code::StoreUnavailable),
    ] {
        let seen = receive(World::answering(answers), parcel("{}", &[]));
        let refusal = seen.result.expect_err("a refusal");
        assert_eq!((refusal.code, seen.n_dispatched), (code, 0), "{refusal}");
        assert_eq!(refusal.retry_after.is_some(), code != Code::IdempotencyKeyReused);
    }
}

fn lost() -> Result<Acceptance, StoreError> {
    Err(StoreError::unknown("the disk went away"))
}

#[test]
fn a_lost_answer_is_asked_for_again_and_the_execution_dispatched_once() {
    let check = |answers: Vec<_>, world: World, n_dispatched| {
        let n_asked = answers.len();
        let seen = receive(World { answers, ..world }, parcel("{}", &[]));
        let begun = seen.result.expect("accepted");
        assert!(!begun.replayed);
        assert_eq!((seen.accepted.len(), seen.n_dispatched), (n_asked, n_dispatched));
        assert!(seen.accepted.iter().all(|it| *it == seen.accepted[0]), "the same each time");
    };
    let accepted = || Ok(Acceptance::Accepted);
    check(vec![lost(), accepted()], World::new(), 1);
    check(vec![lost(), lost(), accepted()], World::new(), 1);
    check(vec![lost(), accepted()], World { has_room: false, ..World::new() }, 0);
    // After so long the engine may be ahead: it goes on with what is stored, if that is still there.
    let slow = || World { takes: Duration::from_secs(6), ..World::new() };
    check(vec![accepted()], slow(), 1);
    check(vec![lost(), accepted()], slow(), 1);
    check(vec![lost(), accepted()], World { can_load: false, ..slow() }, 0);
}

#[test]
fn a_stale_route_is_looked_up_once_more() {
    let gone = || Ok(Acceptance::RouteGone);
    let moved = World {
        versions: vec![Some(1), Some(2)],
        ..World::answering(vec![gone(), Ok(Acceptance::Accepted)])
    };
    let seen = receive(moved, parcel("{}", &[]));
    seen.result.expect("accepted");
    let versions: Vec<_> = seen.accepted.iter().map(|new| new.execution.version).collect();
    assert_eq!(versions, [1, 2]);

    let removed = World { versions: vec![Some(1), None], ..World::answering(vec![gone()]) };
    let seen = receive(removed, parcel("{}", &[]));
    assert_eq!(seen.result.expect_err("a refusal").code, Code::RouteNotFound);

    let flapping =
        World { versions: vec![Some(1), Some(2)], ..World::answering(vec![gone(), gone()]) };
    let seen = receive(flapping, parcel("{}", &[]));
    assert_eq!(seen.result.expect_err("a refusal").code, Code::RouteNotFound);
}

#[test]
fn without_room_the_execution_waits_for_an_owner() {
    let seen = receive(World { has_room: false, ..World::new() }, parcel("{}", &[]));
    assert_eq!(seen.result.expect("accepted").summary.status, Status::Pending);
    assert_eq!((seen.accepted[0].owner, seen.n_dispatched), (None, 0));
}

#[test]
fn a_preferred_wait_is_capped_and_answered() {
    let seen = receive(World::new(), parcel("{}", &[("prefer", "wait=3600")]));
    let begun = seen.result.expect("accepted");
    assert_eq!(begun.waited, Some(Duration::from_secs(30)));
    assert_eq!(begun.summary.status, Status::Completed);
}
