//! What a whole handshake takes from the heap. What a `Connection` keeps of it is in `scenarios/observation.rs`, what
//! strangers cost in `threats/strangers.rs`, what packets cost in `packet_peer_allocations.rs`; times are in `benches/`.

use std::sync::Arc;

use drystone_handshake::{
    ClientConfig, Connection, Datagram, Gate, NamedGroup, Path, ProtocolVersion, ServerConfig, Start, Verdict,
};
use drystone_tests::alloc::measure;
use drystone_tests::clock::Clock;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings_of};
use drystone_tests::rogue::start;

/// Both ends from creating to dropping them, with the cookie, joined by function calls.
fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>, gate: &Gate, start: Start) {
    let mut client = Connection::client(Arc::clone(client), name(), start).unwrap();
    let mut association: Option<Connection> = None;
    let mut out = [0; 1500];
    for _ in 0..3 {
        while let Some(transmit) = client.poll_transmit(start.now, &mut out) {
            let bytes = &mut out[..transmit.len];
            let association = match &mut association {
                Some(association) => association,
                None => {
                    let mut reply = [0; Gate::MAX_REPLY];
                    let mut datagram = Datagram::new(Path::default(), bytes);
                    match gate.answer(start, b"client", &mut datagram, &mut reply) {
                        Verdict::Reply(length) => {
                            receive(&mut client, start, &mut reply[..length]);
                            continue;
                        }
                        Verdict::Accept(greeting) => association
                            .insert(Connection::server(Arc::clone(server), greeting, start).unwrap()),
                        verdict => panic!("{verdict:?}"),
                    }
                }
            };
            receive(association, start, bytes);
        }
        while let Some(transmit) = association.as_mut().unwrap().poll_transmit(start.now, &mut out) {
            receive(&mut client, start, &mut out[..transmit.len]);
        }
    }
    assert!(client.is_connected() && association.unwrap().is_connected());
}

fn receive(connection: &mut Connection, start: Start, bytes: &mut [u8]) {
    let mut datagram = Datagram::new(Path::default(), bytes);
    assert!(connection.receive(start.now, &mut datagram).is_none());
}

#[test]
fn a_handshake_allocates_little() {
    let identity = Identity::p256();
    let versions = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];
    for (version, group) in versions.into_iter().flat_map(|version| GROUPS.map(|group| (version, group))) {
        let settings = || {
            let mut settings = settings_of(version);
            settings.groups = Some(vec![group]);
            settings
        };
        let (client, server) = (client_config(settings(), identity), server_config(settings(), identity));
        let gate = Gate::new(&server).unwrap();
        let start = start(&Clock::new());
        // What is made once per process.
        handshake(&client, &server, &gate, start);
        let ((), heap) = measure(|| handshake(&client, &server, &gate, start));
        println!("{version} {group}: {} allocations, {} bytes at most", heap.count, heap.peak_bytes);
        assert_eq!(heap.live_bytes, 0);
        let most = if version == ProtocolVersion::DTLS_1_3 { MOST_ALLOCATIONS_13 } else { MOST_ALLOCATIONS };
        assert!(heap.count < most, "{version} {group}: {heap:?}");
    }
}

const GROUPS: [NamedGroup; 2] = [NamedGroup::X25519, NamedGroup::SECP256R1];

/// For both ends together.
const MOST_ALLOCATIONS: u64 = 130;

/// The key schedule of DTLS 1.3 prepares more keys.
const MOST_ALLOCATIONS_13: u64 = 140;
