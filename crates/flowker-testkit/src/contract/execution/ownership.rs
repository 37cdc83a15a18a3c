//! Ownership: adoption, fences, release.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{Event, Fence, Status};
use flowker_core::ports::{Append, Backlog, Clock as _};

use super::{
    accept, accept_owned, adopt, append, assert_superseded, completed, ending, ids, journal, status,
};
use crate::contract::{RACERS, race};
use crate::sample::{self, replica};
use crate::subject::Subject;

const FIRST: Fence = Fence::FIRST;

/// What nobody owned is adopted as by a first owner: nothing is journaled.
pub async fn what_nobody_owned_is_adopted(subject: Subject) {
    let id = accept(&subject, sample::new_execution(1)).await;
    let owned = adopt(&subject, replica(1), 10).await;
    assert_eq!(ids(&owned), [id]);
    assert_eq!(*owned[0].execution, sample::execution(1));
    assert_eq!((owned[0].fence, &*owned[0].journal), (FIRST, &[][..]));
    assert_eq!(status(&subject, id).await, Status::Running);
    assert_eq!(journal(&subject, id).await, []);
}

/// The oldest come first, and no more than were asked for.
pub async fn the_oldest_are_adopted_first(subject: Subject) {
    let mut expected = Vec::new();
    // Written out of order, so that neither the order of writing nor of storing will do.
    for n in [3, 1, 5, 2, 4] {
        expected.push(accept(&subject, sample::new_execution(n)).await);
    }
    expected.sort_unstable();
    assert_eq!(ids(&adopt(&subject, replica(1), 2).await), expected[..2]);
    assert_eq!(ids(&adopt(&subject, replica(2), 2).await), expected[2..4]);
    assert_eq!(ids(&adopt(&subject, replica(1), 2).await), expected[4..]);
    assert_eq!(ids(&adopt(&subject, replica(2), 2).await), []);
}

/// However many replicas race, each execution goes to one of them.
pub async fn racers_adopt_each_execution_once(subject: Subject) {
    let n_executions = 2 * RACERS as u64;
    for n in 0..n_executions {
        accept(&subject, sample::new_execution(n)).await;
    }
    let rounds = race(|idx| {
        let executions = Arc::clone(&subject.stores.executions);
        let owner = replica(idx);
        async move {
            executions.keep_alive(owner).await.expect("keep_alive");
            let mut taken = executions.adopt(owner, 2, sample::moment(9)).await.expect("adopt");
            taken.extend(executions.adopt(owner, 1, sample::moment(9)).await.expect("adopt"));
            taken
        }
    })
    .await;
    let taken: Vec<_> = rounds.iter().flatten().collect();
    let different: BTreeSet<_> = taken.iter().map(|it| it.execution.id).collect();
    assert_eq!(different.len(), taken.len(), "none was given to two");
    assert!(taken.iter().all(|it| it.fence == FIRST && it.journal.is_empty()), "{taken:?}");
    let rest = adopt(&subject, replica(1000), 1000).await;
    assert_eq!(different.len() + rest.len(), 2 * RACERS, "none was lost");
}

/// What a living owner drives is nobody else's.
pub async fn a_living_owner_keeps_what_it_owns(subject: Subject) {
    let id = accept_owned(&subject, 1, replica(1)).await;
    accept(&subject, sample::new_execution(2)).await;
    let adopted = adopt(&subject, replica(2), 1).await;
    assert_eq!(ids(&adopted), [sample::execution_id(2)]);
    for _ in 0..3 {
        assert_eq!(ids(&adopt(&subject, replica(3), 10).await), []);
    }
    let executions = &subject.stores.executions;
    executions.append(append(id, FIRST, 0, Vec::new())).await.expect("still its owner");
}

/// A replica does not adopt what it owns itself, however long it was silent.
pub async fn nobody_adopts_from_itself(subject: Subject) {
    let executions = &subject.stores.executions;
    let id = accept_owned(&subject, 1, replica(1)).await;
    subject.clock.advance(Duration::from_hours(24));
    let taken = executions.adopt(replica(1), 10, sample::moment(9)).await.expect("adopt");
    assert_eq!(ids(&taken), []);
    executions.append(append(id, FIRST, 0, Vec::new())).await.expect("still its owner");
    assert_eq!(journal(&subject, id).await, []);
}

/// What a lapsed owner drove is adopted with a new fence, and the change is journaled.
pub async fn what_a_lapsed_owner_drove_is_adopted(subject: Subject) {
    let id = accept_owned(&subject, 1, replica(1)).await;
    let mut written = vec![
        sample::entry(FIRST, Event::Started { node: "call".to_owned(), attempt: 1 }),
        sample::entry(FIRST, sample::completed("call", sample::value(sample::HARD_JSON))),
    ];
    let write = append(id, FIRST, 0, written.clone());
    subject.stores.executions.append(write).await.expect("append");

    let mut subject = subject;
    let mut fence = FIRST;
    for n in 2..5 {
        subject = subject.lapse_owner(replica(n - 1)).await;
        let executions = &subject.stores.executions;
        executions.keep_alive(replica(n)).await.expect("keep_alive");
        let now = sample::moment(100 + n);
        let owned = executions.adopt(replica(n), 10, now).await.expect("adopt");
        assert_eq!(ids(&owned), [id]);
        fence = fence.next();
        let mut adopted = sample::entry(fence, Event::Adopted);
        adopted.at = now;
        written.push(adopted);
        assert_eq!(owned[0].fence, fence);
        assert_eq!(owned[0].journal, written);
        assert_eq!(journal(&subject, id).await, written);
        assert_eq!(status(&subject, id).await, Status::Running);
    }
}

/// After an adoption the old owner writes nothing, gives nothing back and reads nothing.
pub async fn an_old_owner_is_refused_after_an_adoption(subject: Subject) {
    let id = accept_owned(&subject, 1, replica(1)).await;
    let subject = subject.lapse_owner(replica(1)).await;
    let owned = adopt(&subject, replica(2), 10).await;
    let fence = owned[0].fence;
    let executions = &subject.stores.executions;

    let step = sample::entry(FIRST, sample::completed("call", sample::value("1")));
    let end = Some((completed("{}"), sample::moment(8)));
    let whole = Append { id, fence: FIRST, position: 0, entries: vec![step], end };
    assert_superseded(&executions.append(whole).await);
    assert_superseded(&executions.release(id, FIRST, None).await);
    assert_eq!(executions.load(id, FIRST).await.expect("load"), None);
    assert_eq!(journal(&subject, id).await, owned[0].journal, "nothing was written");
    assert_eq!(status(&subject, id).await, Status::Running);
    assert_eq!(ids(&adopt(&subject, replica(3), 10).await), [], "nothing was given back");

    let step = sample::entry(fence, sample::completed("call", sample::value("2")));
    executions.append(append(id, fence, 1, vec![step])).await.expect("the new owner writes");
}

/// An adoption races with the old owner's last write: the journal holds both or neither.
pub async fn an_adoption_and_a_write_do_not_cross(subject: Subject) {
    for n in 1..=8 {
        accept_owned(&subject, n, replica(1)).await;
    }
    let subject = subject.lapse_owner(replica(1)).await;
    let answers = race(|idx| {
        let executions = Arc::clone(&subject.stores.executions);
        let id = sample::execution_id(idx % 8 + 1);
        async move {
            if idx % 2 == 0 {
                executions.adopt(replica(100 + idx), 1, sample::moment(9)).await.expect("adopt");
                return None;
            }
            let entry =
                sample::entry(FIRST, Event::Started { node: "call".to_owned(), attempt: 1 });
            executions.append(append(id, FIRST, 0, vec![entry])).await.is_ok().then_some(id)
        }
    })
    .await;
    for n in 1..=8 {
        let id = sample::execution_id(n);
        let journal = journal(&subject, id).await;
        // They all asked for the same append.
        let is_acknowledged = answers.iter().flatten().any(|it| *it == id);
        let n_written = journal.iter().filter(|it| it.fence == FIRST).count();
        assert_eq!(n_written, usize::from(is_acknowledged), "{journal:?}");
        let fences: Vec<_> = journal.iter().map(|it| it.fence).collect();
        assert!(fences.is_sorted(), "no old owner writes behind a new one: {fences:?}");
    }
}

/// What has ended is never adopted.
pub async fn what_has_ended_is_not_adopted(subject: Subject) {
    let executions = &subject.stores.executions;
    let completed_id = accept_owned(&subject, 1, replica(1)).await;
    let end = ending(completed_id, FIRST, completed("{}"), sample::moment(8));
    executions.append(end).await.expect("append");
    let cancelled_id = accept_owned(&subject, 2, replica(1)).await;
    executions.cancel(cancelled_id, sample::moment(8), &sample::actor()).await.expect("cancel");
    let pending_id = accept(&subject, sample::new_execution(3)).await;
    executions.cancel(pending_id, sample::moment(8), &sample::actor()).await.expect("cancel");
    let subject = subject.lapse_owner(replica(1)).await;
    assert_eq!(ids(&adopt(&subject, replica(2), 10).await), []);
}

/// What was given back goes to anyone, at once if it has no due moment, and that is journaled.
pub async fn what_was_given_back_goes_to_anyone(subject: Subject) {
    let executions = &subject.stores.executions;
    let id = accept_owned(&subject, 1, replica(1)).await;
    let mut fence = FIRST;
    // The last one is the one that gave it back.
    for owner in [replica(2), replica(3), replica(3)] {
        executions.release(id, fence, None).await.expect("release");
        let owned = adopt(&subject, owner, 10).await;
        assert_eq!(ids(&owned), [id]);
        assert_eq!(owned[0].fence, fence.next());
        assert_superseded(&executions.append(append(id, fence, 0, Vec::new())).await);
        fence = fence.next();
    }
    let events: Vec<_> = journal(&subject, id).await.into_iter().map(|it| it.event).collect();
    assert_eq!(events, [Event::Adopted, Event::Adopted, Event::Adopted]);
    assert_eq!(status(&subject, id).await, Status::Running);
}

/// What was given back until a moment is not adopted before it, by the store's clock.
pub async fn what_was_given_back_waits_for_its_moment(subject: Subject) {
    let executions = &subject.stores.executions;
    let id = accept_owned(&subject, 1, replica(1)).await;
    let due = sample::moment(5_000);
    executions.release(id, FIRST, Some(due)).await.expect("release");
    let owner = replica(2);
    executions.keep_alive(owner).await.expect("keep_alive");
    let far_away = sample::moment(1_000_000);
    for now in [sample::moment(1), far_away] {
        let taken = executions.adopt(owner, 10, now).await.expect("adopt");
        assert_eq!(ids(&taken), [], "the caller's clock does not count");
    }
    subject.clock.set(sample::moment(4_999));
    assert_eq!(ids(&adopt(&subject, owner, 10).await), []);
    subject.clock.set(due);
    assert_eq!(ids(&adopt(&subject, owner, 10).await), [id]);
}

/// An owner is told what it owns that has not ended, each with its fence, and nothing else.
pub async fn an_owner_finds_what_it_owns(subject: Subject) {
    let found = async |subject: &Subject, n| {
        let mut found = subject.stores.executions.owned(replica(n)).await.expect("owned");
        found.sort_unstable();
        found
    };
    let executions = &subject.stores.executions;
    assert_eq!(found(&subject, 1).await, []);
    accept_owned(&subject, 1, replica(1)).await;
    accept_owned(&subject, 2, replica(2)).await;
    accept(&subject, sample::new_execution(3)).await;
    let (completed_id, cancelled_id, released_id) = (4, 5, 6);
    for n in [completed_id, cancelled_id, released_id] {
        accept_owned(&subject, n, replica(1)).await;
    }
    let end = ending(sample::execution_id(completed_id), FIRST, completed("{}"), sample::moment(8));
    executions.append(end).await.expect("append");
    executions
        .cancel(sample::execution_id(cancelled_id), sample::moment(8), &sample::actor())
        .await
        .expect("cancel");
    executions.release(sample::execution_id(released_id), FIRST, None).await.expect("release");
    let one = (sample::execution_id(1), FIRST);
    assert_eq!(found(&subject, 1).await, [one]);
    assert_eq!(found(&subject, 2).await, [(sample::execution_id(2), FIRST)]);
    assert_eq!(found(&subject, 3).await, []);

    // What was pending has a first owner now, what was given back a second one.
    let three = (sample::execution_id(3), FIRST);
    let released = (sample::execution_id(released_id), FIRST.next());
    adopt(&subject, replica(1), 10).await;
    assert_eq!(found(&subject, 1).await, [one, three, released]);

    let subject = subject.lapse_owner(replica(1)).await;
    adopt(&subject, replica(7), 10).await;
    assert_eq!(found(&subject, 1).await, []);
    let taken: Vec<_> = found(&subject, 7).await;
    for (id, fence) in [one, three, released] {
        assert!(taken.contains(&(id, fence.next())), "{id} of {taken:?}");
    }
}

/// What nobody owns and could be driven is counted, no further than asked for, with the age of the
/// oldest; what has an owner or waits for its moment is not.
pub async fn what_waits_is_counted_and_has_an_age(subject: Subject) {
    let executions = &subject.stores.executions;
    assert_eq!(executions.backlog(10).await.expect("backlog"), Backlog::default());
    let began = subject.clock.now();
    for n in 1..=3 {
        accept(&subject, sample::new_execution(n)).await;
    }
    accept_owned(&subject, 4, replica(1)).await;
    let waits = accept_owned(&subject, 5, replica(1)).await;
    let due = subject.clock.now().plus(Duration::from_mins(1));
    executions.release(waits, FIRST, Some(due)).await.expect("release");
    subject.clock.advance(Duration::from_secs(7));

    let oldest = Some(subject.clock.now().since(began));
    for (count_max, waiting) in [(10, 3), (3, 3), (2, 2)] {
        let backlog = executions.backlog(count_max).await.expect("backlog");
        assert_eq!(backlog, Backlog { waiting, oldest });
    }
    subject.clock.advance(Duration::from_mins(1));
    let backlog = executions.backlog(10).await.expect("backlog");
    assert_eq!(backlog.waiting, 4, "its moment has come");
}

/// The owner reads what it owns, and nobody else does.
pub async fn only_the_owner_loads(subject: Subject) {
    let executions = &subject.stores.executions;
    let id = accept_owned(&subject, 1, replica(1)).await;
    let unowned = accept(&subject, sample::new_execution(2)).await;
    let owned = executions.load(id, FIRST).await.expect("load").expect("the owner reads it");
    assert_eq!(*owned.execution, sample::execution(1));
    assert_eq!((owned.fence, &*owned.journal), (FIRST, &[][..]));
    for (id, fence) in [(id, Fence::NONE), (id, FIRST.next()), (unowned, FIRST)] {
        assert_eq!(executions.load(id, fence).await.expect("load"), None);
    }
    assert_eq!(executions.load(sample::execution_id(3), FIRST).await.expect("load"), None);
}
