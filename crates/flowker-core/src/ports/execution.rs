//! Executions: acceptance, journal, ownership, queries.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use super::workflow::Direction;
use crate::actor::Actor;
use crate::execution::{Entry, Execution, Fence, Outcome, Owned, Status, Summary};
use crate::id::{ExecutionId, ReplicaId, WorkflowId};
use crate::idempotency::{Fingerprint, IdempotencyKey};
use crate::time::Timestamp;

/// An execution that is to be accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct NewExecution {
    /// What never changes about it.
    pub execution: std::sync::Arc<Execution>,
    /// What must hold, else the answer is [`Acceptance::RouteGone`].
    pub precondition: Precondition,
    /// The caller's key, if it sent one.
    pub claim: Option<Claim>,
    /// Who drives it. `None`: whoever has room, found by [`ExecutionStore::adopt`].
    pub owner: Option<ReplicaId>,
    /// Who asked for it.
    pub actor: Actor,
}

/// What an acceptance asks of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The workflow is active, and the execution's version is the one that is.
    VersionActive,
    /// Nothing: the execution repeats an older one.
    None,
}

/// A caller's key for one request. Its scope is the workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What the caller sent.
    pub key: IdempotencyKey,
    /// What the request was.
    pub fingerprint: Fingerprint,
    /// How long the key is kept at least, from its acceptance.
    pub retention: Duration,
}

/// What became of an acceptance.
#[derive(Clone, Debug, PartialEq)]
pub enum Acceptance {
    /// The execution is durable. With an owner, its fence is [`Fence::FIRST`].
    Accepted,
    /// The key is known with the same fingerprint: this is what it started.
    Replayed(Summary),
    /// The key is known with another fingerprint. Nothing was written.
    KeyReused,
    /// The precondition does not hold. Nothing was written.
    RouteGone,
}

/// Entries for the journal of one execution, and perhaps its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// Of which execution.
    pub id: ExecutionId,
    /// The writer's. All entries carry it too.
    pub fence: Fence,
    /// How many entries the journal holds before these. The owner knows: nobody else writes. It
    /// makes the same append a second time harmless. Without entries it says nothing.
    pub position: usize,
    /// In order.
    pub entries: Vec<Entry>,
    /// With its moment, if the execution ends here.
    pub end: Option<(Outcome, Timestamp)>,
}

/// What became of a cancellation.
#[derive(Clone, Debug, PartialEq)]
pub enum CancelAnswer {
    /// It is cancelled now; its owner's next write is refused.
    Cancelled(Summary),
    /// It had ended before.
    AlreadyTerminal,
    /// There is no such execution.
    NotFound,
}

/// What waits for somebody to drive it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many executions, counted no further than was asked for.
    pub waiting: usize,
    /// For how long the oldest of them could have been driven. `None` if there is none.
    pub oldest: Option<Duration>,
}

/// Which executions a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionQuery {
    /// Of one workflow only.
    pub workflow_id: Option<WorkflowId>,
    /// In one status only.
    pub status: Option<Status>,
    /// By which moment.
    pub sort: ExecutionSort,
    /// Which way.
    pub direction: Direction,
    /// Strictly after this place: the sort moment of the last item (`None` for one that has not
    /// ended) and its id, which breaks ties in the same direction.
    pub after: Option<(Option<Timestamp>, ExecutionId)>,
    /// How many at the most.
    pub limit: usize,
}

/// By which moment executions are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecutionSort {
    /// Acceptance.
    #[default]
    StartedAt,
    /// End. Executions that have not ended come after all others ascending, before them descending.
    CompletedAt,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionPage {
    /// In the order that was asked for.
    pub items: Vec<Summary>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

/// Keeps executions and their journals.
///
/// Time for ownership and for expiry is the store's, never the caller's. Proved by
/// `flowker_testkit::execution_store_contract!`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait ExecutionStore: fmt::Debug + Send + Sync {
    /// Makes a trigger durable, or finds what the same key made before.
    ///
    /// - MUST look at the key first: a known one answers [`Acceptance::Replayed`] or
    ///   [`Acceptance::KeyReused`] whatever the workflow's status, and writes nothing.
    /// - MUST then check the precondition, and write nothing if it does not hold.
    /// - MUST write the key, the execution, its ownership and its
    ///   [`AuditEvent::execution_started`](crate::audit::AuditEvent::execution_started) together, or
    ///   none of them.
    /// - MUST answer `Accepted` to one caller a key, however many race, and `Replayed` to the rest.
    /// - MUST treat a key as unknown once its retention is over and its execution has ended.
    /// - MUST store an execution with an owner as running, one without as pending.
    /// - MUST answer `Accepted`, and write nothing, to an execution that it accepted before, whatever
    ///   became of it, of its key and of the workflow since: whoever lost an answer asks again.
    async fn accept(&self, new: NewExecution) -> Result<Acceptance, StoreError>;

    /// Writes down what happened, and perhaps the end.
    ///
    /// - MUST write all entries, the end and its
    ///   [`AuditEvent::execution_ended`](crate::audit::AuditEvent::execution_ended) by
    ///   [`Actor::system`], or nothing.
    /// - MUST answer [`StoreError::Superseded`], and write nothing, if the fence is not the
    ///   execution's current one or the execution has ended.
    /// - MUST keep entries in the order of the calls, and each exactly once.
    /// - MUST answer `Ok`, and write nothing, to entries that it wrote before at the same position
    ///   with the same fence: whoever lost an answer asks again. An end that was written before is
    ///   answered like any write after the end.
    /// - MUST answer [`StoreError::Corrupt`], and write nothing, to entries at any other position
    ///   than the journal's end: no owner that knows its journal sends them.
    async fn append(&self, append: Append) -> Result<(), StoreError>;

    /// Takes over up to `limit` executions that nobody drives: unowned ones whose moment has come,
    /// and those whose owner has lapsed. Oldest first.
    ///
    /// - MUST give each execution to one caller only, and raise its fence.
    /// - MUST journal [`Event::Adopted`](crate::execution::Event::Adopted), at `now`, if there was
    ///   an owner before.
    /// - MUST not take what `owner` itself owns.
    async fn adopt(
        &self,
        owner: ReplicaId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Owned>, StoreError>;

    /// Gives an execution back, to be adopted by anyone, not before `due`.
    ///
    /// - MUST answer [`StoreError::Superseded`] like [`append`](Self::append).
    async fn release(
        &self,
        id: ExecutionId,
        fence: Fence,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// Says that a replica is alive: before it first owns anything, and again and again after. A
    /// replica that is silent for longer than the lapse loses what it owns. A store that proves an
    /// owner's death by other means does nothing.
    async fn keep_alive(&self, owner: ReplicaId) -> Result<(), StoreError>;

    /// Which executions `owner` owns that have not ended, with their fences, in any order.
    ///
    /// So a replica finds what became its own by a write whose answer was lost.
    async fn owned(&self, owner: ReplicaId) -> Result<Vec<(ExecutionId, Fence)>, StoreError>;

    /// Tells what waits: executions without an owner whose moment has come, counted up to
    /// `count_max`. Asked for metrics, again and again, so its cost must not grow with what has
    /// ended. What a lost replica still owns is not among them.
    async fn backlog(&self, count_max: usize) -> Result<Backlog, StoreError>;

    /// Reads an execution that the caller owns, to go on with it. `None` if the fence is not the
    /// execution's current one or the execution has ended.
    async fn load(&self, id: ExecutionId, fence: Fence) -> Result<Option<Owned>, StoreError>;

    /// Ends an execution as cancelled, whoever owns it.
    ///
    /// - MUST end it once, and never change an end that is there.
    /// - MUST write the end and its
    ///   [`AuditEvent::execution_ended`](crate::audit::AuditEvent::execution_ended) by `actor`
    ///   together.
    async fn cancel(
        &self,
        id: ExecutionId,
        at: Timestamp,
        actor: &Actor,
    ) -> Result<CancelAnswer, StoreError>;

    /// Reads one execution as clients see it.
    async fn get(&self, id: ExecutionId) -> Result<Option<Summary>, StoreError>;

    /// Reads what was accepted, to run it once more.
    async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError>;

    /// Reads a journal, oldest entry first. Empty for an unknown execution.
    async fn journal(&self, id: ExecutionId) -> Result<Vec<Entry>, StoreError>;

    /// Reads one page of a list.
    ///
    /// - MUST return every matching execution once over all pages, if none changes meanwhile.
    async fn list(&self, query: ExecutionQuery) -> Result<ExecutionPage, StoreError>;
}
