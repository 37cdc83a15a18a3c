//! The crash test as a command: `flowker-crash [ROUNDS [SEED]]`.

use std::env;

fn main() {
    let mut args = env::args().skip(1);
    let rounds = args.next().map_or(5, |text| text.parse().expect("ROUNDS is a number"));
    let seed = args.next().map_or_else(random, |text| text.parse().expect("SEED is a number"));
    println!("crash: {}", flowker_tests::crash::run(rounds, seed));
}

fn random() -> u64 {
    fastrand::u64(..)
}
