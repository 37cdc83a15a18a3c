//! The audit log: searching, checking, taking it elsewhere.

use std::sync::Arc;

use flowker_core::audit::{Action, AuditResult, Checkpoint, EventType, KindFilter, ResourceType};
use flowker_core::code::Code;
use flowker_core::digest::Digest;
use flowker_core::id::AuditEventId;
use flowker_core::json;
use flowker_core::ports::{AuditPage, AuditQuery, Direction};
use flowker_core::refusal::Refusal;
use flowker_core::time::Timestamp;
use hyper::body::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{Instrument, error};
use uuid::Uuid;

use super::{Call, Content, Reply};
use crate::answer::Door;
use crate::error::Failure;
use crate::extract::{self, Query};
use crate::paging::{self, AuditListPage};
use crate::shape::Shown;
use crate::show;
use crate::stream::{CutShort, Lines};

/// How many entries of an export are made at a time.
const EXPORT_PAGE: usize = 200;

pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    let (query, key) = (call.query(), &call.app().cursor_key);
    let filter = filter(&query)?;
    let page = AuditListPage::read(&query, key)?;
    let asked =
        AuditQuery { direction: page.direction, after: page.after, limit: page.limit, ..filter };
    let found = call.app().audit.search(asked).await?;
    let last = found.items.last().filter(|_| found.has_more);
    let items = found.items.iter().map(show::audit_entry).collect();
    Ok(Reply::ok(page.envelope(items, last, key)))
}

pub(super) async fn show(call: Call) -> Result<Reply, Failure> {
    let entry = call.app().audit.get(call.id(AuditEventId::parse)?).await?;
    Ok(Reply::ok(show::audit_entry(&entry)))
}

pub(super) async fn verify(call: Call) -> Result<Reply, Failure> {
    let id = call.id(AuditEventId::parse)?;
    let checkpoint = checkpoint(&call.query())?;
    let verdict = call.app().audit.verify(id, checkpoint).await?;
    Ok(Reply::ok(show::verification(verdict)))
}

/// An entry that the caller knows from elsewhere.
fn checkpoint(query: &Query) -> Result<Option<Checkpoint>, Refusal> {
    let sequence = query.get("fromSequence").map(|text| {
        let sequence = text.parse().ok().filter(|sequence| 0 < *sequence);
        sequence.ok_or_else(|| paging::wrong("fromSequence", "must be a whole number from 1 on"))
    });
    let hash = query.get("fromHash").map(|text| {
        let message = "must be the hash of an entry: 64 hexadecimal digits";
        Digest::parse(text).ok_or_else(|| paging::wrong("fromHash", message))
    });
    match (sequence.transpose()?, hash.transpose()?) {
        (None, None) => Ok(None),
        (Some(sequence), Some(hash)) => Ok(Some(Checkpoint { sequence, hash })),
        (Some(_), None) => Err(paging::wrong("fromHash", "must come with fromSequence")),
        (None, Some(_)) => Err(paging::wrong("fromSequence", "must come with fromHash")),
    }
}

/// Sends all matching entries, a line each, the oldest first unless asked otherwise.
pub(super) async fn export(call: Call) -> Result<Reply, Failure> {
    let query = call.query();
    let direction = paging::audit_direction(&query)?.unwrap_or(Direction::Ascending);
    let mut asked = AuditQuery { direction, limit: EXPORT_PAGE, ..filter(&query)? };
    let door = Arc::clone(&call.door);
    let room = Arc::clone(&door.exports).try_acquire_owned().map_err(|_| {
        let message = "Several exports are being sent already. Repeat the request later.";
        Refusal::new(Code::Overloaded, message).retry_after(std::time::Duration::from_secs(10))
    })?;
    // The first page is made before the answer begins, so that a failure has a status.
    let first = door.app.audit.search(asked.clone()).await?;
    let (pages, lines) = Lines::new();
    let (tasks, cutting) = (door.requests.clone(), door.shutdown.cutting().clone());
    let sending = async move {
        let _room = room;
        let mut page = first;
        loop {
            let next = page.items.last().filter(|_| page.has_more).map(|it| it.sequence);
            if !send(&door, &pages, Ok(encode(&page))).await || next.is_none() {
                return;
            }
            asked.after = next;
            page = match door.app.audit.search(asked.clone()).await {
                Ok(page) => page,
                Err(refusal) => {
                    error!(error = %refusal, "an export of the audit log was cut short");
                    send(&door, &pages, Err(CutShort)).await;
                    return;
                }
            };
        }
    };
    tasks.spawn(cutting.run_until_cancelled_owned(sending).in_current_span());
    Ok(Reply::with(Content::Lines(lines)))
}

/// Hands over a page; whether somebody still reads.
async fn send(
    door: &Door,
    pages: &mpsc::Sender<Result<Bytes, CutShort>>,
    page: Result<Bytes, CutShort>,
) -> bool {
    matches!(timeout(door.limits.write_timeout, pages.send(page)).await, Ok(Ok(())))
}

fn encode(page: &AuditPage) -> Bytes {
    let mut lines = Vec::new();
    for entry in &page.items {
        lines.extend(json::to_bytes(&show::audit_entry(entry).shown()));
        lines.push(b'\n');
    }
    lines.into()
}

/// What the parameters besides those of the page ask for.
fn filter(query: &Query) -> Result<AuditQuery, Refusal> {
    let kinds = KindFilter {
        event_type: word(query, "eventType", EventType::parse)?,
        action: word(query, "action", Action::parse)?,
        result: word(query, "result", AuditResult::parse)?,
        resource_type: word(query, "resourceType", ResourceType::parse)?,
    };
    let read_id = |text: &str| extract::id(text, AuditEventId::parse);
    let resource_id = query.get("resourceId").map(read_id).transpose()?;
    let (from, to) = (moment(query, "dateFrom")?, moment(query, "dateTo")?);
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        let message = "must not be before dateFrom";
        return Err(Refusal::of_member(Code::DateRangeInvalid, "dateTo", message));
    }
    Ok(AuditQuery {
        types: kinds.types(),
        resource_id: resource_id.map(|id| Uuid::to_string(id.as_uuid())),
        from,
        to,
        ..AuditQuery::default()
    })
}

fn word<T>(
    query: &Query,
    name: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let known = parse(text).ok_or_else(|| paging::wrong(name, "must be a word of the audit log"));
    known.map(Some)
}

fn moment(query: &Query, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let message = "must be RFC 3339, such as 2026-01-31T12:00:00Z";
    let moment = Timestamp::parse(text);
    moment.map(Some).ok_or_else(|| Refusal::of_member(Code::DateInvalid, name, message))
}
