//! Killed under load, the server keeps every promise.

use std::env;

use flowker_tests::crash::{self, Store};

#[test]
fn kills_under_load_break_no_promise() {
    check(Store::Sqlite, rounds(2));
}

#[test]
fn kills_under_load_on_postgres_break_no_promise() {
    check(Store::Postgres, rounds(3));
}

fn check(store: Store, rounds: u32) {
    let report = crash::run(store, rounds, fastrand::u64(..));
    println!("crash: {report}");
    assert_eq!(report.n_kills, rounds);
}

/// So many, unless others are asked for, as `cargo xtask test --slow` does.
fn rounds(usual: u32) -> u32 {
    let asked = env::var("FLOWKER_CRASH_ROUNDS");
    asked.map_or(usual, |text| text.parse().expect("FLOWKER_CRASH_ROUNDS is a number"))
}
