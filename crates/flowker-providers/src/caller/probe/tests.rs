use std::net::IpAddr;
use std::sync::Arc;

use flowker_core::net::OutboundPolicy;
use flowker_core::ports::{Provider, ProviderConfig};
use rustls::RootCertStore;
use serde_json::json;

use super::*;
use crate::certificates::{acceptor, authority};
use crate::client::{ClientLimits, HttpClient};
use crate::downstream::{Downstream, Names, Received, Reply, client, client_with};
use crate::fixture::call;
use crate::providers;

/// The provider of this id, calling through `client`.
fn provider(id: &str, client: HttpClient) -> Arc<dyn Provider> {
    let mut all = providers(Arc::new(client)).into_iter();
    all.find(|it| it.descriptor().id == id).unwrap()
}

fn config(provider_id: &str, config: Value) -> ProviderConfig {
    (*call(provider_id, config).config).clone()
}

/// What arrives of a credential or a header.
fn shown(request: &Received) -> String {
    let headers = ["authorization", "x-api-key", "x-tenant"];
    let found = headers.iter().filter_map(|name| request.header(name));
    let found: Vec<_> = found.collect();
    format!("{} {} {}", request.method, request.target, found.join(" ")).trim().to_owned()
}

#[tokio::test]
async fn each_provider_is_asked_as_it_is_called() {
    let check = async |id: &str, members: Value, wanted: &[&str]| {
        let service = Downstream::start(|request| match request.target.as_str() {
            "/token" => Reply::json(r#"{"access_token":"t0k"}"#),
            _ => Reply::json("{}"),
        })
        .await;
        let text = flowker_core::json::to_text(&members).replace("ORIGIN", &service.url(""));
        let members = flowker_core::json::parse(text.as_bytes()).unwrap();
        let config = config(id, members);
        let provider = provider(id, client());
        for probe in Probe::ALL {
            match provider.probe(&config, probe).await {
                Ok(probed) => assert_eq!(probed.status, 200),
                Err(failure) => assert_eq!(failure, ProbeFailure::NoCredentials),
            }
        }
        let received = service.received();
        let asked = received.iter().filter(|it| it.target != "/token");
        assert_eq!(asked.map(shown).collect::<Vec<_>>(), wanted, "{id}");
    };
    let headers = json!({"X-Tenant": "acme"});
    check("http", json!({"base_url": "ORIGIN/v1"}), &["GET /v1", "GET /v1"]).await;
    check(
        "http",
        json!({"base_url": "ORIGIN/v1", "headers": headers}),
        &["GET /v1", "GET /v1 acme", "GET /v1 acme"],
    )
    .await;
    let query = json!({
        "base_url": "ORIGIN/", "auth_type": "api_key", "api_key": "k", "location": "query",
    });
    check("http", query, &["GET /", "GET /?api_key=k", "GET /?api_key=k"]).await;
    let bearer = json!({"base_url": "ORIGIN/", "auth_type": "bearer", "bearer_token": "t"});
    check("http", bearer, &["GET /", "GET / Bearer t", "GET / Bearer t"]).await;
    let tracer = json!({"base_url": "ORIGIN/", "api_key": "k"});
    check("tracer", tracer, &["GET /", "GET / k", "GET / k"]).await;
    let midaz = json!({
        "onboarding_base_url": "ORIGIN/on", "transaction_base_url": "ORIGIN/tx",
        "headers": headers,
        "auth": {"token_url": "ORIGIN/token", "client_id": "c", "client_secret": "s"},
    });
    check("midaz", midaz, &["GET /on", "GET /on Bearer t0k", "GET /on Bearer t0k"]).await;
    let midaz = json!({"transaction_base_url": "ORIGIN/tx", "headers": headers});
    check("midaz", midaz, &["GET /tx", "GET /tx"]).await;
}

/// Probes an `http` service at `base_url`, with an API key in the query.
async fn probe(client: HttpClient, base_url: &str, probe: Probe) -> Result<Probed, ProbeFailure> {
    let members = json!({
        "base_url": base_url, "headers": {"X-Tenant": "acme"},
        "auth_type": "api_key", "api_key": "s3cret", "location": "query",
    });
    provider("http", client).probe(&config("http", members), probe).await
}

#[tokio::test]
async fn every_status_is_an_answer() {
    let check = async |head: &'static str, status: u16| {
        let service = Downstream::start(move |_| Reply::answer(head, "text")).await;
        let probed = probe(client(), &service.url("/v1"), Probe::EndToEnd).await.unwrap();
        assert_eq!((probed.status, probed.n_headers), (status, 1));
        // Without the key.
        assert_eq!(probed.url, service.url("/v1"));
    };
    check("204", 204).await;
    check("401", 401).await;
    check("500", 500).await;
    check("304", 304).await;
    check("302", 302).await;
}

#[tokio::test]
async fn a_body_is_read_to_its_end_or_up_to_a_mebibyte() {
    let check = async |which: Probe, n_sent: usize, n_read: usize| {
        let body = "x".repeat(n_sent);
        let head = "200\r\nContent-Type: text/plain";
        let service = Downstream::start(move |_| Reply::answer(head, &body)).await;
        let probed = probe(client(), &service.url("/"), which).await.unwrap();
        assert_eq!(probed.body_bytes, n_read);
        assert_eq!(probed.content_type.as_deref(), Some("text/plain"));
    };
    check(Probe::EndToEnd, 0, 0).await;
    check(Probe::EndToEnd, 1000, 1000).await;
    check(Probe::EndToEnd, 1024 * 1024 + 1, 1024 * 1024).await;
    check(Probe::Authentication, 1000, 0).await;
    let flood = |_: &Received| {
        Reply::Flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec())
    };
    let service = Downstream::start(flood).await;
    let probed = probe(client(), &service.url("/"), Probe::EndToEnd).await.unwrap();
    assert_eq!(probed.body_bytes, 1024 * 1024);
}

#[tokio::test]
async fn no_answer_is_a_failure() {
    let service = Downstream::start(|_| Reply::Close(Vec::new())).await;
    let outcome = probe(client(), &service.url("/"), Probe::Connectivity).await;
    let Err(ProbeFailure::Failed(message)) = outcome else { panic!("{outcome:?}") };
    assert!(!message.contains("s3cret"), "{message}");
}

#[tokio::test]
async fn where_a_test_cannot_begin() {
    let guarded = |found: &'static str| {
        let resolver = Names(move |_: &str| match found {
            "" => Err(std::io::Error::other("no such host")),
            address => Ok(vec![address.parse::<IpAddr>().unwrap()]),
        });
        let (limits, roots) = (ClientLimits::default(), RootCertStore::empty());
        HttpClient::with_resolver(OutboundPolicy::default(), limits, roots, Arc::new(resolver))
    };
    let check = async |base_url: &str, found: &'static str, wanted: &str| {
        let outcome = probe(guarded(found), base_url, Probe::Connectivity).await;
        let shown = match outcome {
            Err(ProbeFailure::Forbidden(message)) => message,
            other => format!("{other:?}"),
        };
        assert!(shown.starts_with(wanted), "{base_url}: {shown}");
    };
    check("", "", "Err(NoAddress)").await;
    check("service.test/v1", "", "Err(NoAddress)").await;
    check("ftp://service.test", "", "Err(NoAddress)").await;
    check("http://service.test/", "", "the host service.test cannot be resolved").await;
    check("http://service.test/", "10.0.0.1", "egress denied: the address 10.0.0.1").await;
    check("http://169.254.169.254/", "", "egress denied: the address 169.254.169.254").await;
    check("http://localhost/", "127.0.0.1", "egress denied: the host localhost").await;
    check("http://u:p@service.test/", "1.1.1.1", "egress denied: the URL carries cred").await;
}

#[tokio::test]
async fn a_redirect_is_checked_and_loses_the_credentials() {
    let target = Downstream::start(|_| Reply::answer("200", "")).await;
    let location = format!("302\r\nLocation: {}", target.url("/"));
    let origin = Downstream::start(move |_| Reply::answer(&location, "")).await;
    let probed = probe(client(), &origin.url("/"), Probe::Authentication).await.unwrap();
    assert_eq!((probed.status, probed.url), (200, origin.url("/")));
    assert_eq!(shown(&target.only()), "GET /");
    let inward = "302\r\nLocation: http://169.254.169.254/";
    let origin = Downstream::start(move |_| Reply::answer(inward, "")).await;
    let outcome = probe(client(), &origin.url("/"), Probe::Connectivity).await;
    let Err(ProbeFailure::Failed(message)) = outcome else { panic!("{outcome:?}") };
    assert!(message.starts_with("egress denied: the address 169.254.169.254"), "{message}");
}

#[tokio::test]
async fn certificates_are_verified_for_the_name_in_the_url() {
    let (ours, other) = (authority("ours"), authority("other"));
    let check = async |issuer, name: &str, wanted: &str| {
        let tls = acceptor(issuer, name, 4000, &["http/1.1"]);
        let service = Downstream::start_tls(tls, |_| Reply::json("{}")).await;
        let mut roots = RootCertStore::empty();
        roots.add(ours.der().clone()).unwrap();
        let client = client_with(ClientLimits::default(), roots);
        let base_url = format!("https://api.example.com:{}/", service.address.port());
        let shown = match probe(client, &base_url, Probe::EndToEnd).await {
            Ok(probed) => format!("{} {}", probed.status, probed.body_bytes),
            Err(failure) => failure.to_string(),
        };
        assert!(shown.starts_with(wanted), "{shown}");
    };
    check(&ours, "api.example.com", "200 2").await;
    check(&ours, "other.example.com", "the certificate of api.example.com is refused").await;
    check(&other, "api.example.com", "the certificate of api.example.com is refused").await;
}
