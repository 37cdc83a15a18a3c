//! The failover test as a command: `flowker-failover [ROUNDS [SEED]]`.

use std::env;

use flowker_tests::failover;

fn main() {
    let mut args = env::args().skip(1);
    let rounds = args.next().map_or(2, |text| text.parse().expect("ROUNDS is a number"));
    let seed = args.next().map_or_else(random, |text| text.parse().expect("SEED is a number"));
    if let Some(report) = failover::run(rounds, seed) {
        println!("{report}");
    }
}

fn random() -> u64 {
    fastrand::u64(..)
}
