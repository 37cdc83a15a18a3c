//! What tests of Flowker are made of: contract suites for every store port, a store in memory, a
//! store that injects faults, a provider that records, clocks and ids that tests own.
//!
//! An adapter proves itself with one line a suite, beginning with [`execution_store_contract!`];
//! `docs/guides/write-a-store-adapter.md` says how.

mod clock;
pub mod contract;
mod description;
pub mod exposition;
mod faulty;
mod gate;
mod ids;
mod memory;
pub mod model;
#[cfg(feature = "postgres")]
pub mod postgres;
mod provider;
pub mod sample;
mod subject;

pub use clock::{TestClock, TokioClock};
pub use description::{Description, Exchange};
pub use faulty::{Fault, FaultyStore, InjectedFault, Method, When};
pub use gate::Gate;
pub use ids::SequentialIds;
pub use memory::MemoryStore;
pub use provider::{Answer, Recorded, RecordingProvider};
pub use subject::{ArchiveSubject, LapseOwner, Stores, Subject};

#[cfg(test)]
mod tests;
