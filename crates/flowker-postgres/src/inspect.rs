//! Whether a database is fit for us, and what an operator wants to know of it.

use std::time::Duration;

use flowker_core::ports::{Clock, StoreError};
use flowker_core::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::PostgresStore;
use crate::error::sql_state;
use crate::migrate;
use crate::partition;
use crate::row::{Columns, one};
use crate::statement::Statement;

/// The oldest server that we are tested with, as `server_version_num` writes it.
const VERSION_MIN: i64 = 140_000;

/// Up to where rows are counted that should not be there.
const COUNT_MAX: i64 = 10_000;

/// What was found out about a server and what we keep on it. All moments are the server's.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The server.
    pub server: Server,
    /// The tables.
    pub schema: Schema,
    /// How the server's clock differs from ours.
    pub clock: ClockOffset,
    /// What is in the tables. `None` unless the schema is that of this release.
    pub contents: Option<Contents>,
}

/// A server, and how it keeps what it acknowledged. A setting is `None` where the engine has none of
/// this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// As it names it, such as `15.6 (Debian 15.6-1)`.
    pub version: String,
    /// As a number, such as 150006.
    pub version_number: i64,
    /// Whether it follows another and takes no writes.
    pub is_in_recovery: bool,
    /// Whether it writes through to the disk at all. Must not be `off`.
    pub fsync: Option<String>,
    /// Whether it survives pages that were written halfway. Must not be `off`.
    pub full_page_writes: Option<String>,
    /// What a commit waits for. Must not be `off`.
    pub synchronous_commit: Option<String>,
    /// For which standbys, if any.
    pub synchronous_standby_names: Option<String>,
}

/// How far the schema is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The last migration that was applied. `None` in an empty database.
    pub applied: Option<i32>,
    /// The last that this release knows.
    pub known: i32,
}

/// The server's clock minus ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// In microseconds; above zero if the server's is ahead.
    pub micros: i64,
    /// By how much that may be wrong, either way: half of the time that asking took.
    pub uncertainty: Duration,
}

/// What is in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How many replicas were heard of within the lapse.
    pub replicas_alive: u64,
    /// How many were not, and still own executions: others should have adopted those.
    pub replicas_lapsed: u64,
    /// How many executions have not ended.
    pub unfinished: u64,
    /// How long ago the oldest of them was accepted that nobody owns.
    pub oldest_unowned: Option<Duration>,
    /// How many rows no week was made for, counted up to 10 000. Should be 0: they do not go when
    /// their week does.
    pub rows_beyond: u64,
    /// Up to when weeks were made. What is accepted later lands beyond.
    pub weeks_until: Option<Timestamp>,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnfitError {
    /// It does not answer, or not as it should.
    #[error("the database cannot be asked")]
    Ask(#[source] StoreError),
    /// It is older than what we are tested with.
    #[error("Postgres {0} is too old; version 14 or newer is needed")]
    Version(String),
    /// It follows another server.
    #[error("the server is a standby, which takes no writes; name the primary, or all its peers")]
    Standby,
    /// A crash could take back what was acknowledged.
    #[error("the server has {name} = {value}, so a crash may lose what was accepted; set it to on")]
    Setting {
        /// Of the setting.
        name: &'static str,
        /// What it is.
        value: String,
    },
    /// It holds no tables of ours.
    #[error("the database has no schema; run `flowker migrate`")]
    Empty,
    /// It was made by an older release.
    #[error(
        "the schema is at version {applied} and this release needs {known}; run `flowker migrate`"
    )]
    Older {
        /// The last migration that was applied.
        applied: i32,
        /// The last that this release knows.
        known: i32,
    },
    /// It was brought up to date by a newer release.
    #[error(
        "the schema is at version {applied} and this release knows {known}; run the release that \
         migrated it, or a newer one"
    )]
    Newer {
        /// The last migration that was applied.
        applied: i32,
        /// The last that this release knows.
        known: i32,
    },
    /// A migration that was applied is not the one that this release knows.
    #[error("migration {version} of the database is not the one that this release knows")]
    Diverged {
        /// Of the migration.
        version: i32,
    },
}

impl PostgresStore {
    /// Checks that the server keeps what it acknowledges and that the schema is that of this release.
    ///
    /// # Errors
    ///
    /// The first reason found why it must not be used.
    pub async fn check(&self) -> Result<(), UnfitError> {
        self.check_server().await?;
        self.check_schema().await
    }

    pub(crate) async fn check_server(&self) -> Result<(), UnfitError> {
        self.server().await.map_err(UnfitError::Ask)?.check()
    }

    async fn check_schema(&self) -> Result<(), UnfitError> {
        check_applied(&self.applied().await.map_err(UnfitError::Ask)?)
    }

    /// Looks at the server, the schema, and what is stored. Writes nothing, and is not cheap: it
    /// counts what has not ended.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub async fn inspect(&self, clock: &dyn Clock) -> Result<Inspection, StoreError> {
        let server = self.server().await?;
        let applied = self.applied().await?;
        let schema =
            Schema { applied: applied.last().map(|it| it.version), known: migrate::version() };
        let contents = match check_applied(&applied) {
            Ok(()) => Some(self.contents().await?),
            Err(_) => None,
        };
        // Last, over a session that is there, so that little but the clock is measured.
        let clock = self.clock_offset(clock).await?;
        Ok(Inspection { server, schema, clock, contents })
    }

    async fn server(&self) -> Result<Server, StoreError> {
        let rows = self.inner.db.read(&SERVER, &[]).await?;
        let row = one("the settings", &rows)?;
        Ok(Server {
            version: row.get("version")?,
            version_number: row.get("version_number")?,
            is_in_recovery: row.get("is_in_recovery")?,
            fsync: row.get("fsync")?,
            full_page_writes: row.get("full_page_writes")?,
            synchronous_commit: row.get("synchronous_commit")?,
            synchronous_standby_names: row.get("synchronous_standby_names")?,
        })
    }

    /// The migrations that were applied, in their order. None in an empty database.
    async fn applied(&self) -> Result<Vec<Applied>, StoreError> {
        match self.inner.db.read(&APPLIED, &[]).await {
            Ok(rows) => rows.iter().map(Applied::read).collect(),
            Err(error) if sql_state(&error) == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn clock_offset(&self, clock: &dyn Clock) -> Result<ClockOffset, StoreError> {
        let before = clock.now();
        let rows = self.inner.db.read(&NOW, &[]).await?;
        let after = clock.now();
        let theirs = one("the clock", &rows)?.moment("now")?;
        let half = after.since(before) / 2;
        let ours = before.plus(half);
        Ok(ClockOffset { micros: theirs.as_micros() - ours.as_micros(), uncertainty: half })
    }

    async fn contents(&self) -> Result<Contents, StoreError> {
        let db = &self.inner.db;
        let lapse = i64::try_from(self.inner.lapse.as_micros()).unwrap_or(i64::MAX);
        let rows = db.read(&CONTENTS, &[&lapse, &COUNT_MAX]).await?;
        let row = one("what was counted", &rows)?;
        let oldest_unowned: Option<i64> = row.get("oldest_unowned_us")?;
        // A clock that was set back may show less than nothing.
        let age = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or_default());
        Ok(Contents {
            replicas_alive: row.natural("replicas_alive")?,
            replicas_lapsed: row.natural("replicas_lapsed")?,
            unfinished: row.natural("unfinished")?,
            oldest_unowned: oldest_unowned.map(age),
            rows_beyond: row.natural("rows_beyond")?,
            weeks_until: partition::made_until(db).await?,
        })
    }
}

static SERVER: Statement = Statement {
    text: "\
        SELECT current_setting('server_version') AS version,
               current_setting('server_version_num')::int8 AS version_number,
               pg_is_in_recovery() AS is_in_recovery,
               current_setting('fsync', true) AS fsync,
               current_setting('full_page_writes', true) AS full_page_writes,
               current_setting('synchronous_commit', true) AS synchronous_commit,
               current_setting('synchronous_standby_names', true) AS synchronous_standby_names",
    types: &[],
};

impl Server {
    fn check(&self) -> Result<(), UnfitError> {
        if self.version_number < VERSION_MIN {
            return Err(UnfitError::Version(self.version.clone()));
        }
        if self.is_in_recovery {
            return Err(UnfitError::Standby);
        }
        for (name, value) in [
            ("fsync", &self.fsync),
            ("full_page_writes", &self.full_page_writes),
            ("synchronous_commit", &self.synchronous_commit),
        ] {
            if let Some(value) = value
                && value == "off"
            {
                return Err(UnfitError::Setting { name, value: value.clone() });
            }
        }
        Ok(())
    }
}

static APPLIED: Statement = Statement {
    text: "SELECT version, checksum FROM refinery_schema_history ORDER BY version",
    types: &[],
};

/// A migration that was applied.
struct Applied {
    version: i32,
    checksum: String,
}

impl Applied {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns { table: "refinery_schema_history", row };
        Ok(Self { version: row.get("version")?, checksum: row.get("checksum")? })
    }
}

/// Whether what was applied is exactly what this release knows.
fn check_applied(applied: &[Applied]) -> Result<(), UnfitError> {
    let Some(last) = applied.last() else { return Err(UnfitError::Empty) };
    let (applied_version, known) = (last.version, migrate::version());
    if known < applied_version {
        return Err(UnfitError::Newer { applied: applied_version, known });
    }
    for (applied, known) in applied.iter().zip(migrate::known()) {
        if (applied.version, &applied.checksum) != (known.version(), &known.checksum().to_string())
        {
            return Err(UnfitError::Diverged { version: applied.version });
        }
    }
    if applied_version < known {
        return Err(UnfitError::Older { applied: applied_version, known });
    }
    Ok(())
}

static NOW: Statement = Statement { text: "SELECT statement_timestamp() AS now", types: &[] };

/// $1 is the lapse in microseconds, $2 up to where rows are counted.
static CONTENTS: Statement = Statement {
    text: "\
        SELECT (SELECT count(*) FROM replicas
                 WHERE flowker_now() < seen_at + $1 * interval '1 microsecond') AS replicas_alive,
               (SELECT count(DISTINCT owner) FROM ready
                 WHERE NOT EXISTS (SELECT 1 FROM replicas
                                    WHERE id = owner
                                      AND flowker_now() < seen_at + $1 * interval '1 microsecond')
               ) AS replicas_lapsed,
               (SELECT count(*) FROM ready) AS unfinished,
               (SELECT (extract(epoch FROM flowker_now() - min(accepted_at)) * 1000000)::int8
                  FROM ready WHERE owner IS NULL) AS oldest_unowned_us,
               (SELECT count(*) FROM (SELECT 1 FROM executions_beyond LIMIT $2) AS rows)
                 + (SELECT count(*) FROM (SELECT 1 FROM outcomes_beyond LIMIT $2) AS rows)
                 + (SELECT count(*) FROM (SELECT 1 FROM journal_beyond LIMIT $2) AS rows)
                 AS rows_beyond",
    types: &[Type::INT8, Type::INT8],
};

#[cfg(test)]
mod tests;
