use std::sync::Arc;

use flowker_testkit::TestClock;

use super::*;
use crate::testing::TestDatabase;
use crate::{Options, migrate};

fn store(database: &TestDatabase) -> PostgresStore {
    database.store(&Options::default())
}

#[tokio::test]
async fn a_fresh_database_is_fit() {
    let database = TestDatabase::new().await;
    store(&database).check().await.unwrap();
}

/// What the check says after an operator did something.
async fn check(done: &str, expected: &str) {
    let database = TestDatabase::new().await;
    database.look(done).await;
    let error = store(&database).check().await.expect_err(done);
    assert_eq!(error.to_string(), expected, "{done}");
}

#[tokio::test]
async fn a_schema_that_is_not_of_this_release_is_refused() {
    let known = migrate::version();
    check(
        "DROP TABLE refinery_schema_history",
        "the database has no schema; run `flowker migrate`",
    )
    .await;
    check(
        "DELETE FROM refinery_schema_history",
        "the database has no schema; run `flowker migrate`",
    )
    .await;
    check(
        "INSERT INTO refinery_schema_history VALUES (999, 'later', '2030-01-01T00:00:00Z', '1')",
        &format!(
            "the schema is at version 999 and this release knows {known}; run the release that \
             migrated it, or a newer one"
        ),
    )
    .await;
    check(
        "UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1",
        "migration 1 of the database is not the one that this release knows",
    )
    .await;
    check(
        "UPDATE refinery_schema_history SET version = version - 1",
        "migration 0 of the database is not the one that this release knows",
    )
    .await;
}

#[tokio::test]
async fn a_newer_schema_is_not_migrated() {
    let database = TestDatabase::new().await;
    let later =
        "INSERT INTO refinery_schema_history VALUES (999, 'x', '2030-01-01T00:00:00Z', '1')";
    database.look(later).await;
    let error = migrate::migrate(&database.url()).await.expect_err("it is newer");
    assert!(matches!(error, migrate::MigrateError::Newer { applied: 999, .. }), "{error:?}");
    let error = PostgresStore::open(&database.url(), &Options::default()).await.expect_err("newer");
    assert!(error.to_string().contains("999"), "{error}");
    assert!(!error.is_retryable());
}

#[test]
fn servers_that_may_lose_what_they_acknowledge_are_refused() {
    let setting = |value: &str| Some(value.to_owned());
    let fit = Server {
        version: "15.6".to_owned(),
        version_number: 150_006,
        is_in_recovery: false,
        fsync: setting("on"),
        full_page_writes: setting("on"),
        synchronous_commit: setting("on"),
        synchronous_standby_names: setting(""),
    };
    let without = Server { fsync: None, full_page_writes: None, ..fit.clone() };
    let strict = Server { synchronous_commit: setting("remote_apply"), ..fit.clone() };
    for server in [&fit, &without, &strict, &Server { version_number: 140_000, ..fit.clone() }] {
        server.check().unwrap();
    }
    let lossy = |name: &str| {
        format!("the server has {name} = off, so a crash may lose what was accepted; set it to on")
    };
    for (server, expected) in [
        (
            Server { version: "13.9".to_owned(), version_number: 130_009, ..fit.clone() },
            "Postgres 13.9 is too old; version 14 or newer is needed".to_owned(),
        ),
        (
            Server { is_in_recovery: true, ..fit.clone() },
            "the server is a standby, which takes no writes; name the primary, or all its peers"
                .to_owned(),
        ),
        (Server { fsync: setting("off"), ..fit.clone() }, lossy("fsync")),
        (Server { full_page_writes: setting("off"), ..fit.clone() }, lossy("full_page_writes")),
        (Server { synchronous_commit: setting("off"), ..fit }, lossy("synchronous_commit")),
    ] {
        assert_eq!(server.check().expect_err(&expected).to_string(), expected);
    }
}

#[tokio::test]
async fn a_role_without_synchronous_commit_is_refused() {
    let database = TestDatabase::new().await;
    let name = database.look("SELECT current_database()").await[0].get::<_, String>(0);
    database.look(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    let error = store(&database).check().await.expect_err("it is off");
    assert!(matches!(error, UnfitError::Setting { name: "synchronous_commit", .. }), "{error:?}");
}

#[tokio::test]
async fn an_inspection_tells_what_is_there() {
    let database = TestDatabase::new().await;
    let moment = |seconds_ago: i64| {
        let micros = TestClock::START.as_micros() - seconds_ago * 1_000_000;
        format!("timestamptz 'epoch' + {micros} * interval '1 microsecond'")
    };
    let id = |n: u128| uuid::Uuid::from_u128(n);
    let owner = |n: Option<u128>| n.map_or_else(|| "NULL".to_owned(), |n| format!("'{}'", id(n)));
    // One replica is alive, one is not and was relieved of all it had, two left work behind.
    for (replica, seconds_ago) in [(1, 9), (2, 11), (3, 60)] {
        let seen_at = moment(seconds_ago);
        let insert = format!("INSERT INTO replicas VALUES ('{}', {seen_at})", id(replica));
        database.look(&insert).await;
    }
    let owners = [Some(1), Some(1), Some(3), Some(3), Some(4), None, None];
    for (n, by) in (0..).zip(owners) {
        let (accepted_at, owner) = (moment(100 - n), owner(by));
        let insert = format!(
            "INSERT INTO ready VALUES ('{}', '{}', {accepted_at}, {owner}, 0, {accepted_at})",
            id(100 + u128::try_from(n).unwrap()),
            id(7),
        );
        database.look(&insert).await;
    }
    let beyond = format!(
        "INSERT INTO outcomes VALUES ('{}', '{}', 'completed', now(), now())",
        uuid::Uuid::max(),
        id(7)
    );
    database.look(&beyond).await;

    let inspection = store(&database).inspect(&*database.clock).await.unwrap();
    assert!(VERSION_MIN <= inspection.server.version_number, "{inspection:?}");
    assert_eq!(inspection.server.synchronous_commit.as_deref(), Some("on"));
    let known = migrate::version();
    assert_eq!(inspection.schema, Schema { applied: Some(known), known });
    let contents = inspection.contents.expect("the schema is ours");
    assert!(TestClock::START < contents.weeks_until.expect("weeks were made"), "{contents:?}");
    let expected = Contents {
        replicas_alive: 1,
        replicas_lapsed: 2,
        unfinished: 7,
        oldest_unowned: Some(Duration::from_secs(95)),
        rows_beyond: 1,
        weeks_until: contents.weeks_until,
    };
    assert_eq!(contents, expected);
}

#[tokio::test]
async fn an_empty_database_is_inspected_too() {
    let database = TestDatabase::new().await;
    database.look("DROP TABLE refinery_schema_history").await;
    let inspection = store(&database).inspect(&*database.clock).await.unwrap();
    assert_eq!(inspection.schema, Schema { applied: None, known: migrate::version() });
    assert_eq!(inspection.contents, None);
}

#[tokio::test]
async fn clocks_are_compared() {
    let database = TestDatabase::new().await;
    let store = store(&database);
    let ours = TestClock::new();
    let theirs = async || {
        let rows =
            database.look("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8").await;
        rows[0].get::<_, i64>(0)
    };
    for micros in [0, 4_000_000_000_000_000] {
        ours.set(Timestamp::from_micros(micros));
        let earliest = theirs().await - micros;
        let offset = store.inspect(&*ours).await.unwrap().clock;
        let latest = theirs().await - micros;
        assert!((earliest..=latest).contains(&offset.micros), "{earliest} {offset:?} {latest}");
        // The clock of the test stood still meanwhile.
        assert_eq!(offset.uncertainty, Duration::ZERO);
    }
    // Asking took two seconds by this clock, and the answer belongs to the middle of them.
    let slow = Slow(Arc::clone(&ours));
    ours.set(Timestamp::from_micros(0));
    let earliest = theirs().await - 1_000_000;
    let offset = store.inspect(&slow).await.unwrap().clock;
    let latest = theirs().await - 1_000_000;
    assert!((earliest..=latest).contains(&offset.micros), "{earliest} {offset:?} {latest}");
    assert_eq!(offset.uncertainty, Duration::from_secs(1));
}

/// A clock that goes on by two seconds whenever it is looked at.
#[derive(Debug)]
struct Slow(Arc<TestClock>);

impl Clock for Slow {
    fn now(&self) -> Timestamp {
        let now = self.0.now();
        self.0.advance(Duration::from_secs(2));
        now
    }
}
