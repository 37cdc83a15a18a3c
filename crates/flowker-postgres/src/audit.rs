//! The audit log: events in the transactions of their changes, and the chain that they are sealed into.

mod chain;
mod entry;
mod search;

use async_trait::async_trait;
use flowker_core::audit::{AuditEntry, AuditEvent, Link};
use flowker_core::id::AuditEventId;
use flowker_core::json;
use flowker_core::ports::{AuditLog, AuditPage, AuditQuery, StoreError};
use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::PostgresStore;
use crate::db::Session;
use crate::row::Columns;
use crate::statement::Statement;

pub(crate) use chain::restore;
pub(crate) use entry::LISTING;

#[async_trait]
impl AuditLog for PostgresStore {
    async fn append(&self, event: AuditEvent) -> Result<(), StoreError> {
        let Note { id, event } = Note::of(&event);
        let params: [&(dyn ToSql + Sync); 3] = [&id, &None::<Uuid>, &event];
        self.inner.db.write(&INSERT_PENDING, &params).await.map(drop)
    }

    async fn seal(&self, limit: usize) -> Result<usize, StoreError> {
        let db = &self.inner.db;
        db.transact(|session| Box::pin(chain::seal(session, limit))).await
    }

    async fn get(&self, id: AuditEventId) -> Result<Option<AuditEntry>, StoreError> {
        let rows = self.inner.db.read(&entry::GET, &[id.as_uuid()]).await?;
        rows.first().map(entry::read).transpose()
    }

    async fn search(&self, query: AuditQuery) -> Result<AuditPage, StoreError> {
        let db = &self.inner.db;
        db.snapshot(|session| Box::pin(search::search(session, query))).await
    }

    async fn sequence(&self, id: AuditEventId) -> Result<Option<u64>, StoreError> {
        let rows = self.inner.db.read(&entry::SEQUENCE, &[id.as_uuid()]).await?;
        let read = |row| Columns { table: "audit_entries", row }.natural("sequence");
        rows.first().map(read).transpose()
    }

    async fn chain(&self, from: u64, limit: usize) -> Result<Vec<Link>, StoreError> {
        entry::links(&self.inner.db, from, limit).await
    }
}

/// An event as it is written down.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) id: Uuid,
    pub(crate) event: String,
}

impl Note {
    pub(crate) fn of(event: &AuditEvent) -> Self {
        Self { id: *event.id.as_uuid(), event: json::to_text(&event.to_document()) }
    }

    /// Writes it down in the transaction of its change.
    pub(crate) async fn write(&self, session: &Session) -> Result<(), Error> {
        session.query(&INSERT_PENDING, &[&self.id, &None::<Uuid>, &self.event]).await.map(drop)
    }
}

/// Acceptances and ends write the same rows by themselves.
static INSERT_PENDING: Statement = Statement {
    text: "\
        INSERT INTO audit_pending (id, at, workflow_id, event)
        VALUES ($1, flowker_now(), $2, $3)",
    types: &[Type::UUID, Type::UUID, Type::TEXT],
};

/// Every statement of the log that looks for rows, for tests of their plans.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&Statement] = &[
    &INSERT_PENDING,
    &chain::PENDING,
    &chain::INSERT,
    &chain::DELETE_PENDING,
    &chain::SET_HEAD,
    &entry::GET,
    &entry::GET_ALL,
    &entry::SEQUENCE,
    &search::FIRST_SINCE,
    &search::LAST_UNTIL,
];

/// Those that are read in their order, as far as a page goes.
#[cfg(test)]
pub(crate) const ORDERED: &[&Statement] =
    &[&entry::CHAIN, &search::ALL.ascending, &search::ALL.descending];

/// Those that merge a page of each kind.
#[cfg(test)]
pub(crate) const MERGED: &[&crate::named::Ways] = &[&search::OF_TYPES, &search::OF_RESOURCE];
