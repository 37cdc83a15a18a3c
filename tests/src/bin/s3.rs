//! The test against a service that speaks like S3 as a command: `flowker-s3 ADDRESS`.

use std::env;

use flowker_tests::s3;

fn main() {
    let address = env::args().nth(1).expect("ADDRESS is named");
    s3::run(address.parse().expect("ADDRESS is an IP address and a port"));
}
