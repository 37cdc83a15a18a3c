//! `flowker serve`: from the start to the last task's end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use flowker_core::access::ApiKeyTable;
use flowker_core::ports::{AuditLog, IdempotencyStore};
use flowker_core::routing::RouteTable;
use flowker_http::{Limits, Server, Shutdown};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::metrics::Told;
use crate::signals::{Signals, Stop};
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::wire::{Wired, wire};

/// How often routes that another process changed are looked for, whether or not the store hints at
/// a change: seen within a second, the look included.
const ROUTES_POLL: Duration = Duration::from_millis(500);

/// How often API keys that another process made or revoked are looked for: seen within a second, the
/// look included.
const API_KEYS_POLL: Duration = Duration::from_millis(500);

/// How often expired idempotency keys are forgotten, and how many in one write.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);
const PURGE_BATCH: usize = 500;

/// How often events are sealed into the audit log, which shows them then, and how many in one write.
const SEAL_INTERVAL: Duration = Duration::from_millis(500);
const SEAL_BATCH: usize = 500;

/// How often the store is kept in order, and the pause between two pieces of that work.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_mins(10);
const HOUSEKEEPING_PAUSE: Duration = Duration::from_millis(200);

/// What is kept back of the time to stop, for the engine to hand over and the store to close.
const HANDOVER: Duration = Duration::from_secs(3);

/// Serves until a signal comes.
pub async fn serve(config: Config, telemetry: Telemetry) -> anyhow::Result<()> {
    let listener = listen(&config).await?;
    let wired = wire(&config, &telemetry).await?;
    run(&config, &telemetry, wired, listener, |address| {
        println!("flowker is ready on http://{address}");
    })
    .await
}

/// Takes the address. Before anything else: what else listens there is the most likely mistake.
pub async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.server_address;
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address}; choose another SERVER_ADDRESS, or end what listens there"
        )
    })
}

/// Runs what was put together, until a signal comes or the store fails. `announce` is told the
/// address as soon as requests and signals are listened to.
pub async fn run(
    config: &Config,
    telemetry: &Telemetry,
    wired: Wired,
    listener: TcpListener,
    announce: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let Wired { store, engine, routes, app, metrics } = wired;
    let address = listener.local_addr()?;
    let mut signals = Signals::listen()?;
    follow_routes_once(&routes).await?;
    let api_keys = app.access.keys.clone();
    if let Some(api_keys) = &api_keys {
        api_keys.refresh().await?;
    }
    if config.injects_faults {
        warn!("FAULT_INJECTION_ENABLED is on: every caller can make requests fail. For tests only");
    }
    engine.start().await.context("the store cannot be told that this process is alive")?;

    let (tasks, chores) = (TaskTracker::new(), CancellationToken::new());
    let following = follow_routes(Arc::clone(&routes), store.route_changes());
    tasks.spawn(chores.clone().run_until_cancelled_owned(following));
    if let Some(api_keys) = api_keys {
        tasks.spawn(chores.clone().run_until_cancelled_owned(follow_api_keys(api_keys)));
    }
    tasks.spawn(chores.clone().run_until_cancelled_owned(purge_keys(store.ports().keys)));
    tasks.spawn(chores.clone().run_until_cancelled_owned(Told::upkeep(metrics)));
    let housekeeping = keep_house(store.clone(), config.execution_retention);
    tasks.spawn(chores.clone().run_until_cancelled_owned(housekeeping));
    let sealing = seal_audit_log(store.ports().audit);
    tasks.spawn(chores.clone().run_until_cancelled_owned(sealing));
    let shutdown = Shutdown::new();
    let server = Server::new(app, limits(config));
    let server = tasks.spawn({
        let shutdown = shutdown.clone();
        async move { server.run(listener, shutdown).await }
    });
    tasks.close();
    announce(address);

    let stop = tokio::select! {
        stop = signals.next() => Some(stop),
        () = store.failed() => None,
    };
    let deadline = Instant::now() + config.drain_timeout;
    let Some(stop) = stop else {
        shutdown.cut();
        anyhow::bail!(
            "the store could not write and is not to be trusted any more; what was acknowledged is \
             on disk. Mend the disk, then start again"
        );
    };
    info!(stop = ?stop, "stopping");
    if stop == Stop::Gracefully {
        shutdown.drain();
        tokio::select! {
            () = sleep(config.drain_grace) => {}
            _ = signals.next() => {}
        }
    }
    let stopped = async {
        shutdown.stop();
        if timeout_at(deadline - HANDOVER, server).await.is_err() {
            warn!("requests are still open at the end of the time to stop: cutting them");
            shutdown.cut();
        }
        engine.drain(deadline - HANDOVER).await;
        chores.cancel();
        tasks.wait().await;
        store.close().await;
        telemetry.stop().await;
    };
    tokio::select! {
        () = stopped => info!("stopped"),
        _ = signals.next() => anyhow::bail!("left at once on a second signal"),
        () = sleep_until(deadline) => warn!("the time to stop is over: leaving what is left"),
    }
    Ok(())
}

fn limits(config: &Config) -> Limits {
    Limits {
        connections_max: config.max_connections,
        connections_per_ip_max: config.max_connections_per_ip.and_then(|it| it.try_into().ok()),
        requests_max: config.max_requests,
        stop_timeout: config.drain_timeout,
        trusted_proxies: config.trusted_proxies.clone(),
        ..Limits::default()
    }
}

async fn follow_routes(routes: Arc<RouteTable>, mut hints: watch::Receiver<u64>) {
    let mut ticks = interval(ROUTES_POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Ok(()) = hints.changed() => {}
        }
        if let Err(error) = follow_routes_once(&routes).await {
            warn!(error = format!("{error:#}"), "routes could not be read");
        }
    }
}

async fn follow_routes_once(routes: &RouteTable) -> anyhow::Result<()> {
    for unusable in routes.refresh().await? {
        error!(
            workflow.id = %unusable.route.workflow_id,
            error = format!("{:#}", anyhow::Error::from(unusable.error)),
            "a route cannot be served"
        );
    }
    Ok(())
}

/// While the store cannot be asked, the keys that were read last stay good.
async fn follow_api_keys(keys: Arc<ApiKeyTable>) {
    let mut ticks = interval(API_KEYS_POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = keys.refresh().await {
            let error = format!("{:#}", anyhow::Error::from(error));
            warn!(error, "API keys could not be read");
        }
    }
}

async fn purge_keys(keys: Arc<dyn IdempotencyStore>) {
    let mut ticks = interval(PURGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        loop {
            match keys.purge_expired(PURGE_BATCH).await {
                Ok(PURGE_BATCH..) => {}
                Ok(_) => break,
                Err(error) => {
                    warn!(error = format!("{:#}", anyhow::Error::from(error)), "expired keys stay");
                    break;
                }
            }
        }
    }
}

/// Nothing is lost if it is stopped: what was written down is sealed after the next start.
async fn seal_audit_log(audit: Arc<dyn AuditLog>) {
    let mut ticks = interval(SEAL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        ticks.tick().await;
        loop {
            match audit.seal(SEAL_BATCH).await {
                Ok(SEAL_BATCH..) => is_failing = false,
                Ok(_) => {
                    is_failing = false;
                    break;
                }
                Err(error) => {
                    // Said once an outage, and not twice a second.
                    if !std::mem::replace(&mut is_failing, true) {
                        let error = format!("{:#}", anyhow::Error::from(error));
                        warn!(error, "the audit log cannot be sealed, and is tried again");
                    }
                    break;
                }
            }
        }
    }
}

/// In small pieces with a pause between them, so that nobody who waits for the store notices.
async fn keep_house(store: Store, retention: Option<Duration>) {
    let mut ticks = interval(HOUSEKEEPING_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        loop {
            match store.keep_house(retention).await {
                Ok(true) => sleep(HOUSEKEEPING_PAUSE).await,
                Ok(false) => break,
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    warn!(error, "the store could not be kept in order, and is tried again later");
                    break;
                }
            }
        }
    }
}
