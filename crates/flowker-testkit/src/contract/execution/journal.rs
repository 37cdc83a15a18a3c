//! The journal.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{
    Entry, Event, Failure, FailureCode, Fence, Outcome, Status, StepRun,
};
use flowker_core::ports::{Append, StoreError};
use flowker_core::time::Timestamp;

use super::{
    accept, accept_owned, adopt, append, assert_superseded, completed, ending, journal, status,
};
use crate::contract::race;
use crate::sample;
use crate::subject::Subject;

const FIRST: Fence = Fence::FIRST;

fn started(attempt: u32) -> Entry {
    sample::entry(FIRST, Event::Started { node: "call".to_owned(), attempt })
}

/// One of each kind, with what a careless store changes.
fn every_event() -> Vec<Event> {
    let node = || "node \u{1F600} 'quoted' \0".to_owned();
    let run = StepRun {
        attempt: u32::MAX,
        started_at: Timestamp::from_micros(1_767_225_600_000_001),
        duration: Duration::from_micros(987_654_321_123_456),
    };
    let mut events = vec![
        Event::Adopted,
        Event::Started { node: node(), attempt: u32::MAX },
        Event::Interrupted { node: node() },
        Event::RetryAt {
            node: node(),
            attempt: 3,
            due: Timestamp::from_micros(253_402_300_799_999_999),
            message: "why: \0 \u{1F600} \"\\".to_owned(),
        },
        Event::Completed { node: String::new(), run, output: Arc::new(sample::value("null")) },
    ];
    for output in [sample::HARD_JSON, "{}", "[]", "\"\"", "1.50", "-0", "\"\\u0000\"", "1e-400"] {
        events.push(sample::completed("call", sample::value(output)));
    }
    for code in FailureCode::ALL {
        let failure = Failure::new(code, "why: \0 \u{1F600} \"\\");
        events.push(Event::Failed { node: node(), run, failure });
    }
    events.push(sample::failed("call", ""));
    events
}

/// Every kind of entry comes back as it was written: moments and durations to the microsecond,
/// numbers to the last digit, NUL within texts.
pub async fn every_entry_comes_back_exactly(subject: Subject) {
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    let entries: Vec<_> = (1..)
        .zip(every_event())
        .map(|(n, event)| Entry { fence: FIRST, at: falling_moment(n), event })
        .collect();
    let executions = &subject.stores.executions;
    executions.append(append(id, FIRST, 0, entries.clone())).await.expect("append");
    for (found, written) in journal(&subject, id).await.iter().zip(&entries) {
        assert_eq!(found, written);
    }
    assert_eq!(journal(&subject, id).await.len(), entries.len());
    let owned = executions.load(id, FIRST).await.expect("load").expect("the owner reads it");
    assert_eq!(owned.journal, entries, "the owner reads the same journal");
}

/// Falls with `n`: the order of a journal is that of the calls, whatever the moments say.
fn falling_moment(n: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_123_457 - n * 1_001)
}

/// Entries stand in the order of the calls, and within one call in its order.
pub async fn entries_keep_the_order_of_the_calls(subject: Subject) {
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    let other = accept_owned(&subject, 2, sample::replica(1)).await;
    let executions = &subject.stores.executions;
    let mut written = Vec::new();
    for n in 0..20_u32 {
        let entries: Vec<_> = (0..n % 4).map(|part| started(n * 10 + part)).collect();
        let write = append(id, FIRST, written.len(), entries.clone());
        written.extend(entries);
        executions.append(write).await.expect("append");
        let position = n as usize;
        let write = append(other, FIRST, position, vec![started(1000 + n)]);
        executions.append(write).await.expect("append");
    }
    assert_eq!(journal(&subject, id).await, written);
}

/// An owner that lost the answer asks again: `Ok`, and nothing is written twice.
pub async fn the_same_append_again_writes_nothing(subject: Subject) {
    let executions = &subject.stores.executions;
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    let first = append(id, FIRST, 0, vec![started(1), started(2)]);
    let done = sample::entry(FIRST, sample::completed("call", sample::value(sample::HARD_JSON)));
    let second = append(id, FIRST, 2, vec![done.clone()]);
    for write in [&first, &first, &second, &second, &first, &second] {
        executions.append(write.clone()).await.expect("append");
    }
    assert_eq!(journal(&subject, id).await, [started(1), started(2), done.clone()]);

    // Nor behind what came since. Of another owner it is refused all the same.
    executions.append(append(id, FIRST, 3, vec![started(3)])).await.expect("append");
    executions.append(second.clone()).await.expect("append");
    let subject = subject.lapse_owner(sample::replica(1)).await;
    let owned = adopt(&subject, sample::replica(2), 1).await;
    let executions = &subject.stores.executions;
    assert_superseded(&executions.append(second).await);
    assert_eq!(owned[0].journal[..4], [started(1), started(2), done, started(3)]);
    assert_eq!(journal(&subject, id).await, owned[0].journal);

    // With its end it is a write after the end.
    let (fence, end) = (owned[0].fence, Some((completed("{}"), sample::moment(8))));
    let entries = vec![sample::entry(fence, sample::failed("other", "no"))];
    let last = Append { id, fence, position: owned[0].journal.len(), entries, end };
    executions.append(last.clone()).await.expect("append");
    assert_superseded(&executions.append(last).await);
    assert_eq!(journal(&subject, id).await.len(), 6);
}

/// Racers with the same append all hear that it is written, and it is, once and in one piece.
pub async fn the_same_append_by_racers_is_written_once_and_whole(subject: Subject) {
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    let mut written = Vec::new();
    for round in 0..4 {
        let entries: Vec<_> = (round * 3..round * 3 + 3).map(started).collect();
        let same = append(id, FIRST, written.len(), entries.clone());
        let answers = race(|_| {
            let (executions, same) = (Arc::clone(&subject.stores.executions), same.clone());
            async move { executions.append(same).await }
        })
        .await;
        for answer in &answers {
            assert!(answer.is_ok(), "{answer:?}");
        }
        written.extend(entries);
        assert_eq!(journal(&subject, id).await, written);
    }
}

/// Entries at any other position than the end of the journal are a mistake, and none is written.
pub async fn an_append_elsewhere_than_at_the_end_is_refused_whole(subject: Subject) {
    let executions = &subject.stores.executions;
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    executions.append(append(id, FIRST, 0, vec![started(1), started(2)])).await.expect("append");
    let end = Some((completed("{}"), sample::moment(8)));
    for wrong in [
        append(id, FIRST, 3, vec![started(3)]),
        append(id, FIRST, usize::MAX, vec![started(3)]),
        append(id, FIRST, 1, vec![started(2), started(3)]),
        // Had the entries been written with this end, it would have ended.
        Append { end, ..append(id, FIRST, 0, vec![started(1), started(2)]) },
    ] {
        let answer = executions.append(wrong.clone()).await;
        assert!(matches!(answer, Err(StoreError::Corrupt { .. })), "{wrong:?}: {answer:?}");
        assert_eq!(journal(&subject, id).await, [started(1), started(2)]);
        assert_eq!(status(&subject, id).await, Status::Running);
    }
    executions.append(append(id, FIRST, 2, vec![started(3)])).await.expect("still its owner");
}

/// The end is written with the entries, and shows in the summary.
pub async fn entries_and_the_end_are_written_together(subject: Subject) {
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    let entries = vec![
        started(1),
        sample::entry(FIRST, sample::completed("call", sample::value("1"))),
        sample::entry(FIRST, sample::failed("other", "no")),
    ];
    let outcome = completed(sample::HARD_JSON);
    let end = Some((outcome.clone(), sample::moment(77)));
    let whole = Append { id, fence: FIRST, position: 0, entries: entries.clone(), end };
    subject.stores.executions.append(whole).await.expect("append");
    assert_eq!(journal(&subject, id).await, entries);
    let summary = subject.stores.executions.get(id).await.expect("get").expect("it is there");
    assert_eq!(summary.status, Status::Completed);
    assert_eq!(summary.completed_at, Some(sample::moment(77)));
    assert_eq!(summary.outcome.as_deref(), Some(&outcome));
    assert_eq!(summary.current_step, 2, "steps that ended, not entries");
}

/// Every kind of end comes back as it was written.
pub async fn every_end_comes_back_exactly(subject: Subject) {
    let mut ends = vec![completed("{}"), completed(sample::HARD_JSON), Outcome::Cancelled];
    for code in FailureCode::ALL {
        ends.push(Outcome::Failed(Failure::new(code, "why: \0 \u{1F600} \"\\")));
    }
    for (n, outcome) in (1..).zip(ends) {
        let id = accept_owned(&subject, n, sample::replica(1)).await;
        let at = falling_moment(i64::try_from(n).expect("few"));
        let executions = &subject.stores.executions;
        executions.append(ending(id, FIRST, outcome.clone(), at)).await.expect("append");
        let summary = executions.get(id).await.expect("get").expect("it is there");
        assert_eq!(summary.outcome.as_deref(), Some(&outcome));
        assert_eq!((summary.status, summary.completed_at), (outcome.status(), Some(at)));
    }
}

/// The current step is the number of steps that ended, retries and marks left out.
pub async fn the_current_step_counts_steps_that_ended(subject: Subject) {
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    let executions = &subject.stores.executions;
    let current = async || executions.get(id).await.expect("get").expect("there").current_step;
    let retry = Event::RetryAt {
        node: "call".to_owned(),
        attempt: 1,
        due: sample::moment(9),
        message: "busy".to_owned(),
    };
    let unfinished = vec![started(1), sample::entry(FIRST, retry)];
    executions.append(append(id, FIRST, 0, unfinished)).await.expect("append");
    assert_eq!(current().await, 0);
    for (position, n) in (2..).zip(1..4) {
        let done = vec![sample::entry(FIRST, sample::completed("call", sample::value("{}")))];
        executions.append(append(id, FIRST, position, done)).await.expect("append");
        assert_eq!(current().await, n);
    }
}

/// A write with any fence but the current one is refused, and nothing of it is written.
pub async fn a_write_with_another_fence_is_refused_whole(subject: Subject) {
    let executions = &subject.stores.executions;
    let owned = accept_owned(&subject, 1, sample::replica(1)).await;
    let unowned = accept(&subject, sample::new_execution(2)).await;
    for (id, fence) in [
        (owned, Fence::NONE),
        (owned, FIRST.next()),
        (owned, Fence(u64::from(u32::MAX))),
        (unowned, FIRST),
        (sample::execution_id(3), FIRST),
    ] {
        let end = Some((completed("{}"), sample::moment(8)));
        let whole = Append { id, fence, position: 0, entries: vec![started(1)], end };
        assert_superseded(&executions.append(whole).await);
        assert_superseded(&executions.release(id, fence, None).await);
        assert_eq!(journal(&subject, id).await, []);
    }
    assert_eq!(status(&subject, owned).await, Status::Running);
    assert_eq!(status(&subject, unowned).await, Status::Pending);
}

/// After the end nothing is written any more, and the end stays what it was.
pub async fn nothing_is_written_after_the_end(subject: Subject) {
    let executions = &subject.stores.executions;
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    let failure = Failure::new(FailureCode::TimedOut, "too slow");
    let end = ending(id, FIRST, Outcome::Failed(failure), sample::moment(8));
    executions.append(end.clone()).await.expect("append");
    let before = executions.get(id).await.expect("get");
    assert_superseded(&executions.append(append(id, FIRST, 0, vec![started(1)])).await);
    assert_superseded(&executions.append(end).await);
    let other = ending(id, FIRST, completed("{}"), sample::moment(9));
    assert_superseded(&executions.append(other).await);
    assert_superseded(&executions.release(id, FIRST, None).await);
    assert_eq!(executions.load(id, FIRST).await.expect("load"), None);
    assert_eq!(executions.get(id).await.expect("get"), before);
    assert_eq!(journal(&subject, id).await, []);
}

/// Of racers that end an execution one succeeds, and its end stays.
pub async fn racers_end_an_execution_once(subject: Subject) {
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    let ends = race(|idx| {
        let executions = Arc::clone(&subject.stores.executions);
        let outcome = completed(&format!(r#"{{"racer": {idx}}}"#));
        async move {
            let end = ending(id, FIRST, outcome.clone(), sample::moment(idx));
            (outcome, executions.append(end).await)
        }
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = ends.into_iter().partition(|(_, answer)| answer.is_ok());
    assert_eq!(won.len(), 1, "{won:?}");
    for (_, answer) in &lost {
        assert_superseded(answer);
    }
    let summary = subject.stores.executions.get(id).await.expect("get").expect("it is there");
    assert_eq!(summary.outcome.as_deref(), Some(&won[0].0));
}
