//! What the benches share: a client and a server in one process, joined by nothing but function calls, and the bare
//! cryptography beside them.

pub mod bare;
pub mod ratio;

use std::cell::RefCell;
use std::sync::Arc;

use bare::Group;
use drystone::x509::{Policy, PrivateKeyDer, ServerName, TrustAnchors};
use drystone::{
    ClientConfig, Clock, Connection, Credential, Credentials, Datagram, DtlsServer, Gate, NamedGroup,
    PacketPeerDtls, PacketPeerUdp, PartialHellos, Path, ProtocolVersion, ServerConfig, Settings, Start,
    Status, Stranger, UdpServer, Verdict, settings,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

const NAME: &str = "server.test";

/// The versions, each with budgets of its own.
pub const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];

/// Configurations of both sides: one version, a P-256 leaf under a P-256 root, AES-128-GCM, cookie on.
#[derive(Debug)]
pub struct Setup {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    gate: Gate,
    partial: RefCell<PartialHellos>,
    start: Start,
}

impl Setup {
    /// Makes certificates and configurations.
    ///
    /// # Panics
    /// If the operating system has no random numbers.
    pub fn new(version: ProtocolVersion, group: Group) -> Self {
        let settings = || settings_of(version, group);
        let key = || KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(authority, key()).expect("a root");
        let leaf_key = key();
        let leaf = CertificateParams::new(vec![NAME.to_owned()]).expect("parameters");
        let leaf = leaf.signed_by(&leaf_key, &root).expect("a leaf");
        let mut anchors = TrustAnchors::new();
        anchors.add(root.der().clone()).expect("a root");
        let key = PrivateKeyDer::try_from(leaf_key.serialize_der()).expect("a PKCS#8 key");
        let credential = Credential::new(vec![leaf.der().clone()], &key).expect("the key fits");
        let server = ServerConfig::new(settings(), Credentials::single(credential)).expect("a server");
        let client = ClientConfig::new(settings(), Policy::new(anchors)).expect("a client");
        let gate = Gate::new(&server).expect("random numbers");
        let partial = RefCell::new(gate.partial_hellos());
        let start = Clock::new().start();
        Self { client: Arc::new(client), server: Arc::new(server), gate, partial, start }
    }

    /// The configurations of client and server, and the server's name.
    ///
    /// # Panics
    /// Never: it is a name.
    pub fn configs(&self) -> (Arc<ClientConfig>, Arc<ServerConfig>, ServerName<'static>) {
        let name = ServerName::try_from(NAME).expect("a DNS name");
        (Arc::clone(&self.client), Arc::clone(&self.server), name)
    }

    /// A whole handshake: cookie, both sides connected, and in DTLS 1.3 the last flight acknowledged.
    ///
    /// # Panics
    /// If it fails.
    pub fn connect(&self) -> (Connection, Connection) {
        let mut client = self.client();
        let mut server = None;
        let mut out = [0; 1500];
        let is_connected =
            |server: &Option<Connection>| server.as_ref().is_some_and(Connection::is_connected);
        while !client.is_connected() || !is_connected(&server) {
            while let Some(transmit) = client.poll_transmit(self.start.now, &mut out) {
                self.to_server(&mut server, &mut client, &mut out[..transmit.len]);
            }
            let server = server.as_mut().expect("the gate lets the second hello in");
            while let Some(transmit) = server.poll_transmit(self.start.now, &mut out) {
                self.receive(&mut client, &mut out[..transmit.len]);
            }
        }
        (client, server.expect("connected"))
    }

    /// Two peers that are connected over loopback, the server's second, and the UDP server that the latter depends on.
    ///
    /// # Panics
    /// If they do not connect.
    pub fn peers(&self) -> (PacketPeerDtls, PacketPeerDtls, UdpServer) {
        let mut udp = UdpServer::new();
        udp.listen(0, "127.0.0.1").expect("a port");
        let mut dtls = DtlsServer::new();
        dtls.setup_with(Arc::clone(&self.server)).expect("random numbers");
        let mut socket = PacketPeerUdp::new();
        socket.connect_to_host("127.0.0.1", udp.get_local_port()).expect("loopback");
        let name = ServerName::try_from(NAME).expect("a DNS name");
        let mut client = PacketPeerDtls::new();
        client.connect_with(socket, name, Arc::clone(&self.client)).expect("a client");
        let mut server = None;
        while client.get_status() != Status::Connected {
            assert_eq!(client.get_status(), Status::Handshaking, "{:?}", client.error());
            client.poll();
            server = server.or_else(|| dtls.accept(&mut udp));
            udp.poll().expect("a socket");
            server.iter_mut().for_each(PacketPeerDtls::poll);
        }
        (client, server.expect("accepted"), udp)
    }

    fn client(&self) -> Connection {
        let name = ServerName::try_from(NAME).expect("a DNS name");
        Connection::client(Arc::clone(&self.client), name, self.start).expect("a client")
    }

    /// Shows a stranger's datagram to the server's gate; whether it is answered with a cookie.
    pub fn greet(&self, bytes: &mut [u8]) -> bool {
        let mut datagram = Datagram::new(Path::default(), bytes);
        let verdict = self.gate.answer(self.start, b"client", &mut datagram, &mut [0; Gate::MAX_REPLY]);
        matches!(verdict, Verdict::Reply(_))
    }

    fn to_server(&self, server: &mut Option<Connection>, client: &mut Connection, bytes: &mut [u8]) {
        let server = match server {
            Some(server) => server,
            None => {
                let mut reply = [0; Gate::MAX_REPLY];
                let mut datagram = Datagram::new(Path::default(), bytes);
                let sender = Stranger { id: b"client", network: &[] };
                let partial = &mut self.partial.borrow_mut();
                match self.gate.answer_or_hold(self.start, sender, &mut datagram, partial, &mut reply) {
                    Verdict::Hold => return,
                    Verdict::Reply(length) => return self.receive(client, &mut reply[..length]),
                    Verdict::Accept(greeting) => server.insert(
                        Connection::server(Arc::clone(&self.server), greeting, self.start).expect("a server"),
                    ),
                    verdict => panic!("{verdict:?}"),
                }
            }
        };
        self.receive(server, bytes);
    }

    fn receive(&self, connection: &mut Connection, bytes: &mut [u8]) {
        let mut datagram = Datagram::new(Path::default(), bytes);
        while connection.receive(self.start.now, &mut datagram).is_some() {}
    }

    /// Opens a datagram of application data in place; the length of its payload.
    ///
    /// # Panics
    /// If there is none in it.
    pub fn open(&self, connection: &mut Connection, bytes: &mut [u8]) -> usize {
        let mut datagram = Datagram::new(Path::default(), bytes);
        connection.receive(self.start.now, &mut datagram).expect("application data").payload.len()
    }
}

fn settings_of(version: ProtocolVersion, group: Group) -> Settings {
    let group = match group {
        Group::X25519 => NamedGroup::X25519,
        Group::P256 => NamedGroup::SECP256R1,
        Group::X25519MlKem768 => NamedGroup::X25519MLKEM768,
    };
    let mut settings = settings();
    settings.min_version = version;
    settings.max_version = version;
    settings.groups = Some(vec![group]);
    settings
}

/// The first datagram of a client: a hello without a cookie.
///
/// # Panics
/// If there are no random numbers.
pub fn first_hello(setup: &Setup) -> Vec<u8> {
    let mut out = [0; 1500];
    let transmit = setup.client().poll_transmit(setup.start.now, &mut out).expect("a hello");
    out[..transmit.len].to_vec()
}
