//! One attempt of one step: its turn, its call, and what becomes of the answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use flowker_core::execution::{Failure, FailureCode};
use flowker_core::id::ProviderConfigId;
use flowker_core::ports::{Call, CallFailure, ConfigStatus, FailureKind, Provider, ProviderConfig};
use flowker_core::workflow::{Executor, Kind, NodeIdx, Plan};
use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{self, Instant};
use tracing::{Span, error};

use super::failure;
use super::request::StepId;
use crate::metrics::AttemptOutcome;
use crate::shared::Shared;
use crate::store::{self, Chain, Lost};
use crate::target::{Blocked, Pass};

/// Whether a step may call now.
pub(super) enum Admission {
    /// It may.
    Cleared(Box<Clearance>),
    /// Its provider configuration's breaker is open.
    Blocked(Blocked),
    /// It never may.
    Failed(Failure),
}

/// The right to make one call, and with what.
pub(super) struct Clearance {
    provider: Arc<dyn Provider>,
    config: Arc<ProviderConfig>,
    pass: Pass,
    _slots: [OwnedSemaphorePermit; 2],
}

impl Clearance {
    pub fn config(&self) -> Arc<ProviderConfig> {
        Arc::clone(&self.config)
    }
}

/// How a call ended.
pub(super) enum Answer {
    /// With the step's output.
    Done(Value),
    /// The call failed.
    Failed(CallFailure),
    /// Nothing can be made of its answer.
    Broken(Failure),
}

/// The node's settings. Only called for nodes that call a provider.
pub(super) fn executor(plan: &Plan, idx: NodeIdx) -> Option<&Executor> {
    match &plan.node(idx).kind {
        Kind::Executor(executor) => Some(executor),
        Kind::Trigger(_) | Kind::Conditional { .. } | Kind::Action(_) => None,
    }
}

/// Looks the provider configuration up and waits for the step's turn.
pub(super) async fn admit(shared: Arc<Shared>, plan: Arc<Plan>, idx: NodeIdx) -> Admission {
    let node = plan.node(idx).id.as_str();
    let Some(executor) = executor(&plan, idx) else {
        return Admission::Failed(failure::internal(node));
    };
    match AssertUnwindSafe(clear(&shared, node, executor)).catch_unwind().await {
        Ok(Ok(clearance)) => Admission::Cleared(Box::new(clearance)),
        Ok(Err(admission)) => admission,
        Err(panic) => {
            let panic = failure::panic_text(&*panic);
            error!(node.id = node, panic, "looking up a provider configuration panicked");
            Admission::Failed(failure::internal(node))
        }
    }
}

async fn clear(shared: &Shared, node: &str, executor: &Executor) -> Result<Clearance, Admission> {
    let config = find_config(shared, node, executor).await.map_err(Admission::Failed)?;
    let refused = |what: String| {
        Admission::Failed(failure::of_node(FailureCode::DefinitionError, node, what))
    };
    let id = executor.executor_id.as_str();
    let listed = shared.catalog.executor(id);
    let listed = listed.ok_or_else(|| refused(format!("there is no executor {id:?}")))?;
    if listed.provider_id != config.provider_id {
        return Err(refused(format!(
            "the executor {id:?} is of the provider {:?}, the provider configuration of {:?}",
            listed.provider_id, config.provider_id
        )));
    }
    let provider = shared.catalog.provider(listed.provider_id);
    let provider = provider
        .ok_or_else(|| refused(format!("there is no provider {:?}", config.provider_id)))?;

    let target = shared.targets.get(config.id);
    // Before the turn, so that a line of steps does not form before a closed door.
    target.check(Instant::now()).map_err(Admission::Blocked)?;
    let never_closed = "the semaphore is never closed";
    // The narrower one first: who waits for it must hold none of the others' slots.
    let own = Arc::clone(&target.calls).acquire_owned().await.expect(never_closed);
    let any = Arc::clone(&shared.calls).acquire_owned().await.expect(never_closed);
    let pass = target.enter(Instant::now()).map_err(Admission::Blocked)?;
    Ok(Clearance {
        provider: Arc::clone(&provider.provider),
        config: Arc::new(config),
        pass,
        _slots: [own, any],
    })
}

/// Finds the provider configuration of a node.
///
/// # Errors
///
/// `definition_error` for one that is missing, malformed, gone or disabled: the workflow refers to
/// something that is not there. `internal` for one that cannot be read.
async fn find_config(
    shared: &Shared,
    node: &str,
    executor: &Executor,
) -> Result<ProviderConfig, Failure> {
    let failed = |what: String| failure::of_node(FailureCode::DefinitionError, node, what);
    let Some(text) = &executor.provider_config_id else {
        return Err(failed("providerConfigId is missing".to_owned()));
    };
    let id = ProviderConfigId::parse(text)
        .map_err(|error| failed(format!("providerConfigId {text:?} is {error}")))?;
    let config = store::insist(shared, "provider configuration", || shared.configs.get(id)).await;
    match config {
        Ok(Some(config)) if config.status == ConfigStatus::Active => Ok(config),
        Ok(Some(_)) => Err(failed(format!("the provider configuration {id} is disabled"))),
        Ok(None) => Err(failed(format!("there is no provider configuration {id}"))),
        Err(Lost::Corrupt(error)) => {
            error!(node.id = node, error = %Chain(&error), "cannot read a provider configuration");
            Err(failure::internal(node))
        }
        // Not an answer to a read, so a bug of the store.
        Err(Lost::Superseded) => Err(failure::internal(node)),
    }
}

/// Makes the call, tells the breaker, and maps the answer.
pub(super) async fn call(
    shared: Arc<Shared>,
    plan: Arc<Plan>,
    idx: NodeIdx,
    step: StepId,
    clearance: Box<Clearance>,
    call: Call,
) -> Answer {
    let Clearance { provider, config, pass, _slots } = *clearance;
    let time_max = shared.limits.call_time_max;
    shared.counters.attempts.add(1);
    let began = Instant::now();
    let ended = |outcome| {
        shared.metrics.attempt(&config.provider_id, outcome, began.elapsed());
    };
    // In a block of its own: a provider may panic before it answers with a future.
    let calling = AssertUnwindSafe(async { provider.call(call).await }).catch_unwind();
    let answer = time::timeout(time_max, calling).await.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", time_max.as_secs());
        Ok(Err(CallFailure::new(FailureKind::Unknown, message)))
    });
    match answer {
        Ok(Ok(envelope)) => {
            ended(AttemptOutcome::Succeeded);
            pass.report(true);
            map(&plan, idx, &step, envelope)
        }
        Ok(Err(failure)) => {
            ended(failure.kind.into());
            Span::current().record("otel.status_code", "ERROR");
            shared.counters.attempts_failed.add(1);
            // A receiver that refuses is a receiver that is well.
            pass.report(failure.kind == FailureKind::Permanent);
            Answer::Failed(failure)
        }
        Err(panic) => {
            ended(AttemptOutcome::Broken);
            shared.counters.attempts_failed.add(1);
            let panic = failure::panic_text(&*panic);
            error!(node.id = step.node, panic, "a provider panicked");
            Answer::Broken(failure::internal(&step.node))
        }
    }
}

/// What the node keeps of the answer.
fn map(plan: &Plan, idx: NodeIdx, step: &StepId, envelope: Value) -> Answer {
    let Some(mapping) = executor(plan, idx).and_then(|it| it.output.as_ref()) else {
        return Answer::Done(envelope);
    };
    let mapped = || step.with_env("output", |env| mapping.apply(&envelope, env));
    match failure::guarded(mapped) {
        Ok(Ok(output)) => Answer::Done(output),
        Ok(Err(error)) => {
            let what = format!("outputMapping: {error}");
            Answer::Broken(failure::of_node(FailureCode::StepFailed, &step.node, what))
        }
        Err(panic) => {
            error!(node.id = step.node, panic, "an output mapping panicked");
            Answer::Broken(failure::internal(&step.node))
        }
    }
}
