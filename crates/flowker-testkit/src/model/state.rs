//! The model: plain lists, no time of its own, no owner that lapses unless it is told to.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{Entry, Event, Execution, Fence, Outcome, Owned, Status, Summary};
use flowker_core::id::{ExecutionId, ReplicaId, WorkflowId};
use flowker_core::idempotency::{Fingerprint, IdempotencyKey};
use flowker_core::ports::{Acceptance, Append, CancelAnswer, Claim, KnownKey, NewExecution};
use flowker_core::time::Timestamp;
use serde_json::json;

use crate::sample;

pub(super) const N_KEYS: u64 = 3;
pub(super) const N_WORKFLOWS: u64 = 2;
pub(super) const N_OWNERS: u64 = 3;

/// Short enough to be over within a case.
const RETENTION: Duration = Duration::from_secs(8);

/// What is known of the store after the operations so far.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// In the order of acceptance.
    rows: Vec<Row>,
    keys: Vec<Key>,
    n_asked: u64,
    n_entries: u32,
    /// Grows with every lapse, after which replicas start with new ids.
    generation: u64,
}

#[derive(Debug)]
pub(super) struct Row {
    pub execution: Arc<Execution>,
    pub fence: Fence,
    owner: Owner,
    /// Whether it was ever given back until a moment.
    was_delayed: bool,
    pub journal: Vec<Entry>,
    pub end: Option<(Arc<Outcome>, Timestamp)>,
    /// How it was accepted.
    accepted: NewExecution,
    /// What was written last.
    appended: Option<Append>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Anybody may take it from this moment on.
    Nobody(Option<Timestamp>),
    Living(ReplicaId),
    Lapsed,
}

#[derive(Debug)]
struct Key {
    workflow_id: WorkflowId,
    claim: Claim,
    execution: ExecutionId,
    expires_at: Timestamp,
}

impl Row {
    pub(super) fn summary(&self) -> Summary {
        let ends = |it: &&Entry| matches!(it.event, Event::Completed { .. });
        let n_ended = self.journal.iter().filter(ends).count();
        let status = match (&self.end, self.fence) {
            (Some((outcome, _)), _) => outcome.status(),
            (None, Fence::NONE) => Status::Pending,
            (None, _) => Status::Running,
        };
        Summary {
            id: self.execution.id,
            workflow_id: self.execution.workflow_id,
            status,
            current_step: u32::try_from(n_ended).expect("few steps"),
            total_steps: self.execution.total_steps,
            started_at: self.execution.accepted_at,
            completed_at: self.end.as_ref().map(|(_, at)| *at),
            outcome: self.end.as_ref().map(|(outcome, _)| Arc::clone(outcome)),
            retry_of: self.execution.retry_of,
        }
    }

    pub(super) fn has_living_owner(&self) -> bool {
        matches!(self.owner, Owner::Living(_))
    }

    /// Whether it is on the list of what `owner` owns.
    pub(super) fn is_owned_by(&self, owner: ReplicaId) -> bool {
        self.end.is_none() && self.owner == Owner::Living(owner)
    }

    pub(super) fn loaded(&self) -> Option<Owned> {
        let is_open = self.end.is_none();
        is_open.then(|| Owned {
            execution: Arc::clone(&self.execution),
            fence: self.fence,
            journal: self.journal.clone(),
        })
    }

    fn can_be_taken(&self, now: Timestamp) -> bool {
        self.end.is_none()
            && match self.owner {
                Owner::Nobody(due) => due.is_none_or(|due| due <= now),
                Owner::Living(_) => false,
                Owner::Lapsed => true,
            }
    }
}

/// All keys that an operation can name.
pub(super) fn keys() -> impl Iterator<Item = (WorkflowId, IdempotencyKey)> {
    (0..N_WORKFLOWS)
        .flat_map(|workflow| (0..N_KEYS).map(move |n| (sample::workflow_id(workflow), key(n))))
}

fn key(n: u64) -> IdempotencyKey {
    sample::key(&format!("key {n}"))
}

impl Model {
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    pub(super) fn owner(&self, n: u64) -> ReplicaId {
        sample::replica(self.generation * N_OWNERS + n)
    }

    pub(super) fn owners(&self) -> Vec<ReplicaId> {
        (0..N_OWNERS).map(|n| self.owner(n)).collect()
    }

    /// An execution that was accepted, if any was.
    pub(super) fn pick(&self, n: usize) -> Option<(ExecutionId, Fence)> {
        let row = self.rows.get(n.checked_rem(self.rows.len())?)?;
        Some((row.execution.id, row.fence))
    }

    /// What was asked before of one that was accepted: its acceptance, and its last append.
    pub(super) fn asked_before(&self, n: usize) -> Option<(NewExecution, Option<Append>)> {
        let row = self.rows.get(n.checked_rem(self.rows.len())?)?;
        Some((row.accepted.clone(), row.appended.clone()))
    }

    pub(super) fn new_execution(
        &mut self,
        workflow: u64,
        key_n: Option<u64>,
        request: bool,
        owner: Option<u64>,
        now: Timestamp,
    ) -> NewExecution {
        self.n_asked += 1;
        let n = self.n_asked;
        let execution = Execution {
            workflow_id: sample::workflow_id(workflow),
            accepted_at: now,
            ..sample::execution(n)
        };
        let fingerprint = Fingerprint::of(&[&[u8::from(request)]]);
        NewExecution {
            execution: Arc::new(execution),
            claim: key_n.map(|n| Claim { key: key(n), fingerprint, retention: RETENTION }),
            owner: owner.map(|n| self.owner(n)),
            ..sample::new_execution(n)
        }
    }

    pub(super) fn accept(&mut self, new: NewExecution, now: Timestamp) -> Acceptance {
        if self.row(new.execution.id).is_some() {
            return Acceptance::Accepted;
        }
        let accepted = new.clone();
        let NewExecution { execution, claim, owner, .. } = new;
        let workflow_id = execution.workflow_id;
        if let Some(claim) = claim {
            match self.known_key(workflow_id, &claim.key, now) {
                Some(known) if known.fingerprint == claim.fingerprint => {
                    return Acceptance::Replayed(known.execution);
                }
                Some(_) => return Acceptance::KeyReused,
                None => {}
            }
            self.keys.retain(|it| (it.workflow_id, &it.claim.key) != (workflow_id, &claim.key));
            let expires_at = now.plus(claim.retention);
            self.keys.push(Key { workflow_id, claim, execution: execution.id, expires_at });
        }
        let (fence, owner) = match owner {
            Some(owner) => (Fence::FIRST, Owner::Living(owner)),
            None => (Fence::NONE, Owner::Nobody(None)),
        };
        self.rows.push(Row {
            execution,
            fence,
            owner,
            was_delayed: false,
            journal: Vec::new(),
            end: None,
            accepted,
            appended: None,
        });
        Acceptance::Accepted
    }

    pub(super) fn known_key(
        &self,
        workflow_id: WorkflowId,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Option<KnownKey> {
        let is_asked = |it: &&Key| it.workflow_id == workflow_id && it.claim.key == *key;
        let found = self.keys.iter().find(is_asked)?;
        if self.has_expired(found, now) {
            return None;
        }
        let execution = self.row(found.execution)?.summary();
        Some(KnownKey { fingerprint: found.claim.fingerprint, execution })
    }

    fn has_expired(&self, key: &Key, now: Timestamp) -> bool {
        let has_ended = self.row(key.execution).is_some_and(|row| row.end.is_some());
        key.expires_at <= now && has_ended
    }

    fn row(&self, id: ExecutionId) -> Option<&Row> {
        self.rows.iter().find(|row| row.execution.id == id)
    }

    fn writable(&mut self, id: ExecutionId, fence: Fence) -> Option<&mut Row> {
        let is_writable =
            |row: &&mut Row| row.execution.id == id && row.fence == fence && row.end.is_none();
        self.rows.iter_mut().find(is_writable)
    }

    pub(super) fn new_append(
        &mut self,
        id: ExecutionId,
        fence: Fence,
        n_entries: u32,
        ends: bool,
    ) -> Append {
        let mut entries = Vec::new();
        for _ in 0..n_entries {
            self.n_entries += 1;
            let n = self.n_entries;
            let node = "call".to_owned();
            // Every third one is a mark, which is no step.
            let event = match n % 3 {
                0 => Event::Started { node, attempt: n },
                _ => sample::completed(&node, json!(n)),
            };
            entries.push(sample::entry(fence, event));
        }
        let output = sample::object(&format!(r#"{{"entries": {}}}"#, self.n_entries));
        let end = ends.then_some((Outcome::Completed { output }, sample::moment(8)));
        let position = self.row(id).map_or(0, |row| row.journal.len());
        Append { id, fence, position, entries, end }
    }

    pub(super) fn append(&mut self, append: Append) -> bool {
        let Some(row) = self.writable(append.id, append.fence) else { return false };
        if row.appended.as_ref() == Some(&append) {
            return true;
        }
        row.appended = Some(append.clone());
        row.journal.extend(append.entries);
        row.end = append.end.map(|(outcome, at)| (Arc::new(outcome), at));
        true
    }

    pub(super) fn release(
        &mut self,
        id: ExecutionId,
        fence: Fence,
        due: Option<Timestamp>,
    ) -> bool {
        let Some(row) = self.writable(id, fence) else { return false };
        row.owner = Owner::Nobody(due);
        row.was_delayed |= due.is_some();
        true
    }

    /// What is wrong with a choice of executions to adopt.
    ///
    /// Oldest first is asked only of those that were never given back until a moment: whether one
    /// that was is as old as its acceptance or as its moment is the store's to say.
    pub(super) fn complaint(
        &self,
        taken: &[ExecutionId],
        limit: usize,
        now: Timestamp,
    ) -> Option<String> {
        let free: Vec<_> = self.rows.iter().filter(|row| row.can_be_taken(now)).collect();
        if taken.len() != limit.min(free.len()) {
            return Some(format!("{} of {} that are free", taken.len(), free.len()));
        }
        if let Some(id) = taken.iter().find(|id| free.iter().all(|row| row.execution.id != **id)) {
            return Some(format!("{id} is not free"));
        }
        let by_age = free.iter().filter(|row| !row.was_delayed).map(|row| row.execution.id);
        let by_age: Vec<_> = by_age.collect();
        let of_these: Vec<_> = taken.iter().copied().filter(|id| by_age.contains(id)).collect();
        let are_oldest = of_these == by_age[..of_these.len()];
        (!are_oldest).then(|| format!("{of_these:?} are not the oldest of {by_age:?}"))
    }

    pub(super) fn adopt(
        &mut self,
        owner: ReplicaId,
        taken: &[ExecutionId],
        now: Timestamp,
    ) -> Vec<Owned> {
        let adopt = |id: &ExecutionId| {
            let row = self.rows.iter_mut().find(|row| row.execution.id == *id)?;
            let had_owner = row.fence != Fence::NONE;
            row.fence = row.fence.next();
            row.owner = Owner::Living(owner);
            if had_owner {
                row.journal.push(Entry { fence: row.fence, at: now, event: Event::Adopted });
            }
            row.loaded()
        };
        taken.iter().filter_map(adopt).collect()
    }

    pub(super) fn cancel(&mut self, id: ExecutionId, at: Timestamp) -> CancelAnswer {
        match self.rows.iter_mut().find(|row| row.execution.id == id) {
            None => CancelAnswer::NotFound,
            Some(row) if row.end.is_some() => CancelAnswer::AlreadyTerminal,
            Some(row) => {
                row.end = Some((Arc::new(Outcome::Cancelled), at));
                CancelAnswer::Cancelled(row.summary())
            }
        }
    }

    /// Which keys are forgotten first is the store's to choose; how many is not. Those that are
    /// left over have expired as well, so nobody can find them.
    pub(super) fn purge(&mut self, limit: usize, now: Timestamp) -> usize {
        let has_expired = |key: &Key| self.has_expired(key, now);
        let expired: Vec<_> = self.keys.iter().map(has_expired).collect();
        let n_forgotten = expired.iter().filter(|it| **it).count().min(limit);
        let mut left = n_forgotten;
        let mut expired = expired.into_iter();
        self.keys.retain(|_| {
            let is_forgotten = expired.next() == Some(true) && 0 < left;
            left -= usize::from(is_forgotten);
            !is_forgotten
        });
        n_forgotten
    }

    pub(super) fn lapse(&mut self) {
        self.generation += 1;
        for row in &mut self.rows {
            if row.has_living_owner() {
                row.owner = Owner::Lapsed;
            }
        }
    }
}
