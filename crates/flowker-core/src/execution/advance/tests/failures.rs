//! Steps that fail, and journals that do not belong.

use super::*;

#[test]
fn a_failure_stops_new_steps_and_lets_those_in_flight_end() {
    let mut run = Run::new(
        "start: trigger
         a: call
         b: call
         after: call
         start -> a
         start -> b
         b -> after",
    );
    run.begin_all();
    run.fail("a");
    assert_eq!(run.starts(), [""; 0], "`b` is still in flight");
    run.complete("b");
    let Outcome::Failed(failure) = run.outcome() else { panic!("{:?}", run.outcome()) };
    assert_eq!(failure.message, "a broke");
    assert_eq!(run.steps(), ["a", "b"], "`after` did not begin");
}

#[test]
fn the_failure_that_is_first_in_the_definition_is_reported() {
    let graph = "start: trigger
                 a: call
                 b: call
                 start -> a
                 start -> b";
    for order in [["a", "b"], ["b", "a"]] {
        let mut run = Run::new(graph);
        run.begin_all();
        for id in order {
            run.fail(id);
        }
        let Outcome::Failed(failure) = run.outcome() else { panic!("{:?}", run.outcome()) };
        assert_eq!(failure.message, "a broke", "{order:?}");
    }
}

#[test]
fn what_cannot_be_decided_fails_and_names_its_node_or_edge() {
    check(
        "start: trigger
         c: if workflow.text > 1
         a: call
         start -> c
         c -true-> a
         c -false-> a",
        &[],
        "c",
        &json!(
            "FLK-0504: node \"c\": workflow.text is a text that is not a number, and > compares \
             numbers only"
        ),
    );
    let mut run = Run::new(
        "start: trigger
         a: call
         b: call
         start -> a
         a -> b if workflow.text > 1",
    );
    run.begin_all();
    run.complete("a");
    run.begin_all();
    let Outcome::Failed(failure) = run.outcome() else { panic!("{:?}", run.outcome()) };
    assert_eq!(run.steps(), ["a", "b"], "the node behind the edge fails, and is not called");
    assert!(failure.message.starts_with("FLK-0504: edge \"a -> b\": "), "{failure:?}");
    assert_eq!(failure.code, FailureCode::StepFailed);
}

#[test]
fn a_missing_reference_of_a_set_output_fails_it() {
    let mut run = Run::new(
        "start: trigger
         o: set {\"x\": \"{{ workflow.gone }}\"}
         start -> o",
    );
    run.begin_all();
    let Outcome::Failed(failure) = run.outcome() else { panic!("{:?}", run.outcome()) };
    assert!(failure.message.starts_with("FLK-0504: node \"o\": "), "{failure:?}");
    assert!(failure.message.contains("workflow.gone"), "{failure:?}");
}

#[test]
fn a_step_that_is_to_be_tried_again_says_when_and_how_often() {
    let mut run = Run::new(
        "start: trigger
         a: call
         start -> a",
    );
    let start = |run: &Run| match run.next() {
        Next::Start(starts) => starts,
        Next::Finish(outcome) => panic!("{outcome:?}"),
    };
    let node = run.idx("a");
    assert_eq!(start(&run), [Start { node, attempt: 1, due: None }]);
    for attempt in 1..4 {
        run.begin("a");
        run.in_flight.remove(&node);
        let due = Timestamp::from_micros(i64::from(attempt) * 1_000_000);
        let message = "busy".to_owned();
        run.write(Event::RetryAt { node: "a".to_owned(), attempt, due, message });
        assert_eq!(start(&run), [Start { node, attempt: attempt + 1, due: Some(due) }]);
    }
    run.begin("a");
    run.complete("a");
    assert!(matches!(run.outcome(), Outcome::Completed { .. }));
}

#[test]
fn a_failure_elsewhere_stops_attempts_that_wait() {
    let mut run = Run::new(
        "start: trigger
         a: call
         b: call
         start -> a
         start -> b",
    );
    run.begin_all();
    let idx = run.idx("b");
    run.in_flight.remove(&idx);
    let (node, message) = ("b".to_owned(), "busy".to_owned());
    run.write(Event::RetryAt { node, attempt: 1, due: Timestamp::default(), message });
    run.fail("a");
    assert!(matches!(run.outcome(), Outcome::Failed(_)), "nothing is in flight");
}

#[test]
fn a_journal_of_another_version_is_illegal() {
    let plan = plan(
        "start: trigger
         a: call
         b: call
         start -> a
         a -> b",
    );
    let check = |events: &[Event], expected: &IllegalEntry| {
        let run = Run::of(Arc::clone(&plan), "start");
        let at = Timestamp::default();
        let entries = events.iter().cloned().map(|event| Entry { fence: Fence::FIRST, at, event });
        let entries: Vec<_> = entries.collect();
        let error = run.state.replay(&entries).expect_err("it is illegal");
        assert_eq!(&error, expected, "{events:?}");
    };
    let ends = |id: &str| Event::Completed {
        node: id.to_owned(),
        run: run(),
        output: Arc::new(Value::Null),
    };
    let fails = |id: &str| Event::Failed {
        node: id.to_owned(),
        run: run(),
        failure: Failure::new(FailureCode::Internal, ""),
    };
    let starts = |id: &str| Event::Started { node: id.to_owned(), attempt: 1 };
    let unknown = IllegalEntry::UnknownNode("x".to_owned());
    let ended = |id: &str| IllegalEntry::Ended(id.to_owned());
    check(&[ends("x")], &unknown);
    check(&[starts("x")], &unknown);
    check(&[Event::Interrupted { node: "x".to_owned() }], &unknown);
    check(&[ends("b")], &ended("b"));
    check(&[ends("start")], &ended("start"));
    check(&[ends("a"), ends("a")], &ended("a"));
    check(&[ends("a"), fails("a")], &ended("a"));
    check(&[ends("a"), starts("a")], &ended("a"));
    check(&[fails("a"), ends("b")], &ended("b"));
}

#[test]
fn a_refused_entry_leaves_the_state_as_it_was() {
    let mut run = Run::new(
        "start: trigger
         a: call
         start -> a",
    );
    run.begin_all();
    run.complete("a");
    let before = random::picture(&run.state);
    let again = Event::Completed { node: "a".to_owned(), run: self::run(), output: Arc::default() };
    let entry = Entry { fence: Fence(7), at: Timestamp::from_micros(7), event: again };
    assert!(run.state.apply(&entry).is_err());
    assert_eq!(random::picture(&run.state), before);
}

#[test]
fn outputs_are_weighed() {
    let mut run = Run::new(
        "start: trigger
         a: call
         b: call
         start -> a
         a -> b",
    );
    run.begin_all();
    assert_eq!((run.state.n_steps(), run.state.output_bytes()), (0, 0));
    run.end("a", Ok(json!({ "text": "x".repeat(1_000) })));
    run.begin_all();
    let n_bytes = run.state.output_bytes();
    assert!((1_000..1_100).contains(&n_bytes), "{n_bytes}");
    run.end("b", Ok(json!([1, 2.5, null])));
    assert_eq!(run.state.n_steps(), 2);
    assert!((n_bytes + 10..n_bytes + 30).contains(&run.state.output_bytes()));
}
