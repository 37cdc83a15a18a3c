//! Whether the process is well, and whether it should get traffic.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;

use super::{Call, Reply};
use crate::app::StoreHealth;
use crate::show::{self, CheckStatus, ReadinessCheck, Verdict};

/// How long the store may take to answer (contract).
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Liveness: the store answers.
pub(super) async fn health(call: &Call) -> Reply {
    let store = check(call).await;
    let (status, code) = verdict(store.error.is_none());
    let message = store.error.unwrap_or_else(|| format!("{} answers", store.store));
    let body = show::Health {
        status,
        checks: show::HealthChecks { database: show::HealthCheck { status, message } },
        version: version_or(call, "dev"),
        uptime: uptime(call.door.started.elapsed()),
        timestamp: call.app().clock.now(),
    };
    Reply { status: code, ..Reply::ok(body) }
}

/// Readiness: the store answers, and the process is not about to stop.
pub(super) async fn ready(call: &Call) -> Reply {
    let (is_ready, checks) = if call.door.shutdown.is_draining() {
        (false, BTreeMap::new())
    } else {
        let store = check(call).await;
        let (is_up, name) = (store.error.is_none(), store.store.to_owned());
        (is_up, BTreeMap::from([(name, show_check(store))]))
    };
    let (status, code) = verdict(is_ready);
    let body = show::Readiness {
        status,
        checks,
        version: version_or(call, "dev"),
        deployment_mode: call.app().deployment_mode.clone(),
    };
    Reply { status: code, ..Reply::ok(body) }
}

/// Which version runs.
pub(super) fn version(call: &Call) -> Reply {
    let (version, request_date) = (version_or(call, "0.0.0"), call.app().clock.now());
    Reply::ok(show::Version { version, request_date })
}

async fn check(call: &Call) -> StoreHealth {
    let check = call.app().readiness.check();
    tokio::time::timeout(CHECK_TIMEOUT, check).await.unwrap_or_else(|_| StoreHealth {
        store: "database",
        latency: CHECK_TIMEOUT,
        error: Some(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())),
    })
}

fn show_check(store: StoreHealth) -> ReadinessCheck {
    let latency_ms = u64::try_from(store.latency.as_millis()).unwrap_or(u64::MAX);
    match store.error {
        Some(error) => {
            ReadinessCheck { status: CheckStatus::Down, latency_ms: None, error: Some(error) }
        }
        None => ReadinessCheck {
            status: CheckStatus::Up,
            latency_ms: Some(latency_ms).filter(|ms| 0 < *ms),
            error: None,
        },
    }
}

const fn verdict(is_well: bool) -> (Verdict, StatusCode) {
    if is_well {
        (Verdict::Healthy, StatusCode::OK)
    } else {
        (Verdict::Unhealthy, StatusCode::SERVICE_UNAVAILABLE)
    }
}

fn version_or(call: &Call, unknown: &str) -> String {
    call.app().version.clone().unwrap_or_else(|| unknown.to_owned())
}

/// `1h2m3.5s`, leading zeros left out.
fn uptime(elapsed: Duration) -> String {
    let (minutes, seconds) = (elapsed.as_secs() / 60, elapsed.as_secs() % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let tenths = elapsed.subsec_millis() / 100;
    let seconds = if tenths == 0 { format!("{seconds}s") } else { format!("{seconds}.{tenths}s") };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uptime_reads_as_a_duration() {
        let check = |ms, expected| assert_eq!(uptime(Duration::from_millis(ms)), expected);
        check(0, "0s");
        check(3_512, "3.5s");
        check(63_000, "1m3s");
        check(3_723_500, "1h2m3.5s");
        check(7_200_000, "2h0m0s");
    }
}
