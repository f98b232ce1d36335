//! What befell other stacks' easy interfaces, tried on `PacketPeerDtls` over loopback (threats 52 and 60).

use std::sync::Arc;
use std::time::{Duration, Instant};

use drystone::packet_peer::Error;
use drystone::{DtlsServer, PacketPeer, PacketPeerDtls, PacketPeerUdp, Status, UdpServer, X509Certificate};
use drystone_handshake::{CipherSuiteId, ClientConfig, Credential, Credentials, ServerConfig};
use drystone_tests::alloc::measure;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls_pki_types::PrivateKeyDer;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn listen() -> UdpServer {
    let mut udp = UdpServer::new();
    udp.listen(0, "127.0.0.1").expect("a free port");
    udp
}

fn serve(config: Arc<ServerConfig>) -> DtlsServer {
    let mut dtls = DtlsServer::new();
    dtls.setup_with(config).expect("random numbers");
    dtls
}

fn dial(udp: &UdpServer) -> PacketPeerUdp {
    let mut socket = PacketPeerUdp::new();
    socket.connect_to_host("127.0.0.1", udp.get_local_port()).expect("loopback");
    socket
}

/// Polls both sides until the client is through with its handshake, one way or the other.
fn settle(
    udp: &mut UdpServer,
    dtls: &mut DtlsServer,
    client: &mut PacketPeerDtls,
    servers: &mut Vec<PacketPeerDtls>,
) {
    let begin = Instant::now();
    while client.get_status() == Status::Handshaking {
        assert!(begin.elapsed() < PATIENCE, "the handshake hangs");
        servers.extend(dtls.accept(udp));
        servers.iter_mut().for_each(PacketPeerDtls::poll);
        client.poll();
    }
}

/// Without a name, or without anything to trust, there is no connection that is silently not verified.
#[test]
fn threat_52_nothing_is_left_unchecked_by_omission() {
    let udp = listen();
    let mut certificate = X509Certificate::new();
    // An empty object is no trust, and not the absence of the argument, which would mean the system's roots.
    for (hostname, code) in [("", 31), ("server.test", 3)] {
        let mut peer = PacketPeerDtls::new();
        let refused =
            peer.connect_to_peer(dial(&udp), true, hostname, Some(&certificate)).expect_err("refused");
        assert_eq!(refused.godot_code(), code, "{refused}");
        assert_eq!(peer.get_status(), Status::Disconnected);
        assert!(refused.into_packet_peer().is_socket_connected());
    }
    let root = Identity::p256().root.clone();
    certificate.load_from_string(&pem_of(&root)).expect("a certificate");
    let mut peer = PacketPeerDtls::new();
    assert!(matches!(
        peer.connect_to_peer(dial(&udp), true, "not a name", Some(&certificate))
            .expect_err("refused")
            .error(),
        Error::InvalidHostname(_)
    ));
}

fn pem_of(certificate: &drystone_x509::CertificateDer<'static>) -> String {
    X509Certificate::from(vec![certificate.clone()]).save_to_string().expect("a certificate")
}

/// The common name says nothing, whatever it says.
#[test]
fn threat_52_the_common_name_is_never_consulted() {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["other.test".to_owned()]).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, "server.test");
    let certificate = params.self_signed(&key).expect("a certificate");
    let trusted = X509Certificate::from(vec![certificate.der().clone()]);
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS#8 key");
    let credential = Credential::new(vec![certificate.der().clone()], &private).expect("the key fits");
    let config = ServerConfig::new(settings(), Credentials::single(credential)).expect("settings that work");
    let (mut udp, mut dtls, mut servers) = (listen(), serve(Arc::new(config)), Vec::new());
    for (hostname, status) in
        [("server.test", Status::ErrorHostnameMismatch), ("other.test", Status::Connected)]
    {
        let mut client = PacketPeerDtls::new();
        client.connect_to_peer(dial(&udp), true, hostname, Some(&trusted)).expect("begun");
        settle(&mut udp, &mut dtls, &mut client, &mut servers);
        assert_eq!(client.get_status(), status, "{:?}", client.error());
    }
}

/// 100,000 handshakes fail, each past the cookie: afterwards heap and table are what they were, and a client
/// connects.
#[test]
fn threat_60_failed_handshakes_leave_nothing_behind() {
    const HANDSHAKES: usize = 100_000;
    let identity = Identity::p256();
    let (mut udp, mut dtls) = (listen(), serve(server_config(settings(), identity)));
    // Nothing in common with a server that has a P-256 key.
    let mut foreign = settings();
    foreign.cipher_suites = Some(vec![CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]);
    // An alert is believed at once, not only after the next retransmission.
    foreign.plaintext_alert_grace = false;
    let foreign = Arc::new(ClientConfig::new(foreign, identity.policy()).expect("settings that work"));

    let mut socket = dial(&udp);
    let mut fail = |times: usize, udp: &mut UdpServer| {
        for _ in 0..times {
            let (mut client, mut servers) = (PacketPeerDtls::new(), Vec::new());
            let line = std::mem::take(&mut socket);
            client.connect_with(line, name(), Arc::clone(&foreign)).expect("begun");
            settle(udp, &mut dtls, &mut client, &mut servers);
            assert_eq!(client.get_status(), Status::Error);
            assert!(servers.iter().all(|peer| peer.get_status() == Status::Error), "{servers:?}");
            socket = client.take_packet_peer().expect("the connection is over");
        }
    };
    // Buffers and tables find their sizes.
    fail(100, &mut udp);
    let ((), heap) = measure(|| fail(HANDSHAKES, &mut udp));
    assert_eq!((heap.live_bytes, udp.peer_count()), (0, 0), "{heap:?}");

    let (mut client, mut servers) = (PacketPeerDtls::new(), Vec::new());
    client.connect_with(dial(&udp), name(), client_config(settings(), identity)).expect("begun");
    settle(&mut udp, &mut dtls, &mut client, &mut servers);
    assert_eq!(client.get_status(), Status::Connected, "{:?}", client.error());
    client.put_packet(b"hello").expect("connected");
}
