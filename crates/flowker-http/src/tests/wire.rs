//! Bytes in, answers out.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use flowker_core::json;
use flowker_testkit::Description;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::world::KEY;
use crate::answer::Door;
use crate::server::serve;

pub(super) const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// The header that asks for a fault.
const INJECTION: &str = "X-Test-Fault-Injection";

/// Everything that came back over one connection.
#[derive(Debug)]
pub(super) struct Exchange {
    pub answers: Vec<Answer>,
    /// When the server closed, counted from the beginning.
    pub closed_after: Duration,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        json::parse(&self.body).expect("a JSON body")
    }
}

impl Exchange {
    /// Whether the server closed at once, and did not wait for a next request.
    pub(super) fn was_closed(&self) -> bool {
        self.closed_after < Duration::from_secs(1)
    }

    pub(super) fn only(mut self) -> Answer {
        assert_eq!(self.answers.len(), 1, "{:?}", self.answers);
        self.answers.remove(0)
    }
}

/// Runs a connection against what `client` does with its other end, both to their ends.
pub(super) async fn connect<T>(door: &Arc<Door>, client: impl AsyncFnOnce(DuplexStream) -> T) -> T {
    let (ours, theirs) = tokio::io::duplex(1 << 22);
    let (answer, ()) = tokio::join!(client(ours), serve(door, theirs, PEER));
    answer
}

/// Sends bytes and reads until the server closes.
pub(super) async fn exchange(door: &Arc<Door>, bytes: &[u8]) -> Exchange {
    let is_head = bytes.starts_with(b"HEAD ");
    let exchange = connect(door, async |mut stream: DuplexStream| {
        stream.write_all(bytes).await.expect("the stream takes it");
        read_all(&mut stream, is_head).await
    })
    .await;
    // What a request asks to be failed with is no answer of an operation.
    let is_injected = bytes.windows(INJECTION.len()).any(|it| it == INJECTION.as_bytes());
    if let ([answer], false) = (&*exchange.answers, is_injected) {
        check_described(bytes, answer);
    }
    exchange
}

/// Holds an answer against the description of the API.
fn check_described(request: &[u8], answer: &Answer) {
    static DESCRIPTION: LazyLock<Description> =
        LazyLock::new(|| Description::parse(crate::openapi()));
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    DESCRIPTION.check(&flowker_testkit::Exchange {
        method,
        target,
        sent: None,
        status: answer.status,
        content_type: answer.header("content-type"),
        body: &answer.body,
    });
}

/// Reads answers until the server closes.
pub(super) async fn read_all(stream: &mut DuplexStream, is_head: bool) -> Exchange {
    let started = Instant::now();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("the stream ends");
    Exchange { answers: parse(&bytes, is_head), closed_after: started.elapsed() }
}

fn parse(mut bytes: &[u8], is_head: bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().expect("a length"));
        let length = if is_head { 0 } else { length };
        let rest = &bytes[end + 4..];
        let (body, rest) = rest.split_at(length);
        let status = status.expect("a status");
        answers.push(Answer { status, headers, body: body.to_vec() });
        bytes = rest;
    }
    answers
}

/// A request with a host, a key and these further lines; with a length if there is a body.
pub(super) fn request(line: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nHost: flowker\r\nX-API-Key: {KEY}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        write!(text, "Content-Length: {}\r\n", body.len()).expect("a string takes it");
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// Sends one request and reads its answer.
pub(super) async fn ask(door: &Arc<Door>, line: &str, headers: &[&str], body: &str) -> Answer {
    exchange(door, &request(line, headers, body)).await.only()
}

/// Sends one request with these further lines and no key, and reads its answer.
pub(super) async fn bare(door: &Arc<Door>, line: &str, headers: &[&str]) -> Answer {
    let mut request = format!("{line} HTTP/1.1\r\nHost: flowker\r\n");
    for header in headers {
        request.extend([header, "\r\n"]);
    }
    request.push_str("\r\n");
    exchange(door, request.as_bytes()).await.only()
}
