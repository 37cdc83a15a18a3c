//! What hyper lets through and we do not: requests whose framing, target or addressee is unclear.

use std::net::Ipv6Addr;

use flowker_core::workflow::WebhookPath;
use http::header::{self, HeaderMap};
use http::request::Parts;
use http::{Method, Version};

use crate::error::Transport;
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX};

/// Refuses a request that could be understood in two ways, or that is larger than we take.
pub(crate) fn check(parts: &Parts) -> Result<(), Transport> {
    check_sizes(parts)?;
    check_addressee(parts)?;
    check_transfer_coding(&parts.headers)?;
    check_target(parts)?;
    let expects =
        |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if !parts.headers.get_all(header::EXPECT).iter().all(expects) {
        return Err(Transport::ExpectationUnknown);
    }
    Ok(())
}

fn check_sizes(parts: &Parts) -> Result<(), Transport> {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority = parts.uri.authority().map_or(0, |authority| authority.as_str().len());
    if TARGET_BYTES_MAX < target + authority {
        return Err(Transport::TargetTooLong { limit: TARGET_BYTES_MAX });
    }
    let headers = &parts.headers;
    let n_bytes: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if HEADERS_MAX < headers.len() || HEADER_BYTES_MAX < n_bytes {
        return Err(Transport::HeadersTooLarge { count: HEADERS_MAX, bytes: HEADER_BYTES_MAX });
    }
    Ok(())
}

/// Checks who is addressed: one host, in one place or the same in both.
fn check_addressee(parts: &Parts) -> Result<(), Transport> {
    let mut hosts = parts.headers.get_all(header::HOST).iter().map(header::HeaderValue::as_bytes);
    let (host, again) = (hosts.next(), hosts.next());
    if again.is_some() {
        return Err(Transport::malformed("the Host header is repeated"));
    }
    let target = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    if !host.into_iter().chain(target).all(is_authority) {
        return Err(Transport::malformed("the Host is not one host with an optional port"));
    }
    if parts.uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(Transport::malformed("the target's scheme is neither http nor https"));
    }
    match (parts.version, host, target) {
        (Version::HTTP_11, None, _) | (Version::HTTP_2, None, None) => {
            Err(Transport::malformed("the Host header is missing"))
        }
        (Version::HTTP_2, Some(host), Some(target)) if !host.eq_ignore_ascii_case(target) => {
            Err(Transport::malformed("the Host header and :authority differ"))
        }
        _ => Ok(()),
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`; no user, no list.
fn is_authority(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (is_host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        (address.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        (!host.is_empty() && host.bytes().all(is_name), port)
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let is_port =
        port.is_empty() || port.starts_with(':') && digits.bytes().all(|it| it.is_ascii_digit());
    is_host && is_port && digits.len() <= 5
}

/// `chunked`, once, or nothing: hyper would hand out a body that is still compressed.
fn check_transfer_coding(headers: &HeaderMap) -> Result<(), Transport> {
    let mut lines = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(line) = lines.next() else { return Ok(()) };
    let codings = String::from_utf8_lossy(line.as_bytes());
    let mut codings = codings.split(',').map(str::trim).filter(|coding| !coding.is_empty());
    let is_chunked = |coding: &str| coding.eq_ignore_ascii_case("chunked");
    let n_chunked = codings.clone().filter(|coding| is_chunked(coding)).count();
    if lines.next().is_some() || 1 < n_chunked {
        return Err(Transport::malformed("the Transfer-Encoding is repeated"));
    }
    if codings.all(is_chunked) { Ok(()) } else { Err(Transport::TransferCodingUnknown) }
}

/// Checks that the target means one thing only, to us and to whatever stands before us.
///
/// A fragment cannot be seen here: hyper has dropped it.
fn check_target(parts: &Parts) -> Result<(), Transport> {
    if parts.method == Method::CONNECT {
        return Ok(());
    }
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err(Transport::malformed(
            "the target holds a character that must be percent-encoded",
        ));
    }
    let path = parts.uri.path();
    if path == "*" {
        return match parts.method {
            Method::OPTIONS => Ok(()),
            _ => Err(Transport::malformed("only OPTIONS can ask about *")),
        };
    }
    WebhookPath::requested(path).map(|_| ()).map_err(Transport::malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_one_host_and_perhaps_a_port() {
        let good = ["a", "a.b-c_d", "a:80", "a:", "127.0.0.1:4021", "[::1]", "[::1]:80", "a%20b"];
        let bad = [
            "", ":80", "a@b", "a/b", "a,b", "a b", "a:b", "a:80:80", "a:123456", "[::1", "[a]",
            "[::1]x", "\u{e9}",
        ];
        for text in good {
            assert!(is_authority(text.as_bytes()), "{text:?}");
        }
        for text in bad {
            assert!(!is_authority(text.as_bytes()), "{text:?}");
        }
    }
}
