//! The call that a step makes, built from what its node sees.
//!
//! Every attempt of a step gets the same call, on any replica and after any crash: a receiver that
//! compares a repeated key's requests must find no difference. So `$now` is when all that the step
//! waited for was done, and the ids of `uuid` follow from the execution and the node.

use std::cell::Cell;

use flowker_core::execution::{Failure, FailureCode, RunState};
use flowker_core::id::ExecutionId;
use flowker_core::path::Scope;
use flowker_core::ports::{Call, SuccessCodes};
use flowker_core::template::{RenderError, Template};
use flowker_core::time::Timestamp;
use flowker_core::trace::TraceContext;
use flowker_core::transform::Env;
use flowker_core::workflow::{Executor, Input, NodeIdx};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use uuid::{Builder, Uuid};

use super::attempt::Clearance;
use super::failure;

/// What stands for itself in the outbound idempotency key.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// What stands for itself in a URL's path when it comes out of a payload (RFC 3986, unreserved).
const PATH: &AsciiSet = &KEY.remove(b'~');

/// The member of the input that the door added.
const WEBHOOK: &str = "_webhook";

/// Of which step a call is.
#[derive(Clone, Debug)]
pub(super) struct StepId {
    pub execution: ExecutionId,
    pub node: String,
    /// When all that it waited for was done.
    pub at: Timestamp,
}

impl StepId {
    /// What a receiver sees with every attempt of the step, and with no other step.
    pub fn key(&self) -> String {
        format!("{}:{}", self.execution, utf8_percent_encode(&self.node, KEY))
    }

    /// Runs `function` with the surroundings of the step's transforms, the same each time.
    /// `purpose` keeps its ids apart from those made for another one.
    pub fn with_env<T>(&self, purpose: &str, function: impl FnOnce(&Env<'_>) -> T) -> T {
        let n_made = Cell::new(0_u32);
        let new_uuid = || {
            n_made.set(n_made.get() + 1);
            let name = format!("{purpose}:{}:{}", n_made.get(), self.node);
            let hash = Uuid::new_v5(self.execution.as_uuid(), name.as_bytes());
            Builder::from_random_bytes(*hash.as_bytes()).into_uuid()
        };
        function(&Env { now: self.at.to_date_time(), new_uuid: &new_uuid })
    }
}

/// What differs from one attempt of a step to the next.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// From 1.
    pub number: u32,
    /// A part of its own of the trace.
    pub trace: Option<TraceContext>,
}

/// Builds the call of an attempt.
///
/// # Errors
///
/// The step's failure: a template or a mapping that cannot be carried out with what the node sees.
pub(super) fn build(
    step: &StepId,
    executor: &Executor,
    attempt: &Attempt,
    clearance: &Clearance,
    (state, idx): (&RunState, NodeIdx),
) -> Result<Call, Failure> {
    let context = state.context(idx);
    let failed = |what: &str, why: &dyn std::fmt::Display| {
        failure::of_node(FailureCode::StepFailed, &step.node, format_args!("{what}: {why}"))
    };
    let path = executor.path.as_ref().map(|path| render_path(path, &context));
    let path = path.transpose().map_err(|error| failed("path", &error))?;
    let rendered = |what: &str, templates: &[(String, Template)]| {
        let pairs = templates.iter().map(|(name, template)| {
            let value = template.render(&context);
            Ok((name.clone(), value.map_err(|error| failed(&format!("{what}.{name}"), &error))?))
        });
        pairs.collect::<Result<Vec<_>, Failure>>()
    };
    let document = match &executor.input {
        Input::Payload => payload(state.input()),
        Input::Mapping(mapping) => step
            .with_env("input", |env| mapping.apply(&context, env))
            .map_err(|error| failed("inputMapping", &error))?,
        Input::Transforms(transforms) => step
            .with_env("input", |env| transforms.apply(context.whole(), env))
            .map_err(|error| failed("transforms", &error))?,
    };
    let success = executor.success_status_codes.clone();
    Ok(Call {
        executor_id: executor.executor_id.clone(),
        config: clearance.config(),
        idempotency_key: step.key(),
        attempt: attempt.number,
        trace: attempt.trace.clone(),
        method: executor.method.clone(),
        path,
        headers: rendered("headers", &executor.headers)?,
        query: rendered("query", &executor.query)?,
        extra: executor.extra.clone(),
        document,
        timeout: executor.timeout,
        success: success.map_or(SuccessCodes::Any2xx, SuccessCodes::These),
    })
}

/// Why a path cannot be rendered.
#[derive(Debug, thiserror::Error)]
enum PathFailure {
    #[error(transparent)]
    Render(RenderError),
    /// URLs resolve such parts, however they are encoded: the payload would choose the endpoint.
    #[error("the payload puts the part {0:?} into it")]
    Dots(String),
}

fn render_path(path: &Template, scope: &impl Scope) -> Result<String, PathFailure> {
    let rendered = path.render_with(scope, |text| utf8_percent_encode(text, PATH).into());
    let rendered = rendered.map_err(PathFailure::Render)?;
    if path.as_literal().is_some() {
        return Ok(rendered);
    }
    let end = rendered.find(['?', '#']).unwrap_or(rendered.len());
    let is_dots =
        |part: &&str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    match rendered[..end].split('/').find(is_dots) {
        Some(part) => Err(PathFailure::Dots(part.to_owned())),
        None => Ok(rendered),
    }
}

/// The run's input without what the door added.
fn payload(input: &Value) -> Value {
    match input {
        Value::Object(members) => {
            let own = members.iter().filter(|(name, _)| *name != WEBHOOK);
            Value::Object(own.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}
