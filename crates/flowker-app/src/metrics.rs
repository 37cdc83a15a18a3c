//! Metrics: the recorder that every crate reports to, and what is told of all of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use flowker_core::metric::{Kind, Label, Metric, Unit};
use flowker_core::ports::ExecutionStore;
use flowker_engine::Engine;
use flowker_http::Exposition;
use metrics::{Gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;

use crate::store::Store;

/// How often observations are put into their buckets. Until then each of them takes memory.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How long the store may take to say what waits in it. Metrics are needed most when it is slow.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// How far executions that wait are counted: far enough to see that it is too many.
const BACKLOG_MAX: usize = 10_000;

const BUILD_INFO: &str = "flowker_build_info";
const STORE_UP: &str = "flowker_store_up";
const STORE_QUEUE: &str = "flowker_store_queue_depth";
const QUEUE: &str = "flowker_queue_depth";
const OLDEST: &str = "flowker_oldest_unstarted_age_seconds";

/// What is known only where everything comes together.
const OWN: &[Metric] = &[
    Metric {
        name: BUILD_INFO,
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[
            Label { name: "version", values: "the version that runs" },
            Label { name: "store", values: "`sqlite`, `postgres`" },
        ],
        help: "Always 1: which version runs, on which store.",
    },
    level(STORE_UP, Unit::Count, "1 if the store said in time what waits in it, else 0."),
    level(STORE_QUEUE, Unit::Count, "Writes that wait for their group. Bounded by STORE_QUEUE."),
    level(
        QUEUE,
        Unit::Count,
        "Executions in the store that nobody drives and somebody could, counted to 10000. The same on \
         all replicas. NaN while the store is down.",
    ),
    level(
        OLDEST,
        Unit::Seconds,
        "For how long the oldest of these could have been driven; 0 if there is none. NaN while the \
         store is down.",
    ),
];

/// What the operating system knows of the process. On Linux only.
#[cfg(target_os = "linux")]
const PROCESS: &[Metric] = &[
    Metric {
        name: "process_cpu_seconds_total",
        kind: Kind::Counter,
        unit: Unit::Seconds,
        labels: &[],
        help: "Total user and system CPU time spent in seconds.",
    },
    level("process_open_fds", Unit::Count, "Number of open file descriptors."),
    level("process_max_fds", Unit::Count, "Maximum number of open file descriptors."),
    level("process_virtual_memory_bytes", Unit::Bytes, "Virtual memory size in bytes."),
    level(
        "process_virtual_memory_max_bytes",
        Unit::Bytes,
        "Maximum amount of virtual memory available in bytes.",
    ),
    level("process_resident_memory_bytes", Unit::Bytes, "Resident memory size in bytes."),
    level(
        "process_start_time_seconds",
        Unit::Seconds,
        "Start time of the process since unix epoch in seconds.",
    ),
    level("process_threads", Unit::Count, "Number of OS threads in the process."),
];

#[cfg(not(target_os = "linux"))]
const PROCESS: &[Metric] = &[];

const fn level(name: &'static str, unit: Unit, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, labels: &[], help }
}

/// The lists of all crates, each with the name of its part.
const LISTS: [(&str, &[Metric]); 7] = [
    ("The door", flowker_http::METRICS),
    ("The engine", flowker_engine::METRICS),
    ("Outbound calls", flowker_providers::METRICS),
    ("The embedded store", flowker_sqlite::METRICS),
    ("The shared store", flowker_postgres::METRICS),
    ("The whole", OWN),
    ("The process, on Linux", PROCESS),
];

/// What everybody in this process reports to. Set before anything that reports is made.
pub fn start() -> anyhow::Result<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for (_, listed) in LISTS {
        for metric in listed {
            if let Kind::Histogram(bounds) = metric.kind {
                let name = Matcher::Full(metric.name.to_owned());
                builder = builder.set_buckets_for_metric(name, bounds)?;
            }
        }
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("metrics are recorded already")?;
    describe();
    Ok(handle)
}

fn describe() {
    for metric in LISTS.iter().flat_map(|(_, listed)| *listed) {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
}

/// Tells all metrics.
pub struct Told {
    handle: PrometheusHandle,
    engine: Arc<Engine>,
    store: Store,
    executions: Arc<dyn ExecutionStore>,
    store_up: Gauge,
    store_queue: Gauge,
    queue: Gauge,
    oldest: Gauge,
    #[cfg(target_os = "linux")]
    process: metrics_process::Collector,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

impl Told {
    /// What was recorded so far, and levels that are asked for whenever somebody looks.
    pub fn new(handle: PrometheusHandle, engine: Arc<Engine>, store: Store) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        gauge!(BUILD_INFO, "version" => version, "store" => store.name()).set(1);
        let executions = store.ports().executions;
        Self {
            handle,
            engine,
            store,
            executions,
            store_up: gauge!(STORE_UP),
            store_queue: gauge!(STORE_QUEUE),
            queue: gauge!(QUEUE),
            oldest: gauge!(OLDEST),
            #[cfg(target_os = "linux")]
            process: metrics_process::Collector::default(),
        }
    }

    /// Keeps the memory of what was recorded small, for ever.
    pub async fn upkeep(handle: PrometheusHandle) {
        let mut ticks = interval(UPKEEP_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            handle.run_upkeep();
        }
    }

    async fn ask_store(&self) {
        let asked = timeout(STORE_TIMEOUT, self.executions.backlog(BACKLOG_MAX)).await;
        let backlog = match asked {
            Ok(Ok(backlog)) => Some(backlog),
            Ok(Err(error)) => {
                debug!(error = format!("{:#}", anyhow::Error::from(error)), "no backlog is known");
                None
            }
            Err(_) => None,
        };
        self.store_up.set(u8::from(backlog.is_some()));
        // What is not known is told as such: the last value would look like news.
        self.queue.set(
            backlog
                .map_or(f64::NAN, |it| u32::try_from(it.waiting).map_or(f64::INFINITY, f64::from)),
        );
        self.oldest.set(backlog.map_or(f64::NAN, |it| it.oldest.unwrap_or_default().as_secs_f64()));
    }
}

#[async_trait]
impl Exposition for Told {
    async fn render(&self) -> String {
        self.engine.tell_levels();
        self.store_queue.set(u32::try_from(self.store.queued()).unwrap_or(u32::MAX));
        self.ask_store().await;
        #[cfg(target_os = "linux")]
        self.process.collect();
        self.handle.render()
    }
}

#[cfg(test)]
mod tests;
