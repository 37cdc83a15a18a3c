//! The archive: all that a store holds, read out of it and written into another.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::archive::{Contents, Digest, ImportBegun, Place, Record};

/// Reads everything that a store holds, and writes it into an empty one.
///
/// Whoever exports makes sure that nobody writes meanwhile: a page is one state of the store, and two
/// pages may be two. An import is begun, written in batches and finished. One that is interrupted
/// anywhere is begun again with the same archive, from its first batch: what is there is not written
/// twice. Until it is finished the store must not be served.
///
/// Owners do not move. What has not ended is unowned after an import, with the fence of its last
/// owner, so that it is adopted with a higher one, and the change is journaled.
///
/// Proved by `flowker_testkit::archive_contract!`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Archive: fmt::Debug + Send + Sync {
    /// What the store holds.
    ///
    /// - MUST answer [`Contents::Part`] from the moment an import has begun until it is finished.
    async fn contents(&self) -> Result<Contents, StoreError>;

    /// Reads up to `limit` records, the first ones or those behind a place.
    ///
    /// - MUST answer them in ascending order of their [`Place`].
    /// - MUST answer at least one unless there is none, however large it is. It may answer fewer
    ///   than `limit` although there are more, to bound the memory that a page takes.
    /// - MUST read everything of an execution in one state.
    /// - MUST not answer the mark of an import as a shared value.
    async fn read(&self, after: Option<Place>, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// Begins the import of the archive that has this digest, or goes on with it.
    ///
    /// - MUST answer [`ImportBegun::NotEmpty`], and write nothing, if the store holds any record, but
    ///   for those of the same archive.
    /// - MUST answer [`ImportBegun::Finished`] to an archive that was imported whole, whatever became
    ///   of the store since.
    async fn begin_import(&self, digest: Digest) -> Result<ImportBegun, StoreError>;

    /// Writes a batch; whether an import is under way. If not, nothing is written.
    ///
    /// Records come in the order in which they are read. One that is there already, with the same
    /// content, is passed over, so a batch may be written again.
    ///
    /// - MUST write all of it, or nothing.
    /// - MUST let followers of routes notice those that came.
    /// - MUST answer [`StoreError::Corrupt`], and write nothing, if anything else is there at the
    ///   place of a record, or has its name.
    async fn write(&self, records: Vec<Record>) -> Result<bool, StoreError>;

    /// Ends the import that is under way. From here on the store is like any other. Without an
    /// import it does nothing.
    async fn finish_import(&self) -> Result<(), StoreError>;
}
