//! Random operations on a store and on a simple model of it must agree.

mod state;

use std::future::Future;
use std::time::Duration;

use flowker_core::execution::Fence;
use flowker_core::ports::{
    Append, CancelAnswer, Direction, ExecutionQuery, ExecutionSort, StoreError,
};
use flowker_core::time::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Builder;

use self::state::{Model, N_KEYS, N_OWNERS, N_WORKFLOWS};
use crate::sample;
use crate::subject::Subject;

/// The most operations of one case.
const OPERATIONS_MAX: usize = 40;

/// One operation. Executions are named by the order of their acceptance, modulo how many there are.
#[derive(Clone, Debug)]
enum Operation {
    Accept { workflow: u64, key: Option<u64>, request: bool, owner: Option<u64> },
    AcceptAgain { execution: usize },
    Append { execution: usize, writer: Writer, n_entries: u32, ends: bool },
    AppendAgain { execution: usize },
    Release { execution: usize, writer: Writer, due_in: Option<Duration> },
    Adopt { owner: u64, limit: usize },
    Cancel { execution: usize },
    Purge { limit: usize },
    Pass(Duration),
    Lapse,
}

/// With whose fence something is written.
#[derive(Clone, Copy, Debug)]
enum Writer {
    Owner,
    OldOwner,
    NextOwner,
}

impl Writer {
    fn fence(self, current: Fence) -> Fence {
        match self {
            Self::Owner => current,
            Self::OldOwner => Fence(current.0.saturating_sub(1)),
            Self::NextOwner => current.next(),
        }
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    let owner = || 0..N_OWNERS;
    let execution = || 0..OPERATIONS_MAX;
    let writer = || {
        prop_oneof![
            4 => Just(Writer::Owner),
            1 => Just(Writer::OldOwner),
            1 => Just(Writer::NextOwner),
        ]
    };
    let seconds = || (0_u64..6).prop_map(Duration::from_secs);
    let accept = (
        0..N_WORKFLOWS,
        proptest::option::of(0..N_KEYS),
        any::<bool>(),
        proptest::option::of(owner()),
    );
    prop_oneof![
        6 => accept.prop_map(|(workflow, key, request, owner)| Operation::Accept {
            workflow, key, request, owner
        }),
        6 => (execution(), writer(), 0_u32..3, proptest::bool::weighted(0.3)).prop_map(
            |(execution, writer, n_entries, ends)| Operation::Append {
                execution, writer, n_entries, ends
            }
        ),
        2 => execution().prop_map(|execution| Operation::AcceptAgain { execution }),
        2 => execution().prop_map(|execution| Operation::AppendAgain { execution }),
        2 => (execution(), writer(), proptest::option::of(seconds())).prop_map(
            |(execution, writer, due_in)| Operation::Release { execution, writer, due_in }
        ),
        4 => (owner(), 1_usize..4).prop_map(|(owner, limit)| Operation::Adopt { owner, limit }),
        1 => execution().prop_map(|execution| Operation::Cancel { execution }),
        2 => (1_usize..3).prop_map(|limit| Operation::Purge { limit }),
        3 => seconds().prop_map(Operation::Pass),
        1 => Just(Operation::Lapse),
    ]
}

/// Runs `cases` random sequences of operations, each on a new store that `make` gives.
///
/// A failure is shrunk to the shortest sequence that shows it.
///
/// # Panics
///
/// If the store and the model ever disagree.
pub fn check<F>(make: impl Fn() -> F, cases: u32)
where
    F: Future<Output = Subject>,
{
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let sequences = proptest::collection::vec(operation(), 1..OPERATIONS_MAX);
    let outcome = TestRunner::new(config).run(&sequences, |operations| {
        // A runtime for each case: nothing of a case that failed disturbs the next.
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut subject = make().await;
            let mut model = Model::default();
            for operation in operations {
                subject = apply(subject, &mut model, operation).await?;
                compare(&subject, &model).await?;
            }
            Ok(())
        })
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// A broken store is a failure like any other: not a panic, so that the sequence is shrunk.
fn sound<T>(answer: Result<T, StoreError>) -> Result<T, TestCaseError> {
    answer.map_err(|error| TestCaseError::fail(format!("the store failed: {error:?}")))
}

/// Whether a write was carried out or refused.
fn written(answer: Result<(), StoreError>) -> Result<bool, TestCaseError> {
    match answer {
        Ok(()) => Ok(true),
        Err(StoreError::Superseded) => Ok(false),
        Err(error) => Err(TestCaseError::fail(format!("the store failed: {error:?}"))),
    }
}

async fn apply(
    subject: Subject,
    model: &mut Model,
    operation: Operation,
) -> Result<Subject, TestCaseError> {
    let now = now(&subject);
    let executions = &subject.stores.executions;
    match operation {
        Operation::Accept { workflow, key, request, owner } => {
            let new = model.new_execution(workflow, key, request, owner, now);
            if let Some(owner) = new.owner {
                sound(executions.keep_alive(owner).await)?;
            }
            let answer = sound(executions.accept(new.clone()).await)?;
            prop_assert_eq!(answer, model.accept(new, now));
        }
        Operation::AcceptAgain { execution } => {
            let Some((new, _)) = model.asked_before(execution) else { return Ok(subject) };
            let answer = sound(executions.accept(new.clone()).await)?;
            prop_assert_eq!(answer, model.accept(new, now));
        }
        Operation::Append { execution, writer, n_entries, ends } => {
            let Some((id, fence)) = model.pick(execution) else { return Ok(subject) };
            let append: Append = model.new_append(id, writer.fence(fence), n_entries, ends);
            let is_written = written(executions.append(append.clone()).await)?;
            prop_assert_eq!(is_written, model.append(append));
        }
        Operation::AppendAgain { execution } => {
            let Some((_, Some(append))) = model.asked_before(execution) else { return Ok(subject) };
            let is_written = written(executions.append(append.clone()).await)?;
            prop_assert_eq!(is_written, model.append(append));
        }
        Operation::Release { execution, writer, due_in } => {
            let Some((id, fence)) = model.pick(execution) else { return Ok(subject) };
            let (fence, due) = (writer.fence(fence), due_in.map(|wait| now.plus(wait)));
            let is_written = written(executions.release(id, fence, due).await)?;
            prop_assert_eq!(is_written, model.release(id, fence, due));
        }
        Operation::Adopt { owner, limit } => {
            let owner = model.owner(owner);
            sound(executions.keep_alive(owner).await)?;
            let taken = sound(executions.adopt(owner, limit, now).await)?;
            let ids: Vec<_> = taken.iter().map(|it| it.execution.id).collect();
            prop_assert_eq!(model.complaint(&ids, limit, now), None);
            prop_assert_eq!(taken, model.adopt(owner, &ids, now));
        }
        Operation::Cancel { execution } => {
            let Some((id, _)) = model.pick(execution) else {
                let nobody =
                    sound(executions.cancel(sample::execution_id(0), now, &sample::actor()).await)?;
                prop_assert_eq!(nobody, CancelAnswer::NotFound);
                return Ok(subject);
            };
            let answer = sound(executions.cancel(id, now, &sample::actor()).await)?;
            prop_assert_eq!(answer, model.cancel(id, now));
        }
        // To the end: which of several expired keys goes first is up to the store.
        Operation::Purge { limit } => loop {
            let n_forgotten = sound(subject.stores.keys.purge_expired(limit).await)?;
            prop_assert_eq!(n_forgotten, model.purge(limit, now));
            if n_forgotten < limit {
                break;
            }
        },
        Operation::Pass(duration) => {
            subject.clock.advance(duration);
            for owner in model.owners() {
                sound(executions.keep_alive(owner).await)?;
            }
        }
        Operation::Lapse => {
            let mut subject = subject;
            for owner in model.owners() {
                subject = subject.lapse_owner(owner).await;
            }
            model.lapse();
            return Ok(subject);
        }
    }
    Ok(subject)
}

/// Everything that can be read must be what the model says.
async fn compare(subject: &Subject, model: &Model) -> Result<(), TestCaseError> {
    let executions = &subject.stores.executions;
    for row in model.rows() {
        let id = row.execution.id;
        prop_assert_eq!(sound(executions.get(id).await)?, Some(row.summary()));
        prop_assert_eq!(&sound(executions.journal(id).await)?, &row.journal);
        prop_assert_eq!(sound(executions.load(id, row.fence.next()).await)?, None);
        // Of what has no owner nobody can say that it is theirs.
        if row.has_living_owner() || row.end.is_some() {
            prop_assert_eq!(sound(executions.load(id, row.fence).await)?, row.loaded());
        }
    }
    for owner in model.owners() {
        let mut found = sound(executions.owned(owner).await)?;
        found.sort_unstable();
        let rows = model.rows().filter(|row| row.is_owned_by(owner));
        let mut expected: Vec<_> = rows.map(|row| (row.execution.id, row.fence)).collect();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }
    let query = ExecutionQuery {
        workflow_id: None,
        status: None,
        sort: ExecutionSort::StartedAt,
        direction: Direction::Ascending,
        after: None,
        limit: 100,
    };
    let expected: Vec<_> = model.rows().map(state::Row::summary).collect();
    prop_assert_eq!(sound(executions.list(query).await)?.items, expected);
    for (workflow, key) in state::keys() {
        let found = subject.stores.keys.find(workflow, &key).await;
        prop_assert_eq!(sound(found)?, model.known_key(workflow, &key, now(subject)));
    }
    Ok(())
}

fn now(subject: &Subject) -> Timestamp {
    flowker_core::ports::Clock::now(&*subject.clock)
}
