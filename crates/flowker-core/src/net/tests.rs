use Destination::{Forbidden, Private, Public};
use proptest::prelude::*;

use super::*;

fn policy(allow_private: bool, allow: &[&str]) -> OutboundPolicy {
    let allow = allow.iter().map(|entry| entry.parse().expect("an entry")).collect();
    OutboundPolicy { allow_private, allow }
}

/// Pairs of addresses are the first and the last of a network.
const FORBIDDEN: &[&str] = &[
    "0.0.0.0 0.255.255.255",
    "0.0.0.1 0.1.2.3",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.0.0 169.254.255.255",
    "169.254.0.1 169.254.42.42",
    "169.254.169.253 169.254.169.254",
    "169.254.170.2 169.254.170.23",
    "192.0.0.192",
    "192.88.99.0 192.88.99.255",
    "224.0.0.0 239.255.255.255",
    "224.0.0.251 232.1.2.3",
    "240.0.0.0 255.255.255.255",
    "250.1.2.3 255.255.255.254",
    // Nothing, IPv4-compatible, IPv4-translated.
    "::",
    "::2 ::ffff",
    "::127.0.0.1 ::10.0.0.1",
    "::169.254.169.254 ::8.8.8.8",
    "::255.255.255.255",
    "::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8",
    // IPv4-mapped.
    "::ffff:0.0.0.0 ::ffff:255.255.255.255",
    "::ffff:169.254.169.254 ::ffff:a9fe:a9fe",
    "::ffff:168.63.129.16 ::ffff:100.100.100.200",
    "::ffff:224.0.0.1",
    // NAT64.
    "64:ff9b:: 64:ff9b::ffff:ffff",
    "64:ff9b::a9fe:a9fe 64:ff9b::127.0.0.1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1:: 64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    "64:ff9b:1::a00:1",
    // Teredo and 6to4.
    "2001:: 2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001::1 2001:0:7f00:1::",
    "2002:: 2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002:7f00:1::1 2002:a9fe:a9fe::",
    "2002:808:808::1",
    // Metadata.
    "fd00:ec2::254 fd00:ec2::23",
    "fd00:ec2::253 fd00:ec2::123",
    "fd00:ec2:: fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    // Link-local, multicast.
    "fe80:: febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::1 fe80::a9fe:a9fe",
    "ff00:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "ff02::1 ff0e::1",
    // Not allotted.
    "100:0:0:1:: 1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "4000:: fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "5f00::1 fe00::1",
];

const PRIVATE: &[&str] = &[
    "10.0.0.0 10.255.255.255",
    "10.0.0.1 10.1.2.3",
    "100.64.0.0 100.127.255.255",
    "100.100.100.199 100.100.100.201",
    "127.0.0.0 127.255.255.255",
    "127.0.0.1 127.0.0.53",
    "127.1.2.3",
    "172.16.0.0 172.31.255.255",
    "172.17.0.1 172.20.0.5",
    "192.0.0.0 192.0.0.255",
    "192.0.0.191 192.0.0.193",
    "192.0.2.0 192.0.2.255",
    "192.168.0.0 192.168.255.255",
    "192.168.1.1",
    "198.18.0.0 198.19.255.255",
    "198.51.100.0 198.51.100.255",
    "203.0.113.0 203.0.113.255",
    "::1",
    "::ffff:127.0.0.1 ::ffff:7f00:1",
    "::ffff:10.0.0.1 ::ffff:192.168.1.1",
    "::ffff:172.16.0.1 ::ffff:100.64.0.1",
    "100:: 100::ffff:ffff:ffff:ffff",
    "2001:1:: 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:2::1 2001:20::1",
    "2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff:: 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fd00::1 fd12:3456:789a::1",
    "fd00:ec1:: fd00:ec3::",
    "fd20:ce::253 fd20:ce::255",
    "fec0:: feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

const PUBLIC: &[&str] = &[
    "1.0.0.0 1.1.1.1",
    "8.8.8.8 9.9.9.9",
    "9.255.255.255 11.0.0.0",
    "100.63.255.255 100.128.0.0",
    "126.255.255.255 128.0.0.0",
    "168.63.129.15 168.63.129.17",
    "169.253.255.255 169.255.0.0",
    "172.15.255.255 172.32.0.0",
    "191.255.255.255 192.0.1.0",
    "192.0.3.0 192.1.0.0",
    "192.88.98.255 192.88.100.0",
    "192.167.255.255 192.169.0.0",
    "198.17.255.255 198.20.0.0",
    "198.51.99.255 198.51.101.0",
    "203.0.112.255 203.0.114.0",
    "223.255.255.255",
    "::ffff:8.8.8.8 ::ffff:1.1.1.1",
    "2000:: 2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:200:: 2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9:: 2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:4860:4860::8888 2606:4700:4700::1111",
    "2003:: 2a00:1450:4001::1",
    "3ffe:: 3fff:1000::",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

fn addresses(rows: &'static [&str]) -> impl Iterator<Item = IpAddr> {
    rows.iter().flat_map(|row| row.split(' ')).map(|it| it.parse().expect("an address"))
}

#[test]
fn classifies_addresses() {
    let mut n_rows = 0;
    for (rows, expected) in [(FORBIDDEN, Forbidden), (PRIVATE, Private), (PUBLIC, Public)] {
        for address in addresses(rows) {
            assert_eq!(classify(address), expected, "{address}");
            n_rows += 1;
        }
    }
    assert!(150 <= n_rows, "only {n_rows} addresses");
}

#[test]
fn classifies_names() {
    for (name, expected) in [
        ("metadata.google.internal", Forbidden),
        ("METADATA.google.Internal.", Forbidden),
        ("metadata.gcp.internal", Forbidden),
        ("metadata.azure.internal", Forbidden),
        ("metadata.goog", Forbidden),
        ("instance-data.ec2.internal", Forbidden),
        ("169.254.169.254", Forbidden),
        ("169.254.169.254.", Forbidden),
        ("localhost", Private),
        ("LocalHost", Private),
        ("localhost.", Private),
        ("localhost..", Private),
        ("app.localhost", Private),
        ("printer.local", Private),
        ("Printer.LOCAL.", Private),
        ("orders.shop.svc.cluster.local", Private),
        ("ip-10-0-0-1.ec2.internal", Private),
        ("metadata.google.internal.local", Private),
        ("a.metadata.google.internal", Private),
        ("example.com", Public),
        ("local", Public),
        ("internal", Public),
        ("notlocalhost", Public),
        ("mylocal", Public),
        ("localhost.example.com", Public),
        ("metadata.google.internal.example.com", Public),
        ("xlocal.internalx", Public),
    ] {
        assert_eq!(classify_name(name), expected, "{name}");
    }
}

/// What a refusal is, in a word; an address or name with what it was found to be.
fn outcome(result: Result<(), Refusal>) -> String {
    match result {
        Ok(()) => "open".to_owned(),
        Err(Refusal::Scheme { .. }) => "scheme".to_owned(),
        Err(Refusal::Credentials) => "credentials".to_owned(),
        Err(Refusal::Host) => "host".to_owned(),
        Err(Refusal::Port { port }) => format!("port {port}"),
        Err(Refusal::Name { host, destination }) => format!("{destination:?} {host}"),
        Err(Refusal::Address { address, destination, .. }) => format!("{destination:?} {address}"),
        Err(Refusal::NoAddress { .. }) => "no address".to_owned(),
    }
}

fn check_url(policy: &OutboundPolicy, url: &str, expected: &str) {
    // What is no URL at all never comes as far as the policy.
    let actual = match Url::parse(url) {
        Ok(url) => outcome(policy.check_url(&url)),
        Err(_) => "no URL".to_owned(),
    };
    assert_eq!(actual, expected, "{url}");
}

#[test]
fn refuses_urls_in_every_disguise() {
    for (url, expected) in [
        ("https://example.com/a?b=c", "open"),
        ("http://example.com:8080/", "open"),
        ("http://8.8.8.8/", "open"),
        ("http://[2606:4700:4700::1111]/", "open"),
        ("http://@example.com/", "open"),
        ("http://127.0.0.1/", "Private 127.0.0.1"),
        ("http://127.1/", "Private 127.0.0.1"),
        ("http://127.0.0.1./", "Private 127.0.0.1"),
        ("http://0x7f.1/", "Private 127.0.0.1"),
        ("http://0x7F000001/", "Private 127.0.0.1"),
        ("http://0177.0.0.1/", "Private 127.0.0.1"),
        ("http://2130706433/", "Private 127.0.0.1"),
        ("http://017700000001/", "Private 127.0.0.1"),
        ("http://%31%32%37.0.0.1/", "Private 127.0.0.1"),
        ("http://１２７.0.0.1/", "Private 127.0.0.1"),
        ("http://127。0。0。1/", "Private 127.0.0.1"),
        ("http:/\\127.0.0.1/", "Private 127.0.0.1"),
        ("http:127.0.0.1", "Private 127.0.0.1"),
        ("ht\ttp://127.0\n.0.1/", "Private 127.0.0.1"),
        ("http://0/", "Forbidden 0.0.0.0"),
        ("http://0.0.0.0/", "Forbidden 0.0.0.0"),
        ("http://169.254.169.254/", "Forbidden 169.254.169.254"),
        ("http://2852039166/", "Forbidden 169.254.169.254"),
        ("http://0xa9fea9fe/", "Forbidden 169.254.169.254"),
        ("http://0251.0376.0251.0376/", "Forbidden 169.254.169.254"),
        ("http://[::ffff:169.254.169.254]/", "Forbidden ::ffff:169.254.169.254"),
        ("http://[0:0:0:0:0:ffff:a9fe:a9fe]/", "Forbidden ::ffff:169.254.169.254"),
        ("http://[64:ff9b::a9fe:a9fe]/", "Forbidden 64:ff9b::a9fe:a9fe"),
        ("http://[2002:a9fe:a9fe::]/", "Forbidden 2002:a9fe:a9fe::"),
        ("http://[fd00:ec2::254]/", "Forbidden fd00:ec2::254"),
        ("http://[::]/", "Forbidden ::"),
        ("http://[::1]/", "Private ::1"),
        ("http://[::ffff:127.0.0.1]/", "Private ::ffff:127.0.0.1"),
        ("http://[fe80::1]/", "Forbidden fe80::1"),
        ("http://[fe80::1%25eth0]/", "no URL"),
        ("http://[fe80::1%eth0]/", "no URL"),
        ("http://256.256.256.256/", "no URL"),
        ("http://1.2.3.4.5/", "no URL"),
        ("http:///", "no URL"),
        ("http://localhost/", "Private localhost"),
        ("http://LOCALHOST/", "Private localhost"),
        ("http://localhost./", "Private localhost."),
        ("http://ⓛocalhost/", "Private localhost"),
        ("http://ｌｏｃａｌｈｏｓｔ/", "Private localhost"),
        ("http://loc%61lhost/", "Private localhost"),
        ("http://local\u{ad}host/", "Private localhost"),
        ("http://db.internal/", "Private db.internal"),
        ("http://metadata.google.internal/", "Forbidden metadata.google.internal"),
        ("http://metadata.google.internal./", "Forbidden metadata.google.internal."),
        ("http://10.0.0.1/", "Private 10.0.0.1"),
        ("http://example.com@10.0.0.1/", "credentials"),
        ("http://user:pass@example.com/", "credentials"),
        ("http://user@example.com/", "credentials"),
        ("http://:pass@example.com/", "credentials"),
        ("http://example.com:22/", "port 22"),
        ("https://example.com:6379/", "port 6379"),
        ("http://example.com:0/", "port 0"),
        ("http://example.com:443/", "open"),
        ("https://example.com:65535/", "open"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.com/", "scheme"),
        ("ftp://example.com/", "scheme"),
        ("ws://example.com/", "scheme"),
        ("unix:/run/docker.sock", "scheme"),
        ("data:text/plain,x", "scheme"),
        ("javascript:1", "scheme"),
    ] {
        check_url(&OutboundPolicy::default(), url, expected);
    }
}

#[test]
fn settings_open_what_is_private_and_nothing_else() {
    let private = policy(true, &[]);
    let hosts = policy(false, &["localhost", "db.internal", "metadata.google.internal"]);
    let nets = policy(false, &["127.0.0.0/8", "fd00::/8", "169.254.169.254", "100.100.100.200/32"]);
    let all = policy(true, &["0.0.0.0/0", "::/0", "localhost", "metadata.google.internal"]);
    for (policy, url, expected) in [
        (&private, "http://127.0.0.1:4021/", "open"),
        (&private, "http://[::1]/", "open"),
        (&private, "http://[::ffff:10.0.0.1]/", "open"),
        (&private, "http://localhost/", "Private localhost"),
        (&private, "http://db.internal/", "Private db.internal"),
        (&private, "http://169.254.169.254/", "Forbidden 169.254.169.254"),
        (&private, "http://127.0.0.1:22/", "port 22"),
        (&hosts, "http://localhost/", "open"),
        (&hosts, "http://LOCALHOST./", "open"),
        (&hosts, "http://db.internal/", "open"),
        (&hosts, "http://other.internal/", "Private other.internal"),
        (&hosts, "http://a.db.internal/", "Private a.db.internal"),
        (&hosts, "http://127.0.0.1/", "Private 127.0.0.1"),
        (&hosts, "http://localhost:22/", "port 22"),
        (&hosts, "http://metadata.google.internal/", "Forbidden metadata.google.internal"),
        (&nets, "http://127.0.0.1/", "open"),
        (&nets, "http://[::ffff:127.9.9.9]/", "open"),
        (&nets, "http://[fd00::1]/", "open"),
        (&nets, "http://[fc00::1]/", "Private fc00::1"),
        (&nets, "http://10.0.0.1/", "Private 10.0.0.1"),
        (&nets, "http://localhost/", "Private localhost"),
        (&nets, "http://169.254.169.254/", "Forbidden 169.254.169.254"),
        (&nets, "http://100.100.100.200/", "Forbidden 100.100.100.200"),
        (&nets, "http://[fd00:ec2::254]/", "Forbidden fd00:ec2::254"),
    ] {
        check_url(policy, url, expected);
    }
    for address in addresses(FORBIDDEN) {
        let refused = all.check_addresses("example.com", &[address]);
        assert_eq!(outcome(refused), format!("Forbidden {address}"));
    }
    for address in addresses(PRIVATE).chain(addresses(PUBLIC)) {
        assert_eq!(all.check_addresses("example.com", &[address]), Ok(()), "{address}");
    }
}

#[test]
fn one_refused_address_refuses_all() {
    let closed = OutboundPolicy::default();
    let opened = policy(false, &["db.example.com", "10.0.0.0/24"]);
    for (policy, host, addresses, expected) in [
        (&closed, "example.com", "1.1.1.1 2606:4700:4700::1111", "open"),
        (&closed, "example.com", "", "no address"),
        (&closed, "example.com", "1.1.1.1 127.0.0.1", "Private 127.0.0.1"),
        (&closed, "example.com", "127.0.0.1 1.1.1.1", "Private 127.0.0.1"),
        (&closed, "example.com", "1.1.1.1 8.8.8.8 ::ffff:10.0.0.1", "Private ::ffff:10.0.0.1"),
        (&opened, "example.com", "10.0.0.7 1.1.1.1", "open"),
        (&opened, "example.com", "10.0.0.7 10.0.1.7", "Private 10.0.1.7"),
        (&opened, "db.example.com", "10.0.1.7 192.168.0.1", "open"),
        (&opened, "DB.example.com.", "10.0.1.7", "open"),
        (&opened, "db.example.com", "10.0.1.7 169.254.169.254", "Forbidden 169.254.169.254"),
    ] {
        let addresses: Vec<IpAddr> =
            addresses.split_whitespace().map(|it| it.parse().unwrap()).collect();
        assert_eq!(outcome(policy.check_addresses(host, &addresses)), expected, "{host}");
    }
}

#[test]
fn checks_hosts_as_urls_spell_them() {
    for (host, expected) in [
        ("example.com", "open"),
        ("localhost", "Private localhost"),
        ("ⓛocalhost", "Private localhost"),
        ("0x7f.1", "Private 127.0.0.1"),
        ("::1", "Private ::1"),
        ("[::1]", "Private ::1"),
        ("[fe80::1%25eth0]", "host"),
        ("", "host"),
        ("a b", "host"),
        ("localhost:80", "host"),
        ("a/b", "host"),
        ("user@localhost", "host"),
    ] {
        assert_eq!(outcome(OutboundPolicy::default().check_host(host)), expected, "{host}");
    }
}

#[test]
fn reads_entries_of_the_allow_list() {
    let host = |name: &str| Ok(AllowEntry::Host(name.to_owned()));
    let net = |text: &str| Ok(AllowEntry::Net(text.parse().unwrap()));
    for (text, expected) in [
        ("localhost", host("localhost")),
        ("DB.Internal.", host("db.internal")),
        ("bücher.example", host("xn--bcher-kva.example")),
        ("10.0.0.0/8", net("10.0.0.0/8")),
        ("10.1.2.3/8", net("10.0.0.0/8")),
        ("10.1.2.3", net("10.1.2.3/32")),
        ("::1", net("::1/128")),
        ("[::1]", net("::1/128")),
        ("::ffff:10.0.0.1", net("10.0.0.1/32")),
        ("fd00::/8", net("fd00::/8")),
    ] {
        assert_eq!(text.parse::<AllowEntry>(), expected, "{text}");
    }
    for text in
        ["", " ", "a b", "10.0.0.0/33", "10.0.0/8", "localhost:80", "http://a", "*.local", "a,b/"]
    {
        let error = AllowEntryError(text.to_owned());
        assert_eq!(text.parse::<AllowEntry>(), Err(error), "{text}");
    }
}

#[test]
fn refusals_say_what_an_operator_can_do() {
    let say = |url: &str| {
        let url = Url::parse(url).unwrap();
        OutboundPolicy::default().check_url(&url).unwrap_err().to_string()
    };
    assert_eq!(say("http://localhost/"), "the host localhost is private, and no setting opens it");
    assert_eq!(
        say("http://169.254.169.254/"),
        "the address 169.254.169.254 of 169.254.169.254 is never called"
    );
}

proptest! {
    /// Mapping an address into IPv6 hides nothing.
    #[test]
    fn mapped_addresses_count_as_themselves(bits in any::<u32>()) {
        let address = std::net::Ipv4Addr::from_bits(bits);
        prop_assert_eq!(classify(address.into()), classify(address.to_ipv6_mapped().into()));
    }

    /// Public is only what the global unicast space holds.
    #[test]
    fn ipv6_outside_global_unicast_is_never_public(bits in any::<u128>()) {
        let address = std::net::Ipv6Addr::from_bits(bits);
        if address.to_ipv4_mapped().is_none() && address.segments()[0] >> 13 != 1 {
            prop_assert_ne!(classify(address.into()), Public);
        }
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        let _ = OutboundPolicy::default().check_host(&text);
        let _ = text.parse::<AllowEntry>();
    }
}
