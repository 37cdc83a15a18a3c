//! Where a request may go.

use std::net::IpAddr;
use std::sync::Mutex;

use flowker_core::net::AllowEntry;

use super::*;
use crate::downstream::Names;

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A client without any leave, for which every name has these addresses.
fn guarded(policy: OutboundPolicy, found: &'static [&'static str]) -> HttpClient {
    let resolver = Names(|_: &str| Ok(addresses(found)));
    let (limits, roots) = (ClientLimits::default(), RootCertStore::empty());
    HttpClient::with_resolver(policy, limits, roots, Arc::new(resolver))
}

async fn check_denied(url: &str, found: &'static [&'static str], wanted: &str) {
    let client = guarded(OutboundPolicy::default(), found);
    let (kind, message) = failed(client.send(post(url)).await);
    assert_eq!(kind, FailureKind::Permanent);
    let message = message.strip_prefix("egress denied: ").unwrap_or(&message);
    assert!(message.starts_with(wanted), "{url}: {message}");
}

#[tokio::test]
async fn closed_destinations() {
    check_denied("http://127.0.0.1/", &[], "the address 127.0.0.1 ").await;
    check_denied("http://[::1]/", &[], "the address ::1 ").await;
    check_denied("http://0x7f.1/", &[], "the address 127.0.0.1 ").await;
    check_denied("http://[::ffff:169.254.169.254]/", &[], "the address ::ffff:169.254.169.254 ")
        .await;
    check_denied("http://localhost/", &["127.0.0.1"], "the host localhost ").await;
    check_denied("http://u:p@example.com/", &[], "the URL carries credentials").await;
    check_denied("http://example.com:22/", &[], "the port 22 ").await;
    check_denied("ftp://example.com/", &[], "the scheme ftp ").await;
    check_denied("http://example.com/", &["10.1.2.3"], "the address 10.1.2.3 of example.com ")
        .await;
    check_denied("http://example.com/", &[], "the host example.com has no address").await;
}

/// One closed address closes the name: nobody may choose which of them is dialled.
#[tokio::test]
async fn a_public_name_with_a_private_address() {
    let downstream = Downstream::start(|_| Reply::json("{}")).await;
    let url = format!("http://example.com:{}/", downstream.address.port());
    check_denied(&url, &["93.184.216.34", "127.0.0.1"], "the address 127.0.0.1 ").await;
    check_denied(&url, &["127.0.0.1", "93.184.216.34"], "the address 127.0.0.1 ").await;
    assert_eq!(downstream.n_connections(), 0);
}

/// A name is resolved once a connection, and what was checked is what is dialled.
#[tokio::test]
async fn a_name_that_changes_its_mind() {
    let close = "200 OK\r\nConnection: close";
    let downstream = Downstream::start(move |_| Reply::answer(close, "")).await;
    let answers = Mutex::new(vec![addresses(&["127.0.0.2"]), addresses(&["127.0.0.1"])]);
    let resolver = Names(move |_: &str| Ok(answers.lock().unwrap().pop().expect("asked twice")));
    let allow = vec!["127.0.0.1".parse::<AllowEntry>().unwrap()];
    let policy = OutboundPolicy { allow_private: false, allow };
    let (limits, roots) = (ClientLimits::default(), RootCertStore::empty());
    let client = HttpClient::with_resolver(policy, limits, roots, Arc::new(resolver));
    let url = format!("http://api.example.com:{}/", downstream.address.port());
    client.send(post(&url)).await.unwrap();
    let (kind, message) = failed(client.send(post(&url)).await);
    assert_eq!(kind, FailureKind::Permanent);
    assert!(message.contains("127.0.0.2"), "{message}");
    assert_eq!(downstream.n_connections(), 1);
}

#[tokio::test]
async fn the_next_address_is_tried() {
    let downstream = Downstream::start(|_| Reply::json("{}")).await;
    let policy = OutboundPolicy { allow_private: true, ..OutboundPolicy::default() };
    let client = guarded(policy, &["127.0.0.2", "127.0.0.1"]);
    let url = format!("http://example.com:{}/", downstream.address.port());
    client.send(post(&url)).await.unwrap();
    assert_eq!(downstream.only().header("host"), Some(url[7..].trim_end_matches('/').to_owned()));
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let resolver = Names(|_: &str| Err(std::io::Error::other("no such host")));
    let (limits, roots) = (ClientLimits::default(), RootCertStore::empty());
    let policy = OutboundPolicy::default();
    let client = HttpClient::with_resolver(policy, limits, roots, Arc::new(resolver));
    let (kind, message) = failed(client.send(post("http://example.com/")).await);
    assert_eq!(kind, FailureKind::Transient);
    assert_eq!(message, "the host example.com cannot be resolved: no such host");
}

/// Never answers.
#[derive(Debug)]
struct Silent;

#[async_trait::async_trait]
impl Resolve for Silent {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

async fn check_connect_time(limit: Duration, wanted: &str) {
    let (limits, roots) = (ClientLimits::default(), RootCertStore::empty());
    let policy = OutboundPolicy::default();
    let client = HttpClient::with_resolver(policy, limits, roots, Arc::new(Silent));
    let request = Outgoing { deadline: Deadline::after(limit), ..post("http://example.com/") };
    let outcome = client.send(request).await;
    assert_eq!(failed(outcome), (FailureKind::Transient, wanted.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn connecting_takes_too_long() {
    check_connect_time(
        Duration::from_secs(30),
        "there is no connection to example.com within 5000 ms",
    )
    .await;
    check_connect_time(Duration::from_secs(2), "there is no whole answer within 2000 ms").await;
}
