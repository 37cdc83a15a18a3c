//! The audit log: events in the transactions of their changes, and the chain that they are sealed into.

mod chain;
mod entry;
mod search;

use async_trait::async_trait;
use flowker_core::audit::{AuditEntry, AuditEvent, Link};
use flowker_core::id::{AuditEventId, WorkflowId};
use flowker_core::json;
use flowker_core::ports::{AuditLog, AuditPage, AuditQuery, StoreError};
use flowker_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::SqliteStore;
use crate::error::Of;

pub(crate) use chain::{archived, restore};

#[async_trait]
impl AuditLog for SqliteStore {
    async fn append(&self, event: AuditEvent) -> Result<(), StoreError> {
        let note = Note::of(&event);
        self.transact(move |db, now| note.write(db, now)).await
    }

    async fn seal(&self, limit: usize) -> Result<usize, StoreError> {
        // Who comes second finds that there is a sealer.
        let Ok(_sealing) = self.inner.sealing.try_lock() else { return Ok(0) };
        // Read and hashed here, so that no writer is held up by that. Nobody else takes events away
        // or moves the end of the chain.
        let Some(batch) = self.query(move |db| chain::next_batch(db, limit)).await? else {
            return Ok(0);
        };
        let n_events = batch.len();
        self.transact(move |db, _| batch.write(db)).await?;
        Ok(n_events)
    }

    async fn get(&self, id: AuditEventId) -> Result<Option<AuditEntry>, StoreError> {
        self.query(move |db| entry::get(db, id)).await
    }

    async fn search(&self, query: AuditQuery) -> Result<AuditPage, StoreError> {
        self.query(move |db| search::search(db, &query)).await
    }

    async fn sequence(&self, id: AuditEventId) -> Result<Option<u64>, StoreError> {
        self.query(move |db| entry::sequence(db, id)).await
    }

    async fn chain(&self, from: u64, limit: usize) -> Result<Vec<Link>, StoreError> {
        self.query(move |db| entry::links(db, from, limit)).await
    }
}

/// An event as it is written down. Made before the writer is asked, so that it serializes nothing.
#[derive(Debug)]
pub(crate) struct Note {
    id: AuditEventId,
    event: Vec<u8>,
}

impl Note {
    pub(crate) fn of(event: &AuditEvent) -> Self {
        Self { id: event.id, event: json::to_bytes(&event.to_document()) }
    }

    /// Writes it down in the transaction of its change.
    pub(crate) fn write(&self, db: &Connection, now: Timestamp) -> Result<(), StoreError> {
        self.write_row(db, now, None)
    }

    /// The same for an event of an execution of this workflow.
    pub(crate) fn write_of(
        &self,
        db: &Connection,
        now: Timestamp,
        workflow: WorkflowId,
    ) -> Result<(), StoreError> {
        self.write_row(db, now, Some(workflow))
    }

    fn write_row(
        &self,
        db: &Connection,
        now: Timestamp,
        workflow: Option<WorkflowId>,
    ) -> Result<(), StoreError> {
        let params = params![
            self.id.as_uuid().as_bytes(),
            now.as_micros(),
            workflow.as_ref().map(|id| id.as_uuid().as_bytes()),
            self.event,
        ];
        db.prepare_cached(INSERT_PENDING)
            .and_then(|mut statement| statement.execute(params))
            .of("audit_pending", self.id)
            .map(drop)
    }
}

pub(crate) const INSERT_PENDING: &str =
    "INSERT INTO audit_pending (id, at, workflow_id, event) VALUES (?1, ?2, ?3, ?4)";

/// Every statement of the log but those that search it, for tests of their plans.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT_PENDING,
    chain::PENDING,
    chain::HEAD,
    chain::INSERT,
    chain::SET_HEAD,
    chain::DELETE_PENDING,
    entry::GET,
    entry::GET_BY_SEQUENCE,
    entry::SEQUENCE,
    entry::CHAIN,
    search::FIRST_SINCE,
    search::LAST_UNTIL,
];

#[cfg(test)]
pub(crate) use search::SEARCHES;
