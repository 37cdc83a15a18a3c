//! Group commit: what waits together is written together, and a bound on what waits.

use std::sync::mpsc::{Sender, channel};

use flowker_core::ports::{Acceptance, StoreError};
use tokio::task::{self, JoinSet};

use super::*;

/// Holds the writer up until the answer is used or dropped.
async fn hold(store: &SqliteStore) -> (Sender<()>, JoinSet<()>) {
    let (release, held) = channel();
    let (enter, entered) = tokio::sync::oneshot::channel();
    let mut holding = JoinSet::new();
    let mut enter = Some(enter);
    let store = store.clone();
    holding.spawn(async move {
        let work = move |_: &rusqlite::Connection, _| {
            enter.take().map(|enter| enter.send(()));
            let _ = held.recv();
            Ok(())
        };
        store.transact(work).await.expect("write");
    });
    entered.await.expect("the writer runs it");
    (release, holding)
}

/// Starts writes and waits until all of them are queued.
async fn queue<F>(store: &SqliteStore, writes: impl IntoIterator<Item = F>) -> JoinSet<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut queued = JoinSet::new();
    for write in writes {
        queued.spawn(write);
    }
    while store.queued() < queued.len() {
        task::yield_now().await;
    }
    queued
}

fn accept(
    store: &SqliteStore,
    new: NewExecution,
) -> impl Future<Output = Result<Acceptance, StoreError>> + Send + 'static {
    let store = store.clone();
    async move { store.accept(new).await }
}

#[tokio::test]
async fn what_waits_for_a_commit_goes_into_the_next_one() {
    let database = Database::new();
    let store = database.open();
    let before = store.commits();
    let (release, held) = hold(&store).await;
    let queued = queue(&store, (1..=300).map(|n| accept(&store, new(n)))).await;
    drop(release);
    for answer in queued.join_all().await {
        assert_eq!(answer.expect("accept"), Acceptance::Accepted);
    }
    held.join_all().await;
    assert_eq!(store.commits() - before, 2, "one for what held it up, one for all the rest");
    assert!(is_there(&store, 300).await);
}

#[tokio::test]
async fn a_job_that_fails_harms_none_of_its_neighbours() {
    let database = Database::new();
    let store = database.open();
    for n in 1..=3 {
        store.accept(new(n)).await.expect("accept");
    }
    let before = store.commits();
    let (release, held) = hold(&store).await;
    // The second one belongs elsewhere, which is found when its row in `ready` is gone already.
    let queued = [end(1), Append { position: 1, ..end(2) }, end(3)].map(|end| {
        let store = store.clone();
        async move { (end.id, store.append(end).await) }
    });
    let queued = queue(&store, queued).await;
    drop(release);
    let misplaced = execution(2).id;
    for (id, answer) in queued.join_all().await {
        let is_refused = matches!(answer, Err(StoreError::Corrupt { .. }));
        assert_eq!((is_refused, answer.is_ok()), (id == misplaced, id != misplaced), "{answer:?}");
    }
    held.join_all().await;
    assert_eq!(store.commits() - before, 2);
    for n in 1..=3 {
        let summary = ExecutionStore::get(&store, execution(n).id).await.expect("get");
        assert_eq!(summary.expect("it is there").status.is_terminal(), n != 2);
    }
    store.append(end(2)).await.expect("nothing of it was changed");
    assert!(!*store.failed().borrow());
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_shed_at_once() {
    let database = Database::new();
    let options = Options { queue_max: 2, ..database.options() };
    let store = SqliteStore::open(&database.path(), options).expect("open");
    let (release, held) = hold(&store).await;
    let queued = queue(&store, (1..=2).map(|n| accept(&store, new(n)))).await;
    let shed = store.accept(new(3)).await;
    assert!(matches!(shed, Err(StoreError::Full)), "{shed:?}");
    drop(release);
    for answer in queued.join_all().await {
        assert_eq!(answer.expect("accept"), Acceptance::Accepted);
    }
    held.join_all().await;
    assert_eq!(store.accept(new(3)).await.expect("accept"), Acceptance::Accepted);
}

#[tokio::test]
async fn reads_that_do_not_fit_are_shed_too() {
    let database = Database::new();
    let options = Options { queue_max: 1, readers: 1, ..database.options() };
    let store = SqliteStore::open(&database.path(), options).expect("open");
    let (release, held) = channel::<()>();
    let (enter, entered) = tokio::sync::oneshot::channel();
    let mut reads = JoinSet::new();
    let reader = store.clone();
    reads.spawn(async move {
        let work = move |_: &rusqlite::Connection| {
            let _ = enter.send(());
            let _ = held.recv();
            Ok(false)
        };
        reader.query(work).await
    });
    entered.await.expect("the reader runs it");
    let mut waiting = Box::pin(ExecutionStore::get(&store, execution(1).id));
    let pending = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx)));
    assert!(pending.await.is_pending());
    let shed = ExecutionStore::get(&store, execution(1).id).await;
    assert!(matches!(shed, Err(StoreError::Full)), "{shed:?}");
    drop(release);
    assert_eq!(waiting.await.expect("get"), None);
    assert!(!reads.join_all().await.remove(0).expect("read"));
}
