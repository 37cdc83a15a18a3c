//! Accepting connections, and stopping in stages.

mod activity;
mod addresses;
mod connection;
mod patient;

pub(crate) use connection::serve;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use self::addresses::Addresses;
use crate::answer::Door;
use crate::app::App;
use crate::limits::Limits;
use crate::shutdown::Shutdown;

/// How long to wait after a failed accept. Most often the process is out of file descriptors, and
/// trying again at once would only keep a processor busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the contract on a listener.
#[derive(Debug)]
pub struct Server {
    app: App,
    limits: Limits,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were cut because they did not end in time.
    pub connections_cut: usize,
    /// Requests that were cut because they did not end in time. What they had made durable stays.
    pub requests_cut: usize,
}

impl Server {
    /// A server for these use-cases.
    pub fn new(app: App, limits: Limits) -> Self {
        Self { app, limits }
    }

    /// Serves until `shutdown` says to stop, and returns when every connection and every request
    /// has ended, at the latest [`Limits::stop_timeout`] after [`Shutdown::stop`].
    pub async fn run(self, listener: TcpListener, shutdown: Shutdown) -> Stopped {
        let door = Arc::new(Door::new(self.app, self.limits, shutdown));
        let connections = TaskTracker::new();
        accept_all(&door, &listener, &connections).await;
        drop(listener);
        finish(&door, &connections).await
    }
}

async fn accept_all(door: &Arc<Door>, listener: &TcpListener, connections: &TaskTracker) {
    let limits = &door.limits;
    let stopping = door.shutdown.stopping();
    let slots = Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS)));
    let addresses = Addresses::new(limits.connections_per_ip_max);
    loop {
        let next = async {
            // The slot first: a connection that we cannot serve waits in the kernel's queue.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot.expect("the semaphore is never closed"), listener.accept().await)
        };
        let Some((slot, accepted)) = stopping.run_until_cancelled(next).await else { return };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error, door).await;
                continue;
            }
        };
        let Some(place) = addresses.enter(peer.ip()) else {
            door.metrics.connection_refused();
            debug!(client.address = %peer.ip(), "connection refused: too many from its address");
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        let (door, open) = (Arc::clone(door), door.metrics.connection());
        connections.spawn(async move {
            let cutting = door.shutdown.cutting();
            cutting.run_until_cancelled(serve(&door, stream, peer.ip())).await;
            drop((slot, place, open));
        });
    }
}

async fn pause_after(error: &io::Error, door: &Door) {
    // The caller has gone again before we took the connection up: nothing is wrong with us.
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    warn!(%error, "cannot accept connections");
    door.shutdown.stopping().run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
}

async fn finish(door: &Door, connections: &TaskTracker) -> Stopped {
    let requests = &door.requests;
    connections.close();
    requests.close();
    let all = async {
        connections.wait().await;
        requests.wait().await;
    };
    let in_time = async {
        let in_time = tokio::time::timeout(door.limits.stop_timeout, all);
        let cut_early = door.shutdown.cutting().run_until_cancelled(in_time).await;
        matches!(cut_early, Some(Ok(())))
    };
    if in_time.await {
        return Stopped { connections_cut: 0, requests_cut: 0 };
    }
    let stopped = Stopped { connections_cut: connections.len(), requests_cut: requests.len() };
    warn!(
        connections_cut = stopped.connections_cut,
        requests_cut = stopped.requests_cut,
        "cutting what did not end in time"
    );
    door.shutdown.cut();
    connections.wait().await;
    requests.wait().await;
    stopped
}
