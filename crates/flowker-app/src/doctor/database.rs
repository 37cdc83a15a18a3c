//! What a look at the database shows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flowker_core::ports::{Clock, NamedSort, ProviderConfigQuery, ProviderConfigStore, StoreError};
use flowker_postgres::{
    ClockOffset, ConnectionUrl, Contents, Inspection, PostgresStore, UnfitError,
};

use super::Finding;
use crate::config::Config;
use crate::sealed::SealedConfigs;
use crate::system::SystemClock;

/// From which difference on between two clocks somebody should know of it. Ownership and retention
/// follow the database alone; what is off by that much is the moments that people read.
const OFFSET_MAX: Duration = Duration::from_secs(2);

/// From which age on it is strange that nobody has taken an execution over.
const WAIT_MAX: Duration = Duration::from_mins(1);

pub(super) fn sqlite(path: &Path) -> Vec<Finding> {
    let shown = path.display();
    let seen = match flowker_sqlite::inspect(path) {
        Ok(Some(seen)) => seen,
        Ok(None) => {
            return vec![Finding::good(format!("database: {shown} is made by the first start"))];
        }
        Err(error) => {
            return vec![Finding::fault(
                format!("database: {:#}", anyhow::Error::from(error)),
                "see whether the path and its permissions are right; if it is damaged, restore a \
                 backup",
            )];
        }
    };
    let mut findings = vec![if seen.is_in_use {
        Finding::good(format!("database: {shown}, which a process has open"))
    } else {
        Finding::good(format!("database: {shown}, which no process has open"))
    }];
    findings.push(schema(seen.schema, seen.schema_known));
    let mebibytes = |bytes: u64| bytes / (1 << 20);
    findings.push(Finding::good(format!(
        "size: {} MiB, {} MiB of it free for what comes",
        mebibytes(seen.bytes),
        mebibytes(seen.free_bytes)
    )));
    let age = seen.waiting_since.map(|since| SystemClock.now().since(since));
    findings.push(unfinished(seen.unfinished, age, seen.is_in_use));
    findings
}

pub(super) async fn postgres(url: &ConnectionUrl, config: &Config) -> Vec<Finding> {
    let options = flowker_postgres::Options {
        pooled: config.database_pooled,
        ..flowker_postgres::Options::default()
    };
    let store = PostgresStore::new(url, &options);
    let seen = match store.inspect(&SystemClock).await {
        Ok(seen) => seen,
        Err(error) => {
            return vec![Finding::fault(
                format!("database: it cannot be reached: {:#}", anyhow::Error::from(error)),
                "see whether host, port, user, password and sslmode of DATABASE_URL are right, and \
                 whether the server runs",
            )];
        }
    };
    let mut findings = server(&seen);
    match store.check().await {
        Ok(()) => {}
        Err(error @ (UnfitError::Empty | UnfitError::Older { .. })) => {
            // A start does it as well.
            findings.push(Finding::attention(
                format!("schema: {error}"),
                "run flowker migrate, or let the next start do it",
            ));
        }
        Err(error) => {
            let cause = format!("{:#}", anyhow::Error::from(error));
            findings.push(Finding::fault(cause, "a start is refused until this is changed"));
        }
    }
    findings.push(clock(seen.clock));
    if let Some(contents) = &seen.contents {
        findings.extend(tables(contents));
        findings.push(secrets(&store, config).await);
    }
    findings
}

fn server(seen: &Inspection) -> Vec<Finding> {
    let server = &seen.server;
    let mut findings = vec![Finding::good(format!("database: Postgres {}", server.version))];
    let standbys = server.synchronous_standby_names.as_deref().unwrap_or_default();
    findings.push(if standbys.is_empty() {
        Finding::attention(
            "durability: a commit waits for no standby",
            "if the server has standbys, a failover to one may lose what was accepted last; set \
             synchronous_standby_names (Patroni: synchronous_mode)",
        )
    } else {
        Finding::good(format!("durability: a commit waits for {standbys}"))
    });
    if let Some(applied) = seen.schema.applied {
        findings.push(schema(Some(applied), seen.schema.known));
    }
    findings
}

fn schema(applied: Option<i32>, known: i32) -> Finding {
    match applied {
        None => Finding::fault(
            "schema: the file is a database, but none of flowker",
            "name another file, or move this one away",
        ),
        Some(applied) if known < applied => Finding::fault(
            format!("schema: version {applied}, and this release knows {known}"),
            "run the release that migrated it, or a newer one",
        ),
        Some(applied) if applied < known => Finding::attention(
            format!("schema: version {applied}, and this release needs {known}"),
            "run flowker migrate, or let the next start do it",
        ),
        Some(applied) => Finding::good(format!("schema: version {applied}, as this release needs")),
    }
}

fn clock(offset: ClockOffset) -> Finding {
    let away = Duration::from_micros(offset.micros.unsigned_abs());
    let way = if offset.micros < 0 { "behind" } else { "ahead of" };
    let what = format!(
        "clock: the server's is {:.3} s {way} this machine's (± {:.3} s)",
        away.as_secs_f64(),
        offset.uncertainty.as_secs_f64()
    );
    if OFFSET_MAX + offset.uncertainty < away {
        return Finding::attention(
            what,
            "let both follow NTP: ownership is not at risk, but moments in journals will not agree",
        );
    }
    Finding::good(what)
}

fn tables(contents: &Contents) -> Vec<Finding> {
    let mut findings = vec![
        Finding::good(format!("replicas: {} alive", contents.replicas_alive)),
        unfinished(contents.unfinished, contents.oldest_unowned, 0 < contents.replicas_alive),
    ];
    if 0 < contents.replicas_lapsed && 0 < contents.replicas_alive {
        findings.push(Finding::attention(
            format!("replicas: {} fell silent and still own executions", contents.replicas_lapsed),
            "others take them over within seconds; if this stays, look at their logs",
        ));
    }
    if 0 < contents.rows_beyond {
        findings.push(Finding::attention(
            format!("partitions: {} rows lie beyond all weeks", contents.rows_beyond),
            "a clock was wrong by weeks; they are found as ever, but no retention drops them",
        ));
    }
    findings
}

fn unfinished(count: u64, waiting: Option<Duration>, is_served: bool) -> Finding {
    let waiting = waiting.unwrap_or_default();
    let what = format!(
        "executions: {count} have not ended, the longest wait for an owner is {} s",
        waiting.as_secs()
    );
    match (waiting <= WAIT_MAX, is_served) {
        (true, _) => Finding::good(what),
        (false, false) => Finding::attention(what, "start flowker, which goes on with them"),
        (false, true) => Finding::attention(
            what,
            "more is accepted than is driven: start more replicas, or raise MAX_EXECUTIONS",
        ),
    }
}

/// Whether what is sealed can be opened with the key that is configured.
async fn secrets(store: &PostgresStore, config: &Config) -> Finding {
    let sealed: Arc<dyn ProviderConfigStore> = Arc::new(store.clone());
    let sort = NamedSort::default();
    let some =
        ProviderConfigQuery { status: None, provider_id: None, sort, after: None, limit: 100 };
    match SealedConfigs::new(sealed, config.secrets_key).list(some).await {
        Ok(page) => Finding::good(format!(
            "secrets: {} provider configurations can be read",
            page.items.len()
        )),
        Err(StoreError::Corrupt { what, source }) => Finding::fault(
            format!("secrets: {what} cannot be opened: {source}"),
            "set SECRETS_KEY to the key that was set when it was stored",
        ),
        Err(error) => Finding::fault(
            format!("secrets: {:#}", anyhow::Error::from(error)),
            "see whether the database can be read",
        ),
    }
}
