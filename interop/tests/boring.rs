//! drystone with BoringSSL in both roles, in one process: every cell many times over a bad network in simulated time.
//!
//! `DRYSTONE_INTEROP_HANDSHAKES` sets the handshakes per cell (default 200).

use drystone_handshake::message::registry::ProtocolVersion;
use drystone_interop::{Boring, OTHERS};
use drystone_tests::meeting::{Against, handshakes};

fn against(version: ProtocolVersion, we_serve: bool) -> Against<'static> {
    Against { peer: &Boring, version, we_serve, count: handshakes(200) }
}

fn fill(against: Against<'_>) {
    against.suites_and_groups().note(OTHERS).finish();
    against.settings().finish();
}

#[test]
fn dtls12_our_client() {
    fill(against(ProtocolVersion::DTLS_1_2, false));
}

#[test]
fn dtls12_our_server() {
    fill(against(ProtocolVersion::DTLS_1_2, true));
}

#[test]
fn dtls13_our_client() {
    fill(against(ProtocolVersion::DTLS_1_3, false));
}

#[test]
fn dtls13_our_server() {
    fill(against(ProtocolVersion::DTLS_1_3, true));
}
