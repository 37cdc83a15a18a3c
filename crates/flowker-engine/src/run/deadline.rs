//! What becomes of a run whose time is up.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use flowker_core::execution::{Failure, FailureCode, Next, StepRun, advance};
use flowker_core::id::ProviderConfigId;
use flowker_core::workflow::{NodeIdx, OnUncertain};

use super::steps::Stage;
use super::{Run, attempt, failure};

impl Run {
    /// The run's time is up: whatever is open has failed.
    pub(super) fn expire(&mut self) {
        let open = match advance(&self.state, &BTreeSet::new()) {
            Next::Start(starts) => starts,
            Next::Finish(_) => Vec::new(),
        };
        self.admissions.clear();
        self.calls.clear();
        let waiting = open.into_iter().map(|it| (it.node, (self.not_run(it.attempt), false)));
        let mut cut: BTreeMap<_, _> = waiting.collect();
        for (idx, stage) in mem::take(&mut self.steps) {
            if let Stage::Calling { attempt, started_at, begun, .. } = stage {
                let run = StepRun { attempt, started_at, duration: begun.elapsed() };
                cut.insert(idx, (run, true));
            }
        }
        for (idx, (run, was_calling)) in cut {
            let failure = self.out_of_time(idx, run.attempt, was_calling);
            self.record_end(idx, run, Err(failure));
        }
    }

    fn out_of_time(&self, idx: NodeIdx, attempt: u32, was_calling: bool) -> Failure {
        let plan = self.state.plan();
        let seconds = plan.settings().execution_timeout_seconds;
        let executor = attempt::executor(plan, idx);
        let is_fatal = executor.is_some_and(|it| it.on_uncertain == OnUncertain::Fail);
        if (was_calling && is_fatal) || self.state.is_uncertain(idx, self.fence) {
            return self.uncertain(idx);
        }
        let config = executor.and_then(|it| it.provider_config_id.as_deref());
        let config = config.and_then(|text| ProviderConfigId::parse(text).ok());
        let is_blocked = config.is_some_and(|id| self.shared.targets.is_blocked(id));
        let (code, during) = if was_calling {
            (FailureCode::TimedOut, format!("during attempt {attempt}"))
        } else if is_blocked {
            let during =
                "while its provider configuration failed and was not called (circuit open)";
            (FailureCode::CircuitOpen, during.to_owned())
        } else {
            (FailureCode::TimedOut, format!("before attempt {attempt}"))
        };
        let what = format!("the execution's {seconds} s were up {during}");
        failure::of_node(code, self.node(idx), what)
    }

    pub(super) fn uncertain(&self, idx: NodeIdx) -> Failure {
        let what = "a call that must not be repeated was cut short, and nobody knows whether it \
                    had an effect";
        failure::of_node(FailureCode::Uncertain, self.node(idx), what)
    }
}
