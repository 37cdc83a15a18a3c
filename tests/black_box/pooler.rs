//! Behind a pooler in transaction mode everything works as without it.

use flowker_tests::Replicas;
use flowker_tests::pooler::PooledDatabase;

use crate::{losses, replicas};

fn start(database: &PooledDatabase, n_replicas: usize) -> Replicas {
    Replicas::start_as(n_replicas, |home| {
        home.set("DATABASE_URL", &database.url()).set("DATABASE_POOLER", "transaction")
    })
}

#[test]
fn racing_senders_behind_a_pooler_get_one_execution() {
    let Some(database) = PooledDatabase::new() else { return };
    replicas::check_races(&start(&database, 2), 10);
}

#[test]
fn routes_come_and_go_behind_a_pooler() {
    let Some(database) = PooledDatabase::new() else { return };
    let replicas = start(&database, 3);
    replicas::check_routes_go_live(&replicas);
    replicas::check_deactivation(&replicas);
}

#[test]
fn others_finish_what_a_killed_replica_was_doing_behind_a_pooler() {
    let Some(database) = PooledDatabase::new() else { return };
    losses::check_kill(start(&database, 3));
}
