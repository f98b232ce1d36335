//! `drystone server`: sends every packet of every peer back.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use drystone::{Clock, CloseReason, Event, PeerId, SendError, Server, ServerEvent, ServerOptions};

use crate::args::ServerArgs;
use crate::details::Details;
use crate::fault::Fault;
use crate::pace::Pace;
use crate::report::{ConnectedReport, Content, Report, Who};
use crate::reporter::Reporter;
use crate::settings;
use crate::signals::{self, Signals};

pub(crate) fn run(arguments: &ServerArgs, reporter: Reporter) -> Result<(), Fault> {
    let config = Arc::new(settings::server(arguments, reporter)?);
    let mut options = ServerOptions::default();
    options.cookies = !arguments.no_cookie;
    options.idle_timeout = arguments.common.idle_timeout();
    let mut server = Server::bind_with(arguments.listen, config, options).map_err(Fault::local)?;
    let signals = Signals::install().map_err(Fault::local)?;
    reporter.report(&Report::Listening { addr: server.local_addr().map_err(Fault::local)? });
    let mut peers = Peers::new(arguments, reporter);
    let clock = Clock::new();
    let deadline = arguments.common.timeout.map(|timeout| clock.now() + timeout);
    let mut copy = Vec::new();
    while !peers.all_gone() {
        if let Some(signal) = signals.received() {
            reporter.report(&Report::Status { who: Who::default(), status: signal.status() });
            // Dropping the server sends close_notify to all.
            return Err(Fault::Ended(signal));
        }
        let now = clock.now();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return peers.out_of_time();
        }
        let wait = deadline.map_or(signals::GLANCE, |deadline| signals::GLANCE.min(deadline - now));
        match server.poll(wait).map_err(Fault::local)? {
            Some(ServerEvent::Packet(peer, packet)) => {
                copy.clear();
                copy.extend_from_slice(packet.payload);
                peers.packet(&mut server, peer, &copy);
            }
            Some(ServerEvent::Connection(peer, event)) => peers.event(&server, peer, &event),
            Some(ServerEvent::HelloRefused { address, error }) => {
                let who = Who { peer: None, addr: Some(address) };
                reporter.report(&Report::Error { who, reason: &error.to_string() });
            }
            Some(_) | None => {}
        }
    }
    peers.verdict()
}

/// Which peers are connected, how many have gone, and what is reported of them.
struct Peers {
    reporter: Reporter,
    details: Details,
    /// When the keys of a new peer are renewed.
    pace: Pace,
    connected: HashMap<PeerId, Known>,
    /// How many peers have to come and go, if the run ends by that.
    wanted: Option<u64>,
    /// How many have gone, including those whose handshake failed.
    gone: u64,
    /// How many of them ended with an error.
    failed: u64,
}

/// One that is connected.
struct Known {
    pace: Pace,
    addr: Option<SocketAddr>,
}

impl Peers {
    fn new(arguments: &ServerArgs, reporter: Reporter) -> Self {
        Self {
            reporter,
            details: Details::of(&arguments.common),
            pace: Pace::new(arguments.common.key_update_after),
            connected: HashMap::new(),
            wanted: arguments.peers,
            gone: 0,
            failed: 0,
        }
    }

    /// Reports a packet, sends it back, and renews the keys as often as was asked for.
    fn packet(&mut self, server: &mut Server, peer: PeerId, payload: &[u8]) {
        let known = self.connected.get_mut(&peer);
        let who = Who { peer: Some(peer.number()), addr: known.as_ref().and_then(|known| known.addr) };
        let content = Content::of(payload);
        self.reporter.report(&Report::Packet { who, size: payload.len(), content });
        let renews = known.is_some_and(|known| known.pace.sent_one());
        match echo(server, peer, payload, renews) {
            Ok(()) if renews => self.reporter.json_only(&Report::Status { who, status: "renewing_keys" }),
            Ok(()) => {}
            Err(error) => self.reporter.report(&Report::Error { who, reason: &error.to_string() }),
        }
    }

    fn event(&mut self, server: &Server, peer: PeerId, event: &Event) {
        let who = Who { peer: Some(peer.number()), addr: server.address(peer) };
        let status = |status| self.reporter.report(&Report::Status { who, status });
        match event {
            Event::Connected(connected) => {
                self.connected.insert(peer, Known { pace: self.pace, addr: who.addr });
                self.reporter.report(&Report::Connected(&ConnectedReport::new(connected, who)));
                let details = server
                    .connection(peer)
                    .map(|connection| self.details.show(self.reporter, who, connected, connection));
                if let Some(Err(misuse)) = details {
                    self.reporter.report(&Report::Error { who, reason: &misuse.to_string() });
                }
            }
            Event::Closed(CloseReason::Peer) => {
                self.reporter.report(&Report::Closed { who });
                self.leave(peer);
            }
            Event::Closed(reason) => self.fail(peer, who, &reason.to_string()),
            Event::AssociationReplaced => {
                status("replaced");
                self.leave(peer);
            }
            Event::Failed(error) => self.fail(peer, who, &error.to_string()),
            Event::KeysNearLimit => status("keys_near_limit"),
            Event::MtuReduced { .. } => status("mtu_reduced"),
            // The command's call-outs all answer at once.
            _ => {}
        }
    }

    /// A peer has closed. One that had not connected does not count.
    fn leave(&mut self, peer: PeerId) {
        self.gone += u64::from(self.connected.remove(&peer).is_some());
    }

    /// A peer's handshake or association failed.
    fn fail(&mut self, peer: PeerId, who: Who, reason: &str) {
        self.reporter.report(&Report::Error { who, reason });
        self.connected.remove(&peer);
        self.gone += 1;
        self.failed += 1;
    }

    fn all_gone(&self) -> bool {
        self.wanted.is_some_and(|wanted| self.gone >= wanted)
    }

    fn verdict(&self) -> Result<(), Fault> {
        match self.gone {
            gone if gone > self.failed => Ok(()),
            1 => Err(Fault::Handshake("the only peer failed".to_owned())),
            gone => Err(Fault::Handshake(format!("all {gone} peers failed"))),
        }
    }

    fn out_of_time(&self) -> Result<(), Fault> {
        match self.wanted {
            None => Ok(()),
            Some(wanted) => Err(Fault::TimedOut(format!(
                "the time that --timeout gives is over: {} of {wanted} peers have come and gone",
                self.gone
            ))),
        }
    }
}

/// Sends a packet back, and changes the keys if they are to be renewed after it.
fn echo(server: &mut Server, peer: PeerId, payload: &[u8], renews: bool) -> Result<(), SendError> {
    server.send(peer, payload)?;
    if renews { server.update_keys(peer, true) } else { Ok(()) }
}
