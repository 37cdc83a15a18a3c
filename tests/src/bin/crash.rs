//! The crash test as a command: `flowker-crash [STORE [ROUNDS [SEED]]]`.

use std::env;

use flowker_tests::crash::{self, Store};

fn main() {
    let mut args = env::args().skip(1);
    let store = args.next().map_or(Store::Sqlite, |text| text.parse().expect("STORE is known"));
    let rounds = args.next().map_or(5, |text| text.parse().expect("ROUNDS is a number"));
    let seed = args.next().map_or_else(random, |text| text.parse().expect("SEED is a number"));
    println!("crash: {}", crash::run(store, rounds, seed));
}

fn random() -> u64 {
    fastrand::u64(..)
}
