use flowker_testkit::postgres::free_port;
use tokio::task::JoinSet;

use super::*;
use crate::testing::TestDatabase;

fn pooled() -> Options {
    Options { pooled: true, ..Options::default() }
}

/// However many replicas start on an empty database, all find it ready.
async fn check_start_together(options: Options) {
    let database = TestDatabase::empty().await;
    let mut replicas = JoinSet::new();
    for _ in 0..8 {
        let (url, options) = (database.url(), options.clone());
        replicas.spawn(async move { PostgresStore::open(&url, &options).await });
    }
    for store in replicas.join_all().await {
        store.expect("it opens").check().await.expect("it is fit");
    }
    let rows = database.look("SELECT count(*) FROM refinery_schema_history").await;
    let n_known = crate::migrate::known().len();
    assert_eq!(rows[0].get::<_, i64>(0), i64::try_from(n_known).unwrap());
    // Again, with nothing to do.
    let store = PostgresStore::open(&database.url(), &options).await.expect("it opens");
    let weeks = partition::made_until(&store.inner.db).await.expect("they can be read");
    assert!(weeks.is_some(), "there is a place for what will be accepted");
}

#[tokio::test]
async fn replicas_may_start_together() {
    check_start_together(Options::default()).await;
}

#[tokio::test]
async fn replicas_may_start_together_behind_a_pooler() {
    check_start_together(pooled()).await;
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let database = TestDatabase::empty().await;
    // In the way of something that the schema makes late.
    database.look("CREATE TABLE idempotency_keys ()").await;
    let error = PostgresStore::open(&database.url(), &Options::default()).await;
    let error = error.expect_err("a table is in the way");
    assert!(matches!(error, OpenError::Migrate(MigrateError::Schema(_))), "{error:?}");
    assert!(!error.is_retryable());
    let rows = database.look("SELECT relname::text FROM pg_class WHERE relkind = 'r'").await;
    let tables: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(!tables.iter().any(|it| it == "workflows" || it == "refinery_schema_history"));
    database.look("DROP TABLE idempotency_keys").await;
    PostgresStore::open(&database.url(), &Options::default()).await.expect("nothing is in the way");
}

#[tokio::test]
async fn what_passes_by_itself_is_told_from_what_does_not() {
    let url = format!("postgres://flowker@127.0.0.1:{}/flowker", free_port());
    let nobody = url.parse().unwrap();
    for options in [Options::default(), pooled()] {
        let error = PostgresStore::open(&nobody, &options).await.expect_err("nobody listens");
        assert!(error.is_retryable(), "{error:?}");
        assert_eq!(error.to_string(), "the database cannot be asked");
    }
    let error = migrate(&nobody).await.expect_err("nobody listens");
    assert!(OpenError::from(error).is_retryable());

    let database = TestDatabase::empty().await;
    let gone = database.url();
    drop(database);
    let error = PostgresStore::open(&gone, &Options::default()).await.expect_err("it is dropped");
    assert!(!error.is_retryable(), "{error:?}");
    let error = migrate(&gone).await.expect_err("it is dropped");
    assert!(!OpenError::from(error).is_retryable());
}
