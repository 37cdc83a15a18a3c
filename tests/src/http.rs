//! A client that sends exactly the bytes it is told to, one connection a request.
//!
//! Ordinary clients refuse to send half of what a server must withstand: two `Host` headers, a body
//! with GET, bytes that are no text.

use std::fmt::{self, Write as _};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::LazyLock;

use flowker_core::json::{self, Limits};
use flowker_testkit::{Description, Exchange};
use serde_json::Value;

use crate::wait::PATIENCE;

/// The most headers that a test sends or gets.
const HEADERS_MAX: usize = 128;

/// A request under construction.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    is_anonymous: bool,
}

impl Request {
    /// A request without body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            is_anonymous: false,
        }
    }

    /// A GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST without body, as the actions of the API take it.
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// A delivery by PUT.
    pub fn put(target: &str) -> Self {
        Self::new("PUT", target)
    }

    /// Adds a header; a repeated name is sent twice.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds an `Idempotency-Key`.
    #[must_use]
    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// Gives it a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", json::to_bytes(body))
    }

    /// Gives it any body.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: impl AsRef<[u8]>) -> Self {
        body.as_ref().clone_into(&mut self.body);
        self.header("Content-Type", media_type)
    }

    /// Leaves the server's API key out.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.is_anonymous = true;
        self
    }

    /// Adds the API key, unless the request is anonymous.
    pub(crate) fn signed(self, api_key: &str) -> Self {
        if self.is_anonymous { self } else { self.header("X-API-Key", api_key) }
    }

    /// Holds the answer to it against the description of the API.
    ///
    /// Not in measurements, which are built for release.
    pub(crate) fn check_described(&self, answer: &Answer) {
        static DESCRIPTION: LazyLock<Description> =
            LazyLock::new(|| Description::parse(include_str!("../../docs/reference/openapi.json")));
        let is_named =
            |name: &str| self.headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
        // What a request asks to be failed with is no answer of an operation.
        if !cfg!(debug_assertions) || is_named("X-Test-Fault-Injection") {
            return;
        }
        let is_plain = self.body.is_empty() || is_named("Content-Type");
        DESCRIPTION.check(&Exchange {
            method: &self.method,
            target: &self.target,
            sent: (is_plain && !is_named("Content-Encoding")).then_some(&*self.body),
            status: answer.status,
            content_type: answer.header("Content-Type"),
            body: &answer.body,
        });
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self, host: SocketAddr) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.target);
        bytes.push_str("Connection: close\r\n");
        if !self.body.is_empty() {
            let _ = write!(bytes, "Content-Length: {}\r\n", self.body.len());
        }
        let mut bytes = bytes.into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A whole answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Such as 201.
    pub status: u16,
    /// In the order of arrival.
    pub headers: Vec<(String, String)>,
    /// As it was sent.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer, if it has this status; else the test fails and shows it.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "unexpected status: {self:?}");
        self
    }

    /// The answer, if it is this error; else the test fails and shows it.
    #[must_use]
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        let body = answer.json();
        assert_eq!(body["code"].as_str(), Some(code), "unexpected code: {answer:?}");
        for member in ["title", "message", "requestId"] {
            assert!(body[member].is_string(), "an error has a {member}: {answer:?}");
        }
        answer
    }

    /// The one value of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is repeated: {self:?}");
        first
    }

    /// The body as JSON, every digit kept.
    #[track_caller]
    pub fn json(&self) -> Value {
        json::parse_within(&self.body, Limits::RESPONSE)
            .unwrap_or_else(|error| panic!("the body is no JSON ({error}): {self:?}"))
    }

    /// A member of the JSON body that is a string.
    #[track_caller]
    pub fn text(&self, member: &str) -> String {
        match &self.json()[member] {
            Value::String(text) => text.clone(),
            other => panic!("{member} is {other}, not a string: {self:?}"),
        }
    }

    /// The paths of the members at fault.
    #[track_caller]
    pub fn fields(&self) -> Vec<String> {
        match &self.json()["fields"] {
            Value::Object(fields) => fields.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}

/// Sends bytes and reads one answer.
///
/// # Errors
///
/// Whatever a socket can fail with; `InvalidData` if what comes back is no HTTP answer,
/// `UnexpectedEof` if it is cut short.
pub fn exchange(host: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut socket = TcpStream::connect_timeout(&host, PATIENCE)?;
    socket.set_read_timeout(Some(2 * PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    // A server may answer and close before it has read all; then the answer counts.
    let sent = socket.write_all(request);
    match read_answer(&mut socket) {
        Ok(answer) => Ok(answer),
        Err(error) => Err(sent.err().unwrap_or(error)),
    }
}

/// Sends bytes and hangs up without reading an answer.
///
/// # Errors
///
/// Whatever a socket can fail with.
pub fn send_and_hang_up(host: SocketAddr, request: &[u8]) -> io::Result<()> {
    let mut socket = TcpStream::connect_timeout(&host, PATIENCE)?;
    socket.write_all(request)?;
    socket.shutdown(Shutdown::Both)
}

fn read_answer(socket: &mut TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some((mut answer, head_len)) = parse_head(&bytes)? {
            if answer.header("transfer-encoding") == Some("chunked") {
                socket.read_to_end(&mut bytes)?;
                answer.body = join_chunks(&bytes[head_len..])?;
                return Ok(answer);
            }
            let body_len = answer.header("content-length").and_then(|text| text.parse().ok());
            let body_len: usize = body_len.unwrap_or_default();
            if head_len + body_len <= bytes.len() {
                answer.body = bytes[head_len..head_len + body_len].to_vec();
                return Ok(answer);
            }
        }
        match socket.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n_read => bytes.extend_from_slice(&chunk[..n_read]),
        }
    }
}

/// The body that was sent in chunks, if its end is there.
fn join_chunks(mut bytes: &[u8]) -> io::Result<Vec<u8>> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let mut body = Vec::new();
    loop {
        let size = httparse::parse_chunk_size(bytes).map_err(|_| malformed())?;
        let httparse::Status::Complete((begin, len)) = size else { return Err(malformed()) };
        let end = begin + usize::try_from(len).map_err(|_| malformed())?;
        if len == 0 {
            return Ok(body);
        }
        body.extend_from_slice(bytes.get(begin..end).ok_or_else(malformed)?);
        bytes = bytes.get(end + 2..).ok_or_else(malformed)?;
    }
}

/// The head of an answer and its length, once it is whole.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Answer, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let parsed =
        head.parse(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(head_len) = parsed else { return Ok(None) };
    let headers = head.headers.iter();
    let headers = headers
        .map(|it| (it.name.to_owned(), String::from_utf8_lossy(it.value).into_owned()))
        .collect();
    let status = head.code.unwrap_or_default();
    Ok(Some((Answer { status, headers, body: Vec::new() }, head_len)))
}
