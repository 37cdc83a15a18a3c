//! Learning of changed routes at once, where the server tells.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flowker_core::refusal::BoxError;
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::AsyncMessage;
use tracing::debug;

use crate::PostgresStore;
use crate::connect::{CONNECT_MAX, connect};
use crate::url::ConnectionUrl;

/// How long to wait before the next attempt, after a session ended or could not be made.
const PAUSE: Duration = Duration::from_secs(1);

impl PostgresStore {
    /// Counts the moments at which routes may have changed, here or on another replica: each
    /// notification, and each time that a session listens anew, since it may have missed some.
    ///
    /// A hint only: whoever follows the routes asks for their revision from time to time anyway.
    /// Behind a pooler nothing is heard, and the number stays as it is.
    ///
    /// The first call makes a session of its own, which ends with the store. Within a tokio runtime.
    pub fn route_changes(&self) -> watch::Receiver<u64> {
        self.inner.listener.receiver()
    }
}

/// Listens from the first time that somebody asks until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    /// `None` where nothing can be heard.
    url: Option<ConnectionUrl>,
    n_changes: watch::Sender<u64>,
    listening: Mutex<JoinSet<()>>,
}

impl Listener {
    pub(crate) fn new(url: Option<ConnectionUrl>) -> Self {
        Self { url, n_changes: watch::Sender::new(0), listening: Mutex::default() }
    }

    fn receiver(&self) -> watch::Receiver<u64> {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(url) = &self.url
            && listening.is_empty()
        {
            listening.spawn(listen_always(url.clone(), self.n_changes.clone()));
        }
        self.n_changes.subscribe()
    }
}

async fn listen_always(url: ConnectionUrl, n_changes: watch::Sender<u64>) {
    loop {
        if let Err(error) = listen(&url, &n_changes).await {
            debug!(error, "not told of changed routes for now");
        }
        sleep(PAUSE).await;
    }
}

/// The server closed the session.
#[derive(Debug, thiserror::Error)]
#[error("the session ended")]
struct Ended;

/// Counts until the session ends.
async fn listen(url: &ConnectionUrl, n_changes: &watch::Sender<u64>) -> Result<(), BoxError> {
    let connecting = timeout(CONNECT_MAX, connect(&url.config, &url.tls));
    let (client, mut connection) = connecting.await??;
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let count_messages = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(_) = message? {
                n_changes.send_modify(|n| *n += 1);
            }
        }
        // Not to be taken for success: an answer that is still waited for never comes.
        Err::<(), BoxError>(Ended.into())
    };
    let subscribe = async {
        client.batch_execute("LISTEN flowker_routes").await?;
        n_changes.send_modify(|n| *n += 1);
        Ok::<_, BoxError>(())
    };
    // The session lives as long as the client, which is kept until the messages end.
    tokio::try_join!(count_messages, subscribe).map(drop)
}

#[cfg(test)]
mod tests;
