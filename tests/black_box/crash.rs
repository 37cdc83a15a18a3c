//! Killed under load, the server keeps every promise.

use std::env;

use flowker_tests::crash;

#[test]
fn kills_under_load_break_no_promise() {
    let rounds = rounds();
    let report = crash::run(rounds, fastrand::u64(..));
    println!("crash: {report}");
    assert_eq!(report.n_kills, rounds);
}

/// Two, unless more are asked for, as `cargo xtask test --slow` does.
fn rounds() -> u32 {
    let asked = env::var("FLOWKER_CRASH_ROUNDS");
    asked.map_or(2, |text| text.parse().expect("FLOWKER_CRASH_ROUNDS is a number"))
}
