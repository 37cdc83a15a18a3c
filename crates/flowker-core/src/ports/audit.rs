//! The audit log: sealing what was written down, reading it, checking it.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use super::workflow::Direction;
use crate::audit::{AuditEntry, AuditEvent, EventType, Link};
use crate::id::AuditEventId;
use crate::time::Timestamp;

/// Which entries a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Of these kinds only. `None`: of any.
    pub types: Option<Vec<EventType>>,
    /// Of what happened to this only.
    pub resource_id: Option<String>,
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Not after this moment.
    pub to: Option<Timestamp>,
    /// Which way along the chain.
    pub direction: Direction,
    /// Strictly after the entry with this sequence number, in that direction.
    pub after: Option<u64>,
    /// How many at the most.
    pub limit: usize,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditPage {
    /// In the order that was asked for.
    pub items: Vec<AuditEntry>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

/// Keeps the audit log.
///
/// The other ports write their events in the transactions of their changes; here those events get
/// their places in the chain. Nothing that is sealed is ever changed or removed. Proved by
/// `flowker_testkit::audit_log_contract!`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait AuditLog: fmt::Debug + Send + Sync {
    /// Writes down an event that belongs to no change.
    async fn append(&self, event: AuditEvent) -> Result<(), StoreError>;

    /// Gives up to `limit` events that were written down their places at the end of the chain, as
    /// [`Head::seal`](crate::audit::Head::seal) says; answers how many. 0 if there is none, or if
    /// somebody else is about to.
    ///
    /// - MUST seal each event once, however many seal at the same time.
    /// - MUST seal an event before all events that were begun after it was committed.
    /// - MUST not wait for whoever is about to write an event.
    async fn seal(&self, limit: usize) -> Result<usize, StoreError>;

    /// Reads one sealed entry.
    async fn get(&self, id: AuditEventId) -> Result<Option<AuditEntry>, StoreError>;

    /// Reads one page of sealed entries.
    ///
    /// - MUST return every matching entry once over all pages, in the order of the chain.
    async fn search(&self, query: AuditQuery) -> Result<AuditPage, StoreError>;

    /// Where in the chain an entry stands, readable or not.
    async fn sequence(&self, id: AuditEventId) -> Result<Option<u64>, StoreError>;

    /// Reads up to `limit` links of the chain from the sequence number `from` on, in ascending order.
    ///
    /// - MUST answer [`Link::Unreadable`] for what is stored and cannot be read.
    async fn chain(&self, from: u64, limit: usize) -> Result<Vec<Link>, StoreError>;
}
