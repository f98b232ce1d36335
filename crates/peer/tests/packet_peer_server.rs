//! The rules of `UdpServer` and `DtlsServer`, without Godot, over real sockets on loopback.

mod house;

use std::net::UdpSocket;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use drystone::packet_peer::Error;
use drystone::x509::ServerName;
use drystone::{
    Answer, ClientAuth, ClientConfig, Credential, Credentials, CryptoKey, DangerouslyAcceptAnyCertificate,
    DtlsServer, Misuse, PacketError, PacketPeer, PacketPeerDtls, PacketPeerUdp, PeerCertificates,
    PeerVerifier, Request, ServerConfig, Status, UdpServer, X509Certificate,
};

use house::{House, NAME, Relay, a_moment, dial, identity, identity_pem, wait_for};

// ---- setting up ----

#[test]
fn servers_refuse_what_cannot_work() {
    let (key, certificate) = identity();
    let (other_key, _) = identity();
    let mut dtls = DtlsServer::new();
    let none = X509Certificate::new();
    let refusals = [
        dtls.setup(&CryptoKey::new(), &certificate, None),
        dtls.setup(&key, &none, None),
        dtls.setup(&other_key, &certificate, None),
    ];
    assert!(matches!(
        refusals,
        [Err(Error::Incomplete(_)), Err(Error::Incomplete(_)), Err(Error::Credential(_))]
    ));
    assert!(refusals.iter().all(|refusal| refusal.as_ref().unwrap_err().godot_code() == 31));
    let mut udp = UdpServer::new();
    assert!(!dtls.is_set_up() && dtls.accept(&mut udp).is_none());
    dtls.setup(&key, &certificate, Some(&none)).unwrap();
    let again = dtls.setup(&key, &certificate, None).unwrap_err();
    assert!(matches!(again, Error::AlreadyInUse(_)) && again.godot_code() == 22);

    assert_eq!(udp.poll().unwrap_err().godot_code(), 3);
    assert!(dtls.accept(&mut udp).is_none() && udp.take_connection().is_none());
    udp.listen(0, "127.0.0.1").unwrap();
    assert_eq!(udp.listen(0, "127.0.0.1").unwrap_err().godot_code(), 22);
    let taken = UdpServer::new().listen(udp.get_local_port(), "127.0.0.1").unwrap_err();
    assert!(matches!(taken, Error::CantListen { .. }) && taken.godot_code() == 20);
}

/// Godot ignores the chain.
#[test]
fn the_chain_is_sent_once() {
    let (key_pem, leaf) = identity_pem();
    let (_, intermediate) = identity_pem();
    let (mut key, mut certificate, mut both) =
        (CryptoKey::new(), X509Certificate::new(), X509Certificate::new());
    key.load_from_string(&key_pem, false).unwrap();
    certificate.load_from_string(&leaf).unwrap();
    both.load_from_string(&format!("{leaf}{intermediate}")).unwrap();
    let mut house = House::new();
    house.dtls = DtlsServer::new();
    house.dtls.setup(&key, &certificate, Some(&both)).unwrap();
    let mut client = PacketPeerDtls::new();
    client.connect_to_peer(dial(house.port()), true, NAME, Some(&certificate)).unwrap();
    house.settle(&mut client);
    assert_eq!(client.connected().unwrap().peer_chain, both.certificates());
}

// ---- Godot's own way in ----

/// A server in the manner of Godot's documentation.
struct GodotHouse {
    house: House,
    spent: Vec<PacketPeerDtls>,
}

impl GodotHouse {
    fn new() -> Self {
        Self { house: House::new(), spent: Vec::new() }
    }

    fn poll(&mut self) {
        let House { udp, dtls, peers, .. } = &mut self.house;
        udp.poll().unwrap();
        while let Some(socket) = udp.take_connection() {
            let peer = dtls.take_connection(socket);
            if peer.get_status() == Status::Handshaking {
                peers.push(peer);
            } else {
                self.spent.push(peer);
            }
        }
        peers.iter_mut().for_each(PacketPeerDtls::poll);
    }

    fn settle(&mut self, client: &mut PacketPeerDtls) {
        wait_for("connected", || {
            self.poll();
            client.poll();
            let peer = self.house.peers.last().map(PacketPeerDtls::get_status);
            client.get_status() != Status::Handshaking && peer == Some(Status::Connected)
        });
        assert_eq!(client.get_status(), Status::Connected, "{:?}", client.error());
    }
}

#[test]
fn the_first_object_of_a_client_is_spent_and_the_second_connects() {
    let mut server = GodotHouse::new();
    let mut client = server.house.visitor();
    wait_for("the first object", || {
        server.poll();
        !server.spent.is_empty()
    });
    assert_eq!((server.spent.len(), server.house.peers.len(), server.house.udp.peer_count()), (1, 0, 0));
    let spent = &mut server.spent[0];
    assert_eq!(spent.get_status(), Status::Error);
    assert!(matches!(spent.error(), Some(Error::CookieAsked)), "{:?}", spent.error());
    assert_eq!(spent.error().unwrap().godot_code(), 27);
    assert_eq!(spent.put_packet(b"nobody"), Err(PacketError::NotConnected));
    spent.poll();
    assert_eq!(spent.get_status(), Status::Error);

    server.settle(&mut client);
    assert_eq!((server.spent.len(), server.house.peers.len(), server.house.udp.peer_count()), (1, 1, 1));
    client.put_packet(b"at last").unwrap();
    wait_for("the packet", || {
        server.poll();
        server.house.peers[0].get_available_packet_count() == 1
    });
    assert_eq!(server.house.peers[0].get_packet().unwrap(), b"at last");
}

#[test]
fn a_stranger_that_is_no_client_gives_a_spent_object() {
    let mut server = GodotHouse::new();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for datagram in [&b"hello?"[..], &[22; 60], &[0xff; 1400]] {
        stranger.send_to(datagram, ("127.0.0.1", server.house.port())).unwrap();
        wait_for("the stranger", || {
            server.poll();
            !server.spent.is_empty()
        });
        let spent = server.spent.pop().unwrap();
        assert_eq!(spent.get_status(), Status::Error);
        assert!(matches!(spent.error(), Some(Error::NotAHello)), "{:?}", spent.error());
        drop(spent);
        assert_eq!(server.house.udp.peer_count(), 0);
    }
    assert_eq!(server.house.peers.len(), 0);
}

#[test]
fn before_setup_an_object_is_disconnected() {
    let house = House::new();
    let mut peer = DtlsServer::new().take_connection(dial(house.port()));
    assert_eq!(peer.get_status(), Status::Disconnected);
    assert!(matches!(peer.error(), Some(Error::Unconfigured(_))), "{:?}", peer.error());
    assert_eq!(peer.error().unwrap().godot_code(), 3);
    peer.poll();
    assert_eq!(peer.get_status(), Status::Disconnected);
}

// ---- a client from the same port again ----

/// A client whose state is lost: its socket lives on.
struct Forgetful {
    relay: Relay,
    client: PacketPeerDtls,
}

impl Forgetful {
    fn new(house: &House) -> Self {
        let relay = Relay::to(house.port());
        Self { client: house.visitor_through(dial(relay.port())), relay }
    }

    /// Forgets all without a goodbye and connects again, from the same port as the server sees it.
    fn again(&mut self, house: &House) {
        self.client = house.visitor_through(dial(self.relay.port()));
        // The goodbye of the old one, which a crash would not have sent.
        let lost = self.relay.sent_by_client();
        assert_eq!(lost.len(), 2);
        self.relay.give_server(&lost[0]);
    }

    fn poll(&mut self) {
        self.client.poll();
        self.relay.pump(|_| None);
    }
}

#[test]
fn a_client_that_comes_again_from_its_port_replaces_its_old_peer() {
    let mut house = House::new();
    let mut visitor = Forgetful::new(&house);
    let connected = |peer: &PacketPeerDtls| peer.get_status() == Status::Connected;
    wait_for("connected", || {
        visitor.poll();
        house.poll();
        connected(&visitor.client) && house.peers.iter().any(connected)
    });
    visitor.again(&house);
    wait_for("the new peer", || {
        house.poll();
        visitor.poll();
        house.peers.len() == 2
    });
    // A hello proves nothing yet: the old peer stays as it is until the new one is connected.
    assert!(connected(&house.peers[0]) && !connected(&house.peers[1]));
    assert_eq!(house.udp.peer_count(), 2);
    wait_for("connected again", || {
        visitor.poll();
        house.poll();
        connected(&visitor.client) && connected(&house.peers[1])
    });
    house.poll();
    assert_eq!(house.peers[0].get_status(), Status::Error);
    assert!(matches!(house.peers[0].error(), Some(Error::Replaced)), "{:?}", house.peers[0].error());
    assert_eq!(house.udp.peer_count(), 1);
    // Dropping the old one does not say goodbye to the new one, and frees no address.
    drop(house.peers.remove(0));
    a_moment();
    visitor.poll();
    assert!(connected(&visitor.client));
    assert_eq!(house.udp.peer_count(), 1);
    visitor.client.put_packet(b"new").unwrap();
    wait_for("the packet", || {
        visitor.poll();
        house.poll();
        house.peer().get_available_packet_count() == 1
    });
    assert_eq!(house.peer().get_packet().unwrap(), b"new");
}

/// The same with objects that are taken in Godot's way.
#[test]
fn in_godots_way_too_a_client_replaces_its_old_peer() {
    let mut server = GodotHouse::new();
    let mut visitor = Forgetful::new(&server.house);
    for visit in 1..=2 {
        wait_for("connected", || {
            visitor.poll();
            server.poll();
            let peer = server.house.peers.last().map(PacketPeerDtls::get_status);
            visitor.client.get_status() == Status::Connected && peer == Some(Status::Connected)
        });
        // Only the first hello of an unknown address costs an object.
        assert_eq!((server.house.peers.len(), server.spent.len()), (visit, 1));
        if visit == 1 {
            visitor.again(&server.house);
            assert_eq!(server.house.peers[0].get_status(), Status::Connected);
            server.house.peers.last_mut().unwrap().poll();
            wait_for("the second object", || {
                visitor.poll();
                server.poll();
                server.house.peers.len() == 2
            });
        }
    }
    server.poll();
    assert!(matches!(server.house.peers[0].error(), Some(Error::Replaced)));
    assert_eq!(server.house.udp.peer_count(), 1);
}

// ---- peers that fail ----

#[test]
fn one_peers_failure_never_touches_another() {
    let mut house = House::new();
    let mut steady = house.guest();
    let (_, stranger) = identity();
    let raw = UdpSocket::bind("127.0.0.1:0").unwrap();
    for round in 0..5_u8 {
        // One that does not trust the server, one that vanishes, one that leaves, one that is no client at all.
        let mut distrustful = PacketPeerDtls::new();
        distrustful.connect_to_peer(dial(house.port()), true, NAME, Some(&stranger)).unwrap();
        house.settle(&mut distrustful);
        assert!(matches!(house.peer().error(), Some(Error::Handshake(_))), "{:?}", house.peer().error());
        drop(house.visitor());
        drop(house.guest());
        raw.send_to(&[round; 300], ("127.0.0.1", house.port())).unwrap();
        house.echo(&mut steady, 0, &[round]);
    }
    assert_eq!(house.peers[0].get_status(), Status::Connected);
    house.peers.truncate(1);
    assert_eq!(house.udp.peer_count(), 1);
    house.echo(&mut steady, 0, b"all is well");
}

#[test]
fn a_client_that_gives_up_is_told_apart_from_one_that_fails() {
    let mut house = House::new();
    let mut client = house.visitor();
    wait_for("accepted", || {
        client.poll();
        house.poll();
        !house.peers.is_empty()
    });
    client.disconnect_from_peer();
    assert_eq!((client.get_status(), client.error().is_none()), (Status::Disconnected, true));
    wait_for("the goodbye", || {
        house.poll();
        house.peer().get_status() != Status::Handshaking
    });
    assert_eq!(house.peer().get_status(), Status::Error);
    assert!(matches!(house.peer().error(), Some(Error::ClosedInHandshake)), "{:?}", house.peer().error());
}

#[test]
fn dropping_says_goodbye_and_frees_the_place() {
    let mut house = House::new();
    let mut client = house.guest();
    assert_eq!(house.udp.peer_count(), 1);
    house.peers.clear();
    assert_eq!(house.udp.peer_count(), 0);
    wait_for("the server's goodbye", || {
        client.poll();
        client.get_status() == Status::Disconnected
    });
    assert!(client.error().is_none());
    drop(house.guest());
    wait_for("the client's goodbye", || {
        house.poll();
        house.peer().get_status() == Status::Disconnected
    });
    assert!(house.peer().error().is_none());
}

// ---- answers that come late ----

/// Answers later.
#[derive(Debug)]
struct LateVerifier;

impl PeerVerifier for LateVerifier {
    fn verify(&self, _: &PeerCertificates<'_>) -> Poll<Result<(), drystone::VerifyError>> {
        Poll::Pending
    }
}

/// On both sides a call-out may answer later: the client verifies the server's certificate, and the server the client's.
#[test]
fn requests_are_answered_by_whoever_holds_the_peer() {
    let mut house = House::new();
    let key = house.key.private_key().unwrap();
    let credential = || Credential::new(house.certificate.certificates().to_vec(), key).unwrap();
    let server = ServerConfig::new(drystone::settings(), Credentials::single(credential())).unwrap();
    let client = ClientConfig::new(drystone::settings(), LateVerifier)
        .unwrap()
        .with_credentials(Credentials::single(credential()));
    let server = server.with_client_auth(ClientAuth::Require(Arc::new(LateVerifier)));
    house.dtls = DtlsServer::new();
    house.dtls.setup_with(Arc::new(server)).unwrap();
    let mut visitor = PacketPeerDtls::new();
    assert!(visitor.poll_request().is_none());
    let name = ServerName::try_from(NAME).unwrap();
    visitor.connect_with(dial(house.port()), name, Arc::new(client)).unwrap();
    let mut answered = 0;
    wait_for("connected", || {
        house.poll();
        visitor.poll();
        for peer in house.peers.iter_mut().chain([&mut visitor]) {
            if let Some((id, request)) = peer.poll_request() {
                assert!(matches!(*request, Request::PeerVerification { .. }));
                assert!(matches!(peer.answer(id, Answer::Credential(None)), Err(Misuse::WrongAnswer)));
                peer.answer(id, Answer::PeerVerification(Ok(()))).unwrap();
                let again = peer.answer(id, Answer::PeerVerification(Ok(())));
                assert!(matches!(again, Err(Misuse::NoSuchRequest)));
                answered += 1;
            }
        }
        visitor.get_status() == Status::Connected && house.peer().get_status() == Status::Connected
    });
    assert_eq!(answered, 2);
}

// ---- limits ----

#[test]
fn pending_connections_are_limited_as_in_godot() {
    let mut server = UdpServer::new();
    server.listen(0, "127.0.0.1").unwrap();
    assert_eq!(server.max_pending_connections(), 16);
    let mut strangers: Vec<_> = (0..20).map(|_| dial(server.get_local_port())).collect();
    let mut knock = |server: &mut UdpServer| {
        let mut all = strangers.iter_mut();
        all.by_ref().for_each(|stranger| stranger.put_packet(b"knock").unwrap());
        a_moment();
        server.poll().unwrap();
    };
    knock(&mut server);
    assert_eq!((server.peer_count(), server.dropped_packet_count()), (16, 4));
    // Godot deletes those that wait when it is raised, and so it does not help.
    server.set_max_pending_connections(18);
    assert_eq!(server.peer_count(), 16);
    knock(&mut server);
    assert_eq!((server.peer_count(), server.dropped_packet_count()), (18, 6));
    // Lowered, it lets nobody in, and those that wait stay.
    server.set_max_pending_connections(3);
    knock(&mut server);
    assert_eq!((server.peer_count(), server.dropped_packet_count()), (18, 8));
    let mut taken: Vec<_> = std::iter::from_fn(|| server.take_connection()).collect();
    assert_eq!((taken.len(), server.is_connection_available()), (18, false));
    // The oldest have knocked three times.
    assert_eq!(taken[0].get_available_packet_count(), 3);
    server.set_max_pending_connections(0);
    knock(&mut server);
    assert_eq!((server.peer_count(), server.is_connection_available()), (18, false));
    taken.truncate(5);
    assert_eq!(server.peer_count(), 5);
    server.set_max_pending_connections(1);
    knock(&mut server);
    assert_eq!((server.peer_count(), server.is_connection_available()), (6, true));
}

#[test]
fn refusing_all_new_clients_leaves_the_others_alone() {
    let mut house = House::new();
    let mut first = house.guest();
    house.udp.set_max_pending_connections(0);
    let mut second = house.visitor();
    for _ in 0..10 {
        second.poll();
        house.echo(&mut first, 0, b"inside");
    }
    assert_eq!((house.peers.len(), second.get_status()), (1, Status::Handshaking));
    house.udp.set_max_pending_connections(16);
    house.settle(&mut second);
    assert_eq!(second.get_status(), Status::Connected);
}

/// All players come back at once after a restart: none of them has to wait for a retransmission, although Godot's
/// limit on pending connections is 16.
#[test]
fn a_crowd_that_comes_at_once_is_let_in_at_once() {
    let mut house = House::new();
    // As many as have room in the buffer of a socket: a hello with a hybrid share takes two datagrams.
    let mut crowd: Vec<_> = (0..50).map(|_| house.visitor()).collect();
    // The questions for cookies, and the answers.
    house.poll();
    crowd.iter_mut().for_each(PacketPeerDtls::poll);
    house.poll();
    assert_eq!((house.peers.len(), house.udp.dropped_packet_count()), (50, 0));
}

/// Handshakes that are not done make room for newer ones when they had their time, also for those who say nothing more
/// meanwhile; who is connected stays.
#[test]
fn half_open_peers_are_limited() {
    let mut house = House::with(|udp, _| udp.set_max_half_open(2));
    let mut inside = house.guest();
    // The questions for cookies, and the answers; then they wait.
    let mut visitors: Vec<_> = (0..4).map(|_| house.visitor()).collect();
    a_moment();
    house.poll();
    a_moment();
    visitors.iter_mut().for_each(PacketPeerDtls::poll);
    wait_for("all four were let in", || {
        house.poll();
        assert!(house.udp.peer_count() <= 3, "the places are taken");
        house.peers.len() == 5
    });
    house.poll();
    let states: Vec<_> = house.peers.iter().map(PacketPeerDtls::get_status).collect();
    let (out, waits) = (Status::Error, Status::Handshaking);
    assert_eq!(states, [Status::Connected, out, out, waits, waits]);
    assert!(matches!(house.peers[1].error(), Some(Error::HandshakeEvicted)), "{:?}", house.peers[1].error());
    assert_eq!(house.udp.peer_count(), 3);
    house.echo(&mut inside, 0, b"inside");
    // The newest can still finish, whoever of the four that is.
    wait_for("the newest connected", || {
        visitors.iter_mut().for_each(PacketPeerDtls::poll);
        house.poll();
        house.peers[1..].iter().any(|peer| peer.get_status() == Status::Connected)
    });
}

#[test]
fn all_peers_are_limited() {
    let mut house = House::with(|udp, _| udp.set_max_peers(2));
    let mut inside = [house.guest(), house.guest()];
    let mut third = house.visitor();
    for _ in 0..10 {
        third.poll();
        house.echo(&mut inside[0], 0, b"inside");
    }
    assert_eq!((house.udp.peer_count(), third.get_status()), (2, Status::Handshaking));
    house.peers.pop();
    house.settle(&mut third);
    assert_eq!(third.get_status(), Status::Connected);
}

/// In a full table the peer that has been silent for longest makes room, and both of its ends are told.
#[test]
fn a_silent_peer_gives_way_in_a_full_table() {
    let mut house = House::with(|udp, _| {
        udp.set_max_peers(2);
        udp.set_displaced_after(Duration::from_millis(200));
    });
    let [mut silent, mut chatty] = [house.guest(), house.guest()];
    let mut newcomer = house.visitor();
    wait_for("the newcomer connected", || {
        house.echo(&mut chatty, 1, b"still here");
        newcomer.poll();
        newcomer.get_status() == Status::Connected && house.peer().get_status() == Status::Connected
    });
    assert!(matches!(house.peers[0].error(), Some(Error::Displaced)), "{:?}", house.peers[0].error());
    assert_eq!((house.peers[0].get_status(), house.udp.peer_count()), (Status::Error, 2));
    wait_for("the goodbye", || {
        silent.poll();
        silent.get_status() == Status::Disconnected
    });
    house.echo(&mut chatty, 1, b"still here");
}

/// Peers without DTLS have no handshake: the limit on those is not for them, and strangers take nobody's place.
#[test]
fn peers_without_dtls_are_not_given_up_for_strangers() {
    let mut server = UdpServer::new();
    server.listen(0, "127.0.0.1").unwrap();
    server.set_max_half_open(2);
    let mut clients: Vec<_> = (0..10).map(|_| dial(server.get_local_port())).collect();
    let mut peers: Vec<PacketPeerUdp> = Vec::new();
    for client in &mut clients {
        client.put_packet(b"hello").unwrap();
        wait_for("the peer", || {
            server.poll().unwrap();
            peers.extend(server.take_connection());
            peers.last_mut().is_some_and(|peer| peer.get_packet().is_ok())
        });
    }
    assert_eq!(server.peer_count(), 10);
    for (client, peer) in clients.iter_mut().zip(&mut peers) {
        client.put_packet(b"still there?").unwrap();
        wait_for("the packet", || {
            server.poll().unwrap();
            peer.get_available_packet_count() == 1
        });
        assert_eq!(peer.get_packet().unwrap(), b"still there?");
    }
}

// ---- the end of a server ----

#[test]
fn a_server_that_stops_says_goodbye_and_can_listen_again() {
    let mut house = House::new();
    let mut client = house.guest();
    house.peer().put_packet(b"the last one").unwrap();
    let port = house.port();
    house.udp.stop();
    assert!(!house.udp.is_listening() && !house.udp.is_connection_available());
    assert_eq!((house.udp.peer_count(), house.udp.get_local_port()), (0, 0));
    house.peers.iter_mut().for_each(PacketPeerDtls::poll);
    assert_eq!(house.peer().get_status(), Status::Disconnected);
    assert!(matches!(house.peer().error(), Some(Error::ServerStopped)));
    wait_for("the goodbye", || {
        client.poll();
        client.get_status() == Status::Disconnected
    });
    assert_eq!(client.get_packet().unwrap(), b"the last one");
    assert!(client.error().is_none());
    // The port is free when the last peer is gone.
    house.peers.clear();
    house.udp.listen(port, "127.0.0.1").unwrap();
    let mut client = house.visitor();
    house.settle(&mut client);
    house.echo(&mut client, 0, b"open again");
}

/// A failed peer stays for a while to repeat its alert; what happens then is no longer its reason.
#[test]
fn a_peer_that_failed_stays_failed_when_the_server_stops() {
    let mut house = House::new();
    let key = house.key.private_key().unwrap();
    let credential = Credential::new(house.certificate.certificates().to_vec(), key).unwrap();
    let config = ServerConfig::new(drystone::settings(), Credentials::single(credential)).unwrap();
    let config = config.with_client_auth(ClientAuth::Require(Arc::new(DangerouslyAcceptAnyCertificate)));
    house.dtls = DtlsServer::new();
    house.dtls.setup_with(Arc::new(config)).unwrap();
    let mut client = house.visitor();
    house.settle(&mut client);
    assert_eq!(client.get_status(), Status::Error);
    assert!(house.peer().connection().is_some());
    for _ in 0..2 {
        assert_eq!(house.peer().get_status(), Status::Error);
        assert!(matches!(house.peer().error(), Some(Error::Handshake(_))), "{:?}", house.peer().error());
        house.udp.stop();
        house.peer().poll();
    }
}
