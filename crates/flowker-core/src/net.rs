//! What outbound calls may reach: the guard against requests that a workflow is talked into making
//! to our own network (SSRF).
//!
//! Nothing here resolves or connects. Who calls asks three times: for the URL before anything, for
//! **every** address that its name resolves to, and again for each redirect; and then connects to
//! one of the very addresses that were checked.

mod destination;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::{Host, Url};

pub use self::destination::{Destination, classify, classify_name};

/// Ports that are never called: what listens there speaks another protocol, and may take the lines
/// of an HTTP request for its own commands.
pub const PORTS_DENIED: &[u16] = &[
    0, // not a port
    20, 21, // FTP
    22, // SSH
    23, // Telnet
    25, 465, 587, // SMTP
    53,  // DNS
    110, 995, // POP3
    135, 139, 445, // Windows RPC and file sharing
    143, 993, // IMAP
    389, 636,   // LDAP
    873,   // rsync
    2049,  // NFS
    3306,  // MySQL
    5432,  // PostgreSQL
    6379,  // Redis
    11211, // memcached
    27017, // MongoDB
];

/// What outbound calls may reach besides the Internet. The default opens nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboundPolicy {
    /// Whether private *addresses* may be called. Private *names* stay closed even then, so that
    /// `127.0.0.1` can be called and `localhost` cannot.
    pub allow_private: bool,
    /// Private hosts and networks that may be called all the same.
    pub allow: Vec<AllowEntry>,
}

/// A private destination that is opened by name or by address.
///
/// What is forbidden stays forbidden, also inside a network that is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowEntry {
    /// A host: its name, and every private address it resolves to. Lower case, no dot at the end.
    Host(String),
    /// Addresses. A private name that resolves to one of them needs an entry of its own.
    Net(IpNet),
}

/// A text that is neither a host nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of a host name, an IP address and a network such as 10.0.0.0/8")]
pub struct AllowEntryError(pub String);

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither `http` nor `https`.
    #[error("the scheme {scheme} is neither http nor https")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The URL carries a user name or a password.
    #[error("the URL carries credentials")]
    Credentials,
    /// No host, or none that can be a name or an address.
    #[error("the host is missing or malformed")]
    Host,
    /// One of [`PORTS_DENIED`].
    #[error("the port {port} belongs to another protocol")]
    Port {
        /// The port.
        port: u16,
    },
    /// A name that is forbidden, or private and not opened.
    #[error("the host {host} is {}", Closed(*.destination))]
    Name {
        /// The name.
        host: String,
        /// What it is: never [`Destination::Public`].
        destination: Destination,
    },
    /// An address that is forbidden, or private and not opened.
    #[error("the address {address} of {host} is {}", Closed(*.destination))]
    Address {
        /// The host that has the address.
        host: String,
        /// The address.
        address: IpAddr,
        /// What it is: never [`Destination::Public`].
        destination: Destination,
    },
    /// The host has no address.
    #[error("the host {host} has no address")]
    NoAddress {
        /// The host.
        host: String,
    },
}

/// Says what is closed, and to whom.
struct Closed(Destination);

impl OutboundPolicy {
    /// Checks a URL as far as it can be without resolving its host.
    ///
    /// # Errors
    ///
    /// [`Refusal`], for the first thing that is wrong.
    pub fn check_url(&self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme { scheme: url.scheme().to_owned() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        if let Some(port) = url.port().filter(|port| PORTS_DENIED.contains(port)) {
            return Err(Refusal::Port { port });
        }
        let host = url.host().ok_or(Refusal::Host)?;
        self.check_target(&host.to_owned())
    }

    /// Checks a host, by name or, if it is an address in any spelling that URLs allow, by address.
    ///
    /// # Errors
    ///
    /// [`Refusal::Host`], [`Refusal::Name`] or [`Refusal::Address`].
    pub fn check_host(&self, host: &str) -> Result<(), Refusal> {
        self.check_target(&parse_host(host).ok_or(Refusal::Host)?)
    }

    /// Checks what a host resolved to. One address that is refused refuses all: which of them
    /// would be dialled is chance, or the choice of who runs the name server.
    ///
    /// # Errors
    ///
    /// [`Refusal::Address`], or [`Refusal::NoAddress`] if there is none.
    pub fn check_addresses(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refusal> {
        if addresses.is_empty() {
            return Err(Refusal::NoAddress { host: host.to_owned() });
        }
        addresses.iter().try_for_each(|address| self.check_address(host, *address))
    }

    fn check_target(&self, host: &Host) -> Result<(), Refusal> {
        match host {
            Host::Domain(name) => self.check_name(name),
            Host::Ipv4(address) => self.check_address(&host.to_string(), (*address).into()),
            Host::Ipv6(address) => self.check_address(&host.to_string(), (*address).into()),
        }
    }

    fn check_name(&self, name: &str) -> Result<(), Refusal> {
        match classify_name(name) {
            Destination::Public => Ok(()),
            Destination::Private if self.opens_host(name) => Ok(()),
            destination @ (Destination::Private | Destination::Forbidden) => {
                Err(Refusal::Name { host: name.to_owned(), destination })
            }
        }
    }

    fn check_address(&self, host: &str, address: IpAddr) -> Result<(), Refusal> {
        let is_open = || self.allow_private || self.opens_address(address) || self.opens_host(host);
        match classify(address) {
            Destination::Public => Ok(()),
            Destination::Private if is_open() => Ok(()),
            destination @ (Destination::Private | Destination::Forbidden) => {
                Err(Refusal::Address { host: host.to_owned(), address, destination })
            }
        }
    }

    fn opens_host(&self, host: &str) -> bool {
        let host = destination::normalize(host);
        self.allow.iter().any(|entry| matches!(entry, AllowEntry::Host(name) if *name == host))
    }

    fn opens_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow
            .iter()
            .any(|entry| matches!(entry, AllowEntry::Net(net) if net.contains(&address)))
    }
}

impl FromStr for AllowEntry {
    type Err = AllowEntryError;

    /// Reads a host name, an address, or a network in CIDR notation.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net.trunc()));
        }
        match parse_host(text) {
            // A pattern would be a name that no host has, and never open what it seems to.
            Some(Host::Domain(name)) if name.contains('*') => Err(AllowEntryError(text.to_owned())),
            Some(Host::Domain(name)) => Ok(Self::Host(destination::normalize(&name))),
            Some(Host::Ipv4(address)) => Ok(Self::Net(IpAddr::from(address).into())),
            Some(Host::Ipv6(address)) => Ok(Self::Net(IpAddr::from(address).to_canonical().into())),
            None => Err(AllowEntryError(text.to_owned())),
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Destination::Public => "public",
            Destination::Private => "private, and no setting opens it",
            Destination::Forbidden => "never called",
        })
    }
}

/// Reads a host as a URL would: names become ASCII, and `0x7f.1` becomes 127.0.0.1. An IPv6 address
/// may stand in brackets or not.
fn parse_host(text: &str) -> Option<Host> {
    match text.parse() {
        Ok(IpAddr::V6(address)) => Some(Host::Ipv6(address)),
        _ => Host::parse(text).ok(),
    }
}

#[cfg(test)]
mod tests;
