//! Reading bodies: under a cap, within a time, and out of their content coding.

use std::io::Read;
use std::time::Duration;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use flowker_core::code::Code;
use flowker_core::json;
use flowker_core::refusal::Refusal;
use flowker_core::trigger::BodyError;
use http::header::{self, HeaderMap};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use serde_json::Value;

use crate::error::{Failure, Transport};

/// How many codings may be stacked. Each costs a pass over the body, and nobody needs two.
const CODINGS_MAX: usize = 2;

/// The length that a body declares, or 0. What it declares too little is cut off by HTTP itself.
pub(crate) fn declared_length(body: &Incoming) -> u64 {
    body.size_hint().lower()
}

/// Reads a whole body as it was sent.
pub(crate) async fn read(
    body: Incoming,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, BodyError> {
    let reading = Limited::new(body, limit).collect();
    let whole = tokio::time::timeout(timeout, reading).await.map_err(|_| BodyError::TooSlow)?;
    whole.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            BodyError::TooLarge { limit }
        } else {
            BodyError::Incomplete
        }
    })
}

/// Undoes the content codings that the headers name.
pub(crate) fn decode(raw: Bytes, headers: &HeaderMap, limit: usize) -> Result<Bytes, BodyError> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let codings = lines.iter().flat_map(|line| line.split(','));
    let codings: Vec<_> = codings
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    if CODINGS_MAX < codings.len() {
        return Err(BodyError::Coding(codings.join(", ")));
    }
    if raw.is_empty() {
        return Ok(raw);
    }
    // The last one was applied last.
    codings.iter().rev().try_fold(raw, |body, coding| decode_one(&body, coding, limit))
}

fn decode_one(body: &[u8], coding: &str, limit: usize) -> Result<Bytes, BodyError> {
    match coding {
        "gzip" | "x-gzip" => inflate(MultiGzDecoder::new(body), coding, limit),
        // RFC 9110 means zlib; some senders leave its two bytes of header out.
        "deflate" if has_zlib_header(body) => inflate(ZlibDecoder::new(body), coding, limit),
        "deflate" => inflate(DeflateDecoder::new(body), coding, limit),
        "br" => inflate(brotli_decompressor::Decompressor::new(body, 4096), coding, limit),
        unknown => Err(BodyError::Coding(unknown.to_owned())),
    }
}

/// RFC 1950: method 8 in the low bits, and both bytes together a multiple of 31.
fn has_zlib_header(body: &[u8]) -> bool {
    let [method, flags, ..] = *body else { return false };
    method & 0x0F == 8 && u16::from_be_bytes([method, flags]) % 31 == 0
}

fn inflate(decoder: impl Read, coding: &str, limit: usize) -> Result<Bytes, BodyError> {
    let mut text = Vec::new();
    // One byte more than allowed tells a body that is too large from one that just fits.
    let read = decoder.take(limit as u64 + 1).read_to_end(&mut text);
    read.map_err(|_| BodyError::Undecodable(coding.to_owned()))?;
    if limit < text.len() { Err(BodyError::TooLarge { limit }) } else { Ok(text.into()) }
}

/// A body that was read, and the JSON that it holds.
pub(crate) struct Document {
    /// As it was sent.
    pub raw: Bytes,
    /// As it was meant.
    pub value: Value,
}

/// Reads the JSON document that a management request carries.
pub(crate) async fn read_document(
    body: Incoming,
    headers: &HeaderMap,
    limit: usize,
    timeout: Duration,
    too_large: Option<Code>,
) -> Result<Document, Failure> {
    let refused = |error: BodyError| match (&error, too_large) {
        (BodyError::TooLarge { limit }, None) => Transport::BodyTooLarge { limit: *limit }.into(),
        (_, too_large) => Failure::from(error.refusal(too_large.unwrap_or(Code::BodyUnreadable))),
    };
    let raw = read(body, limit, timeout).await.map_err(refused)?;
    let text = decode(raw.clone(), headers, limit).map_err(refused)?;
    let unreadable = |path: &str, message: String| {
        Failure::from(Refusal::of_member(Code::BodyUnreadable, path, message))
    };
    if text.is_empty() {
        return Err(unreadable("", "The body is missing: send a JSON document.".to_owned()));
    }
    if !is_json(headers) {
        let message =
            "The body must be JSON, with a Content-Type that says so, such as application/json.";
        return Err(unreadable("", message.to_owned()));
    }
    let value = json::parse(&text).map_err(|error| unreadable(&error.path, error.to_string()))?;
    Ok(Document { raw, value })
}

/// Whether the media type ends in `json`; its parameters play no part.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get_all(header::CONTENT_TYPE).iter().next_back();
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim();
    media_type.to_ascii_lowercase().ends_with("json")
}

#[cfg(test)]
mod tests;
