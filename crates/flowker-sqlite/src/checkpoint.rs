//! Checkpoints: moving the write-ahead log into the database while nobody waits for it.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

/// Moves what the log holds without waiting for anyone. A writer may go on meanwhile.
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Moves all that the log holds and empties it.
const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// A thread with a connection of its own that makes checkpoints when the writer has little to do.
///
/// A checkpoint that fails loses nothing: the log keeps what did not safely reach the database.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    pub(crate) fn start(db: Connection) -> io::Result<Self> {
        // 1: a second wish while one waits is the same wish, and dropped.
        let (wake, wishes) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || run(&db, &wishes))?;
        Ok(Self { wake, thread })
    }

    /// Asks for a checkpoint soon.
    pub(crate) fn wish(&self) {
        let _ = self.wake.try_send(());
    }

    /// Ends the thread after the checkpoint that it may be making.
    pub(crate) fn stop(self) {
        drop(self.wake);
        let _ = self.thread.join();
    }
}

fn run(db: &Connection, wishes: &Receiver<()>) {
    while wishes.recv().is_ok() {
        if let Err(error) = checkpoint(db, PASSIVE) {
            tracing::warn!(error = %error, "the checkpoint failed and will be made later");
        }
    }
}

/// Moves the whole log into the database, as far as no reader needs it.
pub(crate) fn empty_log(db: &Connection) -> rusqlite::Result<()> {
    checkpoint(db, TRUNCATE)
}

fn checkpoint(db: &Connection, statement: &'static str) -> rusqlite::Result<()> {
    // The row says how much was done, which nobody needs to know.
    db.query_row(statement, [], |_| Ok(()))
}
