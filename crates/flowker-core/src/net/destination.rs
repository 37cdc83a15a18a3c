//! Which addresses and names are public, which are private, and which nobody may call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What an address or a name stands for, as far as outbound calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Somewhere on the Internet.
    Public,
    /// Somewhere near us: called only if the operator opens it.
    Private,
    /// Never called, whatever the settings: it hands out credentials, is no single host, or hides
    /// another address.
    Forbidden,
}

/// Classifies an address. An IPv4 address that is mapped into IPv6 counts as itself.
///
/// - Forbidden are link-local addresses and the others where clouds keep their metadata;
///   unspecified, multicast, broadcast and reserved ones; IPv6 that carries IPv4 through a
///   translator or a tunnel (NAT64, 6to4, Teredo, IPv4-compatible), since it can carry any of the
///   former; and IPv6 that is not allotted to anyone.
/// - Private are loopback, RFC 1918, shared (100.64.0.0/10), unique local and site-local addresses,
///   and those for documentation, benchmarks and protocols.
/// - All others are public.
pub fn classify(address: IpAddr) -> Destination {
    match address.to_canonical() {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

/// Classifies a host's name, without resolving it. Case and dots at the end do not matter.
///
/// Forbidden are names of cloud metadata services; private are `localhost`, and names under
/// `localhost`, `local` and `internal`.
pub fn classify_name(name: &str) -> Destination {
    let name = normalize(name);
    let is_under = |suffix: &&str| name.strip_suffix(suffix).is_some_and(|it| it.ends_with('.'));
    if METADATA_NAMES.contains(&name.as_str()) {
        Destination::Forbidden
    } else if name == "localhost" || PRIVATE_SUFFIXES.iter().any(is_under) {
        Destination::Private
    } else {
        Destination::Public
    }
}

/// A name in the one form in which names are compared.
pub(super) fn normalize(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

const METADATA_NAMES: &[&str] = &[
    "169.254.169.254",
    "instance-data.ec2.internal",
    "metadata.azure.internal",
    "metadata.gcp.internal",
    "metadata.goog",
    "metadata.google.internal",
];

/// `cluster.local` is under `local`.
const PRIVATE_SUFFIXES: &[&str] = &["localhost", "local", "internal"];

fn classify_v4(address: Ipv4Addr) -> Destination {
    let holds = |net: &Ipv4Net| net.contains(&address);
    if FORBIDDEN_V4.iter().any(holds) {
        Destination::Forbidden
    } else if PRIVATE_V4.iter().any(holds) {
        Destination::Private
    } else {
        Destination::Public
    }
}

fn classify_v6(address: Ipv6Addr) -> Destination {
    let holds = |net: &Ipv6Net| net.contains(&address);
    if FORBIDDEN_V6.iter().any(holds) {
        Destination::Forbidden
    } else if PRIVATE_V6.iter().any(holds) {
        Destination::Private
    } else if GLOBAL_UNICAST_V6.contains(&address) {
        Destination::Public
    } else {
        // Among them `::`, IPv4-compatible and NAT64 addresses, link-local and multicast ones.
        Destination::Forbidden
    }
}

const FORBIDDEN_V4: &[Ipv4Net] = &[
    v4([0, 0, 0, 0], 8), // "this network": 0.0.0.0 reaches the machine itself
    v4([100, 100, 100, 200], 32), // metadata of Alibaba Cloud
    v4([168, 63, 129, 16], 32), // Azure's host, which speaks to its virtual machines
    v4([169, 254, 0, 0], 16), // link-local: metadata of nearly every cloud
    v4([192, 0, 0, 192], 32), // metadata of Oracle Cloud, formerly
    v4([192, 88, 99, 0], 24), // relays of 6to4
    v4([224, 0, 0, 0], 4), // multicast
    v4([240, 0, 0, 0], 4), // reserved, and broadcast
];

const PRIVATE_V4: &[Ipv4Net] = &[
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10), // shared by the customers of one provider
    v4([127, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24), // protocol assignments
    v4([192, 0, 2, 0], 24), // documentation
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),   // benchmarks
    v4([198, 51, 100, 0], 24), // documentation
    v4([203, 0, 113, 0], 24),  // documentation
];

/// All that is allotted to anyone. What is outside is forbidden, if it is not listed as private.
const GLOBAL_UNICAST_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Exceptions to what is global and to what is private.
const FORBIDDEN_V6: &[Ipv6Net] = &[
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),               // Teredo
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),               // 6to4
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128),        // metadata of Scaleway
    v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128), // metadata of Oracle Cloud
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32),           // metadata and the like of AWS
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),       // metadata of Google Cloud
];

const PRIVATE_V6: &[Ipv6Net] = &[
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128),         // loopback
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),      // discarded
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),     // protocol assignments, but for Teredo
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),     // documentation
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),      // unique local
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),     // site-local, abolished and still about
];

const fn v4(octets: [u8; 4], prefix_bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), prefix_bits)
}

const fn v6(segments: [u16; 8], prefix_bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix_bits)
}
