//! The growth benchmark as a command: `flowker-growth STORE EXECUTIONS`.

use std::env;

use flowker_tests::growth;

fn main() {
    let mut args = env::args().skip(1);
    let store = args.next().expect("STORE is named").parse().expect("STORE is known");
    let n = args.next().expect("EXECUTIONS is named").parse().expect("EXECUTIONS is a number");
    print!("{}", growth::run(store, n));
}
