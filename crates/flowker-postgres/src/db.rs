//! Sessions: how they are made, lent, asked and given up.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use flowker_core::ports::StoreError;
use futures_util::future::{BoxFuture, join};
use tokio::time::timeout;
use tokio_postgres::{Error, Row};

use crate::connect::{CONNECT_MAX, Connector};
use crate::error::{Failure, NoAnswer};
use crate::metrics;
use crate::statement::{Params, Preparation, Statement};
use crate::url::ConnectionUrl;

/// How long a session is waited for while all of them are lent.
const SESSION_MAX: Duration = Duration::from_secs(10);

/// How long an answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How often a transaction that lost a race is tried.
pub(crate) const TRIES: u32 = 5;

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// What every session is set to.
///
/// - Every statement of ours has an index to go by, and reads it in its order. Over a young table
///   without statistics the planner may think otherwise, and stay with it: so it has no choice.
/// - Compiling a plan takes longer than any of our statements.
/// - Who waits for a lock gives up before whoever waits for us does.
/// - A transaction whose client fell silent holds its locks no longer than that.
///
/// Not `statement_timeout`, and no request to cancel is ever sent: a COMMIT whose wait for a standby
/// is cancelled is answered as if all were well.
pub(crate) const SETTINGS: [(&str, &str); 7] = [
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "15s"),
];

/// What sessions that keep their statements are set to as well: plans are made once. By itself the
/// planner makes them anew each time, since it knows how long the arrays are, and takes longer for
/// that than a small group takes to be written.
const PLANNED_ONCE: (&str, &str) = ("plan_cache_mode", "force_generic_plan");

/// A pool of sessions.
#[derive(Clone)]
pub(crate) struct Db {
    pool: Pool,
    preparation: Preparation,
    /// What every transaction begins with behind its `BEGIN`.
    settings: Arc<str>,
    /// [`ANSWER_MAX`], unless a test has less patience.
    answer_max: Duration,
    #[cfg(test)]
    clock: Option<Arc<dyn flowker_core::ports::Clock>>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("pool", &self.pool.status()).finish_non_exhaustive()
    }
}

impl Db {
    /// A pool of at most `size` sessions. None is made before it is needed.
    pub(crate) fn new(url: &ConnectionUrl, preparation: Preparation, size: usize) -> Self {
        let mut config = url.config.clone();
        let mut settings = String::new();
        match preparation {
            Preparation::Named => {
                let mut options = config.get_options().unwrap_or_default().to_owned();
                for (name, value) in SETTINGS.into_iter().chain([PLANNED_ONCE]) {
                    options.extend([" -c ", name, "=", value]);
                }
                config.options(options);
            }
            // A pooler hands sessions on, and knows nothing of what they were set to.
            Preparation::Unnamed => {
                for (name, value) in SETTINGS {
                    settings.extend(["; SET LOCAL ", name, " = '", value, "'"]);
                }
            }
        }
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(config, Connector(url.tls.clone()), manager);
        let pool = Pool::builder(manager)
            .max_size(size.max(1))
            .timeouts(Timeouts {
                wait: Some(SESSION_MAX),
                create: Some(CONNECT_MAX),
                ..Timeouts::default()
            })
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a runtime for the timeouts is named");
        Self {
            pool,
            preparation,
            settings: settings.into(),
            answer_max: ANSWER_MAX,
            #[cfg(test)]
            clock: None,
        }
    }

    /// The same, with a clock that the test owns in the place of the server's. The database's
    /// `flowker_now()` has to follow `flowker.now`.
    #[cfg(test)]
    pub(crate) fn with_clock(self, clock: Arc<dyn flowker_core::ports::Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// The same, waiting less long for answers.
    #[cfg(test)]
    pub(crate) fn with_answer_max(self, answer_max: Duration) -> Self {
        Self { answer_max, ..self }
    }

    /// A session, from the pool or a new one.
    pub(crate) async fn session(&self) -> Result<Session, StoreError> {
        let object = self.pool.get().await.map_err(StoreError::unavailable)?;
        #[cfg(test)]
        if let Some(clock) = &self.clock {
            let set = format!("SET flowker.now = '{}'", clock.now().as_micros());
            object.batch_execute(&set).await.map_err(StoreError::unavailable)?;
        }
        Ok(Session {
            object: Some(object),
            preparation: self.preparation,
            settings: Arc::clone(&self.settings),
            answer_max: self.answer_max,
            #[cfg(test)]
            clock: self.clock.clone(),
            is_dirty: AtomicBool::new(false),
        })
    }

    /// Runs one statement that writes nothing.
    pub(crate) async fn read(
        &self,
        statement: &'static Statement,
        params: &Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let session = self.session().await?;
        if let Ok(rows) = timeout(self.answer_max, session.query(statement, params)).await {
            return rows.map_err(StoreError::unavailable);
        }
        session.discard();
        Err(StoreError::unavailable(NoAnswer(self.answer_max)))
    }

    /// Reads with several statements, all of which see one state of the database.
    pub(crate) async fn snapshot<T>(
        &self,
        work: impl for<'a> FnOnce(&'a Session) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let session = self.session().await?;
        let reading = async {
            // Polled in this order, and so sent together.
            let (begun, answer) = join(session.begin_with(SNAPSHOT), work(&session)).await;
            begun.map_err(StoreError::unavailable)?;
            session.commit().await.map_err(StoreError::unavailable)?;
            answer
        };
        let answer = timeout(self.answer_max, reading).await;
        answer.unwrap_or_else(|_| Err(StoreError::unavailable(NoAnswer(self.answer_max))))
    }

    /// Runs one statement that writes, as a transaction of its own.
    pub(crate) async fn write(
        &self,
        statement: &'static Statement,
        params: &Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut tries = 1;
        loop {
            let session = self.session().await?;
            let answer = timeout(self.answer_max, session.query(statement, params)).await;
            let rows = if let Ok(rows) = answer {
                rows.map_err(Failure::of_commit)
            } else {
                session.discard();
                Err(Failure::Unknown(NoAnswer(self.answer_max).into()))
            };
            match rows {
                Err(Failure::Again(lost)) if tries < TRIES => {
                    metrics::retried(&lost);
                    tries += 1;
                }
                rows => return rows.map_err(StoreError::from),
            }
        }
    }

    /// Runs `work` in a transaction, again if it loses a race, and commits it.
    pub(crate) async fn transact<T>(
        &self,
        work: impl for<'a> Fn(&'a Session) -> BoxFuture<'a, Result<T, Undo<T>>>,
    ) -> Result<T, StoreError> {
        let mut tries = 1;
        loop {
            match self.try_transact(&work).await {
                Err(Undo::Failure(Failure::Again(lost))) if tries < TRIES => {
                    metrics::retried(&lost);
                    tries += 1;
                }
                Ok(answer) | Err(Undo::Answer(answer)) => return Ok(answer),
                Err(Undo::Failure(failure)) => return Err(failure.into()),
                Err(Undo::Store(error)) => return Err(error),
            }
        }
    }

    async fn try_transact<T>(
        &self,
        work: &impl for<'a> Fn(&'a Session) -> BoxFuture<'a, Result<T, Undo<T>>>,
    ) -> Result<T, Undo<T>> {
        let session = self.session().await?;
        let is_committing = AtomicBool::new(false);
        let transaction = async {
            session.begin().await?;
            let answer = work(&session).await;
            match &answer {
                Ok(_) => {
                    is_committing.store(true, Ordering::Relaxed);
                    session.commit().await.map_err(Failure::of_commit)?;
                }
                Err(Undo::Answer(_) | Undo::Store(_)) => session.roll_back().await?,
                // The session goes, and the server rolls back what it had begun.
                Err(Undo::Failure(_)) => {}
            }
            answer
        };
        let answer = timeout(self.answer_max, transaction).await;
        answer.unwrap_or_else(|_| {
            let no_answer = NoAnswer(self.answer_max).into();
            Err(Undo::Failure(if is_committing.load(Ordering::Relaxed) {
                Failure::Unknown(no_answer)
            } else {
                Failure::NotApplied(no_answer)
            }))
        })
    }
}

/// Why a transaction is not to be committed.
#[derive(Debug)]
pub(crate) enum Undo<T> {
    /// It turned out that nothing is to be written.
    Answer(T),
    /// It failed.
    Failure(Failure),
    /// What it read is corrupt, or there is no session.
    Store(StoreError),
}

impl<T> From<Failure> for Undo<T> {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl<T> From<StoreError> for Undo<T> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<T> From<Error> for Undo<T> {
    /// Of a statement within the transaction.
    fn from(error: Error) -> Self {
        Self::Failure(Failure::before_commit(error))
    }
}

/// A session that is lent to one user at a time. What is asked without waiting for the answers in
/// between travels together, and is carried out in order.
///
/// One that is dropped inside a transaction is not given back to the pool: the server rolls back.
pub(crate) struct Session {
    /// `None` only while it is dropped.
    object: Option<Object>,
    preparation: Preparation,
    settings: Arc<str>,
    /// How long an answer is waited for.
    pub(crate) answer_max: Duration,
    #[cfg(test)]
    clock: Option<Arc<dyn flowker_core::ports::Clock>>,
    /// Whether nobody knows what it is still doing.
    is_dirty: AtomicBool,
}

impl Session {
    fn client(&self) -> &Object {
        self.object.as_ref().expect("it is taken when the session is dropped")
    }

    /// Prepares statements, so that asking them takes one message each.
    pub(crate) async fn prepare(&self, statements: &[&'static Statement]) -> Result<(), Error> {
        if self.preparation == Preparation::Named {
            for statement in statements {
                self.client().prepare_typed_cached(statement.text, statement.types).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn query(
        &self,
        statement: &'static Statement,
        params: &Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        let client = self.client();
        match self.preparation {
            Preparation::Named => {
                let prepared = client.prepare_typed_cached(statement.text, statement.types).await?;
                client.query(&prepared, params).await
            }
            Preparation::Unnamed => {
                client.query_typed(statement.text, &statement.typed(params)).await
            }
        }
    }

    /// Runs text without parameters, such as DDL.
    pub(crate) async fn execute(&self, text: &str) -> Result<(), Error> {
        self.client().batch_execute(text).await
    }

    pub(crate) async fn begin(&self) -> Result<(), Error> {
        self.begin_with("BEGIN").await
    }

    async fn begin_with(&self, begin: &str) -> Result<(), Error> {
        self.is_dirty.store(true, Ordering::Relaxed);
        let begin = format!("{begin}{}", self.settings);
        // It may have gone on since the session was lent.
        #[cfg(test)]
        let begin = match &self.clock {
            Some(clock) => {
                format!("{begin}; SET LOCAL flowker.now = '{}'", clock.now().as_micros())
            }
            None => begin,
        };
        self.client().batch_execute(&begin).await
    }

    /// Postgres answers it well in any case. It has committed only if no statement since `begin`
    /// failed.
    pub(crate) async fn commit(&self) -> Result<(), Error> {
        self.client().batch_execute("COMMIT").await?;
        self.is_dirty.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn roll_back(&self) -> Result<(), Error> {
        self.client().batch_execute("ROLLBACK").await?;
        self.is_dirty.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Does not give it back to the pool: nobody knows what it is still doing.
    pub(crate) fn discard(self) {
        self.is_dirty.store(true, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_dirty.load(Ordering::Relaxed)
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
    }
}
