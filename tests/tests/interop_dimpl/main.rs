//! drystone with dimpl 0.9 in both roles, in one process: every cell many times over a bad network in simulated time.
//!
//! `DRYSTONE_INTEROP_HANDSHAKES` sets the handshakes per cell (default 20; the gate asks for 200).

mod dimpl_stack;

use drystone_handshake::message::registry::ProtocolVersion;
use drystone_tests::meeting::{Against, handshakes};

use dimpl_stack::Dimpl;

fn against(version: ProtocolVersion, we_serve: bool) -> Against<'static> {
    Against { peer: &Dimpl, version, we_serve, count: handshakes(20) }
}

fn fill(against: Against<'_>) {
    against.suites_and_groups().note(dimpl_stack::OTHERS).finish();
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
