//! A Postgres that is gone, or whose answers are lost, costs time and nothing else.

use std::time::Duration;

use fastrand::Rng;
use flowker_testkit::postgres::Cluster;
use flowker_tests::load::{Load, check_refusal};
use flowker_tests::orders::{self, Ledger, Order, Repeats};
use flowker_tests::proxy::{Afterwards, Proxy};
use flowker_tests::{Database, Replicas, Stub, until};

#[test]
fn a_restart_of_postgres_under_load_loses_nothing() {
    const RESTARTS: usize = 2;
    /// How many requests are taken before each restart, and after the last one.
    const TAKEN: usize = 100;
    let Some(cluster) = Cluster::start(&[]) else { return };
    let (stub, ledger) = (Stub::start(), Ledger::default());
    stub.take_time(Duration::from_millis(5));
    let replicas = Replicas::start(2, &cluster.url());
    let workflow_id = replicas.deploy(&orders::flow(&replicas[0].provider(&stub)));

    let clients = replicas.clients();
    let ((), figures) = Load::during(clients, &ledger, &mut Rng::new(), |load| {
        for _ in 0..RESTARTS {
            load.wait_for_taken(TAKEN);
            cluster.stop();
            let n_refused = load.so_far().n_refused;
            until("callers are told to come back", || {
                (n_refused < load.so_far().n_refused).then_some(())
            });
            cluster.resume();
        }
        load.wait_for_taken(TAKEN);
    });
    println!("restarts of Postgres: {figures}");
    assert_eq!(figures.n_broken, 0, "each request is answered: {figures}");
    orders::send_everything_again(&replicas[0], &ledger);
    orders::check_executions(&replicas[1], &workflow_id, &ledger);
    orders::check_steps(&replicas[0], &stub.calls(), &ledger, Repeats::AtMost(RESTARTS));
    replicas.expect_sound();
}

/// A replica that reaches its database through a network that loses answers.
struct Lossy {
    stub: Stub,
    ledger: Ledger,
    workflow_id: String,
    replicas: Replicas,
    proxy: Proxy,
    _database: Database,
}

impl Lossy {
    fn start() -> Self {
        let (stub, database) = (Stub::start(), Database::new());
        let proxy = Proxy::start(database.address());
        let replicas = Replicas::start(1, &database.url_at(proxy.address()));
        let workflow_id = replicas.deploy(&orders::flow(&replicas[0].provider(&stub)));
        Self { stub, ledger: Ledger::default(), workflow_id, replicas, proxy, _database: database }
    }

    /// Notes a new order and sends it. Whatever is answered is true.
    fn send(&self, key: &str) -> Order {
        let order = Order::shipped(key);
        self.ledger.note(&order);
        let answer = self.replicas[0].send(order.delivery());
        if answer.status == 503 {
            check_refusal(&answer);
        } else {
            self.ledger.acknowledge(&order, &answer);
        }
        order
    }

    /// Every order has one execution, and each of its steps was called once.
    fn check(&self) {
        orders::send_everything_again(&self.replicas[0], &self.ledger);
        orders::check_executions(&self.replicas[0], &self.workflow_id, &self.ledger);
        let calls = self.stub.calls();
        orders::check_steps(&self.replicas[0], &calls, &self.ledger, Repeats::AtMost(0));
        self.replicas.expect_sound();
    }
}

#[test]
fn an_acceptance_whose_commit_was_not_answered_is_looked_up() {
    const ROUNDS: usize = 20;
    let lossy = Lossy::start();
    for round in 1..=ROUNDS {
        let key = format!("order-{round:03}-of-many");
        lossy.proxy.lose_commit_of(&key, Afterwards::GoOn);
        let order = lossy.send(&key);
        lossy.proxy.wait_for_losses(round);
        let again = lossy.replicas[0].send(order.delivery());
        lossy.ledger.acknowledge(&order, &again);
        assert_eq!(again.header("Idempotent-Replayed"), Some("true"), "{again:?}");
    }
    lossy.check();
}

#[test]
fn an_append_whose_commit_was_not_answered_is_not_repeated() {
    const ROUNDS: usize = 20;
    let lossy = Lossy::start();
    for round in 1..=ROUNDS {
        let node = ["charge", "decide", "ship", "shipped"][round % 4];
        lossy.proxy.lose_commit_of(node, Afterwards::GoOn);
        lossy.send(&format!("order-{round}"));
        lossy.proxy.wait_for_losses(round);
    }
    lossy.check();
}

#[test]
fn what_was_committed_runs_though_its_caller_was_told_to_come_back() {
    let lossy = Lossy::start();
    lossy.proxy.lose_commit_of("order-of-nobody", Afterwards::BreakAll);
    lossy.send("order-of-nobody");
    lossy.proxy.wait_for_losses(1);
    assert_eq!(lossy.ledger.n_acknowledged(), 0, "nobody can know yet that it was accepted");
    lossy.proxy.mend();

    // Nobody sends it again.
    let server = &lossy.replicas[0];
    let execution =
        until("the execution is listed", || orders::listed(server, &lossy.workflow_id).pop_first());
    assert_eq!(server.wait_for_end(&execution)["status"], "completed");
    lossy.check();
}
