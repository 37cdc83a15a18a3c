//! The journal.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::execution::{
    Entry, Event, Failure, FailureCode, Fence, Outcome, Status, StepRun,
};
use flowker_core::ports::Append;
use flowker_core::time::Timestamp;

use super::{accept, accept_owned, append, assert_superseded, completed, ending, journal, status};
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
    executions.append(append(id, FIRST, entries.clone())).await.expect("append");
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
    for n in 0..20 {
        let entries: Vec<_> = (0..n % 4).map(|part| started(n * 10 + part)).collect();
        written.extend(entries.clone());
        executions.append(append(id, FIRST, entries)).await.expect("append");
        executions.append(append(other, FIRST, vec![started(1000 + n)])).await.expect("append");
    }
    assert_eq!(journal(&subject, id).await, written);
}

/// Appends of one owner that race are each written exactly once, each in one piece.
pub async fn racing_appends_are_each_written_once_and_whole(subject: Subject) {
    let id = accept_owned(&subject, 1, sample::replica(1)).await;
    race(|idx| {
        let executions = Arc::clone(&subject.stores.executions);
        let first = u32::try_from(idx * 3).expect("a small number");
        let entries = (first..first + 3).map(started).collect();
        async move { executions.append(append(id, FIRST, entries)).await.expect("append") }
    })
    .await;
    let attempts: Vec<_> = journal(&subject, id)
        .await
        .iter()
        .map(|entry| match &entry.event {
            Event::Started { attempt, .. } => *attempt,
            other => panic!("only starts were written, not {other:?}"),
        })
        .collect();
    for call in attempts.chunks(3) {
        assert_eq!(call, [call[0], call[0] + 1, call[0] + 2], "in one piece: {attempts:?}");
    }
    let mut all = attempts.clone();
    all.sort_unstable();
    let expected: Vec<_> = (0..u32::try_from(attempts.len()).expect("few")).collect();
    assert_eq!(all, expected, "each once");
    assert_eq!(all.len(), crate::contract::RACERS * 3);
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
    let whole = Append { id, fence: FIRST, entries: entries.clone(), end };
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
    executions.append(append(id, FIRST, unfinished)).await.expect("append");
    assert_eq!(current().await, 0);
    for n in 1..4 {
        let done = vec![sample::entry(FIRST, sample::completed("call", sample::value("{}")))];
        executions.append(append(id, FIRST, done)).await.expect("append");
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
        let whole = Append { id, fence, entries: vec![started(1)], end };
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
    assert_superseded(&executions.append(append(id, FIRST, vec![started(1)])).await);
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
