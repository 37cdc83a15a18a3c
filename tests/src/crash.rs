//! Kills the server again and again while callers are busy, and then checks every promise.
//!
//! The seed decides what is sent and when the server is killed; how threads interleave is the
//! machine's choice, so a seed makes a failure likely again, not certain.

use std::fmt;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use crate::database::Database;
use crate::load::Load;
use crate::orders::{self, Ledger, Repeats};
use crate::server::{Home, Server};
use crate::stub::Stub;
use crate::wait::until;

/// How long a called service works on an answer: long enough that a kill finds calls in flight.
const WORK: Duration = Duration::from_millis(5);

/// Where the server that is killed keeps everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// In a file of its own.
    Sqlite,
    /// In a fresh database on the server that all tests share.
    Postgres,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Sqlite, Self::Postgres];
        let found = known.into_iter().find(|it| it.to_string() == text);
        found.ok_or_else(|| format!("{text} is no store; expected sqlite or postgres"))
    }
}

/// What happened, once all promises were found kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How often the server was killed.
    pub n_kills: u32,
    /// How many executions there are in the end, each with a key of its own.
    pub n_executions: usize,
    /// How many of them a caller had been told of before the last start.
    pub n_acknowledged: usize,
    /// How many calls the services got.
    pub n_calls: usize,
    /// How many of them repeated a call that was in flight at a kill.
    pub n_repeated: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_kills, n_executions, n_acknowledged, n_calls, n_repeated } = self;
        write!(
            f,
            "{n_kills} kills, {n_executions} executions, all completed and none twice; \
             {n_acknowledged} of them acknowledged before the last start, none lost; \
             {n_calls} calls, {n_repeated} of them repeated because a kill found them in flight"
        )
    }
}

/// Kills a server `rounds` times under load, and panics unless every promise was kept.
pub fn run(store: Store, rounds: u32, seed: u64) -> Report {
    println!(
        "crash: {rounds} rounds on {store}, again with \
         `cargo xtask crash --database {store} --rounds {rounds} --seed {seed}`"
    );
    let mut rng = Rng::with_seed(seed);
    let stub = Stub::start();
    stub.take_time(WORK);
    let ledger = Ledger::default();

    let database = (store == Store::Postgres).then(Database::new);
    let home = Home::new().set("LOG_LEVEL", "warn");
    let home = match &database {
        Some(database) => home.set("DATABASE_URL", &database.url()),
        None => home,
    };
    let mut server = home.start();
    let workflow_id = server.deploy(&orders::flow(&server.provider(&stub)));
    for round in 1..=rounds {
        let home = kill_under_load(server, &stub, &ledger, &mut rng);
        stub.next_life();
        server = home.start();
        println!("crash: round {round} of {rounds}, {} orders so far", ledger.len());
    }
    let n_acknowledged = ledger.n_acknowledged();
    orders::send_everything_again(&server, &ledger);
    orders::check_executions(&server, &workflow_id, &ledger);
    let n_repeated = orders::check_steps(&server, &stub.calls(), &ledger, Repeats::OncePerLife);
    server.expect_sound();
    Report {
        n_kills: rounds,
        n_executions: ledger.len(),
        n_acknowledged,
        n_calls: stub.n_calls(),
        n_repeated,
    }
}

fn kill_under_load(server: Server, stub: &Stub, ledger: &Ledger, rng: &mut Rng) -> Home {
    let n_calls = stub.n_calls() + rng.usize(20..=250);
    let moment = Duration::from_micros(rng.u64(0..=20_000));
    let servers = vec![server.client()];
    let (home, _) = Load::during(servers, ledger, rng, |_| {
        until(&format!("the services got {n_calls} calls"), || {
            (n_calls <= stub.n_calls()).then_some(())
        });
        // Not to wait for anything: any moment is a good one to be killed.
        thread::sleep(moment);
        let output = server.output();
        assert!(!output.contains("panicked at"), "the server panicked:\n{output}");
        server.kill()
    });
    home
}
