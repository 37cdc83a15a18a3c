//! Group commit: what waits together is written together, and a bound on what waits.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flowker_core::execution::{Event, Execution, Fence};
use flowker_core::ports::{Acceptance, Append, ExecutionStore, NewExecution, StoreError};
use flowker_testkit::sample;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::testing::TestDatabase;
use crate::{ConnectionUrl, Options, PostgresStore};

/// A store with one writer, whose first group is held up.
struct Held {
    _database: TestDatabase,
    store: PostgresStore,
    /// Has what the writer waits for.
    holder: Client,
    _first: JoinSet<Result<Acceptance, StoreError>>,
    /// How many groups had been written before.
    n_groups: u64,
}

impl Held {
    async fn new(options: Options) -> Self {
        let database = TestDatabase::new().await;
        let store = PostgresStore::new(&database.url(), &Options { writers: 1, ..options });
        Self::of(database, store).await
    }

    async fn of(database: TestDatabase, store: PostgresStore) -> Self {
        let n_groups = store.commits();
        let (holder, operator) = (database.client().await, database.client().await);
        let lock = "BEGIN; LOCK TABLE ready IN SHARE MODE";
        holder.batch_execute(lock).await.expect("a lock");
        let mut first = JoinSet::new();
        first.spawn(accept(&store, sample::new_execution(9_999)));
        let waiting = "SELECT 1 FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while operator.query_opt(waiting, &[]).await.expect("an answer").is_none() {}
        Self { _database: database, store, holder, _first: first, n_groups }
    }

    /// Starts a write and waits until it is queued.
    async fn queue<T: Send + 'static>(
        &self,
        writes: &mut JoinSet<T>,
        write: impl Future<Output = T> + Send + 'static,
    ) {
        let n_before = self.store.queued();
        writes.spawn(write);
        while self.store.queued() == n_before {
            yield_now().await;
        }
    }

    /// Lets the writer go on. Answers how many groups it wrote for what was queued.
    async fn go_on<T: Send + 'static>(self, writes: JoinSet<T>) -> (Self, Vec<T>, u64) {
        self.holder.batch_execute("COMMIT").await.expect("the lock is given up");
        let answers = writes.join_all().await;
        let n_groups = self.store.commits() - self.n_groups - 1;
        (self, answers, n_groups)
    }
}

fn accept(
    store: &PostgresStore,
    new: NewExecution,
) -> impl Future<Output = Result<Acceptance, StoreError>> + Send + 'static {
    let store = store.clone();
    async move { store.accept(new).await }
}

fn append(
    store: &PostgresStore,
    append: Append,
) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
    let store = store.clone();
    async move { store.append(append).await }
}

async fn is_there(store: &PostgresStore, n: u64) -> bool {
    let found = ExecutionStore::get(store, sample::execution_id(n)).await;
    found.expect("get").is_some()
}

fn keyed(n: u64, key: &str) -> NewExecution {
    NewExecution { claim: Some(sample::claim(key, "a")), ..sample::new_execution(n) }
}

#[tokio::test]
async fn what_waits_for_a_commit_goes_into_the_next_one() {
    let held = Held::new(Options::default()).await;
    let mut writes = JoinSet::new();
    for n in 1..=200 {
        held.queue(&mut writes, accept(&held.store, sample::new_execution(n))).await;
    }
    let (held, answers, n_groups) = held.go_on(writes).await;
    assert!(answers.iter().all(|it| matches!(it, Ok(Acceptance::Accepted))), "{answers:?}");
    assert_eq!(n_groups, 1);
    assert!(is_there(&held.store, 200).await);
}

#[tokio::test]
async fn a_group_has_a_bound() {
    let held = Held::new(Options::default()).await;
    let mut writes = JoinSet::new();
    for n in 1..=257 {
        held.queue(&mut writes, accept(&held.store, sample::new_execution(n))).await;
    }
    assert_eq!(held.go_on(writes).await.2, 2, "one more than fit into one");

    let held = Held::new(Options::default()).await;
    let mut writes = JoinSet::new();
    for n in 1..=3 {
        let input = Bytes::from(format!("\"{}\"", "x".repeat(3 << 20)));
        let execution = Arc::new(Execution { input, ..sample::execution(n) });
        let large = NewExecution { execution, ..sample::new_execution(n) };
        held.queue(&mut writes, accept(&held.store, large)).await;
    }
    assert_eq!(held.go_on(writes).await.2, 2, "the third does not fit behind 6 MiB");
}

#[tokio::test]
async fn a_job_that_fails_harms_none_of_its_neighbours() {
    let held = Held::new(Options::default()).await;
    let mut writes = JoinSet::new();
    for n in 1..=5 {
        let input = Bytes::from_static(if n == 3 { b"\xFF" } else { b"{}" });
        let execution = Arc::new(Execution { input, ..sample::execution(n) });
        let new = NewExecution { execution, ..keyed(n, &format!("k{n}")) };
        let write = accept(&held.store, new);
        held.queue(&mut writes, async move { (n, write.await) }).await;
    }
    let (held, answers, n_groups) = held.go_on(writes).await;
    for (n, answer) in answers {
        if n == 3 {
            assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
        } else {
            assert_eq!(answer.expect("accept"), Acceptance::Accepted);
        }
        assert_eq!(is_there(&held.store, n).await, n != 3);
    }
    assert_eq!(n_groups, 4, "each of them alone");
    // Its key is not taken.
    let again = held.store.accept(keyed(3, "k3")).await;
    assert_eq!(again.expect("accept"), Acceptance::Accepted);
}

#[tokio::test]
async fn one_of_those_with_a_key_is_written_and_the_others_read() {
    let held = Held::new(Options::default()).await;
    let mut writes = JoinSet::new();
    for n in 1..=20 {
        held.queue(&mut writes, accept(&held.store, keyed(n, "order-42"))).await;
    }
    held.queue(&mut writes, accept(&held.store, keyed(21, "order-43"))).await;
    let (held, answers, n_groups) = held.go_on(writes).await;
    let accepted = answers.iter().filter(|it| matches!(it, Ok(Acceptance::Accepted)));
    assert_eq!(accepted.count(), 2, "{answers:?}");
    let first = sample::execution_id(1);
    let replayed =
        answers.iter().filter(|it| matches!(it, Ok(Acceptance::Replayed(it)) if it.id == first));
    assert_eq!(replayed.count(), 19, "{answers:?}");
    assert_eq!(n_groups, 1);
    assert!(!is_there(&held.store, 2).await);
}

/// Also when its key is another one's by now, and somebody writes there.
#[tokio::test]
async fn one_that_was_accepted_before_and_has_to_wait_is_still_accepted() {
    let database = TestDatabase::new().await;
    let store = database.store(&Options { writers: 1, ..Options::default() });
    for n in [1, 2] {
        let answer = store.accept(keyed(n, "order-42")).await;
        assert_eq!(answer.expect("accept"), Acceptance::Accepted);
        let at = sample::moment(3);
        store.cancel(sample::execution_id(n), at, &sample::actor()).await.expect("cancel");
        if n == 1 {
            database.clock.advance(sample::RETENTION + Duration::from_secs(1));
        }
    }
    let held = Held::of(database, store).await;
    let mut writes = JoinSet::new();
    for n in [3, 1] {
        let write = accept(&held.store, keyed(n, "order-42"));
        held.queue(&mut writes, async move { (n, write.await.expect("accept")) }).await;
    }
    let (_held, answers, _) = held.go_on(writes).await;
    for (n, answer) in answers {
        match answer {
            Acceptance::Accepted => assert_eq!(n, 1),
            Acceptance::Replayed(it) => assert_eq!((n, it.id), (3, sample::execution_id(2))),
            other => panic!("accepted or replayed, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn appends_to_one_execution_are_written_one_after_another() {
    let database = TestDatabase::new().await;
    let store = PostgresStore::new(&database.url(), &Options { writers: 1, ..Options::default() });
    for n in [1, 2] {
        let owner = Some(sample::replica(1));
        let new = NewExecution { owner, ..sample::new_execution(n) };
        assert_eq!(store.accept(new).await.expect("accept"), Acceptance::Accepted);
    }
    let held = Held::of(database, store).await;
    let started = |position: usize| {
        let attempt = u32::try_from(position).expect("few");
        sample::entry(Fence::FIRST, Event::Started { node: "call".to_owned(), attempt })
    };
    let mut writes = JoinSet::new();
    for position in 0..5 {
        for n in [1, 2] {
            let new = Append {
                id: sample::execution_id(n),
                fence: Fence::FIRST,
                position,
                entries: vec![started(position)],
                end: None,
            };
            held.queue(&mut writes, append(&held.store, new)).await;
        }
    }
    let (held, answers, n_groups) = held.go_on(writes).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(n_groups, 5, "both executions in each");
    for n in [1, 2] {
        let journal = held.store.journal(sample::execution_id(n)).await.expect("journal");
        assert_eq!(journal, (0..5).map(started).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_shed_at_once() {
    let held = Held::new(Options { queue_max: 2, ..Options::default() }).await;
    let mut writes = JoinSet::new();
    for n in [1, 2] {
        held.queue(&mut writes, accept(&held.store, sample::new_execution(n))).await;
    }
    let shed = held.store.accept(sample::new_execution(3)).await;
    assert!(matches!(shed, Err(StoreError::Full)), "{shed:?}");
    let (held, answers, _) = held.go_on(writes).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let answer = held.store.accept(sample::new_execution(3)).await;
    assert_eq!(answer.expect("accept"), Acceptance::Accepted);
}

#[tokio::test]
async fn a_waiter_that_is_gone_undoes_nothing() {
    let held = Held::new(Options::default()).await;
    let mut gone = JoinSet::new();
    held.queue(&mut gone, accept(&held.store, sample::new_execution(1))).await;
    gone.shutdown().await;
    let mut writes = JoinSet::new();
    held.queue(&mut writes, accept(&held.store, sample::new_execution(2))).await;
    let (held, ..) = held.go_on(writes).await;
    assert!(is_there(&held.store, 1).await);
}

#[tokio::test]
async fn what_waits_too_long_for_its_turn_is_withdrawn() {
    // Takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("it is bound").port();
    let url = format!("postgres://nobody@127.0.0.1:{port}/none");
    let url: ConnectionUrl = url.parse().expect("a URL");
    let store = PostgresStore::new(&url, &Options::default());
    let answer = timeout(Duration::from_secs(8), store.accept(sample::new_execution(1))).await;
    let answer = answer.expect("sooner than a session is given up");
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    assert_eq!(store.queued(), 0);
}

#[tokio::test]
async fn a_closed_store_has_written_what_waited_and_takes_no_more() {
    let held = Held::new(Options::default()).await;
    let mut writes = JoinSet::new();
    for n in 1..=3 {
        held.queue(&mut writes, accept(&held.store, sample::new_execution(n))).await;
    }
    let mut closing = JoinSet::new();
    let store = held.store.clone();
    closing.spawn(async move { store.close().await });
    yield_now().await;
    let (held, answers, _) = held.go_on(writes).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    closing.join_all().await;
    let late = held.store.accept(sample::new_execution(4)).await;
    assert!(matches!(late, Err(StoreError::Unavailable { .. })), "{late:?}");
    assert!(is_there(&held.store, 3).await);
}

#[tokio::test]
async fn without_a_server_nobody_waits() {
    // Nobody listens at the port that is for discarding.
    let url: ConnectionUrl = "postgres://nobody@127.0.0.1:9/none".parse().expect("a URL");
    let store = PostgresStore::new(&url, &Options { queue_max: 10, ..Options::default() });
    let mut writes = JoinSet::new();
    for n in 0..100 {
        let store = store.clone();
        writes.spawn(async move {
            let answer = store.accept(sample::new_execution(n)).await;
            assert!(
                matches!(answer, Err(StoreError::Unavailable { .. } | StoreError::Full)),
                "{answer:?}"
            );
        });
    }
    timeout(Duration::from_secs(4), writes.join_all()).await.expect("in time");
    assert_eq!(store.queued(), 0);
}
