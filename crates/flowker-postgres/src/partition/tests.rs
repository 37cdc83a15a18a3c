use flowker_core::ports::ExecutionStore;

use super::*;
use crate::testing::TestDatabase;

async fn names(database: &TestDatabase, table: &str) -> Vec<String> {
    let rows = database
        .look(&format!(
            "SELECT c.relname::text AS name FROM pg_inherits AS i JOIN pg_class AS c \
             ON c.oid = i.inhrelid WHERE i.inhparent = '{table}'::regclass ORDER BY 1"
        ))
        .await;
    rows.iter().map(|row| row.get::<_, String>("name")).collect()
}

/// The present week: the first one, if the template was made in it.
async fn server_week(database: &TestDatabase) -> Week {
    let rows = database.look("SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now").await;
    Week::of(Timestamp::from_micros(rows[0].get("now")))
}

#[test]
fn a_week_begins_on_monday_and_is_named_after_it() {
    // 2026-11-23 is a Monday.
    let monday = Timestamp::parse("2026-11-23T00:00:00Z").expect("a moment");
    for (moment, name) in [
        ("2026-11-23T00:00:00Z", "20261123"),
        ("2026-11-29T23:59:59.999999Z", "20261123"),
        ("2026-11-22T23:59:59.999999Z", "20261116"),
        ("1970-01-05T00:00:00Z", "19700105"),
    ] {
        let week = Week::of(Timestamp::parse(moment).expect("a moment"));
        assert_eq!(week.name(), name, "{moment}");
        assert_eq!(Week::from(week.first_id()), week, "{moment}");
    }
    assert_eq!(Week::of(monday).start(), monday);
}

#[test]
fn ids_fall_into_the_week_in_which_they_are_made() {
    let week = Week::of(Timestamp::parse("2026-11-25T12:00:00Z").expect("a moment"));
    let seconds = week.start().as_seconds();
    let at = |seconds: i64, nanos| {
        let seconds = u64::try_from(seconds).expect("after 1970");
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
    };
    assert!(week.first_id() <= at(seconds, 0));
    assert!(at(seconds - 1, 999_000_000) < week.first_id());
    assert!(at(seconds + 7 * 86_400 - 1, 999_000_000) < week.next().first_id());
}

#[tokio::test]
async fn weeks_are_made_ahead_however_many_ask() {
    let database = TestDatabase::new().await;
    // Longer ago than there are weeks made up for.
    let present = Week(server_week(&database).await.0 + 20);
    database.clock.set(present.start());
    let before = names(&database, "executions").await;
    let db = database.db();
    let asked = futures_util::future::join_all((0..4).map(|_| make_ahead(&db))).await;
    assert!(asked.iter().all(Result::is_ok), "{asked:?}");
    for (table, _) in TABLES {
        let names = names(&database, table).await;
        assert!(before.len() < names.len());
        let has = |weeks| names.contains(&format!("{table}_{}", Week(present.0 + weeks).name()));
        assert!((-WEEKS_MAX..=WEEKS_AHEAD).all(has), "{names:?}");
        assert!(!has(-WEEKS_MAX - 1) && !has(WEEKS_AHEAD + 1), "{names:?}");
    }
}

#[tokio::test]
async fn a_week_is_dropped_when_it_is_old_and_all_of_it_has_ended() {
    let database = TestDatabase::new().await;
    let db = database.db();
    let retention = Duration::from_hours(24 * 10);
    let present = server_week(&database).await;
    database.clock.set(present.start());
    make_ahead(&db).await.expect("partitions");
    let first = names(&database, "journal").await;
    assert_eq!(drop_old(&db, retention).await.expect("drop"), 0, "nothing is old");

    let id = Uuid::from_u128(present.next().first_id().as_u128() + 1);
    database
        .look(&format!(
            "INSERT INTO ready (execution_id, workflow_id, accepted_at, fence, due) \
             VALUES ('{id}', '{id}', now(), 0, now())"
        ))
        .await;
    // The week before the first, and two more, are old; the second of them is not done.
    database.clock.set(present.next().next().start().plus(retention));
    assert_eq!(drop_old(&db, retention).await.expect("drop"), 2);
    assert_eq!(names(&database, "journal").await.len(), first.len() - 2);
    database.look("DELETE FROM ready").await;
    assert_eq!(drop_old(&db, retention).await.expect("drop"), 1);
    assert_eq!(drop_old(&db, retention).await.expect("drop"), 0, "the next is not old enough");
    assert!(names(&database, "executions").await.contains(&"executions_beyond".to_owned()));
}

#[tokio::test]
async fn what_lies_beyond_moves_into_its_week() {
    let database = TestDatabase::new().await;
    let db = database.db();
    let far = Week(server_week(&database).await.0 + 10);
    let id = Uuid::from_u128(far.first_id().as_u128() + 7);
    database
        .look(&format!(
            "INSERT INTO executions (id, workflow_id, version, total_steps, accepted_at, start_node,
                                     input)
             VALUES ('{id}', '{id}', 1, 1, now(), 'start', '{{}}')"
        ))
        .await;
    let place = "SELECT tableoid::regclass::text AS place FROM executions";
    assert_eq!(database.look(place).await[0].get::<_, &str>("place"), "executions_beyond");
    database.clock.set(far.start());
    make_ahead(&db).await.expect("partitions");
    let expected = format!("executions_{}", far.name());
    assert_eq!(database.look(place).await[0].get::<_, &str>("place"), expected);
}

#[tokio::test]
async fn replicas_that_are_long_gone_are_forgotten_unless_they_own_something() {
    let database = TestDatabase::new().await;
    let store = database.store(&crate::Options::default());
    let [gone, owner, alive] = [1, 2, 3].map(flowker_testkit::sample::replica);
    for replica in [gone, owner] {
        store.keep_alive(replica).await.expect("keep_alive");
    }
    let new = flowker_testkit::sample::new_execution(1);
    let new = flowker_core::ports::NewExecution { owner: Some(owner), ..new };
    store.accept(new).await.expect("accept");
    database.clock.advance(Duration::from_hours(25));
    store.keep_alive(alive).await.expect("keep_alive");
    store.keep_house(None).await.expect("in order");
    let left = database.look("SELECT id FROM replicas ORDER BY id").await;
    let left: Vec<Uuid> = left.iter().map(|row| row.get("id")).collect();
    assert_eq!(left, [*owner.as_uuid(), *alive.as_uuid()]);
}
