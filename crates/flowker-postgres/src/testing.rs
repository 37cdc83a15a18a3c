//! Databases for tests: a fresh one each, made from a template that has the schema.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use flowker_testkit::TestClock;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

use crate::db::Db;
use crate::statement::Preparation;
use crate::{ConnectionUrl, Options, PostgresStore, migrate, partition};

/// Names a server on which tests may make databases. `cargo xtask test` starts one and sets it.
const SERVER: &str = "FLOWKER_TEST_DATABASE_URL";

/// Under which number tests wait for whoever makes the template.
const LOCK: &str = "SELECT pg_advisory_lock(7380392186413675009)";

/// Lets a session say what time it is; sessions that do not have the server's.
const TEST_CLOCK: &str = "
    CREATE OR REPLACE FUNCTION flowker_now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT CASE WHEN coalesce(current_setting('flowker.now', true), '') = ''
                    THEN statement_timestamp()
                    ELSE timestamptz 'epoch'
                         + current_setting('flowker.now')::bigint * interval '1 microsecond'
               END
    $$";

/// A database of its own for one test, which goes with it.
pub(crate) struct TestDatabase {
    name: String,
    /// What its stores take for the server's clock.
    pub(crate) clock: Arc<TestClock>,
}

impl TestDatabase {
    pub(crate) async fn new() -> Self {
        let admin = connect("").await;
        let template = template(&admin).await;
        Self::of(&admin, &template).await
    }

    /// One that nobody migrated.
    pub(crate) async fn empty() -> Self {
        Self::of(&connect("").await, "template0").await
    }

    async fn of(admin: &Client, template: &str) -> Self {
        let name = format!("flowker_test_{}", Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        admin.batch_execute(&create).await.expect("the role may create databases");
        Self { name, clock: TestClock::new() }
    }

    pub(crate) fn url(&self) -> ConnectionUrl {
        url(&self.name).parse().expect("a URL")
    }

    /// The host and the port of its server.
    pub(crate) fn server(&self) -> (String, u16) {
        let url = ::url::Url::parse(&url(&self.name)).expect("a URL");
        let host = url.host_str().expect("the URL of the server names a host").to_owned();
        (host, url.port().unwrap_or(5432))
    }

    /// Its URL by another port of this machine.
    pub(crate) fn url_by(&self, port: u16) -> ConnectionUrl {
        let mut url = ::url::Url::parse(&url(&self.name)).expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("it has one");
        url.set_port(Some(port)).expect("it may have one");
        url.as_str().parse().expect("a URL")
    }

    /// Sessions on it, with the test's clock.
    pub(crate) fn db(&self) -> Db {
        Db::new(&self.url(), Preparation::Named, 4).with_clock(Arc::clone(&self.clock) as _)
    }

    /// A store on it, with the test's clock.
    pub(crate) fn store(&self, options: &Options) -> PostgresStore {
        PostgresStore::with_clock(&self.url(), options, &(Arc::clone(&self.clock) as _))
    }

    /// A session as an operator would have it, with the server's clock.
    pub(crate) async fn client(&self) -> Client {
        connect(&self.name).await
    }

    /// Runs a statement as an operator would.
    pub(crate) async fn look(&self, statement: &str) -> Vec<Row> {
        self.client().await.query(statement, &[]).await.expect(statement)
    }
}

/// Waits for a state that somebody else brings about.
pub(crate) async fn until(what: &str, reached: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !reached().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = self.name.clone();
        // The test's runtime may be gone or busy; this one is not.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                let _ = connect("").await.batch_execute(&drop).await;
            });
        });
        let _ = dropping.join();
    }
}

/// The URL of a database on the server; of the server's own one if `name` is empty.
fn url(name: &str) -> String {
    let server = env::var(SERVER).unwrap_or_else(|_| {
        panic!("{SERVER} names no server: run `cargo xtask test`, which starts one")
    });
    if name.is_empty() {
        return server;
    }
    let (target, query) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = target.rsplit_once('/').expect("the URL of the server names a database");
    format!("{host}/{name}?{query}")
}

#[expect(clippy::disallowed_methods, reason = "the session ends with its client")]
async fn connect(name: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(&url(name), NoTls).await.expect("the server of the tests answers");
    tokio::spawn(connection);
    client
}

/// The name of the template with the schema as it is in this build, which is made if it is missing.
async fn template(admin: &Client) -> String {
    let mut hasher = DefaultHasher::new();
    let known = crate::migrate::known();
    let checksums: Vec<_> = known.iter().map(refinery::Migration::checksum).collect();
    (checksums, TEST_CLOCK).hash(&mut hasher);
    let name = format!("flowker_template_{:016x}", hasher.finish());
    if !exists(admin, &name).await {
        admin.batch_execute(LOCK).await.expect("a lock");
        if !exists(admin, &name).await {
            make_template(admin, &name).await;
        }
    }
    name
}

async fn exists(admin: &Client, name: &str) -> bool {
    let found = "SELECT 1 FROM pg_database WHERE datname = $1";
    admin.query_opt(found, &[&name]).await.expect("pg_database is readable").is_some()
}

async fn make_template(admin: &Client, name: &str) {
    let draft = format!("{name}_draft");
    let remove = format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)");
    admin.batch_execute(&remove).await.expect("a draft can be removed");
    admin.batch_execute(&format!("CREATE DATABASE {draft}")).await.expect("a database can be made");
    let draft_url: ConnectionUrl = url(&draft).parse().expect("a URL");
    migrate(&draft_url).await.expect("the schema can be made");
    let db = Db::new(&draft_url, Preparation::Named, 1);
    partition::make_ahead(&db).await.expect("partitions can be made");
    connect(&draft).await.batch_execute(TEST_CLOCK).await.expect("the clock can be changed");
    drop(db);
    // Sessions that are about to end keep a template from being used.
    let end =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{draft}'");
    admin.batch_execute(&end).await.expect("sessions can be ended");
    let rename = format!("ALTER DATABASE {draft} RENAME TO {name}");
    loop {
        // A session that was told to end takes a moment, in which renaming is refused.
        match admin.batch_execute(&rename).await {
            Ok(()) => return,
            Err(error) if error.code().is_some_and(|code| code.code() == "55006") => {}
            Err(error) => panic!("the template cannot be named: {error}"),
        }
    }
}
