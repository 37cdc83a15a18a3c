//! From what happened to entries, and to the state that they make.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{Entry, Event, Failure, FailureCode, StepRun};
use flowker_core::workflow::{Kind, NodeIdx};
use serde_json::Value;

use super::{Run, attempt, failure};

impl Run {
    /// Writes down that an announced attempt was cut in good order.
    pub(super) fn interrupted(&mut self, idx: NodeIdx) {
        let node = self.node(idx).to_owned();
        self.record(idx, Event::Interrupted { node });
    }

    pub(super) fn record_end(
        &mut self,
        idx: NodeIdx,
        run: StepRun,
        result: Result<Arc<Value>, Failure>,
    ) {
        if let Some(provider) = self.provider_id(idx) {
            self.shared.metrics.step(provider, result.is_ok());
        }
        let event = self.ended(idx, run, result);
        self.record(idx, event);
    }

    /// Whose operation a node carries out. `None` if it calls nobody, or nobody who is known.
    pub(super) fn provider_id(&self, idx: NodeIdx) -> Option<&'static str> {
        let executor = attempt::executor(self.state.plan(), idx)?;
        self.shared.catalog.executor(&executor.executor_id).map(|it| it.provider_id)
    }

    pub(super) fn record(&mut self, idx: NodeIdx, event: Event) {
        let entry = self.happened(event);
        self.journal.record(idx, entry);
    }

    pub(super) fn ended(
        &self,
        idx: NodeIdx,
        run: StepRun,
        result: Result<Arc<Value>, Failure>,
    ) -> Event {
        let node = self.node(idx).to_owned();
        match result {
            Ok(output) => Event::Completed { node, run, output },
            Err(failure) => Event::Failed { node, run, failure },
        }
    }

    /// Makes an entry of an event, and makes it a part of the state.
    pub(super) fn happened(&mut self, event: Event) -> Entry {
        let entry = Entry { fence: self.fence, at: self.shared.clock.now(), event };
        self.state.apply(&entry).expect("only steps that `advance` let begin are ever recorded");
        match &entry.event {
            Event::Failed { .. } => self.has_failed = true,
            Event::Completed { node, .. } => {
                let plan = self.state.plan();
                let idx = plan.find(node);
                let idx = idx.filter(|idx| matches!(plan.node(*idx).kind, Kind::Executor(_)));
                self.done_at.extend(idx.map(|idx| (idx, entry.at)));
            }
            Event::Adopted
            | Event::Started { .. }
            | Event::Interrupted { .. }
            | Event::RetryAt { .. } => {}
        }
        entry
    }

    /// The deadline runs from the first step's start.
    pub(super) fn begin_clock(&mut self) {
        if self.deadline.is_none() {
            self.state.begin(self.fence, self.shared.clock.now());
            self.deadline = self.state.deadline().map(|it| self.shared.instant_of(it));
        }
    }

    /// An output that fits into what one execution may hold.
    pub(super) fn bounded(&self, idx: NodeIdx, output: Value) -> Result<Arc<Value>, Failure> {
        let max = self.shared.limits.journal_bytes_max;
        let mut left = Left(max.saturating_sub(self.state.output_bytes()));
        if serde_json::to_writer(&mut left, &output).is_ok() {
            return Ok(Arc::new(output));
        }
        let what = format!("the outputs of the execution's steps take more than {max} bytes");
        Err(failure::of_node(FailureCode::StepFailed, self.node(idx), what))
    }

    pub(super) fn not_run(&self, attempt: u32) -> StepRun {
        StepRun { attempt, started_at: self.shared.clock.now(), duration: Duration::ZERO }
    }
}

/// Room for so many bytes, which are counted and not kept.
struct Left(usize);

impl std::io::Write for Left {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
