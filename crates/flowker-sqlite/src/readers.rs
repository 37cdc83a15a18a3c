//! Reads: a few read-only connections, each used by one blocking task at a time.

use std::sync::{Arc, Mutex, PoisonError};

use flowker_core::ports::StoreError;
use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task;

use crate::error::Of;

type Idle = Arc<Mutex<Vec<Connection>>>;

/// A pool of read-only connections.
#[derive(Debug)]
pub(crate) struct Readers {
    idle: Idle,
    /// One for each connection.
    free: Arc<Semaphore>,
    /// One for each read that may run or wait. Beyond it reads are shed.
    places: Semaphore,
}

impl Readers {
    pub(crate) fn new(connections: Vec<Connection>, queue_max: usize) -> Self {
        let n_connections = connections.len();
        Self {
            idle: Arc::new(Mutex::new(connections)),
            free: Arc::new(Semaphore::new(n_connections)),
            places: Semaphore::new(
                n_connections.saturating_add(queue_max).min(Semaphore::MAX_PERMITS),
            ),
        }
    }

    /// Runs `work` on one state of the database: what is committed meanwhile is not seen.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _place = self.places.try_acquire().map_err(|_| StoreError::Full)?;
        let free = Arc::clone(&self.free);
        let permit = free.acquire_owned().await.map_err(StoreError::unavailable)?;
        let idle = Arc::clone(&self.idle);
        let reading = task::spawn_blocking(move || {
            let lease = Lease::take(idle);
            let result = lease.read(work);
            // The connection must be back before another read is let in.
            drop(lease);
            drop(permit);
            result
        });
        reading.await.map_err(StoreError::unavailable)?
    }
}

/// A connection that goes back to the pool, even if the read panics.
struct Lease {
    connection: Option<Connection>,
    idle: Idle,
}

impl Lease {
    fn take(idle: Idle) -> Self {
        let connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { connection, idle }
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let db = self.connection.as_ref().expect("there are as many permits as connections");
        let _snapshot = db.unchecked_transaction().of("database", "snapshot")?;
        work(db)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.connection.take());
    }
}
