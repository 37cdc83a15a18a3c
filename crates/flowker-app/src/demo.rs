//! `flowker demo`: a server with something to try.

mod service;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context as _;
use flowker_core::actor::Actor;
use flowker_core::code::Code;
use flowker_core::refusal::Refusal;
use flowker_core::workflow::Lifecycle;
use flowker_http::App;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access;
use crate::config::Config;
use crate::serve::{listen, run};
use crate::telemetry::Telemetry;
use crate::wire::wire;

/// Of the sample workflow and of its provider configuration.
const NAME: &str = "flowker-demo";

/// Settings of the demo that nobody set: a database of its own, which stays, so that a killed demo
/// goes on where it was.
pub fn with_defaults(mut values: BTreeMap<&'static str, String>) -> BTreeMap<&'static str, String> {
    let defaults = [("DATABASE_URL", "sqlite:flowker-demo.db"), ("LOG_LEVEL", "warn")];
    for (name, default) in defaults {
        values.entry(name).or_insert_with(|| default.to_owned());
    }
    // The sample service listens on loopback.
    values.insert("SSRF_ALLOW_PRIVATE", "true".to_owned());
    values
}

/// Serves a sample workflow and the service that it calls.
pub async fn demo(mut config: Config, telemetry: Telemetry) -> anyhow::Result<()> {
    let key = demo_key(&mut config)?;
    let listener = listen(&config).await?;
    let service = TcpListener::bind(("127.0.0.1", 0)).await?;
    let service_address = service.local_addr()?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(stop.clone().run_until_cancelled_owned(service::serve(service)));
    tasks.close();

    let wired = wire(&config, &telemetry).await?;
    prepare(&wired.app, service_address).await.context("the sample workflow cannot be made")?;
    let announce = |address| introduce(address, key.as_deref());
    let ended = run(&config, &telemetry, wired, listener, announce).await;
    stop.cancel();
    tasks.wait().await;
    ended
}

/// The key to show in the curl: the first configured one, or one made for this start only.
fn demo_key(config: &mut Config) -> anyhow::Result<Option<String>> {
    use secrecy::ExposeSecret as _;
    let Some(keys) = &mut config.api_keys else { return Ok(None) };
    if keys.is_empty() {
        keys.push(format!("demo-{}", access::random_text()?).into());
    }
    Ok(keys.first().map(|key| key.expose_secret().to_owned()))
}

/// Makes the provider configuration and the workflow, or finds those of the last start.
async fn prepare(app: &App, service: SocketAddr) -> anyhow::Result<()> {
    let config = json!({"base_url": format!("http://{service}")});
    let body = json!({"name": NAME, "providerId": "http", "config": config.clone()});
    let provider_config = match app.provider_configs.create(body, &Actor::system()).await {
        Ok(created) => created,
        Err(refusal) if refusal.code == Code::ProviderConfigNameTaken => {
            // The sample service has another port at every start.
            let id = find_provider_config(app).await?;
            app.provider_configs.patch(id, json!({ "config": config }), &Actor::system()).await?
        }
        Err(refusal) => return Err(refusal.into()),
    };
    match app.workflows.create(workflow(&provider_config.id.to_string()), &Actor::system()).await {
        Ok(created) => {
            app.workflows.activate(created.id, &Actor::system()).await?;
        }
        Err(refusal) if refusal.code == Code::WorkflowNameTaken => activate_again(app).await?,
        Err(refusal) => return Err(refusal.into()),
    }
    Ok(())
}

async fn find_provider_config(app: &App) -> anyhow::Result<flowker_core::id::ProviderConfigId> {
    use flowker_core::ports::{NamedSort, ProviderConfigQuery};
    let query = ProviderConfigQuery {
        status: None,
        provider_id: None,
        sort: NamedSort::default(),
        after: None,
        limit: 100,
    };
    let page = app.provider_configs.list(query).await?;
    let found = page.items.iter().find(|config| config.name == NAME);
    Ok(found.context("the demo's provider configuration is not among the newest 100")?.id)
}

/// Somebody may have taken the sample workflow out of service since the last start.
async fn activate_again(app: &App) -> anyhow::Result<()> {
    use flowker_core::ports::{NamedSort, WorkflowQuery};
    let query = WorkflowQuery { status: None, sort: NamedSort::default(), after: None, limit: 100 };
    let page = app.workflows.list(query).await?;
    let found = page.items.into_iter().find(|workflow| workflow.name == NAME);
    let found = found.context("the demo's workflow is not among the newest 100")?;
    if found.status == Lifecycle::Inactive {
        app.workflows.to_draft(found.id, &Actor::system()).await?;
    }
    match app.workflows.activate(found.id, &Actor::system()).await {
        // It is active already.
        Ok(_) | Err(Refusal { code: Code::TransitionNotAllowed, .. }) => Ok(()),
        Err(refusal) => Err(refusal.into()),
    }
}

fn workflow(provider_config_id: &str) -> Value {
    let mapping = |source: &str, target: &str, required| json!({"source": source, "target": target, "required": required});
    json!({
        "name": NAME,
        "description": "Charges an order at the sample service and hands back the receipt.",
        "nodes": [
            {"id": "paid", "type": "trigger", "position": {"x": 0, "y": 0},
             "data": {"triggerType": "webhook", "method": "PUT", "path": "orders/paid"}},
            {"id": "charge", "type": "executor", "position": {"x": 0, "y": 100},
             "data": {"executorId": "http", "providerConfigId": provider_config_id, "method": "POST",
                      "path": "/charges", "inputMapping": [
                          mapping("workflow.orderId", "reference", true),
                          mapping("workflow.amount", "amount", true),
                          mapping("workflow.delaySeconds", "delaySeconds", false)]}},
            {"id": "approved", "type": "conditional", "position": {"x": 0, "y": 200},
             "data": {"condition": "charge.body.approved == true"}},
            {"id": "receipt", "type": "action", "position": {"x": -100, "y": 300},
             "data": {"actionType": "set_output", "output": {
                 "orderId": "{{ workflow.orderId }}", "receipt": "{{ charge.body.receipt }}",
                 "charged": "{{ charge.body.charged }}"}}},
            {"id": "refusal", "type": "action", "position": {"x": 100, "y": 300},
             "data": {"actionType": "set_output", "output": {
                 "orderId": "{{ workflow.orderId }}", "refused": true}}},
        ],
        "edges": [
            {"id": "paid-charge", "source": "paid", "target": "charge"},
            {"id": "charge-approved", "source": "charge", "target": "approved"},
            {"id": "yes", "source": "approved", "target": "receipt", "sourceHandle": "true"},
            {"id": "no", "source": "approved", "target": "refusal", "sourceHandle": "false"},
        ],
    })
}

fn introduce(address: SocketAddr, key: Option<&str>) {
    let header = key.map_or_else(String::new, |key| format!(" -H 'X-API-Key: {key}'"));
    println!(
        "flowker is ready on http://{address}

Send a webhook and wait for what its workflow makes of it:

  curl -X PUT 'http://{address}/v1/webhooks/orders%2Fpaid'{header} \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: order-42' -H 'Prefer: wait=10' \\
    -d '{{\"orderId\": \"42\", \"amount\": 12345678901234567890.10}}'

Send it again: the same execution answers. With \"delaySeconds\": 20 and a new key there is time to
kill this process with kill -9 and to start it again: the execution goes on.

Read what happened, with the executionId of the answer:

  curl 'http://{address}/v1/executions/EXECUTION_ID/results'{header}

Stop with Ctrl-C. Everything is kept in the demo's database, flowker-demo.db unless you named another."
    );
}
