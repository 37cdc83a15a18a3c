//! The primary is lost under load, and Patroni makes another server the primary.
//!
//! Replicas know all servers and look for the one that takes writes. None of them is restarted.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use crate::load::{Figures, Load};
use crate::orders::{self, Ledger, Repeats};
use crate::patroni::Patroni;
use crate::replicas::Replicas;
use crate::stub::Stub;
use crate::wait::{now, until_within};

/// How many replicas there are.
const N_REPLICAS: usize = 3;

/// How long a called service works on an answer: long enough that a kill finds calls in flight.
const WORK: Duration = Duration::from_millis(5);

/// How many requests are taken before a kill, and after the failover.
const N_TAKEN: usize = 200;

/// How long a failover may take in all, on a machine that is busy.
const FAILOVER_MAX: Duration = Duration::from_mins(2);

/// How a primary is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All its processes are gone, and so are their connections.
    Killed,
    /// It falls silent with all connections open, and comes back as if nothing had been.
    Frozen,
}

impl Loss {
    /// One after the other.
    fn of_round(round: u32) -> Self {
        if round % 2 == 1 { Self::Killed } else { Self::Frozen }
    }
}

/// What happened, once all promises were found kept.
#[derive(Clone, Debug)]
pub struct Report {
    /// How long it took from each loss to the first request that was taken.
    pub outages: Vec<(Loss, Duration)>,
    /// How many executions there are in the end, each with a key of its own.
    pub n_executions: usize,
    /// How many of them a caller had been told of without sending them again.
    pub n_acknowledged: usize,
    /// How many calls were repeated because the store could not take their answers.
    pub n_repeated: usize,
    /// What callers saw.
    pub figures: Figures,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (loss, outage) in &self.outages {
            writeln!(f, "primary {loss:?}: requests were taken again after {outage:.1?}")?;
        }
        let Self { n_executions, n_acknowledged, n_repeated, .. } = self;
        writeln!(f, "callers: {}", self.figures)?;
        write!(
            f,
            "{n_executions} executions, all completed and none twice; {n_acknowledged} of them \
             acknowledged under load, none lost; {n_repeated} calls repeated"
        )
    }
}

/// Loses the primary `rounds` times under load, and panics unless every promise was kept. `None` if
/// Patroni is not installed.
pub fn run(rounds: u32, seed: u64) -> Option<Report> {
    println!(
        "failover: {rounds} rounds, again with \
         `cargo xtask failover --rounds {rounds} --seed {seed}`"
    );
    let mut rng = Rng::with_seed(seed);
    let mut patroni = Patroni::start()?;
    println!("failover: three servers, one of them the primary and one its synchronous standby");
    let stub = Stub::start();
    stub.take_time(WORK);
    let replicas = Replicas::start(N_REPLICAS, &patroni.url());
    let workflow_id = replicas.deploy(&orders::flow(&replicas[0].provider(&stub)));
    let ledger = Ledger::default();

    let clients = replicas.clients();
    let (outages, figures): (Vec<_>, _) = Load::during(clients, &ledger, &mut rng, |load| {
        (1..=rounds)
            .map(|round| {
                let loss = Loss::of_round(round);
                let outage = lose_primary(loss, &mut patroni, load);
                println!(
                    "failover: round {round} of {rounds}, {loss:?}, an outage of {outage:.1?}"
                );
                (loss, outage)
            })
            .collect()
    });
    let n_acknowledged = ledger.n_acknowledged();
    orders::send_everything_again(&replicas[0], &ledger);
    orders::check_executions(&replicas[0], &workflow_id, &ledger);
    // A replica that cannot say that it is alive loses what it owns, once in each outage.
    let repeats = Repeats::AtMost(outages.len());
    let n_repeated = orders::check_steps(&replicas[0], &stub.calls(), &ledger, repeats);
    replicas.expect_sound();
    Some(Report { outages, n_executions: ledger.len(), n_acknowledged, n_repeated, figures })
}

/// Loses the primary once all is well, and returns how long no request was taken.
fn lose_primary(loss: Loss, patroni: &mut Patroni, load: &Load<'_>) -> Duration {
    load.wait_for_taken(N_TAKEN);
    let primary = patroni.wait_for_primary();
    let began = now();
    match loss {
        Loss::Killed => patroni.kill(primary),
        Loss::Frozen => patroni.freeze(primary),
    }
    patroni.wait_for_primary();
    // What was under way at the loss may still be answered: it counts what is taken from here on.
    let before = load.so_far().n_taken;
    let outage = until_within(FAILOVER_MAX, "requests are taken again", || {
        (before < load.so_far().n_taken).then(|| now() - began)
    });
    load.wait_for_taken(N_TAKEN);
    match loss {
        Loss::Killed => patroni.resume(primary),
        Loss::Frozen => patroni.thaw(primary),
    }
    load.wait_for_taken(N_TAKEN);
    patroni.wait_until_whole();
    outage
}
