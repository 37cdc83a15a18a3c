//! Who is turned away, for the audit log: as many as a person can read, and the number of the others.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flowker_core::actor::Actor;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::Method;
use tracing::warn;

use crate::answer::Door;

/// How many are written down in a minute, after as many at once. Whoever floods us with wrong keys
/// fills no disk with it: a year of that is 31 million entries a process, and not one more.
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");

/// Writes down some of those who are turned away, and how many others there were.
#[derive(Debug)]
pub(crate) struct Denials {
    limiter: DefaultDirectRateLimiter,
    n_unrecorded: AtomicU64,
}

impl Denials {
    pub(crate) fn new() -> Self {
        let limiter = RateLimiter::direct(Quota::per_minute(PER_MINUTE));
        Self { limiter, n_unrecorded: AtomicU64::new(0) }
    }

    /// Notes that a caller was turned away. Its answer does not wait for that; a stop does.
    pub(crate) fn note(
        &self,
        door: &Arc<Door>,
        (method, route): (&Method, &'static str),
        code: String,
        caller: Actor,
    ) {
        if self.limiter.check().is_err() {
            self.n_unrecorded.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let n_unrecorded = self.n_unrecorded.swap(0, Ordering::Relaxed);
        let (method, door) = (known(method), Arc::clone(door));
        door.requests.clone().spawn(async move {
            let audit = &door.app.audit;
            if let Err(error) = audit.deny((method, route), &code, n_unrecorded, &caller).await {
                door.denials.n_unrecorded.fetch_add(n_unrecorded + 1, Ordering::Relaxed);
                warn!(%error, "a denied attempt could not be written to the audit log");
            }
        });
    }
}

/// A method of ours. Any other is a text that its caller chose.
fn known(method: &Method) -> &'static str {
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    methods.into_iter().find(|it| *it == method.as_str()).unwrap_or("OTHER")
}
