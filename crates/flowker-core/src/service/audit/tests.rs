use mockall::predicate::eq;
use uuid::Uuid;

use super::*;
use crate::actor::Actor;
use crate::audit::{EventType, Head};
use crate::id::WorkflowId;
use crate::ports::MockAuditLog;
use crate::service::testing::{NEXT_ID, NOW, actor, answer, block_on, ids};

/// How many entries the log has: several pages.
const N_ENTRIES: u64 = 1_203;

fn id(n: u64) -> AuditEventId {
    AuditEventId::from_uuid(Uuid::from_u64_pair(1, n))
}

fn entries() -> Vec<AuditEntry> {
    let mut head = None;
    let entry = |n| {
        let workflow = WorkflowId::from_uuid(Uuid::from_u128(7));
        let (kind, id) = (EventType::WorkflowUpdated, *id(n).as_uuid());
        let event = AuditEvent::of_workflow(id, kind, workflow, "orders", &Actor::system());
        Head::seal(&mut head, event, NOW)
    };
    (1..=N_ENTRIES).map(entry).collect()
}

fn audit(log: MockAuditLog) -> Audit {
    Audit { log: Arc::new(log), ids: ids() }
}

/// Over what is stored.
fn over(stored: Vec<AuditEntry>) -> Audit {
    let mut log = MockAuditLog::new();
    let sequences: Vec<_> = stored.iter().map(|it| (it.event.id, it.sequence)).collect();
    log.expect_sequence().returning(move |id| {
        Ok(sequences.iter().find(|(it, _)| *it == id).map(|(_, sequence)| *sequence))
    });
    log.expect_chain().returning(move |from, limit| {
        let links = stored.iter().filter(|it| from <= it.sequence).take(limit);
        Ok(links.map(|it| Link::Entry(Box::new(it.clone()))).collect())
    });
    audit(log)
}

fn verify(audit: &Audit, n: u64, checkpoint: Option<Checkpoint>) -> Verdict {
    block_on(audit.verify(id(n), checkpoint)).expect("a verdict")
}

#[test]
fn every_entry_up_to_the_asked_one_is_checked() {
    let audit = over(entries());
    for n in [1, 499, 500, 501, 1_000, N_ENTRIES] {
        assert_eq!(verify(&audit, n, None), Verdict { first_invalid: None, n_checked: n });
    }
}

#[test]
fn damage_is_named_by_those_it_stands_before() {
    let mut changed = entries();
    changed[699].event.metadata.clear();
    let audit = over(changed);
    assert_eq!(verify(&audit, 699, None).first_invalid, None);
    for n in [700, 701, N_ENTRIES] {
        let expected = Verdict { first_invalid: Some(700), n_checked: 700 };
        assert_eq!(verify(&audit, n, None), expected, "{n}");
    }
    let mut removed = entries();
    removed.drain(500..1_100);
    let expected = Verdict { first_invalid: Some(501), n_checked: 500 };
    assert_eq!(verify(&over(removed), N_ENTRIES, None), expected);
}

#[test]
fn a_checkpoint_saves_what_was_checked_before() {
    let stored = entries();
    let checkpoint =
        |n: usize| Checkpoint { sequence: stored[n - 1].sequence, hash: stored[n - 1].hash };
    let audit = over(stored.clone());
    let sound = |n_checked| Verdict { first_invalid: None, n_checked };
    assert_eq!(verify(&audit, N_ENTRIES, Some(checkpoint(1_200))), sound(4));
    assert_eq!(verify(&audit, 1_200, Some(checkpoint(1_200))), sound(1));
    assert_eq!(verify(&audit, 1_200, Some(checkpoint(1))), sound(1_200));
    let other = Checkpoint { hash: stored[0].hash, ..checkpoint(1_200) };
    let expected = Verdict { first_invalid: Some(1_200), n_checked: 1 };
    assert_eq!(verify(&audit, N_ENTRIES, Some(other)), expected);
    let behind = block_on(audit.verify(id(3), Some(checkpoint(4))));
    assert_eq!(answer(behind), "FLK-0304 fromSequence");
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut log = MockAuditLog::new();
    log.expect_get().with(eq(id(1))).returning(|_| Ok(None));
    log.expect_sequence().with(eq(id(1))).returning(|_| Ok(None));
    let audit = audit(log);
    assert_eq!(answer(block_on(audit.get(id(1)))), "FLK-0600");
    assert_eq!(answer(block_on(audit.verify(id(1), None))), "FLK-0600");
}

#[test]
fn who_is_turned_away_is_written_down() {
    let request = ("GET", "/v1/workflows");
    let event = AuditEvent::access_denied(NEXT_ID, request, "UNAUTHORIZED", 7, &actor());
    let mut log = MockAuditLog::new();
    log.expect_append().with(eq(event)).times(1).returning(|_| Ok(()));
    block_on(audit(log).deny(request, "UNAUTHORIZED", 7, &actor())).expect("written");
}
