//! What a node does, read from its data.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::compile::{Check, Checks, Violation};
use crate::code::Code;
use crate::condition::Condition;
use crate::json::kind;
use crate::members::Members;
use crate::refusal::Fault;
use crate::schema::Schema;
use crate::signature::Signature;
use crate::template::{Template, ValueTemplate};
use crate::transform::{Mapping, MappingKind, Reads, Transforms};
use crate::workflow::{Node, WebhookPath};

/// What a node does.
#[derive(Debug)]
pub enum Kind {
    /// Lets a run begin.
    Trigger(Trigger),
    /// Calls a provider.
    Executor(Box<Executor>),
    /// Chooses a branch.
    Conditional {
        /// The condition as it was written.
        text: String,
        /// The condition.
        condition: Condition,
    },
    /// Does something of our own.
    Action(Action),
}

/// A node that lets a run begin.
#[derive(Debug)]
pub struct Trigger {
    /// Where callers reach it; `None` for one that is started by hand only.
    pub webhook: Option<Webhook>,
}

/// Where callers reach a trigger, and what is asked of them.
#[derive(Debug)]
pub struct Webhook {
    /// Upper case.
    pub method: String,
    /// Normalised.
    pub path: WebhookPath,
    /// What `X-Webhook-Token` must carry.
    pub token: Option<String>,
    /// How the body must be signed.
    pub signature: Option<Signature>,
    /// What the payload must satisfy.
    pub schema: Option<Schema>,
    /// How often the route may be called.
    pub rate: Option<Rate>,
}

/// How often a route may be called on one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// On average, calls each second.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// A node that calls a provider.
#[derive(Debug)]
pub struct Executor {
    /// Which operation of the catalog.
    pub executor_id: String,
    /// With which settings, as written. `None` fails the step.
    pub provider_config_id: Option<String>,
    /// HTTP method, as written.
    pub method: Option<String>,
    /// Path suffix, references not yet filled in.
    pub path: Option<Template>,
    /// Request headers.
    pub headers: Vec<(String, Template)>,
    /// Query parameters.
    pub query: Vec<(String, Template)>,
    /// How long one attempt may take; the provider configuration's own time if `None`.
    pub timeout: Option<Duration>,
    /// What is sent.
    pub input: Input,
    /// What is kept of the answer.
    pub output: Option<Mapping>,
    /// How attempts follow each other.
    pub retry: Retry,
    /// Which statuses count as success; any 2xx if `None`.
    pub success_status_codes: Option<BTreeSet<u16>>,
    /// What to do when nobody knows whether a call had an effect.
    pub on_uncertain: OnUncertain,
    /// The members of `data` that no setting has taken.
    pub extra: Map<String, Value>,
}

impl Executor {
    /// Reads the executor node at `idx` by itself, as far as it can be read, and what is wrong with
    /// it: its settings first, then its mappings and transforms.
    pub fn read(idx: usize, node: &Node) -> (Self, Vec<Violation>) {
        let mut checks = Checks::of_node(idx);
        let executor = read_executor(node, &mut checks);
        (executor, checks.into_violations())
    }
}

/// What an executor node sends.
#[derive(Debug)]
pub enum Input {
    /// The run's input without what the door added.
    Payload,
    /// An object built from what the node sees.
    Mapping(Mapping),
    /// All that the node sees, reshaped.
    Transforms(Transforms),
}

/// How attempts follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first one included.
    pub max_attempts: u32,
    /// Upper bound of the first delay.
    pub initial_delay: Duration,
    /// Upper bound of any delay.
    pub max_delay: Duration,
}

impl Default for Retry {
    /// The contract's: 5 attempts, up to 1, 2, 4 and 8 seconds apart.
    fn default() -> Self {
        Self {
            max_attempts: 5,
            initial_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(8),
        }
    }
}

impl Retry {
    /// Upper bound of the delay after the attempt `attempt`, which is counted from 1.
    pub fn delay_max(&self, attempt: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.initial_delay.saturating_mul(doubled).min(self.max_delay)
    }
}

/// What to do when nobody knows whether a call had an effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUncertain {
    /// Call again, with the same idempotency key.
    #[default]
    Retry,
    /// Fail the step.
    Fail,
}

/// A node that does something of our own.
#[derive(Debug)]
pub struct Action {
    /// The node's data, as it was written.
    pub data: Map<String, Value>,
    /// For `set_output`: the output, references not yet filled in.
    pub output: Option<ValueTemplate>,
}

/// Ids that would hide what stands under the same key in a run's context.
const RESERVED_IDS: [&str; 2] = [crate::execution::INPUT, crate::execution::OUTPUT];

/// Reads what a node does. `None` if that cannot be said; the reasons are in `checks`.
pub(super) fn read(node: &Node, checks: &mut Checks) -> Option<Kind> {
    if RESERVED_IDS.contains(&&*node.id) || node.id.is_empty() {
        let message = format!("must not be {:?}; choose another id", node.id);
        checks.fail(Check::Node, Code::NodeInvalid, Fault::new("id", message));
    }
    match node.kind.as_str() {
        "trigger" => Some(Kind::Trigger(Trigger { webhook: read_webhook(node, checks) })),
        "executor" => Some(Kind::Executor(Box::new(read_executor(node, checks)))),
        "conditional" => read_conditional(node, checks),
        "action" => Some(Kind::Action(read_action(node, checks))),
        other => {
            let message =
                format!("must be one of trigger, executor, conditional and action, not {other:?}");
            checks.fail(Check::Node, Code::NodeInvalid, Fault::new("type", message));
            None
        }
    }
}

fn read_conditional(node: &Node, checks: &mut Checks) -> Option<Kind> {
    let fault = match node.data.get("condition") {
        Some(Value::String(text)) => match Condition::parse(text) {
            Ok(condition) => return Some(Kind::Conditional { text: text.clone(), condition }),
            Err(error) => error.to_string(),
        },
        Some(other) => format!("must be a string that holds a condition, not {}", kind(other)),
        None => "is missing; say what decides between the branches".to_owned(),
    };
    checks.fail(Check::Condition, Code::ConditionInvalid, Fault::new("data.condition", fault));
    None
}

/// What the method of a webhook must be.
const METHODS: &str = "must be one of GET, POST, PUT, PATCH and DELETE";

fn read_webhook(node: &Node, checks: &mut Checks) -> Option<Webhook> {
    if node.data.get("triggerType").and_then(Value::as_str) != Some("webhook") {
        return None;
    }
    let mut faults = Vec::new();
    let mut members = Members::of(Value::Object(node.data.clone()), "data", &mut faults);
    let method = members.needed_string("method", METHODS).map(|it| it.to_ascii_uppercase());
    let is_method = |it: &String| ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&it.as_str());
    if method.as_ref().is_some_and(|it| !is_method(it)) {
        members.fault("method", METHODS);
    }
    let path = members.needed_string(
        "path",
        "is missing; say where callers reach the workflow, such as orders/paid",
    );
    let token = members.string("verify_token").filter(|token| !token.is_empty());
    let rate = members.nested("rateLimit").and_then(read_rate);
    let signature = members.take("signature");
    let schema = members.take("schema");
    let signature = signature.and_then(|value| match Signature::parse(&value) {
        Ok(signature) => Some(signature),
        Err(wrong) => {
            faults.extend(wrong.into_iter().map(|fault| fault.below("data.signature")));
            None
        }
    });
    let schema = schema.and_then(|value| match Schema::compile(&value) {
        Ok(schema) => Some(schema),
        Err(error) => {
            faults.push(Fault::new("data.schema", error));
            None
        }
    });
    checks.fail_all(Check::Trigger, Code::TriggerInvalid, faults);
    let (method, path) = (method?, WebhookPath::registered(&path?));
    Some(Webhook { method, path, token, signature, schema, rate })
}

fn read_rate(mut members: Members<'_>) -> Option<Rate> {
    const MOST: u32 = 1_000_000;
    if !members.has("requestsPerSecond") {
        members.fault("requestsPerSecond", format!("is needed, from 1 to {MOST}"));
    }
    let per_second = members.integer_within("requestsPerSecond", 1, MOST);
    let burst = members.integer_within("burst", 1, MOST);
    per_second.map(|per_second| Rate { per_second, burst: burst.unwrap_or(per_second) })
}

fn read_action(node: &Node, checks: &mut Checks) -> Action {
    let sets_output = node.data.get("actionType").and_then(Value::as_str) == Some("set_output");
    let output = node.data.get("output").filter(|_| sets_output).and_then(|output| {
        kept(ValueTemplate::parse(output), "data.output", Code::TransformsInvalid, checks)
    });
    Action { data: node.data.clone(), output }
}

/// Longest and default times of one call, in seconds and milliseconds.
const TIMEOUT_SECONDS_MAX: u32 = 600;
const DELAY_MS_MAX: u32 = 3_600_000;

fn read_executor(node: &Node, checks: &mut Checks) -> Executor {
    let mut faults = Vec::new();
    let mut members = Members::of(Value::Object(node.data.clone()), "data", &mut faults);
    let executor_id =
        members.needed_string("executorId", "is missing; name an executor of the catalog");
    // Whether it is an id is asked where the configuration is looked up, which has a code for it.
    let provider_config_id = match members.take("providerConfigId") {
        Some(Value::String(id)) => Some(id),
        _ => None,
    };
    let method = members.string("method").filter(|text| !text.is_empty());
    let path = suffix("path", &mut members);
    let endpoint_name = suffix("endpointName", &mut members);
    let headers = templates("headers", &mut members);
    let query = templates("query", &mut members);
    let timeout = members.integer_within("timeout", 1, TIMEOUT_SECONDS_MAX);
    let retry = members.nested("retry").map(read_retry).unwrap_or_default();
    let success_status_codes = read_status_codes(&mut members);
    let on_uncertain = read_on_uncertain(&mut members);
    let input_mapping = members.take("inputMapping");
    let output_mapping = members.take("outputMapping");
    let transforms = members.take("transforms");
    checks.fail_all(Check::Executor, Code::ExecutorConfigInvalid, faults);

    let input = read_mapping(MappingKind::Input, input_mapping, checks);
    let output = read_mapping(MappingKind::Output, output_mapping, checks);
    let transforms = read_transforms(transforms, checks);
    let input = match (input, transforms) {
        (Some(mapping), _) => Input::Mapping(mapping),
        (None, Some(transforms)) => Input::Transforms(transforms),
        (None, None) => Input::Payload,
    };
    Executor {
        executor_id: executor_id.unwrap_or_default(),
        provider_config_id,
        method,
        path: path.or(endpoint_name),
        headers,
        query,
        timeout: timeout.map(|seconds| Duration::from_secs(seconds.into())),
        input,
        output,
        retry,
        success_status_codes,
        on_uncertain,
        extra: extra_data(&node.data),
    }
}

fn read_mapping(kind: MappingKind, value: Option<Value>, checks: &mut Checks) -> Option<Mapping> {
    let (name, code) = match kind {
        MappingKind::Input => ("data.inputMapping", Code::InputMappingInvalid),
        MappingKind::Output => ("data.outputMapping", Code::OutputMappingInvalid),
    };
    let parsed = Mapping::parse(&value?, kind);
    kept(parsed, name, code, checks).filter(Mapping::is_effective)
}

fn read_transforms(value: Option<Value>, checks: &mut Checks) -> Option<Transforms> {
    let parsed = Transforms::parse(&value?);
    let transforms = kept(parsed, "data.transforms", Code::TransformsInvalid, checks);
    transforms.filter(Transforms::is_effective)
}

/// What was read, or nothing and its faults recorded.
fn kept<T>(
    parsed: Result<T, Vec<Fault>>,
    member: &str,
    code: Code,
    checks: &mut Checks,
) -> Option<T> {
    match parsed {
        Ok(value) => Some(value),
        Err(faults) => {
            let faults = faults.into_iter().map(|fault| fault.below(member)).collect();
            checks.fail_all(Check::Transforms, code, faults);
            None
        }
    }
}

/// The members of an executor node's data that are no settings of the node: what the executor's own
/// schema is asked about.
fn extra_data(data: &Map<String, Value>) -> Map<String, Value> {
    const SETTINGS: [&str; 14] = [
        "executorId",
        "providerConfigId",
        "endpointName",
        "inputMapping",
        "outputMapping",
        "transforms",
        "method",
        "path",
        "timeout",
        "retry",
        "successStatusCodes",
        "onUncertain",
        "headers",
        "query",
    ];
    // In any case, like the settings themselves are read.
    let is_extra = |name: &str| !SETTINGS.iter().any(|it| it.eq_ignore_ascii_case(name));
    data.iter()
        .filter(|(name, _)| is_extra(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// A path suffix. An empty one counts as absent.
fn suffix(name: &str, members: &mut Members<'_>) -> Option<Template> {
    let text = members.string(name).filter(|text| !text.is_empty())?;
    template(&text, name, members)
}

fn template(text: &str, name: &str, members: &mut Members<'_>) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(error) => {
            members.fault(name, error);
            None
        }
    }
}

fn templates(name: &str, members: &mut Members<'_>) -> Vec<(String, Template)> {
    let mut read = Vec::new();
    for (key, value) in members.object(name).unwrap_or_default() {
        let member = format!("{name}.{key}");
        match value {
            Value::String(text) => {
                read.extend(template(&text, &member, members).map(|template| (key, template)));
            }
            other => members.fault(&member, format!("must be a string, not {}", kind(&other))),
        }
    }
    read
}

fn read_retry(mut members: Members<'_>) -> Retry {
    let millis = |ms: u32| Duration::from_millis(ms.into());
    let default = Retry::default();
    let max_attempts = members.integer_within("maxAttempts", 1, 10);
    let initial_delay = members.integer_within("initialDelayMs", 0, DELAY_MS_MAX).map(millis);
    let max_delay = members.integer_within("maxDelayMs", 0, DELAY_MS_MAX).map(millis);
    Retry {
        max_attempts: max_attempts.unwrap_or(default.max_attempts),
        initial_delay: initial_delay.unwrap_or(default.initial_delay),
        max_delay: max_delay.unwrap_or(default.max_delay),
    }
}

fn read_status_codes(members: &mut Members<'_>) -> Option<BTreeSet<u16>> {
    let items = members.array("successStatusCodes")?;
    let read = |item: &Value| item.as_u64().and_then(|code| u16::try_from(code).ok());
    let codes: BTreeSet<_> =
        items.iter().filter_map(read).filter(|code| (100..=599).contains(code)).collect();
    if codes.len() != items.len() || codes.is_empty() {
        members.fault("successStatusCodes", "must be a list of different statuses from 100 to 599");
    }
    Some(codes)
}

fn read_on_uncertain(members: &mut Members<'_>) -> OnUncertain {
    match members.string("onUncertain").as_deref() {
        None | Some("retry") => OnUncertain::Retry,
        Some("fail") => OnUncertain::Fail,
        Some(_) => {
            members.fault("onUncertain", "must be retry or fail");
            OnUncertain::Retry
        }
    }
}

impl Kind {
    /// The first keys of all paths that the node's expressions read.
    pub(super) fn roots(&self) -> BTreeSet<String> {
        let mut roots = BTreeSet::new();
        match self {
            Self::Trigger(_) => {}
            Self::Conditional { condition, .. } => {
                roots.extend(condition.paths().map(|path| path.root().to_owned()));
            }
            Self::Action(action) => {
                let paths = action.output.iter().flat_map(ValueTemplate::paths);
                roots.extend(paths.map(|path| path.root().to_owned()));
            }
            Self::Executor(executor) => {
                let named = executor.headers.iter().chain(&executor.query).map(|(_, it)| it);
                let paths = executor.path.iter().chain(named).flat_map(Template::paths);
                roots.extend(paths.map(|path| path.root().to_owned()));
                match &executor.input {
                    Input::Payload => {}
                    Input::Mapping(mapping) => {
                        roots.extend(mapping.paths().map(|path| path.root().to_owned()));
                    }
                    Input::Transforms(transforms) => match transforms.reads() {
                        Reads::Roots(read) => roots.extend(read),
                        // All that comes before the node anyway, and what is named beyond it.
                        Reads::Everything => {
                            roots.extend(transforms.paths().map(|path| path.root().to_owned()));
                        }
                    },
                }
            }
        }
        roots
    }
}
