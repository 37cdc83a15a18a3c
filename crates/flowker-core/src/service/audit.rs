//! The audit log: searching it, and checking that it is what it was.

use std::sync::Arc;

use crate::actor::Actor;
use crate::audit::{AuditEntry, AuditEvent, Checkpoint, Link, Verdict, Verification};
use crate::code::Code;
use crate::id::AuditEventId;
use crate::ports::{AuditLog, AuditPage, AuditQuery, IdSource, StoreError};
use crate::refusal::Refusal;

/// How many links are read and checked at a time.
const LINKS_MAX: usize = 500;

/// Reads the audit log, and writes down who was turned away.
#[derive(Debug)]
pub struct Audit {
    /// Keeps it.
    pub log: Arc<dyn AuditLog>,
    /// Ids of what is written here.
    pub ids: Arc<dyn IdSource>,
}

impl Audit {
    /// Reads one page of a list.
    pub async fn search(&self, query: AuditQuery) -> Result<AuditPage, Refusal> {
        Ok(self.log.search(query).await?)
    }

    /// Reads one entry.
    pub async fn get(&self, id: AuditEventId) -> Result<AuditEntry, Refusal> {
        self.log.get(id).await?.ok_or_else(not_found)
    }

    /// Computes every hash again up to an entry, from the first one on or from one that the caller
    /// knows from elsewhere.
    pub async fn verify(
        &self,
        id: AuditEventId,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Verdict, Refusal> {
        let last = self.log.sequence(id).await?.ok_or_else(not_found)?;
        if let Some(checkpoint) = checkpoint
            && last < checkpoint.sequence
        {
            let message = format!("must not be behind the entry itself, whose sequence is {last}");
            return Err(Refusal::of_member(Code::QueryInvalid, "fromSequence", message));
        }
        let start =
            checkpoint.map_or_else(Verification::from_the_start, Verification::from_checkpoint);
        Ok(self.verify_up_to(last, start).await?)
    }

    async fn verify_up_to(
        &self,
        last: u64,
        mut verification: Verification,
    ) -> Result<Verdict, StoreError> {
        while verification.next() <= last {
            let links = self.log.chain(verification.next(), LINKS_MAX).await?;
            // The last one was there a moment ago, so behind what is missing something follows.
            let is_sound = if links.is_empty() {
                verification.miss()
            } else {
                let up_to_last = |link: &&Link| link.sequence() <= last;
                links.iter().take_while(up_to_last).all(|link| verification.check(link))
            };
            if !is_sound {
                break;
            }
        }
        Ok(verification.verdict())
    }

    /// Writes down that somebody was not let in: see [`AuditEvent::access_denied`].
    pub async fn deny(
        &self,
        request: (&str, &str),
        code: &str,
        n_unrecorded: u64,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        let id = self.ids.next_id();
        let event = AuditEvent::access_denied(id, request, code, n_unrecorded, actor);
        self.log.append(event).await
    }
}

fn not_found() -> Refusal {
    Refusal::plain(Code::AuditEntryNotFound)
}

#[cfg(test)]
mod tests;
