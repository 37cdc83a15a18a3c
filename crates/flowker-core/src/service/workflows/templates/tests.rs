use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::catalog::Catalog;
use crate::id::{ProviderConfigId, WorkflowId};
use crate::plans::Plans;
use crate::ports::{
    MockProviderConfigStore, MockWorkflowStore, ProviderConfig, ProviderConfigPage, WorkflowWritten,
};
use crate::routing::RouteTable;
use crate::service::testing::{actor, answer, block_on, clock, config, ids, provider};
use crate::workflow::{Definition, Plan};

const ID: &str = "tracer-midaz-validation";
const TRACER: &str = "00000000-0000-0000-0000-000000000001";
const MIDAZ: &str = "00000000-0000-0000-0000-000000000002";

fn catalog() -> Arc<Catalog> {
    let object = || json!({"type": "object"});
    let tracer = provider("tracer", "tracer.validate-transaction", object(), object());
    let midaz = provider("midaz", "midaz.create-transaction", object(), object());
    Arc::new(Catalog::new([tracer, midaz]).expect("a catalog"))
}

/// With one configuration of each provider, both of which the list holds unless it `fails`.
fn workflows(fails: bool) -> Workflows {
    let of = |id: &str, provider_id: &str| ProviderConfig {
        name: format!("our {provider_id}"),
        provider_id: provider_id.to_owned(),
        ..config(ProviderConfigId::parse(id).expect("an id"))
    };
    let known = [of(TRACER, "tracer"), of(MIDAZ, "midaz")];
    let mut configs = MockProviderConfigStore::new();
    let found = known.clone();
    configs.expect_get().returning(move |id| Ok(found.iter().find(|it| it.id == id).cloned()));
    configs.expect_list().returning(move |query| {
        if fails {
            return Err(StoreError::unavailable("the network is down"));
        }
        assert_eq!((query.status, query.limit), (Some(ConfigStatus::Active), 100));
        assert_eq!((query.sort.key, query.sort.direction), BY_NAME);
        let of_provider = |it: &ProviderConfig| Some(&it.provider_id) == query.provider_id.as_ref();
        let items = known.iter().filter(|it| of_provider(it)).cloned().collect();
        Ok(ProviderConfigPage { items, has_more: false })
    });
    let mut store = MockWorkflowStore::new();
    store.expect_create().returning(|workflow, _| Ok(WorkflowWritten::Done(workflow)));
    let followed = Arc::new(MockWorkflowStore::new());
    let plans = Arc::new(Plans::new(followed.clone()));
    Workflows {
        store: Arc::new(store),
        configs: Arc::new(configs),
        catalog: catalog(),
        routes: Arc::new(RouteTable::new(followed, plans)),
        clock: clock(),
        ids: ids(),
    }
}

const BY_NAME: (NamedSortKey, Direction) = (NamedSortKey::Name, Direction::Ascending);

fn params(more: Value) -> Value {
    let mut params = json!({
        "workflowName": "w", "tracerProviderConfigId": TRACER, "midazProviderConfigId": MIDAZ,
    });
    let Value::Object(more) = more else { panic!("an object") };
    params.as_object_mut().expect("an object").extend(more);
    params
}

fn make(more: Value) -> Result<Workflow, Refusal> {
    let body = json!({"templateId": ID, "params": params(more)});
    block_on(workflows(false).from_template(body, &actor()))
}

#[test]
fn what_is_made_is_what_the_contract_shows() {
    let made = make(json!({"workflowDescription": "d", "other": 1})).expect("made");
    assert_eq!((made.name.as_str(), made.description.as_deref()), ("w", Some("d")));
    assert_eq!(Value::Object(made.metadata), json!({"templateId": ID, "templateVersion": "v1"}));
    let same = |name: &str| json!({"source": format!("workflow.{name}"), "target": name});
    let document = json!({
        "nodes": [
            {"id": "webhook-trigger", "type": "trigger", "name": "Webhook Trigger",
             "position": {"x": 250, "y": 0},
             "data": {"triggerType": "webhook", "path": "/validate-and-transact", "method": "POST"}},
            {"id": "tracer-validate", "type": "executor", "name": "Tracer Validate Transaction",
             "position": {"x": 250, "y": 150},
             "data": {
                "executorId": "tracer.validate-transaction", "providerConfigId": TRACER,
                "method": "POST", "path": "/v1/validations",
                "inputMapping": [
                    same("requestId"), same("transactionType"), same("amount"), same("currency"),
                    same("transactionTimestamp"), same("account"),
                ],
             }},
            {"id": "decision-check", "type": "conditional", "name": "Decision Check",
             "position": {"x": 250, "y": 300},
             "data": {"condition": "tracer-validate.body.decision == \"ALLOW\""}},
            {"id": "midaz-create-tx", "type": "executor", "name": "Midaz Create Transaction",
             "position": {"x": 100, "y": 450},
             "data": {
                "executorId": "midaz.create-transaction", "providerConfigId": MIDAZ,
                "inputMapping": [
                    {"source": "workflow.transaction", "target": "send"},
                    {"source": "workflow.transactionDescription", "target": "description"},
                ],
             }},
        ],
        "edges": [
            {"id": "webhook-to-tracer", "source": "webhook-trigger", "target": "tracer-validate"},
            {"id": "tracer-to-decision", "source": "tracer-validate", "target": "decision-check"},
            {"id": "decision-to-midaz", "source": "decision-check", "target": "midaz-create-tx",
             "sourceHandle": "true", "label": "Approved"},
        ],
    });
    let expected = Definition::from_document(document).expect("a definition");
    assert_eq!(made.definition.to_document(), expected.to_document());
}

#[test]
fn what_is_made_can_be_activated() {
    let made = make(json!({"webhookPath": "pay", "webhookMethod": "POST"})).expect("made");
    let plan = Plan::compile(&made.definition).expect("a plan");
    let webhooks: Vec<_> = plan.webhooks().map(|(_, it)| it.path.as_str().to_owned()).collect();
    assert_eq!(webhooks, ["pay"]);
    assert_eq!(made.id, WorkflowId::from_uuid(crate::service::testing::NEXT_ID));
}

#[test]
fn parameters_are_checked_before_the_workflow_is() {
    let check = |body: Value, wanted: &str| {
        assert_eq!(
            answer(block_on(workflows(false).from_template(body.clone(), &actor()))),
            wanted,
            "{body}"
        );
    };
    let with = |more: Value| json!({"templateId": ID, "params": params(more)});
    check(with(json!({})), "ok");
    check(json!({"templateId": "x"}), "FLK-0240 templateId");
    check(json!({}), "FLK-0240 templateId");
    check(json!({"templateId": 7, "params": []}), "FLK-0001 templateId params");
    check(json!({"templateId": ID}), "FLK-0242 params params params");
    check(with(json!({"workflowName": ""})), "FLK-0242 params.workflowName");
    check(
        with(json!({"workflowDescription": "d".repeat(501)})),
        "FLK-0242 params.workflowDescription",
    );
    check(with(json!({"webhookMethod": "PUT"})), "FLK-0242 params.webhookMethod");
    // From here on it is as if the workflow had been written by hand.
    let unknown = Uuid::from_u128(9).to_string();
    let at = "nodes[1].data.providerConfigId";
    check(with(json!({"tracerProviderConfigId": unknown})), &format!("FLK-0150 {at}"));
    check(with(json!({"tracerProviderConfigId": "no id"})), &format!("FLK-0150 {at}"));
    check(with(json!({"tracerProviderConfigId": MIDAZ})), &format!("FLK-0151 {at}"));
}

#[test]
fn params_can_be_checked_by_themselves() {
    let catalog = catalog();
    let template = catalog.template(ID).expect("the template");
    let check = |body: Value, wanted: &str| {
        assert_eq!(answer(check_template_params(template, body)), wanted);
    };
    check(json!({"params": params(json!({}))}), "ok");
    check(json!({"params": {"workflowName": "w"}}), "FLK-0242 params params");
    check(Value::Null, "FLK-0242 params params params");
    check(json!({"params": 7}), "FLK-0001 params");
}

#[test]
fn the_schema_that_is_shown_offers_what_can_be_chosen() {
    let offered = |fails: bool, name: &str| {
        let workflows = workflows(fails);
        let template = workflows.catalog.template(ID).expect("the template");
        block_on(workflows.shown_params(template))["properties"][name].get("oneOf").cloned()
    };
    let tracer = json!([{"const": TRACER, "title": "our tracer"}]);
    assert_eq!(offered(false, "tracerProviderConfigId"), Some(tracer));
    let midaz = json!([{"const": MIDAZ, "title": "our midaz"}]);
    assert_eq!(offered(false, "midazProviderConfigId"), Some(midaz));
    assert_eq!(offered(false, "workflowName"), None);
    assert_eq!(offered(true, "tracerProviderConfigId"), None);
}
