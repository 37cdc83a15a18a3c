//! Several replicas over one Postgres are one service to their callers.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use flowker_tests::load::Load;
use flowker_tests::orders::{self, Ledger, Order, Repeats};
use flowker_tests::server::Client;
use flowker_tests::wait::{PATIENCE, now, poll};
use flowker_tests::{Answer, Database, Flow, Home, Replicas, Request, Stub, until};
use rustix::process::Signal;
use serde_json::json;

#[test]
fn racing_senders_of_one_key_get_one_execution_from_all_replicas() {
    let database = Database::new();
    check_races(&Replicas::start(3, &database.url()), 40);
}

#[test]
fn a_route_goes_live_on_all_replicas_within_a_second() {
    let database = Database::new();
    check_routes_go_live(&Replicas::start(3, &database.url()));
}

#[test]
fn a_deactivated_workflow_starts_nowhere() {
    let database = Database::new();
    check_deactivation(&Replicas::start(3, &database.url()));
}

/// 48 senders of one key, spread over all replicas, get one execution; so many keys in a row.
pub(crate) fn check_races(replicas: &Replicas, n_keys: usize) {
    const SENDERS: usize = 48;
    let stub = Stub::start();
    let workflow_id = replicas.deploy(&orders::flow(&replicas[0].provider(&stub)));
    let clients = replicas.clients();
    let ledger = Ledger::default();
    let turns = Barrier::new(SENDERS);
    let order = |key_idx| Order::shipped(&format!("order-{key_idx}"));

    let answers: Vec<Vec<Answer>> = thread::scope(|scope| {
        let send_all = |sender_idx: usize| {
            let (client, turns) = (&clients[sender_idx % clients.len()], &turns);
            scope.spawn(move || {
                let send = |key_idx| {
                    turns.wait();
                    client.send(order(key_idx).delivery()).expect("a replica answers")
                };
                (0..n_keys).map(send).collect()
            })
        };
        let senders: Vec<_> = (0..SENDERS).map(send_all).collect();
        senders.into_iter().map(|it| it.join().expect("a sender does not panic")).collect()
    });

    for key_idx in 0..n_keys {
        let of_key = answers.iter().map(|of_sender| &of_sender[key_idx]);
        let is_replay = |it: &&Answer| it.header("Idempotent-Replayed") == Some("true");
        let (replays, firsts): (Vec<_>, Vec<_>) = of_key.partition(is_replay);
        assert_eq!(firsts.len(), 1, "one answer is the first, all others are replays: {firsts:?}");
        let order = order(key_idx);
        ledger.note(&order);
        for answer in firsts.into_iter().chain(replays) {
            ledger.acknowledge(&order, answer);
        }
    }
    orders::check_executions(&replicas[1], &workflow_id, &ledger);
    let n_repeated = orders::check_steps(&replicas[0], &stub.calls(), &ledger, Repeats::AtMost(0));
    assert_eq!(n_repeated, 0);
    replicas.expect_sound();
}

/// A route that is activated on one replica is live on all of them within a second, however often
/// they said before that there is none.
pub(crate) fn check_routes_go_live(replicas: &Replicas) {
    const SEEN_WITHIN: Duration = Duration::from_secs(1);
    for round in 0..3 {
        let flow = Flow::at("PUT", &format!("orders/paid/{round}")).output("o", json!({}));
        let workflow_id = replicas[round].create(&flow);
        let n_misses = AtomicUsize::new(0);
        let (activated, live) = thread::scope(|scope| {
            let hammer = |client: Client| {
                let (flow, n_misses) = (&flow, &n_misses);
                scope.spawn(move || hammer_until_live(&client, flow, n_misses))
            };
            let hammers: Vec<_> = replicas.clients().into_iter().map(hammer).collect();
            until("each replica has said that there is no route", || {
                (30 <= n_misses.load(Ordering::Relaxed)).then_some(())
            });
            let _ = replicas[round].activate(&workflow_id).expect(200);
            let activated = now();
            let live = hammers.into_iter().map(|it| it.join().expect("no sender panics"));
            (activated, live.collect::<Vec<Instant>>())
        });
        for (replica_idx, live) in live.into_iter().enumerate() {
            let delay = live.saturating_duration_since(activated);
            assert!(delay <= SEEN_WITHIN, "replica {replica_idx} saw the route after {delay:?}");
        }
    }
    replicas.expect_sound();
}

/// Sends until it is taken, and returns when that was.
fn hammer_until_live(client: &Client, flow: &Flow, n_misses: &AtomicUsize) -> Instant {
    let live = poll(PATIENCE, || {
        let answer = client.send(flow.delivery()).expect("a replica answers");
        match answer.status {
            404 => {
                n_misses.fetch_add(1, Ordering::Relaxed);
                None
            }
            _ => Some(answer.expect(201)),
        }
    });
    assert!(live.is_some(), "the route is live in the end");
    now()
}

/// From the moment that a deactivation returns, no replica starts an execution, however many
/// callers are sending.
pub(crate) fn check_deactivation(replicas: &Replicas) {
    const SENDERS: usize = 6;
    /// How many answers each sender gets before and after.
    const ANSWERS: usize = 20;
    let flow = Flow::at("PUT", "orders/paid").output("o", json!({}));
    let workflow_id = replicas.deploy(&flow);
    let clients = replicas.clients();
    let n_answers = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);

    let (returned, answers) = thread::scope(|scope| {
        let hammer = |sender_idx: usize| {
            let (client, flow) = (&clients[sender_idx % clients.len()], &flow);
            let (n_answers, is_over) = (&n_answers, &is_over);
            scope.spawn(move || {
                let mut answers = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let began = now();
                    let answer = client.send(flow.delivery()).expect("a replica answers");
                    answers.push((began, answer));
                    n_answers.fetch_add(1, Ordering::Relaxed);
                }
                answers
            })
        };
        let hammers: Vec<_> = (0..SENDERS).map(hammer).collect();
        let wait_for_more = || {
            let n_enough = n_answers.load(Ordering::Relaxed) + SENDERS * ANSWERS;
            until("the senders got their answers", || {
                (n_enough <= n_answers.load(Ordering::Relaxed)).then_some(())
            });
        };
        wait_for_more();
        let path = format!("/v1/workflows/{workflow_id}/deactivate");
        let _ = replicas[0].send(Request::post(&path)).expect(200);
        let returned = now();
        wait_for_more();
        is_over.store(true, Ordering::Relaxed);
        let answers = hammers.into_iter().flat_map(|it| it.join().expect("no sender panics"));
        (returned, answers.collect::<Vec<_>>())
    });

    let mut started = BTreeSet::new();
    for (began, answer) in answers {
        match answer.status {
            201 => {
                let is_late = returned <= began;
                assert!(
                    !is_late,
                    "started {:?} after the deactivation: {answer:?}",
                    began - returned
                );
                started.insert(answer.text("executionId"));
            }
            _ => drop(answer.expect_error(404, "FLK-0361")),
        }
    }
    assert!(!started.is_empty(), "executions were started before");
    assert_eq!(orders::listed(&replicas[1], &workflow_id), started, "and none besides these");
    replicas.expect_sound();
}

#[test]
fn a_rolling_restart_fails_no_request_twice() {
    const REPLICAS: usize = 3;
    /// How many requests are taken before each step.
    const TAKEN: usize = 60;
    let (stub, database, ledger) = (Stub::start(), Database::new(), Ledger::default());
    stub.take_time(Duration::from_millis(5));
    let mut replicas = Replicas::start(REPLICAS, &database.url());
    let workflow_id = replicas.deploy(&orders::flow(&replicas[0].provider(&stub)));

    let clients = replicas.clients();
    let ((), figures) = Load::during(clients, &ledger, &mut Rng::new(), |load| {
        for _ in 0..REPLICAS {
            replicas.add(Home::new().set("DATABASE_URL", &database.url()).start());
            load.use_servers(replicas.clients());
            load.wait_for_taken(TAKEN);
            // Callers learn by a failure that it goes, and know only afterwards that it is gone.
            let oldest = replicas.take(0);
            oldest.signal(Signal::TERM);
            let (finished, _) = oldest.finish();
            assert_eq!(finished.code, Some(0), "{finished:?}");
            load.use_servers(replicas.clients());
            load.wait_for_taken(TAKEN);
        }
    });
    println!("rolling restart: {figures}");
    assert_eq!(figures.n_failed_twice, 0, "{figures}");
    orders::send_everything_again(&replicas[0], &ledger);
    orders::check_executions(&replicas[1], &workflow_id, &ledger);
    orders::check_steps(&replicas[2], &stub.calls(), &ledger, Repeats::AtMost(1));
    replicas.expect_sound();
}
