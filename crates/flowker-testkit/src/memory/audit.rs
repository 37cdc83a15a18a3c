//! The audit log in memory.

use async_trait::async_trait;
use flowker_core::audit::{AuditEntry, AuditEvent, Head, Link};
use flowker_core::id::AuditEventId;
use flowker_core::ports::{AuditLog, AuditPage, AuditQuery, Direction, StoreError};
use flowker_core::time::Timestamp;

use super::MemoryStore;

/// What was written down, and what of it is sealed.
#[derive(Debug, Default)]
pub(super) struct Log {
    pending: Vec<(AuditEvent, Timestamp)>,
    pub(super) entries: Vec<AuditEntry>,
}

impl Log {
    pub(super) fn note(&mut self, event: AuditEvent, now: Timestamp) {
        self.pending.push((event, now));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.entries.is_empty()
    }

    fn head(&self) -> Option<Head> {
        let last = self.entries.last()?;
        Some(Head { sequence: last.sequence, at: last.at, hash: last.hash })
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn append(&self, event: AuditEvent) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.lock().audit.note(event, now);
        Ok(())
    }

    async fn seal(&self, limit: usize) -> Result<usize, StoreError> {
        let log = &mut self.lock().audit;
        let n_events = limit.min(log.pending.len());
        let mut head = log.head();
        for (event, at) in log.pending.drain(..n_events) {
            log.entries.push(Head::seal(&mut head, event, at));
        }
        Ok(n_events)
    }

    async fn get(&self, id: AuditEventId) -> Result<Option<AuditEntry>, StoreError> {
        Ok(self.lock().audit.entries.iter().find(|it| it.event.id == id).cloned())
    }

    async fn search(&self, query: AuditQuery) -> Result<AuditPage, StoreError> {
        let is_wanted = |it: &&AuditEntry| {
            let is_behind = query.after.is_none_or(|after| match query.direction {
                Direction::Ascending => after < it.sequence,
                Direction::Descending => it.sequence < after,
            });
            is_behind
                && query.types.as_ref().is_none_or(|types| types.contains(&it.event.kind))
                && query.resource_id.as_ref().is_none_or(|id| *id == it.event.resource_id)
                && query.from.is_none_or(|from| from <= it.at)
                && query.to.is_none_or(|to| it.at <= to)
        };
        let state = self.lock();
        let mut items: Vec<_> = state.audit.entries.iter().filter(is_wanted).cloned().collect();
        if query.direction == Direction::Descending {
            items.reverse();
        }
        let has_more = query.limit < items.len();
        items.truncate(query.limit);
        Ok(AuditPage { items, has_more })
    }

    async fn sequence(&self, id: AuditEventId) -> Result<Option<u64>, StoreError> {
        Ok(AuditLog::get(self, id).await?.map(|it| it.sequence))
    }

    async fn chain(&self, from: u64, limit: usize) -> Result<Vec<Link>, StoreError> {
        let state = self.lock();
        let links = state.audit.entries.iter().filter(|it| from <= it.sequence).take(limit);
        Ok(links.map(|it| Link::Entry(Box::new(it.clone()))).collect())
    }
}
