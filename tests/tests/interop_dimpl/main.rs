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

#[test]
fn dtls12_our_client() {
    let against = against(ProtocolVersion::DTLS_1_2, false);
    against.suites_and_groups().note(dimpl_stack::OTHERS).finish();
    against.settings().finish();
}

#[test]
fn dtls12_our_server() {
    let against = against(ProtocolVersion::DTLS_1_2, true);
    against.suites_and_groups().note(dimpl_stack::OTHERS).finish();
    against.settings().finish();
}
