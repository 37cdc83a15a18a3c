//! The archive: everything that a store holds, as records that another store can take over.
//!
//! [`Record`]s are what the port [`Archive`](crate::ports::Archive) reads and writes. [`Lines`] and
//! [`Reader`] turn them into the lines of a file and back, and find out whether the file is whole.

mod document;
mod fields;
mod file;
mod mark;
mod record;

pub use crate::digest::Digest;
pub use file::{FORMAT, FileError, Lines, Reader, Tally};
pub use mark::{Contents, ImportBegun, ImportMark};
pub use record::{
    ArchivedExecution, ArchivedKey, FrozenVersion, Kind, Place, Record, SharedValue, Stage,
};

#[cfg(test)]
mod tests;
