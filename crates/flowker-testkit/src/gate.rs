//! A gate at which a call is held until the test opens it.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds whoever comes to it until it is opened. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    n_arrived: usize,
    is_open: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// Waits until the gate is open.
    ///
    /// # Panics
    ///
    /// Never: the gate is there as long as it is borrowed.
    pub async fn pass(&self) {
        let mut states = self.0.subscribe();
        self.0.send_modify(|state| state.n_arrived += 1);
        states.wait_for(|state| state.is_open).await.expect("the gate outlives its own borrow");
    }

    /// Waits until `n` callers have come to the gate, those that went through included.
    ///
    /// # Panics
    ///
    /// Never: the gate is there as long as it is borrowed.
    pub async fn arrived(&self, n: usize) {
        let mut states = self.0.subscribe();
        let came = states.wait_for(|state| n <= state.n_arrived).await;
        came.expect("the gate outlives its own borrow");
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.0.send_modify(|state| state.is_open = true);
    }
}
