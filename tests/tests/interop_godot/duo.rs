//! One connection between drystone and Godot, whichever of them connects.

use crate::ours::{Cast, Entry, OurServer, Ours, Trust, connect};
use crate::scene::{NAME, PATIENCE, Scene, Stage, godot_connects, godot_serves, until};
use drystone::Status;
use drystone_tests::interop::{Godot, GodotPeer, Identity, Relay, Script};
use std::time::Duration;

/// How the Godot of a [`Duo`] calls its peer: a server counts from 0, a client is told this name.
pub(crate) const PEER: &str = "0";

/// Which side connects, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A Godot client comes to our server.
    Come(Entry),
    /// Our client goes to a Godot server.
    Go,
}

impl Way {
    pub(crate) const ALL: [Self; 3] =
        [Self::Come(Entry::Accept), Self::Come(Entry::TakeConnection), Self::Go];

    /// The head of its column.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Come(Entry::Accept) => "Godot client, accept",
            Self::Come(Entry::TakeConnection) => "Godot client, take_connection",
            Self::Go => "Godot server",
        }
    }
}

/// How a [`Duo`] begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'a> {
    /// The server's certificate.
    pub(crate) identity: &'a Identity,
    /// The client's trust.
    pub(crate) trust: Trust<'a>,
    /// Ours, on either side.
    pub(crate) idle_timeout: Option<Duration>,
    /// Whether a relay stands in between.
    pub(crate) relayed: bool,
}

impl<'a> Opening<'a> {
    /// The client trusts the root and expects the right name.
    pub(crate) fn new(stage: &'a Stage, identity: &'a Identity) -> Self {
        let trust = Trust { validate: true, name: NAME, anchors: Some(&stage.pki.root) };
        Self { identity, trust, idle_timeout: None, relayed: false }
    }
}

/// One connection between drystone and Godot.
#[derive(Debug)]
pub(crate) struct Duo {
    pub(crate) scene: Scene,
    pub(crate) relay: Option<Relay>,
    /// Where the client connects.
    pub(crate) port: u16,
    way: Way,
}

impl Duo {
    /// Lets the client connect; waits until both sides have a peer and Godot has noticed.
    pub(crate) fn open(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<Self, String> {
        match way {
            Way::Come(entry) => Self::come(entry, stage, opening),
            Way::Go => Self::go(stage, opening),
        }
    }

    /// Lets the client connect, and waits for the connection.
    pub(crate) fn connected(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<Self, String> {
        let mut duo = Self::open(way, stage, opening)?;
        duo.until("connected", |duo| {
            duo.ours().statuses.last() == Some(&Status::Connected) && duo.far().statuses.last() == Some(&2)
        })?;
        match (way, duo.far().connects.as_slice()) {
            (Way::Come(_), [0]) | (Way::Go, []) => Ok(duo),
            (_, connects) => Err(format!("Godot's connect_to_peer gave {connects:?}")),
        }
    }

    fn come(entry: Entry, stage: &Stage, opening: Opening<'_>) -> Result<Self, String> {
        let godot = Godot::start(Script::Client, &stage.folder)?;
        let server = OurServer::listen(0, entry, opening.identity, opening.idle_timeout)?;
        let server_port = server.udp.get_local_port();
        let ours = Cast { server: Some(server), ..Cast::default() };
        let scene = Scene { ours, godots: vec![godot] };
        let mut duo = Self::of(scene, server_port, opening, Way::Come(entry))?;
        let port = duo.port;
        godot_connects(duo.godot(), PEER, port, 0, opening.trust)?;
        duo.scene.until("a client", |scene| {
            scene.ours.server.as_ref().is_some_and(|server| !server.peers.is_empty())
        })?;
        Ok(duo)
    }

    fn go(stage: &Stage, opening: Opening<'_>) -> Result<Self, String> {
        let (godot, server_port) = godot_serves(stage, opening.identity)?;
        let mut duo =
            Self::of(Scene { godots: vec![godot], ..Scene::default() }, server_port, opening, Way::Go)?;
        duo.scene.ours.clients.push(connect(duo.port, opening.trust, opening.idle_timeout)?);
        Ok(duo)
    }

    fn of(scene: Scene, server_port: u16, opening: Opening<'_>, way: Way) -> Result<Self, String> {
        let relay = opening.relayed.then(|| Relay::start(server_port)).transpose()?;
        let port = relay.as_ref().map_or(server_port, |relay| relay.port);
        Ok(Self { scene, relay, port, way })
    }

    /// Polls everybody until `done`.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        until(self, |duo| &mut duo.scene, PATIENCE, what, done)
    }

    /// Our first peer.
    pub(crate) fn ours(&self) -> &Ours {
        let server = self.scene.ours.server.as_ref();
        let peers = server.map_or(&self.scene.ours.clients, |server| &server.peers);
        peers.first().expect("`open` has waited for it")
    }

    /// Our first peer.
    pub(crate) fn ours_mut(&mut self) -> &mut Ours {
        let cast = &mut self.scene.ours;
        let peers = cast.server.as_mut().map_or(&mut cast.clients, |server| &mut server.peers);
        peers.first_mut().expect("`open` has waited for it")
    }

    /// Godot's peer of this connection.
    pub(crate) fn far(&self) -> &GodotPeer {
        self.scene.godots.first().expect("there is one").peer(PEER)
    }

    /// The Godot of this connection.
    pub(crate) fn godot(&mut self) -> &mut Godot {
        self.scene.godots.first_mut().expect("there is one")
    }

    /// The port from which the newest client of our server comes.
    pub(crate) fn our_peers_port(&self) -> u16 {
        let newest = self.scene.ours.server.as_ref().and_then(|server| server.peers.last());
        newest.and_then(|ours| ours.peer.packet_peer()).map_or(0, |udp| udp.get_packet_port())
    }

    /// What our peer went through before the connection was made, and while it was being made.
    pub(crate) fn our_beginning(&self) -> &'static [Status] {
        match self.way {
            Way::Come(_) => &[Status::Handshaking],
            Way::Go => &[Status::Disconnected, Status::Handshaking],
        }
    }

    /// What Godot's peer went through before the connection was made, and while it was being made.
    pub(crate) fn far_beginning(&self) -> &'static [u8] {
        match self.way {
            Way::Come(_) => &[0, 1],
            Way::Go => &[1],
        }
    }

    /// Checks all statuses of both sides: the beginning, then these. A side that is busy may connect between two looks at its
    /// status, and then misses that it was handshaking.
    pub(crate) fn expect_statuses(&self, ours: &[Status], far: &[u8]) -> Result<(), String> {
        let expected = ([self.our_beginning(), ours].concat(), [self.far_beginning(), far].concat());
        let found = (self.ours().statuses.clone(), self.far().statuses.clone());
        let ours_fit = skips_at_most(&found.0, &expected.0, &Status::Handshaking);
        if !ours_fit || !skips_at_most(&found.1, &expected.1, &1) {
            return Err(format!("statuses {found:?} and not {expected:?}"));
        }
        match self.far().packet_errors.as_slice() {
            [] => Ok(()),
            errors => Err(format!("Godot's get_packet gave {errors:?}")),
        }
    }
}

/// Whether these are the expected statuses, but for some of this one, which may have been missed.
pub(crate) fn skips_at_most<T: PartialEq>(found: &[T], expected: &[T], status: &T) -> bool {
    let mut found = found.iter().peekable();
    let fits = |expected: &T| found.next_if(|found| *found == expected).is_some() || expected == status;
    expected.iter().all(fits) && found.next().is_none()
}
