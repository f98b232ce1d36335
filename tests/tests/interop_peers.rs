//! The peers with each other: shows that the drivers, the certificates and the expectations hold without drystone,
//! so that a failure of the other interop tests is drystone's.

use drystone_tests::interop::{Pair, Pki, Stack, peers_are_here};
use std::path::Path;

fn pki(name: &str) -> Pki {
    Pki::make(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)).expect("certificates can be made")
}

#[test]
fn openssl_client_with_gnutls_server() {
    if peers_are_here(&[Stack::OpenSsl, Stack::GnuTls]) {
        let pki = pki("peers-gnutls-server");
        let pair = Pair { server: Stack::GnuTls, client: Stack::OpenSsl };
        pair.certificates_and_settings(&pki).finish();
        pair.failures(&pki).finish();
    }
}

#[test]
fn gnutls_client_with_openssl_server() {
    if peers_are_here(&[Stack::OpenSsl, Stack::GnuTls]) {
        let pki = pki("peers-openssl-server");
        let pair = Pair { server: Stack::OpenSsl, client: Stack::GnuTls };
        pair.certificates_and_settings(&pki).finish();
        pair.failures(&pki).finish();
    }
}
