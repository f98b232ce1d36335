//! drystone with GnuTLS in both roles.

use drystone_tests::interop::{Pair, Pki, Stack, peers_are_here};
use std::path::Path;

const CLIENT: Pair = Pair { server: Stack::GnuTls, client: Stack::Drystone };
const SERVER: Pair = Pair { server: Stack::Drystone, client: Stack::GnuTls };

/// Certificates of its own for each test: they run at the same time.
fn pki(test: &str) -> Option<Pki> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gnutls-{test}"));
    peers_are_here(&[Stack::GnuTls]).then(|| Pki::make(&folder).expect("certificates can be made"))
}

#[test]
fn client_suites_and_groups() {
    if let Some(pki) = pki("client-suites") {
        CLIENT.suites_and_groups(&pki).finish();
    }
}

#[test]
fn client_certificates_and_settings() {
    if let Some(pki) = pki("client-settings") {
        CLIENT.certificates_and_settings(&pki).finish();
    }
}

#[test]
fn client_failures() {
    if let Some(pki) = pki("client-failures") {
        CLIENT.failures(&pki).finish();
    }
}

#[test]
fn server_suites_and_groups() {
    if let Some(pki) = pki("server-suites") {
        SERVER.suites_and_groups(&pki).finish();
    }
}

#[test]
fn server_certificates_and_settings() {
    if let Some(pki) = pki("server-settings") {
        SERVER.certificates_and_settings(&pki).finish();
    }
}

#[test]
fn server_failures() {
    if let Some(pki) = pki("server-failures") {
        SERVER.failures(&pki).finish();
    }
}
