//! Waiting for a condition: often asked, under a deadline that names what it waited for.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that a test waits for. Long, because it only matters when something
/// is broken; a slow machine is not.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks until there is an answer, and returns it.
///
/// Panics with `what` when [`PATIENCE`] is over. Ask for a level ("3 are done"), never for an edge
/// ("it changed"): whoever looks now and then misses edges.
#[track_caller]
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, ask)
}

/// The same with a time of its own: for what is promised within it, or is known to take long.
#[track_caller]
pub fn until_within<T>(patience: Duration, what: &str, ask: impl FnMut() -> Option<T>) -> T {
    poll(patience, ask).unwrap_or_else(|| panic!("waited {patience:?} in vain until {what}"))
}

/// Asks until there is an answer, or until the time is up.
pub fn poll<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = now() + patience;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if deadline <= now() {
            return None;
        }
        thread::sleep(PAUSE);
    }
}

/// The real time: what runs in another process cannot be given any other.
#[expect(clippy::disallowed_methods, reason = "the server under test lives in real time")]
pub fn now() -> Instant {
    Instant::now()
}
