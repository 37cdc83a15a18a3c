//! Opening: the lock, the file, its settings and its schema.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flowker_core::ports::Clock;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::checkpoint::{self, Checkpointer};
use crate::readers::Readers;
use crate::writer::{Commit, Parts, Writer};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// How long a statement waits for another program, such as the `sqlite3` tool, to let go.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// When the writer makes a checkpoint itself, in pages: only if the queue was never short. Larger
/// means fewer stalls, and a longer one. 16 000 pages of 4 KiB are 64 MiB.
const LOG_PAGES_MAX: i64 = 16_000;

/// How much of the log's file is kept for the next use, in bytes: its usual size.
const LOG_BYTES_KEPT: i64 = LOG_PAGES_MAX * 4096;

/// How much of the database the writer keeps in memory, in KiB; SQLite wants it negative.
const WRITER_CACHE_KIB: i64 = -65_536;

/// How much of the database each reader keeps in memory.
const READER_CACHE_KIB: i64 = -16_384;

/// More than there are statements: none is ever prepared twice.
const STATEMENTS_MAX: usize = 128;

/// What an owner left behind when its process ended. The lock proves that it did, so what it drove
/// is free; the fence stays, and tells the next owner that there was one.
const FREE_ALL: &str = "UPDATE ready SET owner = NULL WHERE owner IS NOT NULL";

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another store has it open.
    #[error(
        "another process has this database open: {}; stop it, or give this one a database of its \
         own", path.display()
    )]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// A file or directory cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// SQLite cannot use the file.
    #[error("cannot open the database {}", path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The file system cannot hold the write-ahead log, as most network file systems cannot.
    #[error(
        "the database {} cannot be used in WAL mode (it stays in mode {mode}); put it on a local \
         file system", path.display()
    )]
    NoLog {
        /// The database.
        path: PathBuf,
        /// The mode that SQLite offers.
        mode: String,
    },
    /// The schema cannot be brought up to date, or comes from a newer release.
    #[error("cannot bring the schema of {} up to date", path.display())]
    Schema {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<refinery::Error>,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread of the store")]
    Thread(#[source] io::Error),
}

/// Opens everything that a store consists of.
pub(crate) fn open(
    path: &Path,
    clock: &Arc<dyn Clock>,
    queue_max: usize,
    n_readers: usize,
    commit: Commit,
) -> Result<(Writer, Readers), OpenError> {
    let path = resolve(path)?;
    // Before the database is touched: closing any handle of it would drop the locks that SQLite
    // holds for the other store, if that is in this process.
    let lock = lock(&path)?;
    create(&path)?;
    let at = |source| OpenError::Database { path: path.clone(), source };

    let mut db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB).map_err(at)?;
    enable_log(&db, &path)?;
    embedded::migrations::runner()
        .run(&mut db)
        .map_err(|source| OpenError::Schema { path: path.clone(), source: Box::new(source) })?;
    // What is left in the log may have been written by a process whose sync failed. Once it is in
    // the database, which is synced here, everything that can be read is also safe.
    checkpoint::empty_log(&db).map_err(at)?;
    db.execute(FREE_ALL, []).map_err(at)?;
    sync_directory(&path)?;

    let checkpoints =
        connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE, READER_CACHE_KIB).map_err(at)?;
    let readers = (0..n_readers)
        .map(|_| connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB))
        .collect::<rusqlite::Result<Vec<_>>>()
        .map_err(at)?;
    let checkpointer = Checkpointer::start(checkpoints).map_err(OpenError::Thread)?;
    let parts = Parts { db, lock, checkpointer, clock: Arc::clone(clock), commit };
    let writer = Writer::start(parts, queue_max).map_err(OpenError::Thread)?;
    Ok((writer, Readers::new(readers, queue_max)))
}

/// The one name of the database, whatever links lead to it: two names would mean two locks.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let at = |source| OpenError::File { path: path.to_owned(), source };
    match fs::canonicalize(path) {
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(error)),
    }
    let name = path.file_name().ok_or_else(|| at(io::ErrorKind::InvalidFilename.into()))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::canonicalize(parent.unwrap_or(Path::new("."))).map(|parent| parent.join(name)).map_err(at)
}

/// Takes the lock that keeps other stores out for as long as the file is open.
///
/// A file of its own, since SQLite locks the database in ways of its own. It is never removed: who
/// removes a lock file may remove the one that somebody else just locked.
fn lock(path: &Path) -> Result<File, OpenError> {
    let name = lock_name(path);
    let file = private().open(&name);
    let file = file.map_err(|source| OpenError::File { path: name.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path: name, source }),
    }
}

/// The lock's file.
pub(crate) fn lock_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    PathBuf::from(name)
}

/// Creates the database's file, empty, if it is not there. SQLite gives its log the same mode.
fn create(path: &Path) -> Result<(), OpenError> {
    private()
        .open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| OpenError::File { path: path.to_owned(), source })
}

/// Opens or creates a file that only its owner may read, for it holds what callers sent.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the names of new files durable.
fn sync_directory(path: &Path) -> Result<(), OpenError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    // Windows has no handle of a directory that could be synced.
    if !cfg!(unix) {
        return Ok(());
    }
    File::open(parent)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| OpenError::File { path: parent.to_owned(), source })
}

fn connect(path: &Path, access: OpenFlags, cache: i64) -> rusqlite::Result<Connection> {
    // NO_MUTEX: no connection is ever used by two threads at once. No URI: a path is a path.
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // The writer empties the log itself when all went well, and must not when it did not.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "cache_size", cache)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(db)
}

fn enable_log(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let mode: String = db
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|source| OpenError::Database { path: path.to_owned(), source })?;
    if mode == "wal" { Ok(()) } else { Err(OpenError::NoLog { path: path.to_owned(), mode }) }
}

/// The number of the newest migration.
pub(crate) fn newest_migration() -> i32 {
    let runner = embedded::migrations::runner();
    runner.get_migrations().iter().map(refinery::Migration::version).max().unwrap_or_default()
}

/// The schema of a database, as SQL.
#[cfg(test)]
pub(crate) fn schema(db: &Connection) -> rusqlite::Result<String> {
    let mut statement = db.prepare(
        "SELECT sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'refinery%'
         ORDER BY type = 'view', tbl_name, type DESC, name",
    )?;
    let parts = statement.query_map([], |row| row.get::<_, String>(0))?;
    parts
        .map(|part| Ok(part? + ";\n"))
        .collect::<rusqlite::Result<Vec<_>>>()
        .map(|it| it.join("\n"))
}

/// The numbers of all migrations.
#[cfg(test)]
pub(crate) fn migrations() -> Vec<i32> {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .collect()
}
