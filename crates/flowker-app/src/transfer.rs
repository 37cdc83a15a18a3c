//! `flowker export` and `flowker import`: everything that one store holds moves into another.

mod output;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use flowker_core::archive::{Contents, Digest, ImportBegun, Kind, Lines, Reader, Record, Tally};
use flowker_core::ports::{Archive, AuditLog, Clock};
use tokio::time::{Instant, sleep};

use crate::config::{Config, Database};
use crate::store::Store;
use crate::system::SystemClock;

use output::Output;

/// How many records are read in one page.
const PAGE: usize = 256;

/// How many records, and about how many bytes, are written in one transaction.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// How long a process that was stopped may still seem to use the store: longer than its silence is
/// taken for a lapse.
const SILENCE_MAX: Duration = Duration::from_secs(15);
const SILENCE_PAUSE: Duration = Duration::from_secs(1);

/// How many events of the audit log are sealed in one transaction.
const SEAL_BATCH: usize = 500;

/// How often a person is told how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Writes everything that the store holds into `target`, or to standard output.
pub async fn export(config: Config, target: Option<PathBuf>, force: bool) -> anyhow::Result<()> {
    let mut output = Output::open(target, force)?;
    let store = open_source(&config).await?;
    seal(store.ports().audit.as_ref()).await?;
    let written = write_out(store.archive().as_ref(), &mut output).await?;
    output.finish()?;
    store.close().await;
    eprintln!("flowker: exported {}", counted(&written));
    Ok(())
}

/// Writes everything that `file` holds into the store, which has to be empty.
pub async fn import(config: Config, file: PathBuf) -> anyhow::Result<()> {
    // The whole file is read before the store is touched: it is either wrong, or right.
    let (digest, expected) =
        check(&file).with_context(|| format!("{} cannot be imported", file.display()))?;
    let store = open(&config).await?;
    let is_new = take_in(store.archive().as_ref(), &file, digest, &expected).await?;
    store.close().await;
    if is_new {
        eprintln!("flowker: imported {}", counted(&expected));
    } else {
        eprintln!("flowker: this file was imported before; nothing is left to do");
    }
    Ok(())
}

/// Fails if the store holds a part of an archive only: what is missing would be taken for new.
pub async fn expect_whole(archive: &dyn Archive) -> anyhow::Result<()> {
    match archive.contents().await? {
        Contents::Part(_) => bail!(
            "an import into this database was interrupted; run flowker import with the same file \
             again, and it goes on"
        ),
        Contents::Nothing | Contents::Records => Ok(()),
    }
}

/// Opens the store to read it. One that is not there is not made, and one that others use would
/// change meanwhile.
async fn open_source(config: &Config) -> anyhow::Result<Store> {
    if let Database::Sqlite(path) = &config.database {
        let path = path.as_path();
        ensure!(path.exists(), "there is no database at {}", path.display());
    }
    let store = open(config).await?;
    let deadline = Instant::now() + SILENCE_MAX;
    let mut is_told = false;
    loop {
        let others = store.others().await?;
        if others == 0 {
            return Ok(store);
        }
        ensure!(Instant::now() < deadline, "stop flowker first: {others} of it use the database");
        if !std::mem::replace(&mut is_told, true) {
            eprintln!("flowker: waiting until {others} of it that use the database are gone");
        }
        sleep(SILENCE_PAUSE).await;
    }
}

/// Opens the store, makes it if it is not there, and brings its schema up to date.
async fn open(config: &Config) -> anyhow::Result<Store> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Store::open(config, &clock).await
}

/// Seals what was audited last: only what is sealed is archived.
async fn seal(audit: &dyn AuditLog) -> anyhow::Result<()> {
    while 0 < audit.seal(SEAL_BATCH).await? {}
    Ok(())
}

/// Writes everything that an archive holds.
async fn write_out(archive: &dyn Archive, output: &mut impl Write) -> anyhow::Result<Tally> {
    const UNWRITTEN: &str = "the export cannot be written";
    expect_whole(archive).await?;
    let (mut lines, head) = Lines::begin(SystemClock.now(), env!("CARGO_PKG_VERSION"));
    output.write_all(&head).context(UNWRITTEN)?;
    let mut progress = Progress::new("exported");
    for_each_record(archive, |record| {
        progress.tell(lines.written());
        output.write_all(&lines.record(record)).context(UNWRITTEN)
    })
    .await?;
    let written = lines.written().clone();
    output.write_all(&lines.end()).context(UNWRITTEN)?;
    Ok(written)
}

/// Reads the whole file, and answers what it holds if all of it is there.
fn check(file: &Path) -> anyhow::Result<(Digest, Tally)> {
    let mut input = Input::open(file)?;
    while input.next()?.is_some() {}
    Ok(input.reader.end()?)
}

/// Writes everything that a checked file holds; `false` if that was done before.
async fn take_in(
    archive: &dyn Archive,
    file: &Path,
    digest: Digest,
    expected: &Tally,
) -> anyhow::Result<bool> {
    match archive.begin_import(digest).await? {
        ImportBegun::Now => {}
        ImportBegun::Before => {
            eprintln!("flowker: an import of this file was interrupted; it goes on");
        }
        ImportBegun::Finished => return Ok(false),
        ImportBegun::NotEmpty => {
            bail!("the database is not empty; name an empty one, or a new one, with DATABASE_URL")
        }
    }
    write_all(archive, file)
        .await
        .context("the import was interrupted; run it again with the same file, and it goes on")?;
    let mut there = Tally::new();
    for_each_record(archive, |record| {
        there.add(record);
        Ok(())
    })
    .await?;
    ensure!(
        there == *expected,
        "what was written does not read back as it was: the database holds {}, and the file {}; \
         the database will not be served",
        counted(&there),
        counted(expected)
    );
    archive.finish_import().await?;
    Ok(true)
}

async fn write_all(archive: &dyn Archive, file: &Path) -> anyhow::Result<()> {
    let mut input = Input::open(file)?;
    let mut progress = Progress::new("imported");
    let (mut batch, mut n_bytes) = (Vec::new(), 0);
    loop {
        let next = input.next()?;
        let is_end = next.is_none();
        if let Some((record, n_of_record)) = next {
            batch.push(record);
            n_bytes += n_of_record;
        }
        if is_end || BATCH <= batch.len() || BATCH_BYTES <= n_bytes {
            ensure!(
                archive.write(std::mem::take(&mut batch)).await?,
                "another process finished the import"
            );
            n_bytes = 0;
            progress.tell(input.reader.read());
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Reads everything that an archive holds.
async fn for_each_record(
    archive: &dyn Archive,
    mut each: impl FnMut(&Record) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let records = archive.read(after, PAGE).await?;
        let Some(last) = records.last() else { return Ok(()) };
        after = Some(last.place());
        records.iter().try_for_each(&mut each)?;
    }
}

/// A file that is read record by record.
struct Input {
    lines: BufReader<File>,
    line: Vec<u8>,
    reader: Reader,
}

impl Input {
    fn open(file: &Path) -> anyhow::Result<Self> {
        let lines = BufReader::new(File::open(file)?);
        Ok(Self { lines, line: Vec::new(), reader: Reader::new() })
    }

    /// The next record, and how many bytes it takes in the file. `None` at the end.
    fn next(&mut self) -> anyhow::Result<Option<(Record, usize)>> {
        loop {
            self.line.clear();
            if self.lines.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            if let Some(record) = self.reader.line(&self.line)? {
                return Ok(Some((record, self.line.len())));
            }
        }
    }
}

/// Tells a person now and then how far it is.
struct Progress {
    done: &'static str,
    told: Instant,
}

impl Progress {
    fn new(done: &'static str) -> Self {
        Self { done, told: Instant::now() }
    }

    fn tell(&mut self, so_far: &Tally) {
        if PROGRESS_INTERVAL <= self.told.elapsed() {
            self.told = Instant::now();
            eprintln!("flowker: {} {} records so far", self.done, so_far.total());
        }
    }
}

fn counted(tally: &Tally) -> String {
    let counts = Kind::ALL.map(|kind| {
        let what = match kind {
            Kind::Workflow => "workflows",
            Kind::Version => "versions",
            Kind::Route => "routes",
            Kind::ProviderConfig => "provider configurations",
            Kind::ApiKey => "API keys",
            Kind::SharedValue => "shared values",
            Kind::Execution => "executions",
            Kind::Key => "idempotency keys",
            Kind::AuditEntry => "audit entries",
        };
        format!("{} {what}", tally.count(kind))
    });
    counts.join(", ")
}

#[cfg(test)]
mod tests;
