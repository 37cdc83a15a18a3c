//! The stages in which a server is stopped.

use tokio_util::sync::CancellationToken;

/// Stops a server, in stages. Clones stop the same server.
///
/// [`drain`](Self::drain), then [`stop`](Self::stop) when balancers have seen it, then
/// [`cut`](Self::cut) if there is no time left. A later stage implies the earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    stopping: CancellationToken,
    cut: CancellationToken,
}

impl Shutdown {
    /// For a server that is to run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Readiness says no from now on; everything else goes on.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// No further connection and no further request; what was begun may finish, as long as
    /// [`Limits::stop_timeout`](crate::Limits::stop_timeout) allows.
    pub fn stop(&self) {
        self.drain();
        self.stopping.cancel();
    }

    /// Ends everything at the next await.
    pub fn cut(&self) {
        self.stop();
        self.cut.cancel();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    pub(crate) fn cutting(&self) -> &CancellationToken {
        &self.cut
    }
}
