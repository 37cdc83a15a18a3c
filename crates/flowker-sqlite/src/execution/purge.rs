//! Retention: executions that ended are removed when they are old.

use std::time::Duration;

use flowker_core::execution::Status;
use flowker_core::id::ExecutionId;
use flowker_core::ports::StoreError;
use flowker_core::time::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::SqliteStore;
use crate::error::Of;
use crate::row;

impl SqliteStore {
    /// Removes up to `limit` executions that have ended and were accepted more than `older_than`
    /// ago, with their journals; answers how many. Time is the store's.
    ///
    /// One whose idempotency key is still kept stays. Ask again, after a pause for other writers,
    /// until it answers less than `limit`. The file does not shrink: what becomes free in it is used
    /// for what comes.
    pub async fn purge_executions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let now = self.now();
        let before = now.minus(older_than);
        // Searched for by a reader, so that no writer waits for that.
        let found = self.query(move |db| find(db, before, now, limit)).await?;
        let n_found = found.len();
        if n_found != 0 {
            self.transact(move |db, _| found.iter().try_for_each(|id| remove(db, *id))).await?;
        }
        Ok(n_found)
    }
}

/// Those with one status that were accepted before a moment, oldest first. One whose key is still
/// kept stays: a retry has to find it.
pub(crate) const FIND: &str = "\
    SELECT execution_id
      FROM outcomes AS o
     WHERE status = ?1 AND accepted_at < ?2
       AND NOT EXISTS (SELECT 1 FROM idempotency_keys AS k
                        WHERE k.execution_id = o.execution_id AND ?3 < k.expires_at)
     ORDER BY accepted_at, execution_id
     LIMIT ?4";

/// Up to `limit` executions that ended and were accepted before `before`. What is found stays so:
/// an end never changes, and a key is claimed at the acceptance only.
fn find(
    db: &Connection,
    before: Timestamp,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<ExecutionId>, StoreError> {
    let read = |row: &Row<'_>| Ok(ExecutionId::from_uuid(row::uuid(row, "execution_id")?));
    let mut found = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
        let n_rows = row::limit(limit - found.len());
        let params = params![status.as_str(), before.as_micros(), now.as_micros(), n_rows];
        let mut statement = db.prepare_cached(FIND).of("outcomes", "that are old")?;
        let ids = statement.query_map(params, read).of("outcomes", "that are old")?;
        let ids = ids.collect::<rusqlite::Result<Vec<_>>>().of("outcomes", "that are old")?;
        found.extend(ids);
    }
    Ok(found)
}

pub(crate) const DELETE_JOURNAL: &str = "DELETE FROM journal WHERE execution_id = ?1";
pub(crate) const DELETE_OUTCOME: &str = "DELETE FROM outcomes WHERE execution_id = ?1";
pub(crate) const DELETE: &str = "DELETE FROM executions WHERE id = ?1";

/// Removes all that is kept of an execution that has ended.
fn remove(db: &Connection, id: ExecutionId) -> Result<(), StoreError> {
    for (table, statement) in
        [("journal", DELETE_JOURNAL), ("outcomes", DELETE_OUTCOME), ("executions", DELETE)]
    {
        db.prepare_cached(statement)
            .and_then(|mut statement| statement.execute([id.as_uuid().as_bytes()]))
            .of(table, id)?;
    }
    Ok(())
}
