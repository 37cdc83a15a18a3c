//! Signature Version 4 from the other side: what a service computes of a request that it got.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::downstream::Received;

/// Amazon's own example.
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Checks a request whose query is signed with [`SECRET`].
pub(super) fn verify(request: &Received) -> Result<(), &'static str> {
    let (path, query) = request.target.split_once('?').ok_or("AccessDenied")?;
    let mut pairs: BTreeMap<&str, &str> =
        query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    let signature = pairs.remove("X-Amz-Signature").ok_or("AccessDenied")?;
    let get = |name: &str| pairs.get(name).copied().ok_or("AccessDenied");
    let credential = get("X-Amz-Credential")?.replace("%2F", "/");
    let (_, scope) = credential.split_once('/').ok_or("AccessDenied")?;
    let mut canonical = format!("{}\n{path}\n", request.method);
    let joined: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    writeln!(canonical, "{}", joined.join("&")).unwrap();
    let signed_headers = get("X-Amz-SignedHeaders")?.replace("%3B", ";");
    for name in signed_headers.split(';') {
        let value = request.header(name).ok_or("AccessDenied")?;
        writeln!(canonical, "{name}:{}", value.trim()).unwrap();
    }
    write!(canonical, "\n{signed_headers}\nUNSIGNED-PAYLOAD").unwrap();
    let hashed = hex(&Sha256::digest(canonical));
    let date = get("X-Amz-Date")?;
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    let key =
        scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part));
    if hex(&mac(&key, &to_sign)) == signature { Ok(()) } else { Err("SignatureDoesNotMatch") }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The example in Amazon's documentation of query authentication: who cannot check that checks
/// nothing.
#[test]
fn the_published_example_is_good() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=";
    let request = |signature: &str| Received {
        method: "GET".to_owned(),
        target: format!("/test.txt?{query}{signature}"),
        headers: vec![("Host".to_owned(), "examplebucket.s3.amazonaws.com".to_owned())],
        body: String::new(),
    };
    let good = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert_eq!(verify(&request(good)), Ok(()));
    assert_eq!(verify(&request(&good.replace('a', "b"))), Err("SignatureDoesNotMatch"));
}
