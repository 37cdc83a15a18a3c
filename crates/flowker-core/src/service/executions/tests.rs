use std::sync::Mutex;

use mockall::predicate::eq;
use serde_json::{Map, json};
use uuid::Uuid;

use super::*;
use crate::execution::{Entry, Event, Execution, Fence, Outcome, Status, StepRun};
use crate::id::ReplicaId;
use crate::ports::{
    Acceptance, Direction, ExecutionSort, KnownKey, MockDispatcher, MockExecutionStore,
    MockIdempotencyStore, MockWorkflowStore, NewExecution,
};
use crate::service::testing::{NEXT_ID, NOW, actor, answer, block_on, clock, ids};
use crate::time::Timestamp;
use crate::workflow::Definition;

const WORKFLOW: WorkflowId = WorkflowId::from_uuid(Uuid::from_u128(7));
const SOURCE: ExecutionId = ExecutionId::from_uuid(Uuid::from_u128(8));
const RETENTION: Duration = Duration::from_hours(7 * 24);
const WAIT_MAX: Duration = Duration::from_secs(30);
const BODY: &[u8] = br#"{"inputData": {"n": 1.50}}"#;

/// The mocks behind the use-cases, expecting nothing.
#[derive(Default)]
struct Mocks {
    store: MockExecutionStore,
    keys: MockIdempotencyStore,
    workflows: MockWorkflowStore,
    dispatcher: MockDispatcher,
}

impl Mocks {
    fn executions(self) -> Executions {
        let (store, workflows) = (Arc::new(self.store), Arc::new(self.workflows));
        let starter = Starter {
            executions: store.clone(),
            dispatcher: Arc::new(self.dispatcher),
            clock: clock(),
            ids: ids(),
            replica: ReplicaId::from_uuid(Uuid::from_u128(1)),
            retention: RETENTION,
            wait_max: WAIT_MAX,
        };
        Executions {
            store,
            keys: Arc::new(self.keys),
            workflows: workflows.clone(),
            plans: Arc::new(Plans::new(workflows)),
            starter: Arc::new(starter),
            clock: clock(),
        }
    }

    /// With one version, the second.
    fn with_version(mut self, definition: Value) -> Self {
        let definition = Definition::from_document(definition).expect("a definition");
        let version = self.workflows.expect_version().with(eq(WORKFLOW), eq(2));
        version.returning(move |_, _| Ok(Some(definition.clone())));
        self
    }

    /// With one execution, as it is shown.
    fn with_summary(mut self, summary: Option<Summary>) -> Self {
        self.store.expect_get().with(eq(SOURCE)).returning(move |_| Ok(summary.clone()));
        self
    }

    /// With that execution, as it was accepted.
    fn with_execution(mut self) -> Self {
        self.store.expect_execution().with(eq(SOURCE)).returning(|_| Ok(Some(source())));
        self
    }

    /// With room for what is accepted.
    fn with_room(mut self) -> Self {
        self.dispatcher.expect_has_room().return_const(true);
        self.dispatcher.expect_dispatch().return_const(());
        self
    }
}

fn definition() -> Value {
    json!({
        "nodes": [
            {"id": "a", "type": "action", "name": "Answer"},
            {"id": "first", "type": "trigger"},
            {"id": "second", "type": "trigger"},
            {"id": "b", "type": "action"},
        ],
        "edges": [],
    })
}

fn workflow(status: Lifecycle) -> Workflow {
    Workflow {
        id: WORKFLOW,
        name: "w".to_owned(),
        description: None,
        status,
        revision: 3,
        version: 2,
        definition: Definition::default(),
        metadata: Map::new(),
        created_at: NOW,
        updated_at: NOW,
    }
}

/// What was accepted before.
fn source() -> Execution {
    Execution {
        id: SOURCE,
        workflow_id: WORKFLOW,
        version: 2,
        start_node: "second".to_owned(),
        input: Bytes::from_static(br#"{"n":1}"#),
        total_steps: 2,
        accepted_at: Timestamp::default(),
        retry_of: None,
        trace: TraceContext::from_stored(OLD_TRACE),
    }
}

fn summary(status: Status) -> Summary {
    Summary {
        id: SOURCE,
        workflow_id: WORKFLOW,
        status,
        current_step: 0,
        total_steps: 2,
        started_at: Timestamp::default(),
        completed_at: status.is_terminal().then_some(NOW),
        outcome: status.is_terminal().then(|| Arc::new(Outcome::Completed { output: Map::new() })),
        retry_of: None,
    }
}

const OLD_TRACE: &str = "00-00000000000000000000000000000001-0000000000000001-01";

fn traced() -> StartOptions {
    let trace =
        TraceContext::from_stored("00-00000000000000000000000000000002-0000000000000002-00");
    StartOptions { trace, wait: None }
}

fn waiting(wait: Duration) -> StartOptions {
    StartOptions { wait: Some(wait), trace: None }
}

fn key() -> IdempotencyKey {
    IdempotencyKey::from_stored("k-1".to_owned())
}

fn fingerprint(raw_body: &[u8]) -> Fingerprint {
    Fingerprint::of(&[b"POST", b"execute", b"", b"application/json", raw_body])
}

fn execute(mocks: Mocks, raw_body: &[u8], key: Option<IdempotencyKey>) -> Result<Begun, Refusal> {
    let body = json::parse(raw_body).expect("JSON");
    block_on(mocks.executions().execute(WORKFLOW, body, raw_body, key, traced(), &actor()))
}

/// Accepts everything and keeps what it was given.
fn accepting(mocks: &mut Mocks) -> Arc<Mutex<Vec<NewExecution>>> {
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&accepted);
    mocks.store.expect_accept().returning(move |new| {
        kept.lock().expect("no panic").push(new);
        Ok(Acceptance::Accepted)
    });
    accepted
}

#[test]
fn an_execution_starts_at_the_first_trigger_of_the_active_version() {
    let check = |raw_body: &[u8], input: &[u8]| {
        let mut mocks = Mocks::default().with_version(definition()).with_room();
        mocks.keys.expect_find().with(eq(WORKFLOW), eq(key())).returning(|_, _| Ok(None));
        mocks.workflows.expect_get().returning(|_| Ok(Some(workflow(Lifecycle::Active))));
        let accepted = accepting(&mut mocks);
        let begun = execute(mocks, raw_body, Some(key())).expect("begun");
        let [new] = <[_; 1]>::try_from(std::mem::take(&mut *accepted.lock().expect("no panic")))
            .expect("one acceptance");
        let expected = Execution {
            id: ExecutionId::from_uuid(NEXT_ID),
            start_node: "first".to_owned(),
            input: Bytes::copy_from_slice(input),
            accepted_at: NOW,
            trace: traced().trace,
            ..source()
        };
        assert_eq!(*new.execution, expected);
        assert_eq!((new.precondition, new.actor), (Precondition::VersionActive, actor()));
        let fingerprint = fingerprint(raw_body);
        assert_eq!(new.claim, Some(Claim { key: key(), fingerprint, retention: RETENTION }));
        assert_eq!((begun.summary.status, begun.replayed), (Status::Running, false));
    };
    check(BODY, br#"{"n":1.50}"#);
    check(b"{}", b"{}");
    check(br#"{"inputData": null}"#, b"{}");
    check(b"null", b"{}");
    check(br#"{"inputdata": {"deep": [{}]}}"#, br#"{"deep":[{}]}"#);
}

#[test]
fn what_is_wrong_with_a_request_comes_before_any_look_up() {
    let check = |body: &[u8], key: Option<IdempotencyKey>, expected: &str| {
        assert_eq!(answer(execute(Mocks::default(), body, key)), expected);
    };
    check(br#"{"inputData": []}"#, None, "FLK-0001 inputData");
    check(br#"{"inputData": "text"}"#, Some(key()), "FLK-0001 inputData");
    check(b"[]", Some(key()), "FLK-0001 ");
    check(BODY, None, "FLK-0509");
}

#[test]
fn a_known_key_answers_before_the_workflow_is_looked_at() {
    let known = |raw_body: &'static [u8]| {
        let mut mocks = Mocks::default();
        mocks.keys.expect_find().with(eq(WORKFLOW), eq(key())).returning(move |_, _| {
            let execution = summary(Status::Completed);
            Ok(Some(KnownKey { fingerprint: fingerprint(raw_body), execution }))
        });
        mocks
    };
    let replayed = execute(known(BODY), BODY, Some(key())).expect("replayed");
    let expected = Begun { summary: summary(Status::Completed), replayed: true, waited: None };
    assert_eq!(replayed, expected);
    assert_eq!(answer(execute(known(b"{}"), BODY, Some(key()))), "FLK-0510");
}

#[test]
fn only_an_active_workflow_is_executed() {
    // As read before the acceptance, as read after one that was refused.
    let check = |before: Option<Lifecycle>, after: Option<Lifecycle>, expected: &str| {
        let mut mocks = Mocks::default().with_version(definition()).with_room();
        mocks.keys.expect_find().returning(|_, _| Ok(None));
        mocks.store.expect_accept().returning(|_| Ok(Acceptance::RouteGone));
        let mut reads = [before, after].into_iter();
        mocks.workflows.expect_get().with(eq(WORKFLOW)).returning(move |_| {
            let status = reads.next().expect("two reads at most");
            Ok(status.map(workflow))
        });
        assert_eq!(answer(execute(mocks, BODY, Some(key()))), expected, "{before:?} {after:?}");
    };
    check(None, None, "FLK-0100");
    check(Some(Lifecycle::Draft), None, "FLK-0501");
    check(Some(Lifecycle::Inactive), None, "FLK-0501");
    check(Some(Lifecycle::Active), None, "FLK-0100");
    check(Some(Lifecycle::Active), Some(Lifecycle::Inactive), "FLK-0501");
    check(Some(Lifecycle::Active), Some(Lifecycle::Active), "FLK-0350");
}

#[test]
fn a_key_that_is_claimed_meanwhile_is_found_by_the_acceptance() {
    let check = |acceptance: Acceptance, expected: Result<bool, &str>| {
        let mut mocks = Mocks::default().with_version(definition()).with_room();
        mocks.keys.expect_find().returning(|_, _| Ok(None));
        mocks.workflows.expect_get().returning(|_| Ok(Some(workflow(Lifecycle::Active))));
        mocks.store.expect_accept().return_once(|_| Ok(acceptance));
        let begun = execute(mocks, BODY, Some(key()));
        let begun = begun.map(|begun| begun.replayed).map_err(|refusal| refusal.code.as_str());
        assert_eq!(begun, expected);
    };
    check(Acceptance::Replayed(summary(Status::Running)), Ok(true));
    check(Acceptance::KeyReused, Err("FLK-0510"));
}

#[test]
fn a_stored_version_that_cannot_start_is_a_fault_of_ours() {
    let broken = [
        json!({"nodes": [{"id": "a", "type": "action"}]}),
        json!({"nodes": [{"id": "a", "type": "loop"}]}),
    ];
    for definition in broken {
        let mut mocks = Mocks::default().with_version(definition);
        mocks.keys.expect_find().returning(|_, _| Ok(None));
        mocks.workflows.expect_get().returning(|_| Ok(Some(workflow(Lifecycle::Active))));
        assert_eq!(answer(execute(mocks, BODY, Some(key()))), "FLK-9999");
    }
}

#[test]
fn a_caller_may_wait_for_the_end() {
    let seconds = Duration::from_secs;
    // The status before; the wait that is asked for and the one that is made; how it ends; the
    // status that is answered.
    let check = |before, asked: Option<u64>, made: Option<u64>, end: Option<Status>, expected| {
        let mut mocks = Mocks::default().with_summary(Some(summary(before)));
        if let Some(made) = made {
            let wait = mocks.dispatcher.expect_wait_for_end().with(eq(SOURCE), eq(seconds(made)));
            wait.times(1).returning(move |_, _| end.map(summary));
        }
        let found = block_on(mocks.executions().get(SOURCE, asked.map(seconds)));
        assert_eq!(found.expect("found").status, expected);
    };
    check(Status::Running, None, None, None, Status::Running);
    check(Status::Completed, Some(5), None, None, Status::Completed);
    check(Status::Running, Some(5), Some(5), Some(Status::Failed), Status::Failed);
    check(Status::Running, Some(500), Some(30), Some(Status::Completed), Status::Completed);
    check(Status::Pending, Some(5), Some(5), None, Status::Pending);

    // What became of it during the wait, though it did not end.
    let mut mocks = Mocks::default();
    let mut reads = [Status::Pending, Status::Running].into_iter();
    mocks.store.expect_get().returning(move |_| Ok(reads.next().map(summary)));
    mocks.dispatcher.expect_wait_for_end().returning(|_, _| None);
    let found = block_on(mocks.executions().get(SOURCE, Some(seconds(1)))).expect("found");
    assert_eq!(found.status, Status::Running);
}

#[test]
fn what_is_not_there_is_not_found() {
    let executions = || {
        let mut mocks = Mocks::default().with_summary(None);
        mocks.store.expect_cancel().returning(|_, _, _| Ok(CancelAnswer::NotFound));
        mocks.executions()
    };
    let missing = "FLK-0500";
    assert_eq!(answer(block_on(executions().get(SOURCE, Some(WAIT_MAX)))), missing);
    assert_eq!(answer(block_on(executions().results(SOURCE))), missing);
    assert_eq!(answer(block_on(executions().cancel(SOURCE, &actor()))), missing);
    let options = StartOptions::default();
    let retried = block_on(executions().retry(SOURCE, Some(key()), options, &actor()));
    assert_eq!(answer(retried), missing);
}

fn journal() -> Vec<Entry> {
    let run = StepRun { attempt: 1, started_at: NOW, duration: Duration::from_millis(3) };
    let done = |node: &str| Event::Completed {
        node: node.to_owned(),
        run,
        output: Arc::new(json!({"of": node})),
    };
    let events = [Event::Adopted, done("b"), done("a"), done("gone")];
    events.into_iter().map(|event| Entry { fence: Fence::FIRST, at: NOW, event }).collect()
}

#[test]
fn results_name_steps_as_the_version_that_ran_does() {
    let check = |version: Option<Value>, expected: [&str; 3]| {
        let mut mocks =
            Mocks::default().with_summary(Some(summary(Status::Cancelled))).with_execution();
        mocks.store.expect_journal().returning(|_| Ok(journal()));
        let definition = version.map(|it| Definition::from_document(it).expect("a definition"));
        mocks.workflows.expect_version().return_once(|_, _| Ok(definition));
        let (shown, steps) = block_on(mocks.executions().results(SOURCE)).expect("results");
        assert_eq!(shown, summary(Status::Cancelled));
        let steps: Vec<_> =
            steps.iter().map(|it| (it.step.number, &*it.step.node, &*it.name)).collect();
        let [b, a, gone] = expected;
        assert_eq!(steps, [(1, "b", b), (2, "a", a), (3, "gone", gone)]);
    };
    check(Some(definition()), ["action_b", "Answer", "gone"]);
    check(Some(json!({"nodes": [{"id": "a", "type": "loop"}]})), ["b", "a", "gone"]);
    check(None, ["b", "a", "gone"]);
}

#[test]
fn results_come_with_the_end_and_need_the_store() {
    for status in [Status::Pending, Status::Running] {
        let mocks = Mocks::default().with_summary(Some(summary(status)));
        assert_eq!(answer(block_on(mocks.executions().results(SOURCE))), "FLK-0502");
    }
    let mut mocks =
        Mocks::default().with_summary(Some(summary(Status::Completed))).with_execution();
    let unavailable = || Err(StoreError::unavailable("the network is down"));
    mocks.workflows.expect_version().returning(move |_, _| unavailable());
    assert_eq!(answer(block_on(mocks.executions().results(SOURCE))), "FLK-0901");
}

#[test]
fn a_cancelled_execution_is_driven_no_more() {
    let check = |written: CancelAnswer, n_abandoned: usize, expected: &str| {
        let mut mocks = Mocks::default();
        let cancel = mocks.store.expect_cancel().with(eq(SOURCE), eq(NOW), eq(actor()));
        cancel.return_once(|_, _, _| Ok(written));
        let abandon = mocks.dispatcher.expect_abandon().with(eq(SOURCE));
        abandon.times(n_abandoned).return_const(());
        assert_eq!(answer(block_on(mocks.executions().cancel(SOURCE, &actor()))), expected);
    };
    check(CancelAnswer::Cancelled(summary(Status::Cancelled)), 1, "ok");
    check(CancelAnswer::AlreadyTerminal, 0, "FLK-0520");
}

#[test]
fn a_retry_runs_the_same_version_with_the_same_input() {
    let check = |key: Option<IdempotencyKey>| {
        let mut mocks = Mocks::default()
            .with_summary(Some(summary(Status::Failed)))
            .with_execution()
            .with_version(definition())
            .with_room();
        let accepted = accepting(&mut mocks);
        let begun = block_on(mocks.executions().retry(SOURCE, key.clone(), traced(), &actor()))
            .expect("begun");
        assert_eq!(begun.summary.retry_of, Some(SOURCE));
        let [new] = <[_; 1]>::try_from(std::mem::take(&mut *accepted.lock().expect("no panic")))
            .expect("one acceptance");
        let expected = Execution {
            id: ExecutionId::from_uuid(NEXT_ID),
            accepted_at: NOW,
            retry_of: Some(SOURCE),
            // A repetition belongs to the trace of whoever asks for it.
            trace: traced().trace,
            ..source()
        };
        assert_eq!(*new.execution, expected);
        assert_eq!((new.precondition, new.actor), (Precondition::None, actor()));
        assert_eq!(new.claim.map(|claim| claim.key), key);
    };
    check(None);
    check(Some(key()));
}

#[test]
fn a_retry_is_told_from_an_execution_and_from_another_retry() {
    let claimed = |id: ExecutionId| {
        let mut mocks = Mocks::default().with_version(definition()).with_room();
        mocks.store.expect_get().returning(|_| Ok(Some(summary(Status::Failed))));
        mocks.store.expect_execution().returning(|_| Ok(Some(source())));
        let accepted = accepting(&mut mocks);
        block_on(mocks.executions().retry(id, Some(key()), StartOptions::default(), &actor()))
            .expect("begun");
        let claim = accepted.lock().expect("no panic")[0].claim.clone().expect("a claim");
        claim.fingerprint
    };
    let other = ExecutionId::from_uuid(Uuid::from_u128(9));
    assert_eq!(claimed(SOURCE), claimed(SOURCE));
    assert_ne!(claimed(SOURCE), claimed(other));
    assert_ne!(claimed(SOURCE), fingerprint(b""));
}

#[test]
fn only_what_has_ended_is_retried() {
    for status in [Status::Pending, Status::Running] {
        let mocks = Mocks::default().with_summary(Some(summary(status)));
        let options = StartOptions::default();
        let retried = block_on(mocks.executions().retry(SOURCE, None, options, &actor()));
        assert_eq!(answer(retried), "FLK-0520");
    }
    let ended = || {
        Mocks::default()
            .with_summary(Some(summary(Status::Completed)))
            .with_execution()
            .with_version(definition())
            .with_room()
    };
    let mut reused = ended();
    reused.store.expect_accept().returning(|_| Ok(Acceptance::KeyReused));
    let reused =
        block_on(reused.executions().retry(SOURCE, Some(key()), StartOptions::default(), &actor()));
    assert_eq!(answer(reused), "FLK-0510");
    let mut replayed = ended();
    let running = || Acceptance::Replayed(summary(Status::Running));
    replayed.store.expect_accept().returning(move |_| Ok(running()));
    replayed.dispatcher.expect_wait_for_end().returning(|_, _| Some(summary(Status::Completed)));
    let replayed =
        block_on(replayed.executions().retry(SOURCE, Some(key()), waiting(WAIT_MAX * 2), &actor()));
    let expected =
        Begun { summary: summary(Status::Completed), replayed: true, waited: Some(WAIT_MAX) };
    assert_eq!(replayed.expect("replayed"), expected);
}

#[test]
fn a_list_is_the_store_s() {
    let query = ExecutionQuery {
        workflow_id: Some(WORKFLOW),
        status: Some(Status::Failed),
        sort: ExecutionSort::StartedAt,
        direction: Direction::Descending,
        after: None,
        limit: 10,
    };
    let page = ExecutionPage { items: vec![summary(Status::Failed)], has_more: true };
    let mut mocks = Mocks::default();
    let list = mocks.store.expect_list().with(eq(query.clone()));
    let answered = page.clone();
    list.return_once(|_| Ok(answered));
    assert_eq!(block_on(mocks.executions().list(query)).expect("a page"), page);
}
