//! Ids that are the same in every run of a test.

use std::sync::atomic::{AtomicU64, Ordering};

use flowker_core::ports::IdSource;
use uuid::{Builder, Uuid};

/// Hands out rising UUIDs of version 7, the same ones in every run.
#[derive(Debug, Default)]
pub struct SequentialIds {
    source: u16,
    next: AtomicU64,
}

impl SequentialIds {
    /// Ids that no other `source` hands out: one for each replica of a test.
    pub fn of(source: u16) -> Self {
        Self { source, next: AtomicU64::default() }
    }
}

impl IdSource for SequentialIds {
    fn next_id(&self) -> Uuid {
        uuid(self.source, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// The `n`-th id of a source. Ids rise with `n`.
pub(crate) fn uuid(source: u16, n: u64) -> Uuid {
    // 2026-01-01, so that the ids look like those of today.
    const MILLIS: u64 = 1_767_225_600_000;
    let mut tail = [0; 10];
    tail[8..].copy_from_slice(&source.to_be_bytes());
    Builder::from_unix_timestamp_millis(MILLIS + n, &tail).into_uuid()
}
