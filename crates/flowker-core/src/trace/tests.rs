use proptest::prelude::*;

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What becomes of the two headers: as it is stored, or `dropped`.
#[track_caller]
fn check(parents: &[&str], states: &[&str], expected: &str) {
    let bytes = |texts: &[&str]| texts.iter().map(|it| it.as_bytes().to_vec()).collect::<Vec<_>>();
    let (parents, states) = (bytes(parents), bytes(states));
    let context = TraceContext::of_request(
        parents.iter().map(Vec::as_slice),
        states.iter().map(Vec::as_slice),
    );
    let text = context.as_ref().map_or("dropped".to_owned(), ToString::to_string);
    assert_eq!(text, expected);
    if context.is_some() {
        assert_eq!(TraceContext::from_stored(&text), context, "it comes back from the store");
    }
}

#[test]
fn what_a_caller_sends_is_kept() {
    check(&[PARENT], &[], PARENT);
    check(&[&format!(" {PARENT}\t")], &[], PARENT);
    let unsampled = PARENT.replace("-01", "-00");
    check(&[&unsampled], &[], &unsampled);
    check(&[PARENT], &["congo=t61rcWkgMzE"], &format!("{PARENT} congo=t61rcWkgMzE"));
    let spread = ["a=1 , b@c=x y", "", "0d/*_-=!~"];
    check(&[PARENT], &spread, &format!("{PARENT} a=1,b@c=x y,0d/*_-=!~"));
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_known() {
    let later = PARENT.replacen("00", "cc", 1);
    check(&[&later], &[], PARENT);
    check(&[&format!("{later}-what-comes")], &[], PARENT);
    check(&[&format!("{later}.what-comes")], &[], "dropped");
    check(&[&PARENT.replacen("00", "ff", 1)], &[], "dropped");
    // A flag that is not known means nothing.
    check(&[&PARENT.replace("-01", "-ff")], &[], &PARENT.replace("-01", "-03"));
}

#[test]
fn what_cannot_be_read_is_dropped() {
    let zeros = "00-00000000000000000000000000000000-0000000000000000-00";
    for parents in [
        &[][..],
        &[""],
        &[zeros],
        &["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
        &["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
        &["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"],
        &["00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01"],
        &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"],
        &["00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
        &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-"],
        &["00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01"],
        &["\u{e9}0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
        &[PARENT, PARENT],
    ] {
        check(parents, &["a=1"], "dropped");
    }
}

#[test]
fn a_state_that_is_malformed_or_too_long_is_left_out() {
    let long = format!("a={}", "x".repeat(256));
    check(&[PARENT], &[&long], &format!("{PARENT} {long}"));
    let longest = format!("{long},b={}", "y".repeat(512 - long.len() - 3));
    check(&[PARENT], &[&longest], &format!("{PARENT} {longest}"));
    let many = |n: usize| (0..n).map(|it| format!("k{it}=v")).collect::<Vec<_>>().join(",");
    check(&[PARENT], &[&many(32)], &format!("{PARENT} {}", many(32)));
    let huge = "x".repeat(50_000);
    for state in [
        "a",
        "=1",
        "A=1",
        "_a=1",
        "a b=1",
        "a=",
        "a=b=c",
        "a=\u{e9}",
        "a=1,a=2",
        &format!("a={}", "x".repeat(257)),
        &format!("{longest}y"),
        &many(33),
        &huge,
        &format!("a={huge}"),
        "",
        " , ",
    ] {
        check(&[PARENT], &[state], PARENT);
    }
}

#[test]
fn a_child_is_in_the_same_trace() {
    let context = TraceContext::from_stored(&format!("{PARENT} a=1")).unwrap();
    let child = context.within(NonZeroU64::new(0xAB).unwrap());
    assert_eq!(child.traceparent(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01");
    assert_eq!(child.tracestate(), Some("a=1"));
    assert_eq!(child.trace_id_text(), "4bf92f3577b34da6a3ce929d0e0e4736");
}

proptest! {
    #[test]
    fn whatever_comes_nothing_panics_and_what_is_kept_comes_back(
        parent in prop_oneof![any::<Vec<u8>>(), "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?".prop_map(String::into_bytes)],
        states in prop::collection::vec(
            prop_oneof![any::<Vec<u8>>(), "([a-z][a-z0-9]{0,3}=[ -~]{0,5},?){0,4}".prop_map(String::into_bytes)],
            0..3,
        ),
    ) {
        let states = states.iter().map(Vec::as_slice);
        if let Some(context) = TraceContext::of_request([parent.as_slice()], states) {
            prop_assert_eq!(TraceContext::from_stored(&context.to_string()), Some(context));
        }
    }
}
