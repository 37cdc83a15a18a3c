//! Whom to trust.

use tokio_rustls::TlsAcceptor;

use super::*;
use crate::certificates::{Issuer, acceptor, authority};

fn trusting(issuer: &Issuer) -> HttpClient {
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    client_with(ClientLimits::default(), roots)
}

async fn outcome(issuer: &Issuer, trusted: &Issuer, name: &str, last_year: i32) -> String {
    let tls = acceptor(issuer, name, last_year, &["http/1.1"]);
    let downstream = Downstream::start_tls(tls, |_| Reply::json("{}")).await;
    let url = format!("https://api.example.com:{}/", downstream.address.port());
    match trusting(trusted).send(post(&url)).await {
        Ok(answer) => answer.status.to_string(),
        Err(error) => {
            assert_eq!(downstream.received().len(), 0);
            let failure = CallFailure::from(error);
            format!("{:?}: {}", failure.kind, failure.message)
        }
    }
}

#[tokio::test]
async fn certificates() {
    let (ours, other) = (authority("ours"), authority("other"));
    assert_eq!(outcome(&ours, &ours, "api.example.com", 4000).await, "200 OK");
    let check = async |issuer: &Issuer, name: &str, last_year: i32, reason: &str| {
        let wanted = "Permanent: the certificate of api.example.com is refused: ";
        let outcome = outcome(issuer, &ours, name, last_year).await;
        let told = outcome.strip_prefix(wanted).unwrap_or_else(|| panic!("{outcome}"));
        assert!(told.contains(reason), "{told}");
    };
    check(&ours, "other.example.com", 4000, "not valid for name").await;
    check(&ours, "api.example.com", 2000, "expired").await;
    check(&other, "api.example.com", 4000, "UnknownIssuer").await;
}

#[tokio::test]
async fn no_tls_behind_https() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let client = client();
    let hang_up = async { drop(listener.accept().await.unwrap()) };
    let (outcome, ()) = tokio::join!(client.send(post(&url)), hang_up);
    let (kind, message) = failed(outcome);
    assert_eq!(kind, FailureKind::Transient);
    assert!(message.starts_with("the TLS handshake with 127.0.0.1 failed"), "{message}");
}

/// Answers every request with the version of HTTP that it came with.
async fn serve_http2(listener: tokio::net::TcpListener, tls: TlsAcceptor) {
    let (stream, _) = listener.accept().await.unwrap();
    let stream = tls.accept(stream).await.unwrap();
    let answer = |request: http::Request<Incoming>| async move {
        let headers: Vec<_> = (0..50).map(|idx| format!("x-{idx}")).collect();
        let mut response = Response::new(Full::new(bytes(&format!("{:?}", request.version()))));
        if request.uri().path() == "/flood" {
            for name in &headers {
                let value = "v".repeat(1000).parse().unwrap();
                response.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value);
            }
        }
        Ok::<_, std::convert::Infallible>(response)
    };
    let service = hyper::service::service_fn(answer);
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(hyper_util::rt::TokioIo::new(stream), service);
    let _ = connection.await;
}

#[tokio::test]
async fn http_2_where_it_is_offered() {
    let issuer = authority("ours");
    let tls = acceptor(&issuer, "api.example.com", 4000, &["h2", "http/1.1"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut server = tokio::task::JoinSet::new();
    server.spawn(serve_http2(listener, tls));
    let client = trusting(&issuer);
    // One connection is all that the server accepts.
    for _ in 0..2 {
        let answer = client.send(post(&format!("https://api.example.com:{port}/"))).await.unwrap();
        assert_eq!(answer.body, "HTTP/2.0");
    }
    let flood = client.send(post(&format!("https://api.example.com:{port}/flood"))).await;
    assert_eq!(failed(flood).0, FailureKind::Unknown);
}
