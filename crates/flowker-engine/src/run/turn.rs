//! The loop of a run: decide, begin what may begin, write, and wait for whatever comes first.

use std::mem;

use flowker_core::execution::{Next, Outcome, Start, advance};
use flowker_core::workflow::NodeIdx;
use futures_util::StreamExt;
use tokio::time::{self, Instant};

use super::attempt::{Admission, Answer};
use super::journal::Written;
use super::{Exit, Run, Stop};
use crate::store::Lost;

/// What a run waited for.
enum Happened {
    Draining,
    Cut,
    Written(Result<Written, Lost>),
    Answered(NodeIdx, Answer),
    Admitted(NodeIdx, Admission),
    Awake,
}

/// What is to be done now.
enum Turn {
    /// Nothing, until something happens, or until then.
    Wait(Option<Instant>),
    Leave(Exit),
}

/// Whether a step may begin.
enum Readiness {
    Now,
    /// Not before then.
    At(Instant),
    /// When something else is stored.
    Held,
}

impl Run {
    /// Drives the execution until there is nothing to do here.
    pub(super) async fn carry_on(mut self) -> Exit {
        loop {
            let wake = match self.turn() {
                Turn::Wait(wake) => wake,
                Turn::Leave(exit) => return exit,
            };
            match self.next(wake).await {
                Happened::Draining => self.drain(),
                Happened::Cut => self.cut(),
                Happened::Written(Err(lost)) => return Exit::Lost(lost),
                Happened::Written(Ok(Written { end: Some(outcome), .. })) => {
                    let age = self.shared.clock.now().since(self.execution.accepted_at);
                    self.shared.metrics.took(&outcome, age);
                    return Exit::Ended(outcome);
                }
                Happened::Written(Ok(Written { has_progress, end: None })) => {
                    self.is_suspect &= !has_progress;
                    self.call_announced();
                }
                Happened::Answered(idx, answer) => self.answered(idx, answer),
                Happened::Admitted(idx, admission) => self.admitted(idx, admission),
                Happened::Awake => {}
            }
        }
    }

    /// Waits for what comes first.
    async fn next(&mut self, wake: Option<Instant>) -> Happened {
        let (stages, stop) = (&self.shared.stages, self.stop);
        let asleep = async {
            match wake {
                Some(wake) => time::sleep_until(wake).await,
                None => std::future::pending().await,
            }
        };
        // All branches may be dropped: what they wait for stays where it is until it is taken.
        tokio::select! {
            biased;
            () = stages.cut.cancelled(), if stop < Stop::Cut => Happened::Cut,
            () = stages.draining.cancelled(), if stop < Stop::Draining => Happened::Draining,
            written = self.journal.written() => Happened::Written(written),
            Some((idx, answer)) = self.calls.next() => Happened::Answered(idx, answer),
            Some((idx, admission)) = self.admissions.next() => Happened::Admitted(idx, admission),
            () = asleep => Happened::Awake,
        }
    }

    fn turn(&mut self) -> Turn {
        if self.journal.is_ending() {
            return Turn::Wait(None);
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.expire();
        }
        let starts = match self.decide_all() {
            Ok(starts) => starts,
            Err(outcome) => {
                self.journal.write_end(&self.shared, outcome, self.shared.clock.now());
                return Turn::Wait(None);
            }
        };
        let (mut wake, mut is_held) = (None::<Instant>, false);
        for start in starts {
            match self.readiness(&start) {
                Readiness::Now if self.stop == Stop::No => self.admit(&start),
                Readiness::Now | Readiness::Held => is_held = true,
                Readiness::At(at) => wake = wake.into_iter().chain([at]).min(),
            }
        }
        self.journal.write(&self.shared);
        if !self.steps.is_empty() || !self.journal.is_settled() {
            return Turn::Wait(wake.into_iter().chain(self.deadline).min());
        }
        // Nothing is in flight.
        if self.stop != Stop::No {
            let due = wake.filter(|_| !is_held).map(|wake| self.moment_of(wake));
            return Turn::Leave(Exit::HandedOver { due });
        }
        self.rest(wake)
    }

    /// Carries out all nodes that call nobody, one after the other, until only calls are left.
    ///
    /// # Errors
    ///
    /// The outcome, if nothing is left at all.
    fn decide_all(&mut self) -> Result<Vec<Start>, Outcome> {
        loop {
            if self.has_failed {
                self.drop_uncalled();
            }
            let in_flight = self.steps.keys().copied().collect();
            let starts = match advance(&self.state, &in_flight) {
                Next::Start(starts) => starts,
                Next::Finish(outcome) => return Err(outcome),
            };
            let mut left = Vec::new();
            let mut has_decided = false;
            for start in starts {
                if self.has_failed {
                    break;
                }
                if self.decide(&start) {
                    has_decided = true;
                } else {
                    left.push(start);
                }
            }
            if !has_decided {
                return Ok(left);
            }
        }
    }

    fn readiness(&self, start: &Start) -> Readiness {
        let visible = self.state.plan().visible_to(start.node);
        let is_unsaved = |idx: &NodeIdx| self.journal.is_unsaved(*idx);
        if is_unsaved(&start.node) || visible.iter().any(is_unsaved) {
            return Readiness::Held;
        }
        let due = start.due.filter(|due| self.shared.clock.now() < *due);
        let due = due.map(|due| self.shared.instant_of(due));
        let unblocked = self.blocked.get(&start.node).copied();
        let at = due.max(unblocked.filter(|at| Instant::now() < *at));
        at.map_or(Readiness::Now, Readiness::At)
    }

    /// Stays for a short wait if there is room for others, and makes room otherwise.
    fn rest(&mut self, wake: Option<Instant>) -> Turn {
        let Some(wake) = wake.into_iter().chain(self.deadline).min() else {
            return Turn::Wait(None);
        };
        let wait = wake.saturating_duration_since(Instant::now());
        if wait <= self.shared.limits.stay_max && !self.shared.is_crowded() {
            return Turn::Wait(Some(wake));
        }
        Turn::Leave(Exit::Waits { wake, deadline: self.deadline })
    }

    /// The engine drains: steps that have not begun to call do not begin.
    fn drain(&mut self) {
        self.stop = Stop::Draining;
        self.drop_admissions();
    }

    /// The engine's time is up: what calls is cut, and said to be where it was announced.
    fn cut(&mut self) {
        self.stop = Stop::Cut;
        self.admissions.clear();
        self.calls.clear();
        for (idx, stage) in mem::take(&mut self.steps) {
            if stage.is_announced() {
                self.interrupted(idx);
            }
        }
    }
}
