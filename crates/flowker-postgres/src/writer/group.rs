//! One transaction in one message: what it holds, and what its answers mean.

use std::collections::HashMap;

use flowker_core::ports::StoreError;
use flowker_core::refusal::BoxError;
use futures_util::future::join4;
use tokio::time::timeout;
use tokio_postgres::Error;
use uuid::Uuid;

use crate::db::Session;
use crate::error::{Failure, NoAnswer, is_poison, is_refusal};
use crate::execution::accept::{self, NewRow, Written};
use crate::execution::append::{self, Appended, NewAppend};

/// What became of each job of a transaction that was committed.
#[derive(Debug, Default)]
pub(super) struct Answers {
    accepted: HashMap<Uuid, Written>,
    appended: HashMap<Uuid, Appended>,
}

impl Answers {
    pub(super) fn of_acceptance(&self, new: &NewRow) -> Option<Written> {
        self.accepted.get(&new.id()).copied()
    }

    /// There is no row for an execution whose fence is another one.
    pub(super) fn of_append(&self, new: &NewAppend) -> Appended {
        self.appended.get(&new.id()).copied().unwrap_or(Appended::Superseded)
    }
}

/// Why a transaction was not committed, or not certainly.
#[derive(Debug)]
pub(super) enum Setback {
    /// One of its jobs cannot be written, and nothing was.
    Poison(BoxError),
    Failure(Failure),
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Writes jobs as one transaction. Ids are different within acceptances and within appends.
pub(super) async fn transact(
    session: Session,
    acceptances: &[&NewRow],
    appends: &[&NewAppend],
) -> Result<Answers, Setback> {
    let answer_max = session.answer_max;
    let statements = [&accept::ACCEPT, &append::APPEND];
    let Ok(prepared) = timeout(answer_max, session.prepare(&statements)).await else {
        session.discard();
        return Err(Failure::NotApplied(NoAnswer(answer_max).into()).into());
    };
    prepared.map_err(Failure::before_commit)?;
    let Ok(answers) = timeout(answer_max, send(&session, acceptances, appends)).await else {
        session.discard();
        return Err(Failure::Unknown(NoAnswer(answer_max).into()).into());
    };
    if let Err(Setback::Failure(Failure::NotApplied(_))) = answers {
        // It is no fault of the jobs. Of a server that may only be read since another took its place,
        // the next session finds the other.
        session.discard();
    }
    answers
}

/// Sends everything before it waits for the first answer.
async fn send(
    session: &Session,
    acceptances: &[&NewRow],
    appends: &[&NewAppend],
) -> Result<Answers, Setback> {
    // Polled in this order, and each of them sends when it is first polled.
    let (begun, accepted, appended, committed) = join4(
        session.begin(),
        accept::write(session, acceptances),
        append::write(session, appends),
        session.commit(),
    )
    .await;
    // After a refusal the server takes nothing more, and COMMIT rolls back.
    let (accepted, appended) = match (begun, accepted, appended) {
        (Ok(()), Ok(accepted), Ok(appended)) => (accepted, appended),
        (begun, accepted, appended) => {
            let errors = [begun.err(), accepted.err(), appended.err()];
            return Err(setback(errors.into_iter().flatten()));
        }
    };
    committed.map_err(Failure::of_commit)?;
    let read = || -> Result<_, StoreError> {
        Ok(Answers {
            accepted: accepted.iter().map(accept::read).collect::<Result<_, _>>()?,
            appended: appended.iter().map(append::read).collect::<Result<_, _>>()?,
        })
    };
    read().map_err(|error| Failure::Unknown(error.into()).into())
}

/// What errors of the statements before COMMIT mean, of which there is at least one.
///
/// Only a refusal proves that nothing was committed: a session that ended may have ended after the
/// last answer that was not read.
fn setback(errors: impl Iterator<Item = Error>) -> Setback {
    let mut lost = None;
    for error in errors {
        if is_poison(&error) && is_refusal(&error) {
            return Setback::Poison(error.into());
        }
        if is_refusal(&error) {
            return Failure::before_commit(error).into();
        }
        lost.get_or_insert(error);
    }
    let lost = lost.map_or_else(|| "an answer is missing".into(), BoxError::from);
    Failure::Unknown(lost).into()
}
