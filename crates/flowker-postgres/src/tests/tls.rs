//! Whom to trust, by the mode that the URL names.

use std::error::Error;

use flowker_testkit::postgres::Cluster;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::ConnectionUrl;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What comes of connecting with this URL: `encrypted`, `plain` or `refused`.
async fn outcome(url: &str) -> &'static str {
    match is_encrypted(url).await {
        Ok(true) => "encrypted",
        Ok(false) => "plain",
        Err(_) => "refused",
    }
}

async fn is_encrypted(url: &str) -> Result<bool, Box<dyn Error>> {
    let url: ConnectionUrl = url.parse()?;
    let (client, connection) = url.config.connect(url.tls.clone()).await?;
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let asking = async { Ok(client.query_one(query, &[]).await?.get(0)) };
    tokio::select! {
        answer = asking => answer,
        ended = connection => Err(ended.err().map_or("the session ended".into(), Into::into)),
    }
}

/// The server's certificate names `localhost`, so `127.0.0.1` is another host.
const RIGHT: &str = "localhost";
const WRONG: &str = "127.0.0.1";

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_as_the_mode_says() {
    let Some(cluster) = Cluster::prepare() else { return };
    let (ours, other) = (authority("Flowker tests"), authority("Somebody else"));
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![RIGHT.to_owned()]).unwrap();
    cluster.write("server.crt", &params.signed_by(&key, &ours).unwrap().pem());
    cluster.write("server.key", &key.serialize_pem());
    cluster.set(&[("ssl", "on"), ("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")]);
    cluster.resume();
    let ours = cluster.write("ours.pem", &ours.pem()).display().to_string();
    let other = cluster.write("other.pem", &other.pem()).display().to_string();
    let url = |mode: &str, host: &str, roots: &str| {
        let port = cluster.port();
        let roots = if roots.is_empty() { String::new() } else { format!("&sslrootcert={roots}") };
        format!("postgres://postgres@{host}:{port}/postgres?sslmode={mode}{roots}")
    };
    // Mode, then: the right host, another host, an unknown authority, and no file of authorities.
    for (mode, expected) in [
        ("disable", ["plain", "plain", "plain", "plain"]),
        ("prefer", ["encrypted", "encrypted", "refused", "encrypted"]),
        ("require", ["encrypted", "encrypted", "refused", "encrypted"]),
        ("verify-ca", ["encrypted", "encrypted", "refused", "refused"]),
        ("verify-full", ["encrypted", "refused", "refused", "refused"]),
    ] {
        let found = [
            outcome(&url(mode, RIGHT, &ours)).await,
            outcome(&url(mode, WRONG, &ours)).await,
            outcome(&url(mode, RIGHT, &other)).await,
            outcome(&url(mode, RIGHT, "")).await,
        ];
        assert_eq!(found, expected, "{mode}");
    }

    // The same without TLS on the server.
    cluster.set(&[("ssl", "off")]);
    cluster.restart_immediately();
    for (mode, expected) in [
        ("disable", "plain"),
        ("prefer", "plain"),
        ("require", "refused"),
        ("verify-ca", "refused"),
        ("verify-full", "refused"),
    ] {
        assert_eq!(outcome(&url(mode, RIGHT, &ours)).await, expected, "{mode}");
    }
}
