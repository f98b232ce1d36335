//! A client that lost its state comes back to its address, at a server that asks for no cookie: which ClientHello belongs
//! to the association that is there, and which one begins another (RFC 6347 section 4.2.8).

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::{
    Connection, Datagram, HelloId, Instant, NamedGroup, Path, ProtocolVersion, ServerConfig, Start,
};
use drystone_tests::identity::{Identity, client_config, name, server_config, settings_of};
use drystone_tests::scenario::VERSIONS;

const NOW: Instant = Instant::from_origin(Duration::from_secs(1));

fn start() -> Start {
    Start { now: NOW, unix: None }
}

fn client(version: ProtocolVersion) -> Connection {
    Connection::client(client_config(settings_of(version), Identity::p256()), name(), start()).unwrap()
}

fn server(config: Arc<ServerConfig>) -> Connection {
    Connection::server_without_cookie(config, Path::default(), start()).unwrap()
}

/// What a side has to send, in datagrams.
fn flight(connection: &mut Connection) -> Vec<Vec<u8>> {
    let (mut out, mut datagrams) = ([0; 2048], Vec::new());
    while let Some(transmit) = connection.poll_transmit(NOW, &mut out) {
        datagrams.push(out[..transmit.len].to_vec());
    }
    datagrams
}

fn give(connection: &mut Connection, datagrams: &[Vec<u8>]) {
    for datagram in datagrams {
        let mut bytes = datagram.clone();
        assert!(connection.receive(NOW, &mut Datagram::new(Path::default(), &mut bytes)).is_none());
    }
}

fn id_of(datagram: &[u8]) -> Option<HelloId> {
    HelloId::of_datagram(&Datagram::new(Path::default(), &mut datagram.to_vec()))
}

#[test]
fn hellos_are_told_apart_by_their_random() {
    for version in VERSIONS {
        let mut server = server(server_config(settings_of(version), Identity::p256()));
        let [mut present, mut killed] = [client(version), client(version)];
        let [hello, other] = [&mut present, &mut killed].map(flight);
        let [own, others] = [&hello, &other].map(|hello| id_of(&hello[0]).unwrap());
        assert_ne!(own, others);
        assert!(server.is_of_hello(&own) && server.is_of_hello(&others), "nothing has come yet");
        give(&mut server, &hello);
        let of_server = |server: &Connection| (server.is_of_hello(&own), server.is_of_hello(&others));
        assert_eq!(of_server(&server), (true, false));
        assert_eq!(
            (present.is_of_hello(&own), present.is_of_hello(&others)),
            (false, false),
            "a client's is none"
        );
        // The same once connected.
        for _ in 0..3 {
            give(&mut present, &flight(&mut server));
            give(&mut server, &flight(&mut present));
        }
        if server.is_connected() {
            assert_eq!(of_server(&server), (true, false));
        }
    }
}

/// The second hello of an attempt answers a HelloRetryRequest of the association itself.
#[test]
fn the_answer_to_a_retry_request_is_no_newcomer() {
    let version = ProtocolVersion::DTLS_1_3;
    let mut settings = settings_of(version);
    settings.groups = Some(vec![NamedGroup::SECP256R1]);
    let mut server = server(server_config(settings, Identity::p256()));
    let mut client = client(version);
    give(&mut server, &flight(&mut client));
    let request = flight(&mut server);
    assert_eq!(request.len(), 1);
    give(&mut client, &request);
    let second = flight(&mut client);
    assert!(server.is_of_hello(&id_of(&second[0]).unwrap()));
    give(&mut server, &second);
    assert!(server.is_of_hello(&id_of(&second[0]).unwrap()));
    assert!(!flight(&mut server).is_empty());
}

#[test]
fn only_the_beginning_of_a_hello_has_an_id() {
    let hello = flight(&mut client(ProtocolVersion::DTLS_1_2)).remove(0);
    assert!(id_of(&hello).is_some());
    for length in 0..13 + 12 + 34 {
        assert_eq!(id_of(&hello[..length]), None);
    }
    for (place, value) in [(0, 23), (4, 1), (13, 2), (21, 1)] {
        let mut changed = hello.clone();
        changed[place] = value;
        assert_eq!(id_of(&changed), None, "{place}");
    }
}
