//! Executions in memory.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowker_core::actor::Actor;
use flowker_core::archive::{ArchivedExecution, Stage};
use flowker_core::audit::AuditEvent;
use flowker_core::execution::{Entry, Event, Execution, Fence, Outcome, Owned, Status, Summary};
use flowker_core::id::{ExecutionId, ReplicaId};
use flowker_core::ports::{
    Acceptance, Append, Backlog, CancelAnswer, ExecutionPage, ExecutionQuery, ExecutionSort,
    ExecutionStore, NewExecution, Precondition, StoreError,
};
use flowker_core::time::Timestamp;
use flowker_core::workflow::Lifecycle;

use super::{MemoryStore, State, keys, page};

#[derive(Debug)]
pub(super) struct Row {
    execution: Arc<Execution>,
    fence: Fence,
    owner: Option<ReplicaId>,
    due: Option<Timestamp>,
    journal: Vec<Entry>,
    end: Option<(Arc<Outcome>, Timestamp)>,
}

impl Row {
    pub(super) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    pub(super) fn of(archived: ArchivedExecution) -> Self {
        let ArchivedExecution { execution, journal, stage } = archived;
        let (fence, due, end) = match stage {
            Stage::Unfinished { fence, due } => (fence, Some(due), None),
            // Whose it was is told by nobody once it has ended.
            Stage::Ended { outcome, at } => (Fence::NONE, None, Some((outcome, at))),
        };
        Self { execution, fence, owner: None, due, journal, end }
    }

    pub(super) fn archived(&self, now: Timestamp) -> ArchivedExecution {
        let accepted_at = self.execution.accepted_at;
        let stage = match &self.end {
            Some((outcome, at)) => Stage::Ended { outcome: Arc::clone(outcome), at: *at },
            // One without a moment is due at once, in the order of acceptance.
            None => Stage::Unfinished {
                fence: self.fence,
                due: self.due.unwrap_or_else(|| accepted_at.min(now)),
            },
        };
        let journal = self.journal.clone();
        ArchivedExecution { execution: Arc::clone(&self.execution), journal, stage }
    }

    fn status(&self) -> Status {
        match &self.end {
            Some((outcome, _)) => outcome.status(),
            None if self.fence == Fence::NONE => Status::Pending,
            None => Status::Running,
        }
    }

    pub(super) fn summary(&self) -> Summary {
        let ended =
            |it: &&Entry| matches!(it.event, Event::Completed { .. } | Event::Failed { .. });
        let n_ended = self.journal.iter().filter(ended).count();
        Summary {
            id: self.execution.id,
            workflow_id: self.execution.workflow_id,
            status: self.status(),
            current_step: u32::try_from(n_ended).unwrap_or(u32::MAX),
            total_steps: self.execution.total_steps,
            started_at: self.execution.accepted_at,
            completed_at: self.end.as_ref().map(|(_, at)| *at),
            outcome: self.end.as_ref().map(|(outcome, _)| Arc::clone(outcome)),
            retry_of: self.execution.retry_of,
        }
    }

    fn owned(&self) -> Owned {
        Owned {
            execution: Arc::clone(&self.execution),
            fence: self.fence,
            journal: self.journal.clone(),
        }
    }

    fn is_writable(&self, fence: Fence) -> bool {
        self.is_open() && self.fence == fence
    }

    /// Whether exactly these entries were written before.
    fn holds(&self, append: &Append) -> bool {
        let there = self.journal.get(append.position..).unwrap_or_default();
        append.end.is_none() && there.starts_with(&append.entries)
    }
}

impl State {
    fn writable(&mut self, id: ExecutionId, fence: Fence) -> Result<&mut Row, StoreError> {
        let row = self.executions.get_mut(&id);
        row.filter(|row| row.is_writable(fence)).ok_or(StoreError::Superseded)
    }

    fn holds(&self, execution: &Execution, precondition: Precondition) -> bool {
        match precondition {
            Precondition::None => true,
            Precondition::VersionActive => {
                self.workflows.get(&execution.workflow_id).is_some_and(|workflow| {
                    workflow.status == Lifecycle::Active && workflow.version == execution.version
                })
            }
        }
    }

    /// Whether `row` waits for an owner.
    fn is_free(&self, row: &Row, now: Timestamp, lapse: Duration) -> bool {
        match row.owner {
            None => row.due.is_none_or(|due| due <= now),
            Some(owner) => self.seen.get(&owner).is_none_or(|seen| lapse < now.since(*seen)),
        }
    }

    /// An owner begins to be alive with what it first takes on.
    fn see_first(&mut self, owner: ReplicaId, now: Timestamp) {
        self.seen.entry(owner).or_insert(now);
    }
}

#[async_trait]
impl ExecutionStore for MemoryStore {
    async fn accept(&self, new: NewExecution) -> Result<Acceptance, StoreError> {
        let now = self.clock.now();
        let NewExecution { execution, precondition, claim, owner, actor } = new;
        let event = AuditEvent::execution_started(&execution, &actor);
        let mut state = self.lock();
        if state.executions.contains_key(&execution.id) {
            return Ok(Acceptance::Accepted);
        }
        if let Some(claim) = &claim
            && let Some(known) = state.known_key(execution.workflow_id, &claim.key, now)
        {
            return Ok(if known.fingerprint == claim.fingerprint {
                Acceptance::Replayed(known.execution)
            } else {
                Acceptance::KeyReused
            });
        }
        if !state.holds(&execution, precondition) {
            return Ok(Acceptance::RouteGone);
        }
        if let Some(claim) = claim {
            let key = keys::Row {
                fingerprint: claim.fingerprint,
                execution: execution.id,
                expires_at: now.plus(claim.retention),
            };
            state.keys.insert((execution.workflow_id, claim.key), key);
        }
        if let Some(owner) = owner {
            state.see_first(owner, now);
        }
        let fence = if owner.is_some() { Fence::FIRST } else { Fence::NONE };
        let id = execution.id;
        state.audit.note(event.of_execution_of(execution.workflow_id), now);
        let due = Some(execution.accepted_at.min(now));
        let row = Row { execution, fence, owner, due, journal: Vec::new(), end: None };
        state.executions.insert(id, row);
        Ok(Acceptance::Accepted)
    }

    async fn append(&self, append: Append) -> Result<(), StoreError> {
        let mut state = self.lock();
        let row = state.writable(append.id, append.fence)?;
        if !append.entries.is_empty() && append.position != row.journal.len() {
            if row.holds(&append) {
                return Ok(());
            }
            let what = format!("the journal of {}", append.id);
            let source = format!("{} entries, and more at {}", row.journal.len(), append.position);
            return Err(StoreError::corrupt(what, source));
        }
        row.journal.extend(append.entries);
        if let Some((outcome, at)) = append.end {
            let event = AuditEvent::execution_ended(append.id, &outcome, &Actor::system());
            let event = event.of_execution_of(row.execution.workflow_id);
            row.end = Some((Arc::new(outcome), at));
            state.audit.note(event, self.clock.now());
        }
        Ok(())
    }

    async fn adopt(
        &self,
        owner: ReplicaId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Owned>, StoreError> {
        // Who has lapsed and what is due is asked of the store's clock, not of the caller's.
        let store_now = self.clock.now();
        let mut state = self.lock();
        state.see_first(owner, store_now);
        let free = state.executions.values().filter(|row| {
            row.is_open() && row.owner != Some(owner) && state.is_free(row, store_now, self.lapse)
        });
        let mut free: Vec<_> =
            free.map(|row| (row.execution.accepted_at, row.execution.id)).collect();
        free.sort_unstable();
        free.truncate(limit);
        let mut taken = Vec::with_capacity(free.len());
        for (_, id) in free {
            let Some(row) = state.executions.get_mut(&id) else { continue };
            let had_owner = row.fence != Fence::NONE;
            row.fence = row.fence.next();
            row.owner = Some(owner);
            row.due = None;
            if had_owner {
                row.journal.push(Entry { fence: row.fence, at: now, event: Event::Adopted });
            }
            taken.push(row.owned());
        }
        Ok(taken)
    }

    async fn release(
        &self,
        id: ExecutionId,
        fence: Fence,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let row = state.writable(id, fence)?;
        row.owner = None;
        // Without a moment it is due at once, in the order of acceptance.
        row.due = due.or_else(|| Some(row.execution.accepted_at.min(now)));
        Ok(())
    }

    async fn keep_alive(&self, owner: ReplicaId) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.lock().seen.insert(owner, now);
        Ok(())
    }

    async fn owned(&self, owner: ReplicaId) -> Result<Vec<(ExecutionId, Fence)>, StoreError> {
        let state = self.lock();
        let rows = state.executions.values();
        let rows = rows.filter(|row| row.is_open() && row.owner == Some(owner));
        Ok(rows.map(|row| (row.execution.id, row.fence)).collect())
    }

    async fn backlog(&self, count_max: usize) -> Result<Backlog, StoreError> {
        let now = self.clock.now();
        let state = self.lock();
        let unowned = state.executions.values().filter(|row| row.is_open() && row.owner.is_none());
        let due = unowned.map(|row| row.due.unwrap_or(row.execution.accepted_at.min(now)));
        let due: Vec<_> = due.filter(|due| *due <= now).collect();
        let oldest = due.iter().min().map(|due| now.since(*due));
        Ok(Backlog { waiting: due.len().min(count_max), oldest })
    }

    async fn load(&self, id: ExecutionId, fence: Fence) -> Result<Option<Owned>, StoreError> {
        let state = self.lock();
        let row = state.executions.get(&id).filter(|row| row.is_writable(fence));
        Ok(row.map(Row::owned))
    }

    async fn cancel(
        &self,
        id: ExecutionId,
        at: Timestamp,
        actor: &Actor,
    ) -> Result<CancelAnswer, StoreError> {
        let mut state = self.lock();
        let Some(row) = state.executions.get_mut(&id) else { return Ok(CancelAnswer::NotFound) };
        if !row.is_open() {
            return Ok(CancelAnswer::AlreadyTerminal);
        }
        row.end = Some((Arc::new(Outcome::Cancelled), at));
        let (summary, workflow) = (row.summary(), row.execution.workflow_id);
        let event = AuditEvent::execution_ended(id, &Outcome::Cancelled, actor);
        state.audit.note(event.of_execution_of(workflow), self.clock.now());
        Ok(CancelAnswer::Cancelled(summary))
    }

    async fn get(&self, id: ExecutionId) -> Result<Option<Summary>, StoreError> {
        Ok(self.lock().executions.get(&id).map(Row::summary))
    }

    async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        Ok(self.lock().executions.get(&id).map(|row| Execution::clone(&row.execution)))
    }

    async fn journal(&self, id: ExecutionId) -> Result<Vec<Entry>, StoreError> {
        Ok(self.lock().executions.get(&id).map(|row| row.journal.clone()).unwrap_or_default())
    }

    async fn list(&self, query: ExecutionQuery) -> Result<ExecutionPage, StoreError> {
        // A moment that has not come is later than all others.
        let place = |moment: Option<Timestamp>, id| (moment.is_none(), moment, id);
        let key = |it: &Summary| match query.sort {
            ExecutionSort::StartedAt => place(Some(it.started_at), it.id),
            ExecutionSort::CompletedAt => place(it.completed_at, it.id),
        };
        let after = query.after.map(|(moment, id)| place(moment, id));
        let items = self.lock().executions.values().map(Row::summary).collect::<Vec<_>>();
        let matching = items.into_iter().filter(|it| {
            query.workflow_id.is_none_or(|id| id == it.workflow_id)
                && query.status.is_none_or(|status| status == it.status)
        });
        let (items, has_more) =
            page::cut(matching.collect(), key, query.direction, after.as_ref(), query.limit);
        Ok(ExecutionPage { items, has_more })
    }
}
