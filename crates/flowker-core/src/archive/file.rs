//! The file: a head, a record a line, and an end that tells whether all of it is there.

use std::fmt;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::fields::{Fields, Object};
use super::{Digest, Kind, Record, document};
use crate::json::{self, JsonError, Limits};
use crate::members::Members;
use crate::refusal::Fault;
use crate::time::Timestamp;

/// The format that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

/// What a head says of itself, and an end: no record has these members.
const HEAD: &str = "flowker";
const EXPORT: &str = "export";
const END: &str = "end";

/// A record holds what was stored a few levels further down.
const LIMITS: Limits = Limits { depth: Limits::STORED.depth + 16, values: usize::MAX };

/// Why a file cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The first line is something else than a head.
    #[error("it is not an export: the first line does not say so")]
    NotAnExport,
    /// It was made by another release.
    #[error(
        "its format is {format}, and this release reads {FORMAT} only: it was made by Flowker \
         {release}"
    )]
    Format {
        /// Of the file.
        format: i64,
        /// That made it.
        release: String,
    },
    /// A line is no JSON.
    #[error("line {line} is not JSON: {fault}")]
    Json {
        /// From 1.
        line: u64,
        /// Where in it, and what.
        fault: Fault,
    },
    /// Members of a line are missing or wrong.
    #[error("line {line}: {}", List(.faults))]
    Members {
        /// From 1.
        line: u64,
        /// All of them.
        faults: Vec<Fault>,
    },
    /// It has no end.
    #[error("it is cut short behind line {lines}: export again")]
    CutShort {
        /// How many lines are whole.
        lines: u64,
    },
    /// Something follows the end.
    #[error("line {line} follows the end")]
    BehindTheEnd {
        /// From 1.
        line: u64,
    },
    /// What the end says of the lines before it does not hold.
    #[error("it was changed since it was made: its lines are not those that its end tells of")]
    Changed,
}

/// Faults in one line of text.
struct List<'a>(&'a [Fault]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, fault) in self.0.iter().enumerate() {
            let joint = if idx == 0 { "" } else { "; " };
            write!(f, "{joint}{fault}")?;
        }
        Ok(())
    }
}

/// Records that were counted, and what they were. Two are equal if the records were, one by one.
#[derive(Clone)]
pub struct Tally {
    counts: [u64; Kind::ALL.len()],
    hasher: Sha256,
}

impl Tally {
    /// Of no record.
    pub fn new() -> Self {
        Self { counts: [0; Kind::ALL.len()], hasher: Sha256::new() }
    }

    /// Counts one more.
    pub fn add(&mut self, record: &Record) {
        self.add_line(record.kind(), &line(&document::write(record)));
    }

    fn add_line(&mut self, kind: Kind, line: &[u8]) {
        self.counts[kind as usize] += 1;
        self.hasher.update(line);
    }

    /// How many there are of a kind.
    pub const fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Tally {
    fn eq(&self, other: &Self) -> bool {
        self.counts == other.counts
            && self.hasher.clone().finalize() == other.hasher.clone().finalize()
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Kind::ALL.into_iter().map(|kind| (kind.as_str(), self.count(kind)));
        f.debug_map().entries(counts).finish()
    }
}

/// Makes the lines of a file, one after the other.
#[derive(Clone, Debug)]
pub struct Lines {
    written: Tally,
    hasher: Sha256,
}

impl Lines {
    /// Begins a file that is made at `now` by `release`; answers its first line.
    pub fn begin(now: Timestamp, release: &str) -> (Self, Vec<u8>) {
        let head = Object::default()
            .with(HEAD, EXPORT)
            .with("format", FORMAT)
            .with("release", release)
            .with_moment("exportedAt", now);
        let head = line(&head.into());
        let mut hasher = Sha256::new();
        hasher.update(&head);
        (Self { written: Tally::new(), hasher }, head)
    }

    /// The line of one more record.
    pub fn record(&mut self, record: &Record) -> Vec<u8> {
        let line = line(&document::write(record));
        self.written.add_line(record.kind(), &line);
        self.hasher.update(&line);
        line
    }

    /// The last line.
    pub fn end(self) -> Vec<u8> {
        let count =
            |object: Object, kind: Kind| object.with(kind.as_str(), self.written.count(kind));
        let end = Object::default()
            .with("counts", Kind::ALL.into_iter().fold(Object::default(), count))
            .with("sha256", Digest::from_bytes(self.hasher.finalize().into()).to_string());
        line(&Object::default().with(END, end).into())
    }

    /// What was written so far.
    pub const fn written(&self) -> &Tally {
        &self.written
    }
}

fn line(document: &Value) -> Vec<u8> {
    let mut line = json::to_bytes(document);
    line.push(b'\n');
    line
}

/// Reads the lines of a file, one after the other.
#[derive(Clone, Debug)]
pub struct Reader {
    n_lines: u64,
    hasher: Sha256,
    read: Tally,
    digest: Option<Digest>,
}

impl Reader {
    /// Before the first line.
    pub fn new() -> Self {
        Self { n_lines: 0, hasher: Sha256::new(), read: Tally::new(), digest: None }
    }

    /// Reads one line, with the line feed at its end. `None` for the first and the last.
    ///
    /// # Errors
    ///
    /// The line is not what stands there in an export.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Record>, FileError> {
        if self.digest.is_some() {
            return Err(FileError::BehindTheEnd { line: self.n_lines + 1 });
        }
        if self.n_lines == 0 {
            read_head(line)?;
            self.take(line);
            return Ok(None);
        }
        let Some(text) = line.strip_suffix(b"\n") else {
            return Err(FileError::CutShort { lines: self.n_lines });
        };
        let n_line = self.n_lines + 1;
        let document = json::parse_within(text, LIMITS)
            .map_err(|error| FileError::Json { line: n_line, fault: fault(error) })?;
        let at_fault = |faults| FileError::Members { line: n_line, faults };
        if document.get(END).is_some() {
            self.read_end(document).map_err(at_fault)?;
            self.n_lines += 1;
            return Ok(None);
        }
        let record = document::read(document).map_err(at_fault)?;
        self.read.add(&record);
        self.take(line);
        Ok(Some(record))
    }

    /// What was read so far.
    pub const fn read(&self) -> &Tally {
        &self.read
    }

    fn take(&mut self, line: &[u8]) {
        self.n_lines += 1;
        self.hasher.update(line);
    }

    /// Says what was read, when there are no more lines.
    ///
    /// # Errors
    ///
    /// There was no end, or it tells of other lines.
    pub fn end(self) -> Result<(Digest, Tally), FileError> {
        match self.digest {
            _ if self.n_lines == 0 => Err(FileError::NotAnExport),
            None => Err(FileError::CutShort { lines: self.n_lines }),
            Some(digest) if digest.as_bytes()[..] == self.hasher.finalize()[..] => {
                Ok((digest, self.read))
            }
            Some(_) => Err(FileError::Changed),
        }
    }

    fn read_end(&mut self, document: Value) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        let mut fields = Fields(Members::of(document, "", &mut faults));
        self.digest = fields.nested(END).and_then(|mut end| end.word("sha256", Digest::parse));
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

/// The line that a parser counts is always the first.
fn fault(error: JsonError) -> Fault {
    let column = error.position.map(|(_, column)| format!(" (column {column})"));
    Fault::new(error.path, format!("{}{}", error.message, column.unwrap_or_default()))
}

fn read_head(line: &[u8]) -> Result<(), FileError> {
    let head = json::parse_within(line, LIMITS).map_err(|_| FileError::NotAnExport)?;
    if head.get(HEAD).and_then(Value::as_str) != Some(EXPORT) {
        return Err(FileError::NotAnExport);
    }
    match head.get("format").and_then(Value::as_i64) {
        Some(format) if format == i64::from(FORMAT) => Ok(()),
        Some(format) => {
            let release = head.get("release").and_then(Value::as_str).unwrap_or("?").to_owned();
            Err(FileError::Format { format, release })
        }
        None => Err(FileError::NotAnExport),
    }
}
