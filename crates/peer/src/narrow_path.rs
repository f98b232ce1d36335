//! Tests: what the shells make of a system that refuses datagrams as too large for the path.

use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{ClientConfig, Event, Misuse, ServerConfig};

use crate::socket::narrow::set_largest;
use crate::{
    Client, ClientEvent, DtlsServer, PacketError, PacketPeer, PacketPeerDtls, PacketPeerUdp, SendError,
    Server, ServerEvent, Status, UdpServer,
};

#[path = "../tests/configs/mod.rs"]
mod configs;

use configs::localhost;

/// Turns of a loop in which nothing waits for long: many more than any of this needs.
const TURNS: usize = 20_000;
const GLANCE: Duration = Duration::from_millis(1);

/// Configurations whose datagrams have up to 1,400 bytes.
fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let mut settings = crate::settings();
    settings.mtu = 1_400;
    configs::of_settings(settings)
}

/// Turns a client and a server until both say that they are done; the narrow path is told to each on its own.
fn turn(
    client: &mut Client,
    server: &mut Server,
    mut at_client: impl FnMut(&Event) -> bool,
    mut at_server: impl FnMut(&Event) -> bool,
) {
    let (mut client_done, mut server_done) = (false, false);
    for _ in 0..TURNS {
        if let Some(ServerEvent::Connection(_, event)) = server.poll(GLANCE).unwrap() {
            server_done |= at_server(&event);
        }
        if let Some(ClientEvent::Connection(event)) = client.poll(GLANCE).unwrap() {
            client_done |= at_client(&event);
        }
        if client_done && server_done {
            return;
        }
    }
    panic!("in vain: client {client_done}, server {server_done}");
}

fn is_connected(event: &Event) -> bool {
    matches!(event, Event::Connected(_))
}

fn is_reduced_to(size: usize) -> impl FnMut(&Event) -> bool {
    move |event| matches!(event, Event::MtuReduced { mtu, .. } if *mtu == size)
}

#[test]
fn flights_of_client_and_server_are_cut_to_what_the_system_takes() {
    // A hybrid share and a certificate: both flights are longer than that.
    set_largest(508);
    let (client_config, server_config) = configs();
    let mut server = Server::bind(([127, 0, 0, 1], 0).into(), server_config).unwrap();
    let mut client = Client::new(server.local_addr().unwrap(), localhost(), client_config).unwrap();
    turn(&mut client, &mut server, is_reduced_to(508), is_reduced_to(508));
    let peer = server.peers().next().unwrap();
    assert_eq!((client.connection().mtu(), server.connection(peer).unwrap().mtu()), (508, 508));
}

#[test]
fn a_packet_that_the_system_refuses_is_an_error_that_tells_the_new_limit() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(([127, 0, 0, 1], 0).into(), server_config).unwrap();
    let mut client = Client::new(server.local_addr().unwrap(), localhost(), client_config).unwrap();
    turn(&mut client, &mut server, is_connected, is_connected);
    let peer = server.peers().next().unwrap();

    set_largest(1_300);
    for length in [3_000, 1_350] {
        let expected = |most: usize| (most < length).then_some(Err(most));
        let refused = |sent: Result<(), SendError>| match sent {
            Err(SendError::Misuse(Misuse::PayloadTooLarge { limit })) => Some(Err::<(), _>(limit)),
            _ => None,
        };
        let sent = refused(client.send(&vec![1; length]));
        assert_eq!(sent, expected(client.connection().max_payload()));
        let sent = refused(server.send(peer, &vec![1; length]));
        assert_eq!(sent, expected(server.connection(peer).unwrap().max_payload()));
    }
    assert_eq!((client.connection().mtu(), server.connection(peer).unwrap().mtu()), (1_232, 1_232));
    turn(&mut client, &mut server, is_reduced_to(1_232), is_reduced_to(1_232));
    client.send(&vec![1; client.connection().max_payload()]).unwrap();
}

#[test]
fn packet_peers_do_the_same() {
    set_largest(508);
    let (client_config, server_config) = configs();
    let (mut udp, mut dtls) = (UdpServer::new(), DtlsServer::new());
    udp.listen(0, "127.0.0.1").unwrap();
    dtls.setup_with(server_config).unwrap();
    let mut dialled = PacketPeerUdp::new();
    dialled.connect_to_host("127.0.0.1", udp.get_local_port()).unwrap();
    let mut client = PacketPeerDtls::new();
    client.connect_with(dialled, localhost(), client_config).unwrap();

    let mut accepted: Option<PacketPeerDtls> = None;
    for _ in 0..TURNS {
        client.poll();
        udp.poll().unwrap();
        accepted = accepted.or_else(|| dtls.accept(&mut udp));
        if let Some(peer) = &mut accepted {
            peer.poll();
            if (peer.get_status(), client.get_status()) == (Status::Connected, Status::Connected) {
                break;
            }
        }
        std::thread::sleep(GLANCE);
    }
    let mut peer = accepted.unwrap();
    for end in [&mut client, &mut peer] {
        assert_eq!(end.get_status(), Status::Connected);
        let Err(PacketError::TooLarge { length: 1_000, limit }) = end.put_packet(&[1; 1_000]) else {
            panic!("sent what no path carries")
        };
        assert!((400..508).contains(&limit), "{limit}");
        end.put_packet(&vec![1; limit]).unwrap();
    }
}
