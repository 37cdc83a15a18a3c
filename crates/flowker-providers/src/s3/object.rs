//! Which object a call is about, and what it is to hold.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flowker_core::json;
use flowker_core::ports::{Call, CallFailure};
use serde_json::Value;

use super::{S3Provider, permanent};

/// The longest key, in bytes of UTF-8 (Amazon S3).
const KEY_BYTES_MAX: usize = 1024;

/// An object, as a call names it.
#[derive(Debug)]
pub(super) struct Object<'a> {
    pub(super) key: String,
    pub(super) is_base64: bool,
    body: Option<&'a Value>,
    content_type: Option<&'a str>,
}

/// What an object is to hold.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) content_type: String,
}

impl<'a> Object<'a> {
    /// Reads the members of the node's data, if that has a `key`, else those of the request document.
    /// A node that has a key and no `body` means the whole request document.
    pub(super) fn of(call: &'a Call) -> Result<Self, CallFailure> {
        let is_nodes = call.extra.contains_key("key");
        let members = if is_nodes { Some(&call.extra) } else { call.document.as_object() };
        let member = |name: &str| members.and_then(|members| members.get(name));
        let text = |name: &str| member(name).and_then(Value::as_str);
        let key = text("key").ok_or_else(|| {
            permanent("neither the node's data nor the request document has a key that is text")
        })?;
        check_key(key)?;
        let is_base64 = match member("encoding") {
            None | Some(Value::Null) => false,
            Some(Value::String(word)) if word == "text" => false,
            Some(Value::String(word)) if word == "base64" => true,
            Some(_) => return Err(permanent("encoding is neither text nor base64")),
        };
        let body = member("body").or_else(|| is_nodes.then_some(&call.document));
        Ok(Self { key: key.to_owned(), is_base64, body, content_type: text("content_type") })
    }

    /// The bytes to be stored, and what they are.
    pub(super) fn content(&self) -> Result<Content, CallFailure> {
        let (bytes, default) = match (self.body, self.is_base64) {
            (Some(Value::String(text)), true) => {
                let decoded = STANDARD.decode(text);
                let decoded = decoded.map_err(|_| permanent("the body is no base64"))?;
                (Bytes::from(decoded), "application/octet-stream")
            }
            (_, true) => return Err(permanent("the body is no text, and so no base64")),
            (Some(Value::String(text)), false) => {
                (Bytes::from(text.clone()), "text/plain; charset=utf-8")
            }
            (None | Some(Value::Null), false) => (Bytes::new(), "application/octet-stream"),
            (Some(value), false) => (Bytes::from(json::to_bytes(value)), "application/json"),
        };
        let most = S3Provider::OBJECT_BYTES_MAX;
        if most < bytes.len() {
            let message = format!("the object has {} bytes; at most {most} are put", bytes.len());
            return Err(permanent(message));
        }
        let content_type = self.content_type.filter(|text| !text.is_empty()).unwrap_or(default);
        Ok(Content { bytes, content_type: content_type.to_owned() })
    }
}

fn check_key(key: &str) -> Result<(), CallFailure> {
    let wrong = |what: &str| Err(permanent(format!("the key {what}")));
    if key.is_empty() {
        return wrong("is empty");
    }
    if KEY_BYTES_MAX < key.len() {
        return wrong(&format!("has {} bytes; at most {KEY_BYTES_MAX} are allowed", key.len()));
    }
    if key.chars().any(char::is_control) {
        return wrong("holds a control character");
    }
    // A URL resolves such parts: the payload would choose another object, or another bucket.
    if key.split('/').any(|part| matches!(part, "." | "..")) {
        return wrong("has a part that is . or .., which no URL can hold");
    }
    Ok(())
}
