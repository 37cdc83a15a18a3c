//! What a lost replica was doing is finished by the others, and done once.

use std::time::Duration;

use flowker_tests::orders::{self, Ledger, Repeats};
use flowker_tests::stub::Call;
use flowker_tests::wait::until_within;
use flowker_tests::{Database, Flow, Replicas, Reply, Stub, until};
use rustix::process::Signal;

/// In how much time others finish what a replica was doing that is gone, by default settings.
const FINISHED_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn others_finish_what_a_killed_replica_was_doing() {
    let database = Database::new();
    check_kill(Replicas::start(3, &database.url()));
}

/// Kills a replica with 30 executions in flight, of which some are between two attempts.
pub(crate) fn check_kill(mut replicas: Replicas) {
    const IN_FLIGHT: usize = 26;
    /// Fewer than failures that open a breaker.
    const WAITING: usize = 4;
    let (stub, bank, ledger) = (Stub::start(), Stub::start(), Ledger::default());
    let workflow_id = replicas.deploy(&orders::flow(&replicas[0].provider(&stub)));
    let refund = Flow::at("POST", "refunds").call("pay", &replicas[0].provider(&bank), "/pay");
    replicas.deploy(&refund);
    stub.hold("/ship");
    bank.replies("/pay", (0..WAITING).map(|_| Reply::status(503).header("Retry-After", "3")));
    let doomed = replicas.take(0);
    orders::place(&doomed, &ledger, IN_FLIGHT);
    let refunds: Vec<_> = (0..WAITING)
        .map(|_| doomed.send(refund.delivery()).expect(201).text("executionId"))
        .collect();
    stub.wait_for_calls(2 * IN_FLIGHT);
    bank.wait_for_calls(WAITING);

    drop(doomed.kill());
    stub.release("/ship");
    until_within(FINISHED_WITHIN, "the others have finished everything", || {
        let mut ids = ledger.orders().into_values().flatten().chain(refunds.iter().cloned());
        let is_finished = |id: String| replicas[0].status(&id)["status"] == "completed";
        ids.all(is_finished).then_some(())
    });
    orders::check_executions(&replicas[1], &workflow_id, &ledger);
    let calls = stub.calls();
    let n_repeated = orders::check_steps(&replicas[1], &calls, &ledger, Repeats::AtMost(1));
    assert_eq!(n_repeated, IN_FLIGHT, "the calls in flight, and none else");
    assert_eq!(n_calls_of(&calls, "/charge"), IN_FLIGHT, "no journaled step is called again");
    for id in &refunds {
        let pay = &replicas[1].results(id)["stepResults"][0];
        orders::check_step(id, pay, &orders::by_step(&bank.calls()), Repeats::AtMost(1));
    }
    assert_eq!(bank.n_calls(), 2 * WAITING, "each attempt is made once");
    replicas.expect_sound();
}

fn n_calls_of(calls: &[Call], path: &str) -> usize {
    calls.iter().filter(|it| it.target == path).count()
}

#[test]
fn a_replica_that_slept_past_its_lapse_writes_nothing_any_more() {
    /// Of each kind: ended by others while the replica sleeps, and still in flight when it wakes.
    const ORDERS: usize = 5;
    let (stub, database, ledger) = (Stub::start(), Database::new(), Ledger::default());
    let replicas = Replicas::start(3, &database.url());
    let workflow_id = replicas.deploy(&orders::flow(&replicas[0].provider(&stub)));
    let sleeper = &replicas[0];
    stub.hold("/ship");
    orders::place(sleeper, &ledger, 2 * ORDERS);
    stub.wait_for_calls(4 * ORDERS);

    sleeper.pause();
    // The answers that it wakes up to: what it would do with them is to write them down.
    stub.release_so_far("/ship");
    stub.wait_for_calls(6 * ORDERS);
    sleeper.resume();
    until("the sleeper has noticed that it owns none of them any more", || {
        let n_noticed = sleeper.output().matches("has a newer owner").count();
        (2 * ORDERS <= n_noticed).then_some(())
    });
    // The second calls are in flight all the while: nothing may have been written.
    for id in ledger.orders().into_values().flatten() {
        let status = replicas[1].status(&id);
        assert_eq!(status["status"], "running", "{status}");
    }
    stub.release("/ship");
    orders::check_executions(&replicas[1], &workflow_id, &ledger);
    let n_repeated = orders::check_steps(&replicas[2], &stub.calls(), &ledger, Repeats::AtMost(1));
    assert_eq!(n_repeated, 2 * ORDERS, "the calls in flight, and none else");

    let again = orders::place(sleeper, &ledger, 1);
    sleeper.complete(&again[0]);
    replicas.expect_sound();
}

#[test]
fn a_stop_hands_over_at_once() {
    const ORDERS: usize = 8;
    /// Far below the lapse of 10 s.
    const ADOPTED_WITHIN: Duration = Duration::from_secs(3);
    let (stub, database, ledger) = (Stub::start(), Database::new(), Ledger::default());
    let url = database.url();
    let mut replicas =
        Replicas::start_as(3, |home| home.set("DATABASE_URL", &url).set("DRAIN_TIMEOUT", "1s"));
    let workflow_id = replicas.deploy(&orders::flow(&replicas[0].provider(&stub)));
    stub.hold("/ship");
    let leaver = replicas.take(0);
    orders::place(&leaver, &ledger, ORDERS);
    stub.wait_for_calls(2 * ORDERS);

    leaver.signal(Signal::TERM);
    let (finished, _) = leaver.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    until_within(ADOPTED_WITHIN, "the others have taken over", || {
        (3 * ORDERS <= stub.n_calls()).then_some(())
    });
    stub.release("/ship");
    orders::check_executions(&replicas[0], &workflow_id, &ledger);
    let calls = stub.calls();
    let n_repeated = orders::check_steps(&replicas[1], &calls, &ledger, Repeats::AtMost(1));
    assert_eq!(n_repeated, ORDERS, "the calls in flight, and none else");
    assert_eq!(n_calls_of(&calls, "/charge"), ORDERS, "no journaled step is called again");
    replicas.expect_sound();
}
