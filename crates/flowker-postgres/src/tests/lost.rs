//! Sessions that end while a group is being written, and answers that are lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flowker_core::execution::Fence;
use flowker_core::ports::{Acceptance, Append, ExecutionStore, NewExecution, StoreError};
use flowker_testkit::sample;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};

use crate::testing::TestDatabase;
use crate::{Options, PostgresStore};

/// The `n`-th execution with a key of its own, owned.
fn new(n: u64) -> NewExecution {
    NewExecution {
        claim: Some(sample::claim(&format!("order-{n}"), "a")),
        owner: Some(sample::replica(1)),
        ..sample::new_execution(n)
    }
}

fn done(n: u64, position: usize) -> Append {
    let entry = sample::entry(Fence::FIRST, sample::completed("call", sample::value("1")));
    let id = sample::execution_id(n);
    Append { id, fence: Fence::FIRST, position, entries: vec![entry], end: None }
}

/// Asks until there is an answer. Nothing else may come before it than that the store did not do it,
/// or does not know.
async fn insist<T, F: Future<Output = Result<T, StoreError>>>(asking: impl Fn() -> F) -> T {
    loop {
        match asking().await {
            Ok(answer) => return answer,
            Err(StoreError::Unavailable { .. } | StoreError::Unknown { .. }) => {}
            Err(error) => panic!("unavailable or unknown, not {error:?}"),
        }
    }
}

/// Ends all sessions of the stores, over and over, as long as they write.
async fn check_killing(options: &Options) {
    const N_SENDERS: u64 = 24;
    const N_KILLS: u64 = 30;
    let database = TestDatabase::new().await;
    let store = PostgresStore::new(&database.url(), options);
    let (is_over, n_done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut senders = JoinSet::new();
    for sender in 0..N_SENDERS {
        let store = store.clone();
        let (is_over, n_done) = (Arc::clone(&is_over), Arc::clone(&n_done));
        senders.spawn(async move {
            let mut acknowledged = Vec::new();
            for n in (sender..).step_by(usize::try_from(N_SENDERS).expect("few")) {
                let answer = insist(|| store.accept(new(n))).await;
                assert_eq!(answer, Acceptance::Accepted, "nobody else has its key");
                for position in 0..3 {
                    insist(|| store.append(done(n, position))).await;
                }
                acknowledged.push(sample::execution_id(n));
                n_done.fetch_add(1, Ordering::Relaxed);
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
            acknowledged
        });
    }
    let killer = database.client().await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..N_KILLS {
        // Between two of them something is written.
        let n_before = n_done.load(Ordering::Relaxed);
        while n_done.load(Ordering::Relaxed) < n_before + 10 {
            yield_now().await;
        }
        killer.batch_execute(kill).await.expect("sessions can be ended");
    }
    is_over.store(true, Ordering::Relaxed);
    let acknowledged: BTreeSet<_> = senders.join_all().await.into_iter().flatten().collect();

    let ids = |row: &tokio_postgres::Row| flowker_core::id::ExecutionId::from_uuid(row.get("id"));
    let rows = database.look("SELECT id FROM executions").await;
    let stored: BTreeSet<_> = rows.iter().map(ids).collect();
    assert_eq!((rows.len(), &stored), (acknowledged.len(), &acknowledged));
    let wrong = "SELECT e.id FROM executions AS e
                  WHERE (SELECT count(*) FROM ready AS r WHERE r.execution_id = e.id) <> 1
                     OR (SELECT count(*) FROM idempotency_keys AS k WHERE k.execution_id = e.id) <> 1
                     OR (SELECT array_agg(seq ORDER BY seq) FROM journal AS j
                          WHERE j.execution_id = e.id) <> '{1,2,3}'";
    let wrong: Vec<_> = database.look(wrong).await.iter().map(ids).collect();
    assert_eq!(wrong, [], "each has one row, one key, and each entry once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_end_while_groups_are_written_lose_and_repeat_nothing() {
    check_killing(&Options::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_do_they_with_unnamed_statements() {
    check_killing(&Options { pooled: true, ..Options::default() }).await;
}

/// Stands between a store and its server, and can lose what the server says.
struct Proxy {
    port: u16,
    /// Whether the connection is cut where the answer to the next commit should pass.
    is_losing: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    async fn before(server: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let is_losing = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        let is_losing_answers = Arc::clone(&is_losing);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                let upstream = TcpStream::connect(&server).await.expect("the server answers");
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = upstream.into_split();
                let is_losing = Arc::clone(&is_losing_answers);
                connections.spawn(pass(from_client, to_server));
                connections.spawn(pass_answers(from_server, to_client, is_losing));
            }
        });
        Self { port, is_losing, _tasks: tasks }
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

/// Passes on what the server says, up to what says that a commit is done.
async fn pass_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_losing: Arc<AtomicBool>) {
    const COMMITTED: &[u8] = b"COMMIT\0";
    let mut buffer = vec![0; 64 << 10];
    while let Ok(n_bytes @ 1..) = from.read(&mut buffer).await {
        let said = &buffer[..n_bytes];
        let is_commit = said.windows(COMMITTED.len()).any(|it| it == COMMITTED);
        if is_commit && is_losing.swap(false, Ordering::Relaxed) {
            return;
        }
        if to.write_all(said).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_by_asking_again() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(database.server()).await;
    let store = PostgresStore::new(&database.url_by(proxy.port), &Options::default());
    assert_eq!(store.accept(new(1)).await.expect("accept"), Acceptance::Accepted);

    proxy.is_losing.store(true, Ordering::Relaxed);
    let lost = store.accept(new(2)).await;
    assert!(matches!(lost, Err(StoreError::Unknown { .. })), "{lost:?}");
    assert_eq!(store.accept(new(2)).await.expect("accept"), Acceptance::Accepted);

    proxy.is_losing.store(true, Ordering::Relaxed);
    let lost = store.append(done(2, 0)).await;
    assert!(matches!(lost, Err(StoreError::Unknown { .. })), "{lost:?}");
    store.append(done(2, 0)).await.expect("append");
    store.append(done(2, 1)).await.expect("append");
    assert_eq!(store.journal(sample::execution_id(2)).await.expect("journal").len(), 2);
    let mut owned = store.owned(sample::replica(1)).await.expect("owned");
    owned.sort_unstable();
    assert_eq!(owned, [1, 2].map(|n| (sample::execution_id(n), Fence::FIRST)));
}
