//! From what is stored of an execution to a run in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowker_core::execution::{Entry, Event, Failure, FailureCode, Owned, RunState};
use flowker_core::json;
use flowker_core::time::Timestamp;
use flowker_core::workflow::{Kind, NodeIdx, Plan};
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tracing::error;

use super::journal::Journal;
use super::{Run, Stop, failure};
use crate::shared::Shared;
use crate::store::{self, Chain, Lost};

/// Why an execution cannot be driven.
pub(super) enum Unfit {
    /// It never can.
    Fails(Failure),
    /// Not by us.
    Lost(Lost),
}

impl Run {
    /// Reads the workflow's version and folds the journal.
    ///
    /// `deadline` is what was known of it when the execution was parked: a deadline that only
    /// memory knew exactly.
    pub(super) async fn begin(
        shared: &Arc<Shared>,
        owned: Owned,
        deadline: Option<Instant>,
    ) -> Result<Self, Unfit> {
        let Owned { execution, fence, journal } = owned;
        let (workflow, version) = (execution.workflow_id, execution.version);
        let plan = store::insist(shared, "version", || shared.plans.get(workflow, version)).await;
        let plan = plan.map_err(|lost| match lost {
            Lost::Superseded => Unfit::Lost(lost),
            Lost::Corrupt(error) => {
                error!(error = %Chain(&error), "an execution's version cannot be run");
                let message = format!("version {version} of the workflow cannot be run any more");
                Unfit::Fails(Failure::new(FailureCode::DefinitionError, message))
            }
        })?;
        let input = json::parse_within(&execution.input, json::Limits::STORED)
            .map_err(|error| internal(&error))?;
        let start = plan.find(&execution.start_node).ok_or_else(|| {
            let message = format!("the version has no trigger node {:?}", execution.start_node);
            Unfit::Fails(Failure::new(FailureCode::DefinitionError, message))
        })?;
        let state = RunState::new(Arc::clone(&plan), start, Arc::new(input));
        let state = state.replay(&journal).map_err(|error| internal(&error))?;
        let losses = state.losses(fence);
        if shared.limits.quarantine_losses.max(1) <= losses {
            return Err(Unfit::Fails(Failure::new(
                FailureCode::Quarantined,
                format!(
                    "the process that drove the execution was lost {losses} times in a row, each \
                     time with a step in flight, so it is not tried again"
                ),
            )));
        }
        let known = state.deadline().map(|it| shared.instant_of(it));
        Ok(Self {
            shared: Arc::clone(shared),
            journal: Journal::new(execution.id, fence, journal.len()),
            steps: BTreeMap::new(),
            admissions: FuturesUnordered::new(),
            calls: FuturesUnordered::new(),
            blocked: BTreeMap::new(),
            done_at: done_at(&plan, &journal),
            deadline: deadline.into_iter().chain(known).min(),
            is_suspect: is_suspect(&journal),
            has_failed: journal.iter().any(|it| matches!(it.event, Event::Failed { .. })),
            stop: Stop::No,
            execution,
            fence,
            state,
        })
    }
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Unfit {
    error!(error = %Chain(error), "an execution cannot be read back");
    Unfit::Fails(Failure::new(FailureCode::Internal, failure::INTERNAL))
}

/// Whether the last owner was lost or gave up, and nothing was achieved since.
fn is_suspect(journal: &[Entry]) -> bool {
    let last = journal.iter().rev().find_map(|entry| match entry.event {
        Event::Adopted => Some(true),
        Event::RetryAt { .. } | Event::Completed { .. } | Event::Failed { .. } => Some(false),
        Event::Started { .. } | Event::Interrupted { .. } => None,
    });
    last.unwrap_or(false)
}

/// When executor nodes were done. Other nodes may be written late, so their moments say nothing.
fn done_at(plan: &Plan, journal: &[Entry]) -> BTreeMap<NodeIdx, Timestamp> {
    let done = journal.iter().filter_map(|entry| {
        let Event::Completed { node, .. } = &entry.event else { return None };
        let idx = plan.find(node)?;
        matches!(plan.node(idx).kind, Kind::Executor(_)).then_some((idx, entry.at))
    });
    done.collect()
}
