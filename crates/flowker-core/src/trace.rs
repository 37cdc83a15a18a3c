//! The trace that a request belongs to, as W3C Trace Context carries it from service to service.
//!
//! What a caller sends is kept with the execution and sent on with every outbound call, so that one
//! trace shows all of it. What cannot be read is dropped, and never a reason to refuse a request.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

/// The header that names the trace and the caller's part of it.
pub const TRACEPARENT: &str = "traceparent";

/// The header that carries what tracing systems want to know of each other.
pub const TRACESTATE: &str = "tracestate";

/// The longest `tracestate` that is kept, in bytes: what everybody should carry at the least.
const STATE_BYTES_MAX: usize = 512;

/// How many members a `tracestate` may have.
const STATE_MEMBERS_MAX: usize = 32;

/// The length of a `traceparent` of version 00: version, trace, span and flags, with dashes between.
const PARENT_LEN: usize = 55;

/// The flags that are known: sampled, and that the trace's id is random.
const FLAGS: u8 = 0b11;

/// Where in which trace something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: NonZeroU128,
    span_id: NonZeroU64,
    flags: u8,
    /// Checked, and not longer than [`STATE_BYTES_MAX`].
    state: Option<String>,
}

impl TraceContext {
    /// A place in a trace. Flags that are not known are left out, and so is a `state` that is no
    /// valid `tracestate`.
    pub fn new(trace_id: NonZeroU128, span_id: NonZeroU64, flags: u8, state: &str) -> Self {
        let state = read_state([state.as_bytes()]);
        Self { trace_id, span_id, flags: flags & FLAGS, state }
    }

    /// What a request carries, from all values of its two headers.
    ///
    /// `None` if there is no `traceparent`, more than one, or one that is malformed or of a version
    /// that cannot be read. A `tracestate` that is malformed or too long is left out.
    pub fn of_request<'a>(
        parents: impl IntoIterator<Item = &'a [u8]>,
        states: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        let mut parents = parents.into_iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
        let (trace_id, span_id, flags) = read_parent(parent)?;
        Some(Self { trace_id, span_id, flags, state: read_state(states) })
    }

    /// The same trace, from within the span `span_id`.
    #[must_use]
    pub fn within(&self, span_id: NonZeroU64) -> Self {
        Self { span_id, ..self.clone() }
    }

    /// Which trace. The same in every service, and in every log line of it.
    pub const fn trace_id(&self) -> NonZeroU128 {
        self.trace_id
    }

    /// Which part of it.
    pub const fn span_id(&self) -> NonZeroU64 {
        self.span_id
    }

    /// Bit 0: whoever began the trace records it.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// The trace's id as it is written, in 32 hexadecimal digits.
    pub fn trace_id_text(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The value of the header [`TRACEPARENT`].
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }

    /// The value of the header [`TRACESTATE`], if there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Reads what [`Display`](fmt::Display) wrote. `None` if it is anything else: a trace that is
    /// lost is no reason to lose more.
    pub fn from_stored(text: &str) -> Option<Self> {
        let (parent, state) = text.split_once(' ').unwrap_or((text, ""));
        Self::of_request([parent.as_bytes()], [state.as_bytes()])
    }
}

impl fmt::Display for TraceContext {
    /// As it is stored: the `traceparent`, and behind a space the `tracestate`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.traceparent())?;
        self.state.as_ref().map_or(Ok(()), |state| write!(f, " {state}"))
    }
}

/// Reads a `traceparent`, also of a later version, which may only add to what is known.
fn read_parent(value: &[u8]) -> Option<(NonZeroU128, NonZeroU64, u8)> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let (known, more) = text.split_at_checked(PARENT_LEN)?;
    let parts: Vec<_> = known.split('-').collect();
    let [version, trace_id, span_id, flags] = parts[..] else { return None };
    let version = u8::try_from(hexadecimal(version, 2)?).ok()?;
    let is_whole =
        if version == 0 { more.is_empty() } else { more.is_empty() || more.starts_with('-') };
    if !is_whole || version == 0xFF {
        return None;
    }
    let trace_id = NonZeroU128::new(hexadecimal(trace_id, 32)?)?;
    let span_id = NonZeroU64::new(hexadecimal(span_id, 16)?.try_into().ok()?)?;
    let flags = u8::try_from(hexadecimal(flags, 2)?).ok()?;
    Some((trace_id, span_id, flags & FLAGS))
}

/// Reads so many digits, all of them in lower case.
fn hexadecimal(text: &str, n_digits: usize) -> Option<u128> {
    let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    let is_number = text.len() == n_digits && text.bytes().all(is_digit);
    is_number.then(|| u128::from_str_radix(text, 16).ok())?
}

/// Reads a `tracestate`, which may be spread over several headers. `None` if any part of it is
/// malformed, or all of it too long.
fn read_state<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
    let mut state = String::new();
    let mut keys = Vec::new();
    for value in values {
        for member in std::str::from_utf8(value).ok()?.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            if !is_key(key) || !is_value(value) || keys.contains(&key) {
                return None;
            }
            keys.push(key);
            if !state.is_empty() {
                state.push(',');
            }
            state.push_str(member);
        }
    }
    let fits = keys.len() <= STATE_MEMBERS_MAX && state.len() <= STATE_BYTES_MAX;
    (fits && !state.is_empty()).then_some(state)
}

fn is_key(text: &str) -> bool {
    let is_first = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_other = |it: u8| is_first(it) || b"_-*/@".contains(&it);
    (1..=256).contains(&text.len())
        && text.bytes().next().is_some_and(is_first)
        && text.bytes().all(is_other)
}

fn is_value(text: &str) -> bool {
    let is_part = |it: u8| (b' '..=b'~').contains(&it) && it != b'=';
    (1..=256).contains(&text.len()) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests;
