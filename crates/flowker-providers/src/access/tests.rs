mod manager;
mod tokens;

use super::*;

#[test]
fn only_named_private_hosts_are_called() {
    let url = |text: &str| Url::parse(text).expect("a URL");
    let manager = url("http://manager.access.svc.cluster.local:4000/base");
    let client = format!("{:?}", access_client(&[&manager], RootCertStore::empty()));
    assert!(client.contains("manager.access.svc.cluster.local"), "{client}");
    assert!(client.contains("allow_private: true"), "{client}");
}
