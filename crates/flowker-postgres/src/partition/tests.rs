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
    let now = Timestamp::parse("2031-03-05T00:00:00Z").expect("a moment");
    database.clock.set(now);
    let before = names(&database, "executions").await;
    let db = database.db();
    let asked = futures_util::future::join_all((0..4).map(|_| make_ahead(&db))).await;
    assert!(asked.iter().all(Result::is_ok), "{asked:?}");
    for table in TABLES {
        let names = names(&database, table).await;
        assert!(before.len() < names.len());
        assert!(names.contains(&format!("{table}_20310303")), "{names:?}");
        assert!(names.contains(&format!("{table}_20310331")), "{names:?}");
        assert!(!names.contains(&format!("{table}_20310407")), "{names:?}");
    }
}

#[tokio::test]
async fn a_week_is_dropped_when_it_is_old_and_all_of_it_has_ended() {
    let database = TestDatabase::new().await;
    let db = database.db();
    let retention = Duration::from_hours(24 * 10);
    // The template's first week is the one in which it was made.
    let rows = database.look("SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now").await;
    let now = Timestamp::from_micros(rows[0].get("now"));
    database.clock.set(now);
    let present = Week::of(now);
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
