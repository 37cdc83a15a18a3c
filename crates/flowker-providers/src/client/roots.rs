//! Which certificate authorities are trusted.

use rustls::RootCertStore;

/// The certificate authorities that the machine trusts, and how many of its certificates could not
/// be used.
///
/// Reads files: call it once, at start. If the store is empty every `https` call fails, which is
/// worth a warning. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the machine's own places.
pub fn native_roots() -> (RootCertStore, usize) {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (_, n_unusable) = roots.add_parsable_certificates(found.certs);
    (roots, n_unusable + found.errors.len())
}
