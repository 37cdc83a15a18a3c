//! The test with a real issuer as a command: `flowker-oidc DIRECTORY`, where npm has installed one.

use std::env;
use std::path::PathBuf;

use flowker_tests::oidc;

fn main() {
    let directory = env::args_os().nth(1).map(PathBuf::from);
    oidc::run(&directory.expect("DIRECTORY is named"));
    println!("oidc: tokens of a real issuer are treated as they should be");
}
