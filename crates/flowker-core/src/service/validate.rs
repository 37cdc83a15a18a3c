//! What is wrong with a workflow, check by check: as a draft, and before it may run.

use std::collections::btree_map::{BTreeMap, Entry};

use serde_json::Value;

use crate::catalog::Catalog;
use crate::code::Code;
use crate::id::ProviderConfigId;
use crate::ports::{ConfigStatus, ProviderConfig, ProviderConfigStore, StoreError};
use crate::refusal::{Fault, Refusal};
use crate::workflow::{
    Definition, EDGES_MAX, Executor, NAME_BYTES_MAX, NODES_MAX, Plan, Violation,
};

/// Refuses if there is a violation.
pub(super) fn refuse(violations: Vec<Violation>) -> Result<(), Refusal> {
    if violations.is_empty() { Ok(()) } else { Err(refusal(violations)) }
}

/// Answers the first check that failed, and names every member that failed in the same way.
pub(super) fn refusal(violations: Vec<Violation>) -> Refusal {
    let code = violations.first().map_or(Code::Internal, |first| first.code);
    let same = violations.into_iter().filter(|it| it.code == code);
    Refusal::of_members(code, same.map(|it| it.fault).collect())
}

/// The length of a name.
pub(super) fn name(name: &str) -> Vec<Violation> {
    if name.is_empty() {
        vec![violation(Code::WorkflowNameEmpty, "name", "must not be empty")]
    } else if NAME_BYTES_MAX < name.len() {
        let message = format!("is {} bytes long; at most {NAME_BYTES_MAX} are allowed", name.len());
        vec![violation(Code::WorkflowNameTooLong, "name", message)]
    } else {
        Vec::new()
    }
}

/// How many nodes and edges there are.
pub(super) fn size(definition: &Definition) -> Vec<Violation> {
    let (n_nodes, n_edges) = (definition.nodes.len(), definition.edges.len());
    let limits = [
        (Code::NodesTooMany, "nodes", n_nodes, NODES_MAX),
        (Code::EdgesTooMany, "edges", n_edges, EDGES_MAX),
    ];
    let beyond = limits.into_iter().filter(|(_, _, n, most)| most < n);
    beyond
        .map(|(code, member, n, most)| {
            violation(code, member, format!("holds {n} items; at most {most} are allowed"))
        })
        .collect()
}

/// What must hold of a graph even while it is a draft.
pub(super) fn draft_structure(name_text: &str, definition: &Definition) -> Vec<Violation> {
    let mut found = name(name_text);
    found.extend(size(definition));
    found.extend(Plan::dangling_edges(definition));
    found
}

/// An executor node, looked at by itself.
#[derive(Debug)]
pub(super) struct ExecutorNode {
    /// Such as `nodes[2].data`.
    at: String,
    executor: Executor,
    violations: Vec<Violation>,
}

impl ExecutorNode {
    /// All of a definition, in its order.
    pub(super) fn all(definition: &Definition) -> Vec<Self> {
        let nodes = definition.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| node.kind == "executor")
            .map(|(idx, node)| {
                let (executor, violations) = Executor::read(idx, node);
                Self { at: format!("nodes[{idx}].data"), executor, violations }
            })
            .collect()
    }

    fn at(&self, member: &str) -> String {
        format!("{}.{member}", self.at)
    }

    fn provider_config_id(&self) -> Option<ProviderConfigId> {
        ProviderConfigId::parse(self.executor.provider_config_id.as_deref()?).ok()
    }

    /// Its executor, its reference to a provider configuration, its settings, and the members that
    /// the executor itself asks for.
    fn check_settings(&self, catalog: &Catalog) -> Vec<Violation> {
        let settings = self.violations.iter().filter(|it| it.code == Code::ExecutorConfigInvalid);
        let settings = settings.cloned();
        let Executor { executor_id, extra, .. } = &self.executor;
        if executor_id.is_empty() {
            return settings.collect();
        }
        let mut found = Vec::new();
        let in_catalog = catalog.executor(executor_id);
        if in_catalog.is_none() {
            let message = format!("the catalog has no executor {executor_id:?}");
            found.push(violation(Code::ExecutorUnknown, self.at("executorId"), message));
        }
        if self.provider_config_id().is_none() {
            let message = "must be the id of a provider configuration";
            let at = self.at("providerConfigId");
            found.push(violation(Code::ProviderConfigUnusable, at, message));
        }
        found.extend(settings);
        // Without members of its own a node gets what its executor asks for from its input.
        if let Some(executor) = in_catalog.filter(|_| !extra.is_empty()) {
            let faults = executor.schema.check(&Value::Object(extra.clone())).into_iter();
            found.extend(faults.map(|fault| Violation {
                code: Code::ExecutorConfigInvalid,
                fault: fault.below(&self.at),
            }));
        }
        found
    }

    /// Whether its provider configuration can be used by its executor.
    fn check_provider(
        &self,
        config: Option<&ProviderConfig>,
        catalog: &Catalog,
    ) -> Option<Violation> {
        let at = self.at("providerConfigId");
        let unusable = |message| Some(violation(Code::ProviderConfigUnusable, &*at, message));
        let Some(config) = config else {
            return unusable("there is no such provider configuration");
        };
        if config.status == ConfigStatus::Disabled {
            return unusable("the provider configuration is disabled; enable it or name another");
        }
        let executor = catalog.executor(&self.executor.executor_id)?;
        if config.provider_id == executor.provider_id {
            return None;
        }
        let message = format!(
            "the configuration is for the provider {:?}, and {} belongs to {:?}",
            config.provider_id, executor.descriptor.id, executor.provider_id
        );
        Some(violation(Code::ProviderMismatch, &*at, message))
    }
}

/// What stands in the data of executor nodes, mappings and transforms apart.
pub(super) fn executors(nodes: &[ExecutorNode], catalog: &Catalog) -> Vec<Violation> {
    nodes.iter().flat_map(|node| node.check_settings(catalog)).collect()
}

/// Mappings and transforms of executor nodes.
pub(super) fn mappings(nodes: &[ExecutorNode]) -> Vec<Violation> {
    let all = nodes.iter().flat_map(|node| &node.violations);
    all.filter(|it| it.code != Code::ExecutorConfigInvalid).cloned().collect()
}

/// Whether the provider configurations that nodes refer to are there, active, and of the right
/// provider.
pub(super) async fn provider_configs(
    nodes: &[ExecutorNode],
    catalog: &Catalog,
    store: &dyn ProviderConfigStore,
) -> Result<Vec<Violation>, StoreError> {
    let mut known = BTreeMap::new();
    let mut found = Vec::new();
    for node in nodes {
        let Some(id) = node.provider_config_id() else { continue };
        let config = match known.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(store.get(id).await?),
        };
        found.extend(node.check_provider(config.as_ref(), catalog));
    }
    Ok(found)
}

/// Makes a workflow ready to run, as far as that can be said without a store.
///
/// # Errors
///
/// Every violation, in the order in which the checks of an activation stand.
pub(super) fn runnable(
    name_text: &str,
    definition: &Definition,
    catalog: &Catalog,
) -> Result<Plan, Vec<Violation>> {
    let mut found = name(name_text);
    if definition.nodes.is_empty() {
        found.push(violation(Code::NodesMissing, "nodes", "is empty; add a trigger node"));
    }
    let beyond = size(definition);
    let fits = beyond.is_empty();
    found.extend(beyond);
    if !definition.nodes.iter().any(|node| node.kind == "trigger") {
        let message = "holds no node of type trigger, so nothing can start the workflow";
        found.push(violation(Code::TriggerMissing, "nodes", message));
    }
    // Ordering a graph takes more than time in proportion to it.
    if !fits {
        return Err(found);
    }
    let (plan, violations) = match Plan::compile(definition) {
        Ok(plan) => (Some(plan), Vec::new()),
        Err(violations) => (None, violations),
    };
    let (mappings, graph): (Vec<_>, Vec<_>) =
        violations.into_iter().partition(|it| is_of_mapping(it.code));
    // Settings of executors are looked at node by node, together with what the catalog says.
    found.extend(graph.into_iter().filter(|it| it.code != Code::ExecutorConfigInvalid));
    found.extend(executors(&ExecutorNode::all(definition), catalog));
    found.extend(mappings);
    match plan {
        Some(plan) if found.is_empty() => Ok(plan),
        _ => Err(found),
    }
}

const fn is_of_mapping(code: Code) -> bool {
    matches!(code, Code::InputMappingInvalid | Code::OutputMappingInvalid | Code::TransformsInvalid)
}

fn violation(code: Code, path: impl Into<String>, message: impl std::fmt::Display) -> Violation {
    Violation { code, fault: Fault::new(path, message) }
}
