//! The drystone side: what a game would hold, and a diary of what happened to it.

use crate::scene::{FRAME, PATIENCE};
use drystone::packet_peer::Error;
use drystone::{
    CryptoKey, DtlsServer, PacketPeer, PacketPeerDtls, PacketPeerUdp, Status, UdpServer, X509Certificate,
};
use drystone_tests::interop::Identity;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// A DTLS peer and what it went through.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) peer: PacketPeerDtls,
    /// Its statuses, from the first one on.
    pub(crate) statuses: Vec<Status>,
    /// The packets that it gave, if they are read.
    pub(crate) packets: Vec<Vec<u8>>,
    /// Whether the game reads packets.
    pub(crate) reads: bool,
    /// How many packets waited to be read after the last frame.
    pub(crate) waiting: usize,
}

impl Ours {
    fn new(peer: PacketPeerDtls) -> Self {
        Self { statuses: vec![peer.get_status()], peer, packets: Vec::new(), reads: true, waiting: 0 }
    }

    /// One frame of a game.
    fn turn(&mut self) {
        self.peer.poll();
        self.note();
        while self.reads
            && let Ok(packet) = self.peer.get_packet()
        {
            self.packets.push(packet.to_vec());
        }
        self.waiting = self.peer.get_available_packet_count();
    }

    pub(crate) fn note(&mut self) {
        if self.statuses.last() != Some(&self.peer.get_status()) {
            self.statuses.push(self.peer.get_status());
        }
    }

    /// Why it ended; empty if it did not, or well.
    pub(crate) fn reason(&self) -> String {
        self.peer.error().map(ToString::to_string).unwrap_or_default()
    }
}

/// How a client is told to connect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trust<'a> {
    pub(crate) validate: bool,
    pub(crate) name: &'a str,
    pub(crate) anchors: Option<&'a Path>,
}

/// A client of ours, on its way to a port of 127.0.0.1.
pub(crate) fn connect(port: u16, trust: Trust<'_>, idle_timeout: Option<Duration>) -> Result<Ours, String> {
    let anchors = trust.anchors.map(load_certificate).transpose()?;
    let mut ours = Ours::new(PacketPeerDtls::new());
    ours.peer.set_idle_timeout(idle_timeout);
    begin(&mut ours, PacketPeerUdp::new(), port, trust, anchors.as_ref())?;
    Ok(ours)
}

/// A client of ours from this port of its own, or from any if that is 0.
pub(crate) fn connect_from(local_port: u16, port: u16, trust: Trust<'_>) -> Result<Ours, String> {
    let anchors = trust.anchors.map(load_certificate).transpose()?;
    let mut udp = PacketPeerUdp::new();
    in_time(|| udp.bind(local_port, "127.0.0.1"))?;
    let mut ours = Ours::new(PacketPeerDtls::new());
    begin(&mut ours, udp, port, trust, anchors.as_ref())?;
    Ok(ours)
}

/// Takes a port. One that was just left can still be taken for a moment: a process that another test starts has a copy of the
/// socket until it becomes the program.
fn in_time(mut take: impl FnMut() -> Result<(), Error>) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match take() {
            Err(_) if Instant::now() < deadline => thread::sleep(FRAME),
            taken => return taken.map_err(|error| error.to_string()),
        }
    }
}

/// Connects the same object once more, as a game does whose server went away.
pub(crate) fn connect_again(ours: &mut Ours, port: u16, trust: Trust<'_>) -> Result<(), String> {
    let anchors = trust.anchors.map(load_certificate).transpose()?;
    begin(ours, PacketPeerUdp::new(), port, trust, anchors.as_ref())
}

fn begin(
    ours: &mut Ours,
    mut udp: PacketPeerUdp,
    port: u16,
    trust: Trust<'_>,
    anchors: Option<&X509Certificate>,
) -> Result<(), String> {
    udp.connect_to_host("127.0.0.1", port).map_err(|error| error.to_string())?;
    let begun = ours.peer.connect_to_peer(udp, trust.validate, trust.name, anchors);
    ours.note();
    begun.map_err(|error| error.to_string())
}

/// By which of the two ways a server takes its clients in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// `DtlsServer::accept`.
    Accept,
    /// Godot's own: `UdpServer::take_connection`, then `DtlsServer::take_connection`.
    TakeConnection,
}

/// A server and its peers in the order in which they came.
#[derive(Debug)]
pub(crate) struct OurServer {
    pub(crate) udp: UdpServer,
    dtls: DtlsServer,
    entry: Entry,
    pub(crate) peers: Vec<Ours>,
    /// Why objects of `take_connection` did not become connections.
    pub(crate) spent: Vec<String>,
}

impl OurServer {
    /// A server on a port of 127.0.0.1, or on a free one if that is 0.
    pub(crate) fn listen(
        port: u16,
        entry: Entry,
        identity: &Identity,
        idle_timeout: Option<Duration>,
    ) -> Result<Self, String> {
        let (mut key, certificate) = (CryptoKey::new(), load_certificate(&identity.chain)?);
        key.load(&identity.key, false).map_err(|error| error.to_string())?;
        let mut server = Self {
            udp: UdpServer::new(),
            dtls: DtlsServer::new(),
            entry,
            peers: Vec::new(),
            spent: Vec::new(),
        };
        server.dtls.setup(&key, &certificate, None).map_err(|error| error.to_string())?;
        server.dtls.set_idle_timeout(idle_timeout);
        in_time(|| server.udp.listen(port, "127.0.0.1"))?;
        Ok(server)
    }

    /// One frame of a game.
    fn turn(&mut self) -> Result<(), String> {
        match self.entry {
            _ if !self.udp.is_listening() => {}
            Entry::Accept => {
                while let Some(peer) = self.dtls.accept(&mut self.udp) {
                    self.peers.push(Ours::new(peer));
                }
            }
            Entry::TakeConnection => self.take_connections()?,
        }
        self.peers.iter_mut().for_each(Ours::turn);
        Ok(())
    }

    fn take_connections(&mut self) -> Result<(), String> {
        self.udp.poll().map_err(|error| error.to_string())?;
        while let Some(udp) = self.udp.take_connection() {
            let peer = Ours::new(self.dtls.take_connection(udp));
            if peer.peer.get_status() == Status::Handshaking {
                self.peers.push(peer);
            } else {
                self.spent.push(peer.reason());
            }
        }
        Ok(())
    }
}

fn load_certificate(path: &Path) -> Result<X509Certificate, String> {
    let mut certificate = X509Certificate::new();
    certificate.load(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(certificate)
}

/// Everything of ours that takes part in a scene.
#[derive(Debug, Default)]
pub(crate) struct Cast {
    pub(crate) server: Option<OurServer>,
    pub(crate) clients: Vec<Ours>,
}

impl Cast {
    pub(crate) fn turn(&mut self) -> Result<(), String> {
        if let Some(server) = &mut self.server {
            server.turn()?;
        }
        self.clients.iter_mut().for_each(Ours::turn);
        Ok(())
    }
}
