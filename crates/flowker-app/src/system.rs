//! The real clock, the real ids and real randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use flowker_core::ports::{Clock, IdSource, Secrets};
use flowker_core::refusal::BoxError;
use flowker_core::time::Timestamp;
use uuid::Uuid;

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port that all others ask")]
    fn now(&self) -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |it| -it),
        };
        Timestamp::from_micros(micros)
    }
}

/// UUIDs of version 7, rising within this process.
#[derive(Debug)]
pub struct RisingIds;

impl IdSource for RisingIds {
    fn next_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// What the system has of randomness.
#[derive(Debug)]
pub struct SystemSecrets;

impl Secrets for SystemSecrets {
    fn next_secret(&self) -> Result<[u8; 32], BoxError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(bytes)
    }
}
