use mockall::TimesRange;
use mockall::predicate::eq;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::id::ProviderConfigId;
use crate::plans::Plans;
use crate::ports::{
    ConfigStatus, MockProviderConfigStore, MockWorkflowStore, ProviderConfig, StoreError,
};
use crate::service::testing::{
    NEXT_ID, NOW, actor, answer, block_on, catalog, clock, config, ids, members, put,
};
use crate::time::Timestamp;
use crate::workflow::WebhookPath;

const ACTIVE: &str = "00000000-0000-0000-0000-000000000001";
const DISABLED: &str = "00000000-0000-0000-0000-000000000002";
const FREE: &str = "00000000-0000-0000-0000-000000000003";
const UNKNOWN: &str = "00000000-0000-0000-0000-000000000004";
const ID: WorkflowId = WorkflowId::from_uuid(Uuid::from_u128(7));

/// What is written to the audit log.
fn event(kind: EventType, workflow: WorkflowId, name: &str) -> AuditEvent {
    AuditEvent::of_workflow(NEXT_ID, kind, workflow, name, &actor())
}

/// A document without a fault.
fn document() -> Value {
    json!({
        "name": "orders",
        "nodes": [
            {"id": "in", "type": "trigger",
             "data": {"triggerType": "webhook", "method": "post", "path": "/orders/"}},
            {"id": "call", "type": "executor",
             "data": {"executorId": "demo.call", "providerConfigId": ACTIVE}},
            {"id": "good", "type": "conditional", "data": {"condition": "call.body.ok == true"}},
            {"id": "out", "type": "action",
             "data": {"actionType": "set_output", "output": {"ok": "{{ call.body.ok }}"}}},
        ],
        "edges": [
            {"id": "e0", "source": "in", "target": "call"},
            {"id": "e1", "source": "call", "target": "good"},
            {"id": "e2", "source": "good", "target": "out", "sourceHandle": "true"},
        ],
    })
}

fn edited<'a>(edits: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut document = document();
    for (pointer, value) in edits {
        put(&mut document, pointer, value);
    }
    document
}

/// What is stored of a document that a caller wrote.
fn stored(document: Value, status: Lifecycle) -> Workflow {
    let draft = Draft::read(document).expect("readable");
    Workflow {
        id: ID,
        name: draft.name,
        description: draft.description,
        status,
        revision: 3,
        version: 2,
        definition: draft.definition,
        metadata: members(json!({"team": "a", "kept": 1})),
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

fn configs() -> MockProviderConfigStore {
    let mut configs = MockProviderConfigStore::new();
    configs.expect_get().returning(|id| {
        Ok(match id.to_string().as_str() {
            ACTIVE => Some(config(id)),
            DISABLED => Some(ProviderConfig { status: ConfigStatus::Disabled, ..config(id) }),
            FREE => Some(ProviderConfig { provider_id: "free".to_owned(), ..config(id) }),
            _ => None,
        })
    });
    configs
}

/// Over a store; `n_refreshes` is how often the table of routes must be read again. That fails, which
/// must not matter.
fn workflows(store: MockWorkflowStore, n_refreshes: impl Into<TimesRange>) -> Workflows {
    let mut followed = MockWorkflowStore::new();
    let unreachable = || Err(StoreError::unavailable("the network is down"));
    followed.expect_routes_revision().times(n_refreshes).returning(unreachable);
    let followed = Arc::new(followed);
    let plans = Arc::new(Plans::new(followed.clone()));
    Workflows {
        store: Arc::new(store),
        configs: Arc::new(configs()),
        catalog: catalog(),
        routes: Arc::new(RouteTable::new(followed, plans)),
        clock: clock(),
        ids: ids(),
    }
}

/// A store that holds one workflow, if any, and does nothing else.
fn holding(workflow: Option<Workflow>) -> MockWorkflowStore {
    let mut store = MockWorkflowStore::new();
    store.expect_get().with(eq(ID)).returning(move |_| Ok(workflow.clone()));
    store
}

fn create(document: Value) -> Result<Workflow, Refusal> {
    let mut store = MockWorkflowStore::new();
    store.expect_create().returning(|workflow, _| Ok(WorkflowWritten::Done(workflow)));
    block_on(workflows(store, 0).create(document, &actor()))
}

fn update(document: Value) -> Result<Workflow, Refusal> {
    let mut store = holding(Some(stored(self::document(), Lifecycle::Draft)));
    store.expect_update().returning(|workflow, _| Ok(WorkflowWritten::Done(workflow)));
    block_on(workflows(store, 0).update(ID, document, &actor()))
}

fn activate(document: Value) -> Result<Workflow, Refusal> {
    let draft = stored(document, Lifecycle::Draft);
    let mut store = holding(Some(draft.clone()));
    let written = WorkflowWritten::Done(draft);
    store.expect_activate().returning(move |_, _| Ok(written.clone()));
    block_on(workflows(store, ..).activate(ID, &actor()))
}

#[test]
fn a_draft_may_hold_more_than_an_active_workflow() {
    // The edits, what creating says (and updating, of a single fault), what activating says.
    let check = |edits: &[(&str, Value)], on_draft: &str, on_activation: &str| {
        let document = edited(edits.iter().cloned());
        assert_eq!(answer(create(document.clone())), on_draft, "create {edits:?}");
        assert_eq!(answer(update(document.clone())), on_draft, "update {edits:?}");
        assert_eq!(answer(activate(document.clone())), on_activation, "activate {edits:?}");
        // Without a store nothing can be said about provider configurations.
        let offline = check_document(document, &catalog());
        let first = offline.first().map_or("ok", |violation| violation.code.as_str());
        let on_provider = |it: &str| it == "FLK-0150" || it == "FLK-0151";
        if !on_provider(on_activation.split(' ').next().unwrap_or_default()) {
            assert!(on_activation.starts_with(first), "check {edits:?}: {first}");
        }
    };
    let both = |edits: &[(&str, Value)], answer: &str| check(edits, answer, answer);
    let later = |edits: &[(&str, Value)], answer: &str| check(edits, "ok", answer);

    both(&[], "ok");
    both(&[("/name", json!(""))], "FLK-0110 name");
    both(&[("/name", json!(null))], "FLK-0110 name");
    both(&[("/name", json!("é".repeat(50)))], "ok");
    both(&[("/name", json!("é".repeat(51)))], "FLK-0111 name");
    later(&[("/nodes", json!([])), ("/edges", json!([]))], "FLK-0112 nodes");
    later(&[("/nodes", json!(null)), ("/edges", json!(null))], "FLK-0112 nodes");
    both(
        &[("/nodes", json!(vec![json!({"id": "in"}); 101])), ("/edges", json!([]))],
        "FLK-0113 nodes",
    );
    both(&[("/edges", json!(vec![json!({}); 201]))], "FLK-0114 edges");
    later(&[("/nodes/0/type", json!("action"))], "FLK-0116 nodes");
    both(&[("/edges/1/target", json!("nobody"))], "FLK-0115 edges[1].target");
    both(&[("/edges/1", json!({"id": "e1"}))], "FLK-0115 edges[1].source edges[1].target");

    later(
        &[("/edges/3", json!({"id": "e3", "source": "good", "target": "call"}))],
        "FLK-0117 nodes[1]",
    );
    later(&[("/edges/1/id", json!("e0"))], "FLK-0118 edges[1].id");
    later(&[("/nodes/2/type", json!("loop"))], "FLK-0119 nodes[2].type");
    later(&[("/nodes/4", json!({"id": "output", "type": "action"}))], "FLK-0119 nodes[4].id");
    later(&[("/nodes/2/data/condition", json!("a ="))], "FLK-0105 nodes[2].data.condition");
    later(&[("/nodes/2/data/condition", json!(null))], "FLK-0105 nodes[2].data.condition");
    later(&[("/edges/2/condition", json!("a ="))], "FLK-0105 edges[2].condition");
    later(
        &[("/nodes/0/data/method", json!("TRACE")), ("/nodes/0/data/path", json!(""))],
        "FLK-0211 nodes[0].data.method nodes[0].data.path",
    );

    let invalid = "WORKFLOW_INVALID_EXECUTOR_CONFIG nodes[1].data";
    let data = |name: &str, value: Value, answer: &str| {
        both(&[(&format!("/nodes/1/data/{name}"), value)], answer);
    };
    data("executorId", json!(null), &format!("{invalid}.executorId"));
    data("executorId", json!("demo.nothing"), "FLK-0104 nodes[1].data.executorId");
    data("providerConfigId", json!(null), "FLK-0150 nodes[1].data.providerConfigId");
    data("providerConfigId", json!(7), "FLK-0150 nodes[1].data.providerConfigId");
    data("providerConfigId", json!("demo"), "FLK-0150 nodes[1].data.providerConfigId");
    data("providerConfigId", json!(UNKNOWN), "FLK-0150 nodes[1].data.providerConfigId");
    data("providerConfigId", json!(DISABLED), "FLK-0150 nodes[1].data.providerConfigId");
    data("providerConfigId", json!(FREE), "FLK-0151 nodes[1].data.providerConfigId");
    data("account", json!("a-1"), "ok");
    data("account", json!(1), &format!("{invalid}.account"));
    data("other", json!("a-1"), invalid);
    data("timeout", json!(0), &format!("{invalid}.timeout"));
    data("retry", json!({"maxAttempts": 11}), &format!("{invalid}.retry.maxAttempts"));
    data("successStatusCodes", json!([99]), &format!("{invalid}.successStatusCodes"));
    data("onUncertain", json!("ask"), &format!("{invalid}.onUncertain"));
    data("path", json!("/a/{{ b"), &format!("{invalid}.path"));
    data("headers", json!({"A": 1}), &format!("{invalid}.headers.A"));
    data("query", json!({"a": "{{ }}"}), &format!("{invalid}.query.a"));

    let mapping = |source: &str| json!([{"source": source, "target": "a"}]);
    data("inputMapping", mapping("workflow.a"), "ok");
    data("inputMapping", mapping("a..b"), "FLK-0140 nodes[1].data.inputMapping[0].source");
    data("outputMapping", mapping("a[x]"), "FLK-0141 nodes[1].data.outputMapping[0].source");
    let unknown = json!([{"operation": "guess", "spec": {"a": 1}}]);
    data("transforms", unknown, "FLK-0142 nodes[1].data.transforms[0].operation");
    later(
        &[("/nodes/3/data/output", json!({"a": ["{{ b"]}))],
        "FLK-0142 nodes[3].data.output.a[0]",
    );
}

#[test]
fn the_first_check_answers_for_all_members_that_fail_it() {
    let node = |id: &str, data: Value| json!({"id": id, "type": "executor", "data": data});
    let nameless = edited([
        ("/name", json!("")),
        ("/edges/0/source", json!("nobody")),
        ("/nodes/1/data/executorId", json!("demo.nothing")),
        ("/nodes/1/data/inputMapping", json!([{"source": "a..b", "target": "a"}])),
        ("/nodes/4", node("x", json!({"executorId": "demo.call", "providerConfigId": UNKNOWN}))),
        ("/nodes/5", node("y", json!({"executorId": "free.nothing", "providerConfigId": ACTIVE}))),
    ]);
    let executors = "FLK-0104 nodes[1].data.executorId nodes[5].data.executorId";
    assert_eq!(answer(create(nameless.clone())), "FLK-0110 name");
    // An update asks for the name last.
    assert_eq!(answer(update(nameless.clone())), executors);
    assert_eq!(answer(activate(nameless.clone())), "FLK-0110 name");

    let named = |edits: Vec<(&'static str, Value)>| {
        let mut document = nameless.clone();
        put(&mut document, "/name", json!("n"));
        for (pointer, value) in edits {
            put(&mut document, pointer, value);
        }
        document
    };
    let dangling = named(vec![]);
    assert_eq!(answer(create(dangling.clone())), "FLK-0115 edges[0].source");
    assert_eq!(answer(activate(dangling)), "FLK-0115 edges[0].source");
    let known = vec![
        ("/edges/0/source", json!("in")),
        ("/nodes/1/data/executorId", json!("demo.call")),
        ("/nodes/5/data/executorId", json!("free.call")),
    ];
    // A draft's provider configurations come before its mappings, an activation's after them.
    let configs = "FLK-0150 nodes[4].data.providerConfigId";
    let mappings = "FLK-0140 nodes[1].data.inputMapping[0].source";
    assert_eq!(answer(create(named(known.clone()))), configs);
    assert_eq!(answer(update(named(known.clone()))), configs);
    assert_eq!(answer(activate(named(known))), mappings);

    // Node by node, not check by check.
    let node_by_node = edited([
        ("/nodes/1/data/providerConfigId", json!(null)),
        ("/nodes/4", node("x", json!({}))),
    ]);
    assert_eq!(answer(create(node_by_node)), "FLK-0150 nodes[1].data.providerConfigId");
}

#[test]
fn checking_a_document_tells_everything_at_once() {
    let check = |edits: Vec<(&str, Value)>, expected: &[&str]| {
        let found = check_document(edited(edits), &catalog()).into_iter();
        let found = found.map(|it| format!("{} {}", it.code, it.fault.path));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    };
    check(vec![("/nodes/1/data/providerConfigId", json!(UNKNOWN))], &[]);
    check(
        vec![
            ("/name", json!(null)),
            ("/nodes/0/type", json!("start")),
            (
                "/nodes/1/data",
                json!({"executorId": "nothing", "timeout": "1",
                                     "transforms": [{"operation": "guess", "spec": {"a": 1}}]}),
            ),
            ("/nodes/2/data/condition", json!("(")),
            ("/edges/2/source", json!("gone")),
        ],
        &[
            "FLK-0110 name",
            "FLK-0116 nodes",
            "FLK-0115 edges[2].source",
            "FLK-0119 nodes[0].type",
            "FLK-0105 nodes[2].data.condition",
            "FLK-0104 nodes[1].data.executorId",
            "FLK-0150 nodes[1].data.providerConfigId",
            "WORKFLOW_INVALID_EXECUTOR_CONFIG nodes[1].data.timeout",
            "FLK-0142 nodes[1].data.transforms[0].operation",
        ],
    );
    check(
        vec![("/name", json!(1)), ("/nodes/0", json!(2))],
        &["FLK-0001 name", "FLK-0001 nodes[0]"],
    );
}

#[test]
fn members_of_the_wrong_type_are_named_before_anything_is_looked_up() {
    let wrong = json!({"name": 1, "description": [], "nodes": {}, "metadata": "m"});
    let expected = "FLK-0001 name description nodes metadata";
    assert_eq!(answer(create(wrong.clone())), expected);
    let untouched = || workflows(MockWorkflowStore::new(), 0);
    assert_eq!(answer(block_on(untouched().update(ID, wrong.clone(), &actor()))), expected);
    assert_eq!(answer(block_on(untouched().clone_of(ID, wrong, &actor()))), "FLK-0001 name");
    assert_eq!(answer(create(json!([]))), "FLK-0001 ");
    assert_eq!(answer(create(json!(null))), "FLK-0110 name");
}

#[test]
fn a_new_workflow_is_a_draft() {
    let document = edited([("/description", json!("")), ("/metadata", json!({"a": 1.50}))]);
    let workflow = create(document.clone()).expect("a workflow");
    let Draft { definition, .. } = Draft::read(document).expect("readable");
    let expected = Workflow {
        id: WorkflowId::from_uuid(NEXT_ID),
        name: "orders".to_owned(),
        description: Some(String::new()),
        status: Lifecycle::Draft,
        revision: 1,
        version: 0,
        definition,
        metadata: members(json!({"a": 1.50})),
        created_at: NOW,
        updated_at: NOW,
    };
    assert_eq!(workflow, expected);
}

#[test]
fn an_update_replaces_all_but_the_metadata() {
    let document = json!({"name": "n", "metadata": {"team": "b", "new": null}});
    let workflow = update(document).expect("updated");
    let before = stored(self::document(), Lifecycle::Draft);
    let expected = Workflow {
        name: "n".to_owned(),
        description: None,
        definition: Definition::default(),
        metadata: members(json!({"team": "b", "kept": 1, "new": null})),
        revision: before.revision + 1,
        updated_at: NOW,
        ..before.clone()
    };
    assert_eq!(workflow, expected);
    let kept = update(json!({"name": "n"})).expect("updated");
    assert_eq!(kept.metadata, before.metadata);
}

#[test]
fn a_clone_is_a_draft_without_metadata() {
    for status in Lifecycle::ALL {
        let original = stored(document(), status);
        let mut store = holding(Some(original.clone()));
        store.expect_create().returning(|workflow, _| Ok(WorkflowWritten::Done(workflow)));
        // No provider configuration is looked up for it.
        let workflows =
            Workflows { configs: Arc::new(MockProviderConfigStore::new()), ..workflows(store, 0) };
        let clone =
            block_on(workflows.clone_of(ID, json!({"name": "copy"}), &actor())).expect("a clone");
        let expected = Workflow {
            id: WorkflowId::from_uuid(NEXT_ID),
            name: "copy".to_owned(),
            status: Lifecycle::Draft,
            revision: 1,
            version: 0,
            metadata: Map::new(),
            created_at: NOW,
            updated_at: NOW,
            ..original
        };
        assert_eq!(clone, expected);
    }
    let nameless = workflows(holding(Some(stored(document(), Lifecycle::Draft))), 0);
    assert_eq!(answer(block_on(nameless.clone_of(ID, json!({}), &actor()))), "FLK-0110 name");
}

#[test]
fn each_status_allows_its_own_transitions() {
    // Updated, activated, deactivated, made a draft, deleted.
    let check = |status: Option<Lifecycle>, expected: [&str; 5]| {
        let workflow = status.map(|status| stored(document(), status));
        let workflows = || {
            let mut store = holding(workflow.clone());
            let done = || Ok(WorkflowWritten::Done(stored(document(), Lifecycle::Draft)));
            store.expect_update().returning(move |_, _| done());
            store.expect_activate().returning(move |_, _| done());
            store.expect_transition().returning(move |_, _| done());
            let event = AuditEvent::workflow_deleted(NEXT_ID, ID, &actor());
            store.expect_delete().with(eq(ID), eq(3), eq(event)).returning(|_, _, _| Ok(true));
            workflows(store, ..)
        };
        let answers = [
            answer(block_on(workflows().update(ID, document(), &actor()))),
            answer(block_on(workflows().activate(ID, &actor()))),
            answer(block_on(workflows().deactivate(ID, &actor()))),
            answer(block_on(workflows().to_draft(ID, &actor()))),
            answer(block_on(workflows().delete(ID, &actor()))),
        ];
        assert_eq!(answers, expected, "{status:?}");
    };
    check(None, ["FLK-0100"; 5]);
    check(Some(Lifecycle::Draft), ["ok", "ok", "FLK-0102", "FLK-0102", "ok"]);
    check(Some(Lifecycle::Active), ["FLK-0103", "FLK-0102", "ok", "FLK-0102", "FLK-0103"]);
    check(Some(Lifecycle::Inactive), ["FLK-0103", "FLK-0102", "FLK-0102", "ok", "ok"]);
}

#[test]
fn an_activation_asks_for_the_status_last() {
    let off = edited([("/nodes/1/data/providerConfigId", json!(DISABLED))]);
    let store = holding(Some(stored(off, Lifecycle::Active)));
    let again = block_on(workflows(store, 0).activate(ID, &actor()));
    assert_eq!(answer(again), "FLK-0150 nodes[1].data.providerConfigId");
}

#[test]
fn an_activation_registers_webhooks_and_tells_the_table() {
    let by_hand = json!({"id": "by-hand", "type": "trigger"});
    let draft = stored(edited([("/nodes/4", by_hand)]), Lifecycle::Draft);
    let active = Workflow { status: Lifecycle::Active, ..draft.clone() };
    let route = NewRoute {
        method: "POST".to_owned(),
        path: WebhookPath::registered("orders"),
        node_id: "in".to_owned(),
    };
    let configs = vec![ProviderConfigId::parse(ACTIVE).expect("an id")];
    let expected = Activation {
        id: ID,
        revision: draft.revision,
        routes: vec![route.clone()],
        configs: configs.clone(),
        at: NOW,
    };
    let written = |written: WorkflowWritten, n_refreshes| {
        let mut store = holding(Some(draft.clone()));
        let event = event(EventType::WorkflowActivated, ID, "orders");
        store
            .expect_activate()
            .with(eq(expected.clone()), eq(event))
            .return_once(|_, _| Ok(written));
        block_on(workflows(store, n_refreshes).activate(ID, &actor()))
    };
    let activated = written(WorkflowWritten::Done(active.clone()), 1).expect("activated");
    assert_eq!(activated, active);

    let holder = WorkflowId::from_uuid(Uuid::from_u128(8));
    let taken = written(WorkflowWritten::RouteTaken { route, holder }, 0).expect_err("taken");
    assert_eq!(taken.code, Code::RouteTaken);
    assert!(taken.message.contains("POST /orders"), "{}", taken.message);
    assert!(taken.message.contains(&holder.to_string()), "{}", taken.message);
    let gone = written(WorkflowWritten::ConfigUnusable(configs[0]), 0).expect_err("gone");
    assert_eq!(gone.code, Code::ProviderConfigUnusable);
    assert!(gone.message.contains(ACTIVE), "{}", gone.message);
}

#[test]
fn a_writer_that_was_overtaken_is_told() {
    let conflict = "FLK-0350";
    let over = |status| {
        let mut store = holding(Some(stored(document(), status)));
        store.expect_update().returning(|_, _| Ok(WorkflowWritten::Stale));
        store.expect_activate().returning(|_, _| Ok(WorkflowWritten::Stale));
        store.expect_transition().returning(|_, _| Ok(WorkflowWritten::Stale));
        store.expect_delete().returning(|_, _, _| Ok(false));
        workflows(store, 0)
    };
    assert_eq!(answer(block_on(over(Lifecycle::Draft).update(ID, document(), &actor()))), conflict);
    assert_eq!(answer(block_on(over(Lifecycle::Draft).activate(ID, &actor()))), conflict);
    assert_eq!(answer(block_on(over(Lifecycle::Active).deactivate(ID, &actor()))), conflict);
    assert_eq!(answer(block_on(over(Lifecycle::Inactive).to_draft(ID, &actor()))), conflict);
    assert_eq!(answer(block_on(over(Lifecycle::Draft).delete(ID, &actor()))), conflict);
}

#[test]
fn a_name_that_is_taken_is_refused_by_the_store() {
    let mut store = holding(Some(stored(document(), Lifecycle::Draft)));
    store.expect_create().returning(|_, _| Ok(WorkflowWritten::NameTaken));
    store.expect_update().returning(|_, _| Ok(WorkflowWritten::NameTaken));
    let workflows = workflows(store, 0);
    let taken = "FLK-0101 name";
    assert_eq!(answer(block_on(workflows.create(document(), &actor()))), taken);
    assert_eq!(answer(block_on(workflows.update(ID, document(), &actor()))), taken);
    assert_eq!(answer(block_on(workflows.clone_of(ID, json!({"name": "n"}), &actor()))), taken);
}

#[test]
fn transitions_carry_the_revision_that_was_read() {
    let check = |status, to, n_refreshes| {
        let before = stored(document(), status);
        let after = Workflow { status: to, ..before.clone() };
        let mut store = holding(Some(before));
        let transition = Transition { id: ID, revision: 3, to, at: NOW };
        let done = WorkflowWritten::Done(after.clone());
        let kind = match to {
            Lifecycle::Inactive => EventType::WorkflowDeactivated,
            _ => EventType::WorkflowDrafted,
        };
        let event = event(kind, ID, "orders");
        store.expect_transition().with(eq(transition), eq(event)).return_once(|_, _| Ok(done));
        let workflows = workflows(store, n_refreshes);
        let changed = match to {
            Lifecycle::Inactive => block_on(workflows.deactivate(ID, &actor())),
            _ => block_on(workflows.to_draft(ID, &actor())),
        };
        assert_eq!(changed.expect("changed"), after);
    };
    check(Lifecycle::Active, Lifecycle::Inactive, 1);
    check(Lifecycle::Inactive, Lifecycle::Draft, 0);
}

#[test]
fn a_provider_configuration_is_looked_up_once_and_only_for_a_graph_of_allowed_size() {
    let executor = |idx: usize| {
        json!({"id": format!("n{idx}"), "type": "executor",
               "data": {"executorId": "demo.call", "providerConfigId": ACTIVE}})
    };
    let check = |n_nodes: usize, n_lookups: usize, expected: &str| {
        let mut configs = MockProviderConfigStore::new();
        let id = ProviderConfigId::parse(ACTIVE).expect("an id");
        configs.expect_get().times(n_lookups).returning(move |_| Ok(Some(config(id))));
        let mut store = holding(Some(stored(document(), Lifecycle::Draft)));
        store.expect_update().returning(|workflow, _| Ok(WorkflowWritten::Done(workflow)));
        let workflows = Workflows { configs: Arc::new(configs), ..workflows(store, 0) };
        let nodes: Vec<_> = (0..n_nodes).map(executor).collect();
        let updated =
            block_on(workflows.update(ID, json!({"name": "n", "nodes": nodes}), &actor()));
        assert_eq!(answer(updated), expected);
    };
    check(100, 1, "ok");
    check(101, 0, "FLK-0113 nodes");
}

#[test]
fn a_store_that_does_not_answer_refuses() {
    let mut store = MockWorkflowStore::new();
    store.expect_get().returning(|_| Err(StoreError::unavailable("the network is down")));
    store.expect_list().returning(|_| Err(StoreError::Full));
    let workflows = workflows(store, 0);
    assert_eq!(answer(block_on(workflows.activate(ID, &actor()))), "FLK-0901");
    let query = WorkflowQuery {
        status: None,
        sort: crate::ports::NamedSort::default(),
        after: None,
        limit: 10,
    };
    assert_eq!(answer(block_on(workflows.list(query))), "FLK-0900");
}
