//! What the socket's side of a connection must know of the requests on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Which requests of a connection are being answered.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

/// A moment of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// Requests that have arrived and are not answered yet.
    pub n_open: usize,
    /// Requests that have ever arrived.
    pub n_arrived: u64,
    /// When the last one was answered, or the connection began.
    pub quiet_since: Instant,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let state = State { n_open: 0, n_arrived: 0, quiet_since: Instant::now() };
        Arc::new(Self(Mutex::new(state)))
    }

    pub(super) fn state(&self) -> State {
        *self.lock()
    }

    /// Notes that a request has arrived; its end is when the guard is dropped.
    pub(super) fn arrive(self: &Arc<Self>) -> Open {
        let mut state = self.lock();
        state.n_open += 1;
        state.n_arrived += 1;
        Open(Arc::clone(self))
    }

    /// Ends when there has been no request for as long as `limit`.
    pub(super) async fn quiet_for(&self, limit: Duration) {
        loop {
            let state = self.state();
            let due = state.quiet_since + limit;
            if state.n_open == 0 && due <= Instant::now() {
                return;
            }
            // While a request is open, it cannot become quiet enough earlier than this.
            tokio::time::sleep_until(due.max(Instant::now() + limit / 8)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Open(Arc<Activity>);

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.n_open -= 1;
        state.quiet_since = Instant::now();
    }
}
