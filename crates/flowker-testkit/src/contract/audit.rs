//! What every [`AuditLog`](flowker_core::ports::AuditLog) promises, and what the other ports promise to
//! write into it.

mod sealed;
mod written;

pub use sealed::*;
pub use written::*;

use flowker_core::audit::{AuditEntry, Link, Verdict, Verification};
use flowker_core::ports::{AuditPage, AuditQuery, Direction};

use crate::subject::Subject;

/// How many events a test seals at a time: fewer than there are.
const BATCH: usize = 3;

/// Seals all that was written down; how many.
pub(super) async fn seal_all(subject: &Subject) -> usize {
    let mut n_sealed = 0;
    loop {
        match subject.stores.audit.seal(BATCH).await.expect("seal") {
            0 => return n_sealed,
            n_events => {
                assert!(n_events <= BATCH, "no more than were asked for");
                n_sealed += n_events;
            }
        }
    }
}

fn everything() -> AuditQuery {
    AuditQuery { direction: Direction::Ascending, limit: 100, ..AuditQuery::default() }
}

async fn search(subject: &Subject, query: AuditQuery) -> AuditPage {
    subject.stores.audit.search(query).await.expect("search")
}

/// All that is sealed, in the order of the chain.
pub(super) async fn log(subject: &Subject) -> Vec<AuditEntry> {
    all_pages(subject, &everything()).await
}

/// Seals, and answers the words for what happened since the last time, in the order of the chain.
async fn news(subject: &Subject, n_known: &mut usize) -> Vec<&'static str> {
    seal_all(subject).await;
    let log = log(subject).await;
    let news = log[*n_known..].iter().map(|it| it.event.kind.as_str()).collect();
    *n_known = log.len();
    news
}

async fn all_pages(subject: &Subject, query: &AuditQuery) -> Vec<AuditEntry> {
    let mut found: Vec<AuditEntry> = Vec::new();
    loop {
        let after = found.last().map(|it| it.sequence).or(query.after);
        let page = search(subject, AuditQuery { after, ..query.clone() }).await;
        assert!(page.items.len() <= query.limit, "no more than were asked for");
        assert!(!page.has_more || page.items.len() == query.limit, "a page is full if more follow");
        found.extend(page.items);
        if !page.has_more {
            return found;
        }
    }
}

/// Checks the whole chain as it is stored.
pub(super) async fn verify(subject: &Subject) -> Verdict {
    let mut verification = Verification::from_the_start();
    loop {
        let links = subject.stores.audit.chain(verification.next(), 7).await.expect("chain");
        let are_sound = links.iter().all(|link: &Link| verification.check(link));
        if !are_sound || links.is_empty() {
            return verification.verdict();
        }
    }
}
