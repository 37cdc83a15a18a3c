//! Deadlines, losses and uncertain steps over several owners.

use super::*;

const GRAPH: &str = "start: trigger
                     a: call
                     b: call once
                     c: call
                     start -> a
                     start -> b
                     start -> c";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn entry(fence: u64, seconds: i64, event: Event) -> Entry {
    Entry { fence: Fence(fence), at: at(seconds), event }
}

fn done(fence: u64, id: &str, from: i64, to: i64) -> Entry {
    let run = StepRun { attempt: 1, started_at: at(from), duration: Duration::ZERO };
    let event = Event::Completed { node: id.to_owned(), run, output: Arc::default() };
    entry(fence, to, event)
}

fn adopted(fence: u64, seconds: i64) -> Entry {
    entry(fence, seconds, Event::Adopted)
}

fn started(fence: u64, id: &str, seconds: i64) -> Entry {
    entry(fence, seconds, Event::Started { node: id.to_owned(), attempt: 1 })
}

fn interrupted(fence: u64, id: &str, seconds: i64) -> Entry {
    entry(fence, seconds, Event::Interrupted { node: id.to_owned() })
}

fn retry(fence: u64, id: &str, seconds: i64) -> Entry {
    let (node, message) = (id.to_owned(), String::new());
    entry(fence, seconds, Event::RetryAt { node, attempt: 1, due: at(seconds), message })
}

fn state(journal: &[Entry]) -> RunState {
    Run::new(GRAPH).state.replay(journal).expect("a journal of this graph")
}

/// In seconds. The run may take 300.
fn check_deadline(journal: &[Entry], expected: Option<i64>) {
    assert_eq!(state(journal).deadline(), expected.map(at), "{journal:?}");
}

#[test]
fn the_time_of_a_run_begins_with_its_first_step() {
    check_deadline(&[], None);
    check_deadline(&[done(1, "a", 10, 20)], Some(310));
    check_deadline(&[started(1, "b", 10), done(1, "b", 10, 20)], Some(310));
    check_deadline(&[retry(1, "a", 20)], Some(320));
    // The step that ended last began first.
    check_deadline(&[done(1, "a", 15, 20), done(1, "c", 10, 30)], Some(310));

    let mut run = Run::new(GRAPH);
    run.state.begin(Fence::FIRST, at(10));
    run.state.begin(Fence::FIRST, at(12));
    assert_eq!(run.state.deadline(), Some(at(310)), "only the first step counts");
}

#[test]
fn the_deadline_stands_still_while_nobody_owns_the_run() {
    // 60 of 300 seconds were used up.
    check_deadline(&[done(1, "a", 10, 70), adopted(2, 1_000)], Some(1_240));
    // 60 and 100.
    let two = [done(1, "a", 10, 70), adopted(2, 1_000), retry(2, "c", 1_100)];
    check_deadline(&two, Some(1_240));
    let three = [&two[..], &[adopted(3, 5_000)]].concat();
    check_deadline(&three, Some(5_140));
    // An owner that wrote nothing but its adoption used nothing up.
    let silent = [done(1, "a", 10, 70), adopted(2, 1_000), adopted(3, 5_000)];
    check_deadline(&silent, Some(5_240));
    // Adopted before the first step: there is no deadline that an owner could use up.
    check_deadline(&[adopted(2, 1_000)], None);
    check_deadline(&[adopted(2, 1_000), done(2, "a", 1_500, 1_510)], Some(1_800));
}

#[test]
fn a_run_whose_time_is_used_up_is_due_at_once() {
    check_deadline(&[done(1, "a", 0, 300), adopted(2, 1_000)], Some(1_000));
    check_deadline(&[done(1, "a", 0, 900), adopted(2, 1_000)], Some(1_000));
}

#[test]
fn clocks_of_different_owners_are_not_compared() {
    // The second owner's clock is an hour behind.
    check_deadline(&[done(1, "a", 4_000, 4_060), adopted(2, 400)], Some(640));
    // The first owner's clock went back while it worked.
    check_deadline(&[done(1, "a", 100, 110), retry(1, "c", 50), adopted(2, 1_000)], Some(1_240));
}

fn check_losses(journal: &[Entry], fence: u64, expected: usize) {
    assert_eq!(state(journal).losses(Fence(fence)), expected, "{journal:?}");
}

#[test]
fn owners_that_began_something_and_are_gone_are_losses() {
    check_losses(&[], 1, 0);
    check_losses(&[started(1, "b", 1)], 1, 0);
    check_losses(&[started(1, "b", 1), adopted(2, 9)], 2, 1);
    let many = [
        started(1, "b", 1),
        adopted(2, 9),
        started(2, "a", 10),
        started(2, "c", 10),
        adopted(3, 19),
        adopted(4, 29),
        started(4, "a", 30),
        adopted(5, 39),
    ];
    // The third owner began nothing, and the second is lost once.
    check_losses(&many, 5, 3);
}

#[test]
fn progress_and_good_order_are_no_losses() {
    let lost = [started(1, "a", 1), adopted(2, 9), started(2, "a", 10), adopted(3, 19)];
    check_losses(&lost, 3, 2);
    let with = |last: Entry| [&lost[..], &[started(3, "a", 20), last, adopted(4, 29)]].concat();
    check_losses(&with(done(3, "c", 20, 21)), 4, 0);
    check_losses(&with(retry(3, "a", 21)), 4, 0);
    check_losses(&with(interrupted(3, "a", 21)), 4, 2);
    let failed = Event::Failed {
        node: "c".to_owned(),
        run: run(),
        failure: Failure::new(FailureCode::StepFailed, ""),
    };
    check_losses(&with(entry(3, 21, failed)), 4, 0);
}

fn check_uncertain(journal: &[Entry], id: &str, fence: u64, expected: bool) {
    let (state, run) = (state(journal), Run::new(GRAPH));
    assert_eq!(state.is_uncertain(run.idx(id), Fence(fence)), expected, "{journal:?}");
}

#[test]
fn a_step_that_must_not_be_repeated_is_uncertain_once_its_owner_is_gone() {
    check_uncertain(&[], "b", 1, false);
    check_uncertain(&[started(1, "b", 1)], "b", 1, false);
    check_uncertain(&[started(1, "b", 1), adopted(2, 9)], "b", 2, true);
    // Cut short in good order, but nobody knows whether the receiver had it by then.
    check_uncertain(&[started(1, "b", 1), interrupted(1, "b", 2), adopted(2, 9)], "b", 2, true);
    // Its attempt failed for certain before the owner was lost.
    check_uncertain(&[started(1, "b", 1), retry(1, "b", 2), adopted(2, 9)], "b", 2, false);
    // Progress elsewhere tells nothing about it.
    let elsewhere = [started(1, "b", 1), done(1, "a", 1, 2), adopted(2, 9)];
    check_uncertain(&elsewhere, "b", 2, true);
    // The other one may be repeated.
    check_uncertain(&[started(1, "a", 1), adopted(2, 9)], "a", 2, false);
    check_uncertain(&[started(1, "b", 1), done(1, "b", 1, 2), adopted(2, 9)], "b", 2, false);
}

#[test]
fn a_begun_attempt_is_begun_again_as_the_same_attempt() {
    let second = Event::Started { node: "a".to_owned(), attempt: 2 };
    let journal = [entry(1, 6, second), adopted(2, 9)];
    let state = state(&journal);
    let Next::Start(starts) = advance(&state, &BTreeSet::new()) else { panic!("it goes on") };
    let first = starts.first().expect("a may begin");
    assert_eq!((first.node, first.attempt, first.due), (Run::new(GRAPH).idx("a"), 2, None));
}
