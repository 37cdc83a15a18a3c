//! The log itself: sealing, reading, searching.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flowker_core::actor::Actor;
use flowker_core::audit::{AuditEntry, AuditEvent, EventType, Link, Verdict};
use flowker_core::id::AuditEventId;
use flowker_core::ports::{AuditQuery, Direction};
use flowker_core::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{BATCH, all_pages, everything, log, seal_all, search, verify};
use crate::contract::{DIRECTIONS, race};
use crate::sample;
use crate::subject::Subject;

async fn append(subject: &Subject, event: &AuditEvent) {
    subject.stores.audit.append(event.clone()).await.expect("append");
}

/// A log that nothing was written to holds nothing.
pub async fn an_empty_log_holds_nothing(subject: Subject) {
    let audit = &subject.stores.audit;
    assert_eq!(audit.seal(BATCH).await.expect("seal"), 0);
    assert_eq!(log(&subject).await, []);
    assert_eq!(audit.chain(1, 10).await.expect("chain"), []);
    let unknown = AuditEventId::from_uuid(Uuid::nil());
    assert_eq!(audit.get(unknown).await.expect("get"), None);
    assert_eq!(audit.sequence(unknown).await.expect("sequence"), None);
    assert_eq!(verify(&subject).await, Verdict { first_invalid: None, n_checked: 0 });
}

/// An event comes back as it was written, to the last digit, when it is sealed and not before.
pub async fn a_sealed_event_comes_back_exactly(subject: Subject) {
    let audit = &subject.stores.audit;
    let hard = AuditEvent {
        kind: EventType::AccessDenied,
        resource_id: "/v1/\0|\\ü".to_owned(),
        actor: Actor { ip: "2001:db8::7".parse().expect("an address"), ..sample::actor() },
        context: sample::object(sample::HARD_JSON),
        metadata: sample::object(sample::HARD_JSON),
        ..sample::event()
    };
    for (sequence, event) in (1..).zip([hard, sample::event()]) {
        append(&subject, &event).await;
        assert_eq!(audit.get(event.id).await.expect("get"), None, "it is not sealed");
        assert_eq!(seal_all(&subject).await, 1);
        let entry = audit.get(event.id).await.expect("get").expect("it is sealed");
        assert_eq!((entry.sequence, &entry.event), (sequence, &event));
        assert_eq!(audit.sequence(event.id).await.expect("sequence"), Some(sequence));
        assert_eq!(log(&subject).await.last(), Some(&entry));
        let links = audit.chain(sequence, 10).await.expect("chain");
        assert_eq!(links, [Link::Entry(Box::new(entry))]);
    }
    assert_eq!(verify(&subject).await, Verdict { first_invalid: None, n_checked: 2 });
}

/// Moments are the store's, and what was committed first stands first.
pub async fn the_chain_has_the_order_of_the_commits(subject: Subject) {
    let mut written = Vec::new();
    for n in 0..10 {
        // Sealed together, apart, and some of them at the same moment.
        if n % 4 == 0 {
            seal_all(&subject).await;
            subject.clock.advance(Duration::from_micros(1));
        }
        let event = sample::event();
        append(&subject, &event).await;
        written.push((event.id, flowker_core::ports::Clock::now(&*subject.clock)));
    }
    seal_all(&subject).await;
    let log = log(&subject).await;
    assert_eq!(log.iter().map(|it| (it.event.id, it.at)).collect::<Vec<_>>(), written);
    let sequences: Vec<_> = log.iter().map(|it| it.sequence).collect();
    assert_eq!(sequences, (1..=10).collect::<Vec<_>>());
    assert_eq!(verify(&subject).await, Verdict { first_invalid: None, n_checked: 10 });
}

/// Where the store's clock falls back, moments of the chain do not.
pub async fn moments_never_fall_along_the_chain(subject: Subject) {
    for millis in [20, 10, 30] {
        subject.clock.set(sample::moment(millis));
        append(&subject, &sample::event()).await;
        seal_all(&subject).await;
    }
    let moments: Vec<_> = log(&subject).await.iter().map(|it| it.at).collect();
    assert_eq!(moments, [20, 20, 30].map(sample::moment));
    assert_eq!(verify(&subject).await.first_invalid, None);
}

/// However many write and seal at the same time, every event is sealed once, and the chain is whole.
pub async fn racers_seal_every_event_once(subject: Subject) {
    let answers = race(|idx| {
        let audit = Arc::clone(&subject.stores.audit);
        async move {
            let (mut ids, mut n_sealed) = (Vec::new(), 0);
            for _ in 0..10 {
                let event = sample::event();
                ids.push(event.id);
                audit.append(event).await.expect("append");
                if idx % 4 == 0 {
                    n_sealed += audit.seal(7).await.expect("seal");
                }
            }
            (ids, n_sealed)
        }
    })
    .await;
    let n_sealed: usize = answers.iter().map(|(_, n_sealed)| n_sealed).sum();
    let n_left = seal_all(&subject).await;
    let written: BTreeSet<_> = answers.iter().flat_map(|(ids, _)| ids.iter().copied()).collect();
    let log = log(&subject).await;
    let sealed: BTreeSet<_> = log.iter().map(|it| it.event.id).collect();
    assert_eq!((n_sealed + n_left, log.len()), (written.len(), written.len()));
    assert_eq!(sealed, written);
    let n_checked = written.len() as u64;
    assert_eq!(verify(&subject).await, Verdict { first_invalid: None, n_checked });
}

/// Events of some kinds and of two workflows, a millisecond apart.
async fn many(subject: &Subject) -> Vec<AuditEntry> {
    for n in 0..24 {
        subject.clock.set(sample::moment(n));
        let (id, workflow) = (Uuid::now_v7(), sample::workflow_id(n % 2));
        let actor = sample::actor();
        let event = match n % 3 {
            0 => AuditEvent::workflow_deleted(id, workflow, &actor),
            1 => {
                let kind = EventType::WorkflowCreated;
                AuditEvent::of_workflow(id, kind, workflow, "w", &actor)
            }
            _ => AuditEvent::access_denied(id, ("GET", "/v1"), "UNAUTHORIZED", 0, &actor),
        };
        append(subject, &event).await;
    }
    seal_all(subject).await;
    log(subject).await
}

/// Over all pages every entry comes once, in order, whatever is searched for.
pub async fn pages_hold_every_matching_entry_once(subject: Subject) {
    let all = many(&subject).await;
    assert_eq!(all.len(), 24);
    let types = [
        None,
        Some(Vec::new()),
        Some(vec![EventType::WorkflowDeleted]),
        Some(vec![EventType::AccessDenied, EventType::WorkflowCreated, EventType::ApiKeyCreated]),
    ];
    let resources = [None, Some(sample::workflow_id(1).to_string()), Some("none".to_owned())];
    let moment = |n| Some(sample::moment(n));
    let ranges = [(None, None), (moment(5), moment(17)), (moment(20), None), (moment(30), None)];
    for types in &types {
        for resource_id in &resources {
            for (from, to) in ranges {
                for direction in DIRECTIONS {
                    for limit in [1, 5, 24] {
                        let query = AuditQuery {
                            types: types.clone(),
                            resource_id: resource_id.clone(),
                            from,
                            to,
                            direction,
                            after: None,
                            limit,
                        };
                        let mut expected: Vec<_> = matching(&all, &query).cloned().collect();
                        if direction == Direction::Descending {
                            expected.reverse();
                        }
                        assert_eq!(all_pages(&subject, &query).await, expected, "{query:?}");
                    }
                }
            }
        }
    }
}

fn matching<'a>(
    all: &'a [AuditEntry],
    query: &'a AuditQuery,
) -> impl Iterator<Item = &'a AuditEntry> {
    all.iter().filter(|it| {
        query.types.as_ref().is_none_or(|types| types.contains(&it.event.kind))
            && query.resource_id.as_ref().is_none_or(|id| *id == it.event.resource_id)
            && query.from.is_none_or(|from| from <= it.at)
            && query.to.is_none_or(|to| it.at <= to)
    })
}

/// A page begins strictly behind its place, and bounds of time are included.
pub async fn bounds_are_where_they_are_said_to_be(subject: Subject) {
    many(&subject).await;
    let sequences = async |query: AuditQuery| {
        let page = search(&subject, query).await;
        page.items.iter().map(|it| it.sequence).collect::<Vec<_>>()
    };
    let at = |n| Some(sample::moment(n));
    assert_eq!(sequences(AuditQuery { after: Some(22), ..everything() }).await, [23, 24]);
    let downwards = AuditQuery { direction: Direction::Descending, ..everything() };
    assert_eq!(sequences(AuditQuery { after: Some(3), ..downwards.clone() }).await, [2, 1]);
    assert_eq!(sequences(AuditQuery { after: Some(1), ..downwards }).await, [0; 0]);
    assert_eq!(sequences(AuditQuery { from: at(3), to: at(4), ..everything() }).await, [4, 5]);
    assert_eq!(sequences(AuditQuery { from: at(4), to: at(3), ..everything() }).await, [0; 0]);
    let before_all = Some(Timestamp::from_micros(0));
    assert_eq!(sequences(AuditQuery { to: before_all, ..everything() }).await, [0; 0]);
    let links = subject.stores.audit.chain(23, 10).await.expect("chain");
    assert_eq!(links.iter().map(Link::sequence).collect::<Vec<_>>(), [23, 24]);
    let metadata = |entry: &AuditEntry| entry.event.metadata.get("workflow.name").cloned();
    let created = AuditQuery { types: Some(vec![EventType::WorkflowCreated]), ..everything() };
    let page = search(&subject, created).await;
    assert!(page.items.iter().all(|it| metadata(it) == Some(Value::from("w"))));
}
