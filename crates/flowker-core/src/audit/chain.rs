//! The chain: what is hashed, and how it is checked.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{AuditEntry, AuditEvent};
use crate::digest::Digest;
use crate::json;
use crate::time::Timestamp;

/// Stands for the hash before the first entry.
const GENESIS: &str = "GENESIS";

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of the last entry.
    pub sequence: u64,
    /// When that was.
    pub at: Timestamp,
    /// Its hash.
    pub hash: Digest,
}

impl Head {
    /// The entry for an event that happened at `at`, behind the end of the chain, which it then is.
    pub fn seal(head: &mut Option<Self>, event: AuditEvent, at: Timestamp) -> AuditEntry {
        let previous = head.map(|head| head.hash);
        let sequence = head.map_or(1, |head| head.sequence + 1);
        // Two events may be sealed in another order than that of their moments, if one was committed
        // late. Moments that never fall let a range of them be a range of the chain.
        let at = head.map_or(at, |head| head.at.max(at));
        let hash = hash(previous, &event, at);
        *head = Some(Self { sequence, at, hash });
        AuditEntry { sequence, at, event, previous, hash }
    }
}

/// The SHA-256 of an entry's fields, joined with `|`.
///
/// What a text holds of `|` and `\` is escaped, so that no two different entries are joined to the
/// same bytes.
fn hash(previous: Option<Digest>, event: &AuditEvent, at: Timestamp) -> Digest {
    let (kind, actor) = (event.kind, &event.actor);
    let previous = previous.map_or_else(|| GENESIS.to_owned(), |hash| hash.to_string());
    let fields = [
        previous,
        event.id.to_string(),
        kind.as_str().to_owned(),
        kind.action().as_str().to_owned(),
        kind.result().as_str().to_owned(),
        escaped(&event.resource_id),
        kind.resource_type().as_str().to_owned(),
        actor.kind.as_str().to_owned(),
        escaped(&actor.id),
        actor.ip.to_string(),
        canonical(&Value::Object(event.context.clone())),
        canonical(&Value::Object(event.metadata.clone())),
        moment(at),
    ];
    Digest::from_bytes(Sha256::digest(fields.join("|")).into())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|")
}

/// In UTC, with six digits of a second.
pub(super) fn moment(at: Timestamp) -> String {
    let moment = at.to_date_time();
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    let (month, micros) = (u8::from(month), moment.microsecond());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// JSON with one space behind each `:` and `,`, and members in the order of their names' lengths, then
/// of their bytes. Holds no `|`.
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

/// Recursion is bounded: values come from our own code or from a parser that bounds their depth.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| (name.len(), *name));
            text.push('{');
            for (idx, (name, value)) in members.into_iter().enumerate() {
                text.push_str(if idx == 0 { "" } else { ", " });
                write_text(name, text);
                text.push_str(": ");
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (idx, item) in items.iter().enumerate() {
                text.push_str(if idx == 0 { "" } else { ", " });
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::String(string) => write_text(string, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

fn write_text(string: &str, text: &mut String) {
    text.push_str(&json::to_text(&Value::from(string)).replace('|', "\\u007c"));
}

/// What somebody knows of the chain from elsewhere: that this entry had this hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: Digest,
}

/// One place of the chain as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// An entry, whether or not it is what was sealed.
    Entry(Box<AuditEntry>),
    /// Something is stored there that is no entry any more.
    Unreadable {
        /// Where.
        sequence: u64,
    },
}

impl Link {
    /// Where it stands.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.sequence,
            Self::Unreadable { sequence } => *sequence,
        }
    }
}

/// What must hold of the next entry.
#[derive(Clone, Copy, Debug)]
enum Anchor {
    /// It follows this one, or is the first.
    Follows(Option<Digest>),
    /// It has this hash.
    Is(Digest),
}

/// Checks a chain link by link: every hash is computed again.
#[derive(Clone, Debug)]
pub struct Verification {
    next: u64,
    anchor: Anchor,
    n_checked: u64,
    first_invalid: Option<u64>,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The first place of the chain where not everything is as it was sealed.
    pub first_invalid: Option<u64>,
    /// How many entries were looked at.
    pub n_checked: u64,
}

impl Verification {
    /// From the first entry on.
    pub const fn from_the_start() -> Self {
        Self { next: 1, anchor: Anchor::Follows(None), n_checked: 0, first_invalid: None }
    }

    /// From a known entry on. Costs as much as there are entries since.
    pub const fn from_checkpoint(checkpoint: Checkpoint) -> Self {
        let Checkpoint { sequence, hash } = checkpoint;
        Self { next: sequence, anchor: Anchor::Is(hash), n_checked: 0, first_invalid: None }
    }

    /// Where the next link has to stand.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Checks the next link. `false`: something is wrong, and nothing behind it says anything.
    pub fn check(&mut self, link: &Link) -> bool {
        if self.first_invalid.is_some() {
            return false;
        }
        if link.sequence() != self.next {
            return self.miss();
        }
        self.n_checked += 1;
        match link {
            Link::Entry(entry) if self.is_sound(entry) => {
                self.next += 1;
                self.anchor = Anchor::Follows(Some(entry.hash));
                true
            }
            Link::Entry(_) | Link::Unreadable { .. } => self.miss(),
        }
    }

    /// Says that there is nothing where the next link has to stand. Always `false`.
    pub fn miss(&mut self) -> bool {
        self.first_invalid.get_or_insert(self.next);
        false
    }

    fn is_sound(&self, entry: &AuditEntry) -> bool {
        let is_anchored = match self.anchor {
            Anchor::Follows(previous) => entry.previous == previous,
            Anchor::Is(hash) => entry.hash == hash,
        };
        is_anchored && entry.hash == hash(entry.previous, &entry.event, entry.at)
    }

    /// What came of it so far.
    pub const fn verdict(&self) -> Verdict {
        Verdict { first_invalid: self.first_invalid, n_checked: self.n_checked }
    }
}
