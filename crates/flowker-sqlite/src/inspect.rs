//! A look at a database file that changes nothing, for whoever wants to know whether all is well.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowker_core::time::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::OpenError;
use crate::open;

/// What a look at a database file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whether a process has it open.
    pub is_in_use: bool,
    /// The number of its newest migration; `None` if it has none, so that it is no database of ours.
    pub schema: Option<i32>,
    /// The newest migration that this release knows.
    pub schema_known: i32,
    /// How many executions have not ended.
    pub unfinished: u64,
    /// When the longest waiting execution without an owner was due; `None` if none waits.
    pub waiting_since: Option<Timestamp>,
    /// The size of the file, in bytes.
    pub bytes: u64,
    /// How much of that holds nothing, and is used before the file grows.
    pub free_bytes: u64,
}

/// Looks at the database at `path`. `None` if there is no file, which the first start makes.
///
/// # Errors
///
/// If there is one, and it cannot be read.
pub fn inspect(path: &Path) -> Result<Option<Inspection>, OpenError> {
    if !path.exists() {
        return Ok(None);
    }
    let at = |source| OpenError::Database { path: path.to_owned(), source };
    let is_in_use = is_in_use(path)?;
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    );
    let db = db.map_err(at)?;
    look(&db, is_in_use).map(Some).map_err(at)
}

fn look(db: &Connection, is_in_use: bool) -> rusqlite::Result<Inspection> {
    db.busy_timeout(Duration::from_secs(5))?;
    let number = |statement: &str| {
        db.query_row(statement, [], |row| {
            row.get::<_, i64>(0).map(|it| u64::try_from(it).unwrap_or_default())
        })
    };
    let page = number("PRAGMA page_size")?;
    let mut inspection = Inspection {
        is_in_use,
        schema: None,
        schema_known: open::newest_migration(),
        unfinished: 0,
        waiting_since: None,
        bytes: page * number("PRAGMA page_count")?,
        free_bytes: page * number("PRAGMA freelist_count")?,
    };
    let history = "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    if db.query_row(history, [], |_| Ok(())).optional()?.is_some() {
        let newest = "SELECT max(version) FROM refinery_schema_history";
        inspection.schema = db.query_row(newest, [], |row| row.get(0))?;
    }
    if inspection.schema.is_some() {
        inspection.unfinished = number("SELECT count(*) FROM ready")?;
        let waiting = "SELECT min(due) FROM ready WHERE owner IS NULL";
        let since: Option<i64> = db.query_row(waiting, [], |row| row.get(0))?;
        inspection.waiting_since = since.map(Timestamp::from_micros);
    }
    Ok(inspection)
}

/// Whether a process holds the lock. Looks by taking it for a moment.
fn is_in_use(path: &Path) -> Result<bool, OpenError> {
    let name = lock_file(path)?;
    let Ok(file) = File::open(&name) else { return Ok(false) };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path: name, source }),
    }
}

fn lock_file(path: &Path) -> Result<PathBuf, OpenError> {
    open::resolve(path).map(|path| open::lock_name(&path))
}
