//! Who sent a request, when proxies stand between.

use std::net::{IpAddr, SocketAddr};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the caller: of the last one in the chain that is no trusted proxy.
///
/// `X-Forwarded-For` is read from the right, since each proxy appends whom it heard from. What
/// stands left of an untrusted or unreadable entry is what a caller claims, and is not looked at.
pub(crate) fn remote_ip(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
    let lines = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
    let line = lines.collect::<Vec<_>>().join(&b',');
    let mut ip = peer.to_canonical();
    for hop in line.rsplit(|byte| *byte == b',') {
        if !is_trusted(ip) {
            break;
        }
        let Some(before) = address(hop) else { break };
        ip = before;
    }
    ip
}

/// Reads `address`, `address:port` or `[address]:port`.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let ip = hop.parse().or_else(|_| hop.parse::<SocketAddr>().map(|it| it.ip())).ok()?;
    Some(IpAddr::to_canonical(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_hops_are_believed() {
        let trusted = ["10.0.0.0/8".parse().expect("a net"), "fd00::/8".parse().expect("a net")];
        let check = |peer: &str, lines: &[&str], expected: &str| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, HeaderValue::from_str(line).expect("a value"));
            }
            let ip = remote_ip(peer.parse().expect("an address"), &headers, &trusted);
            assert_eq!(ip.to_string(), expected, "{peer} {lines:?}");
        };
        check("192.0.2.1", &["127.0.0.1"], "192.0.2.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["192.0.2.7"], "192.0.2.7");
        check("::ffff:10.0.0.1", &["192.0.2.7:1234"], "192.0.2.7");
        check("10.0.0.1", &["1.1.1.1, 192.0.2.7, 10.0.0.2"], "192.0.2.7");
        check("10.0.0.1", &["1.1.1.1", "192.0.2.7,10.0.0.2"], "192.0.2.7");
        check("fd00::1", &["[2001:db8::1]:80"], "2001:db8::1");
        check("10.0.0.1", &["1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    }
}
